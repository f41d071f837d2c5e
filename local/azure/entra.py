"""Entra: who may ask, the tokens they ask with, and the managed-identity endpoint of App Service.

The tokens look like Entra's and say who asks for what audience. Nobody signs them and nobody checks a signature.
"""

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs

from local.azure.wire import Request, Response, json_response

TENANT = "9f0c2a51-6d3e-4b77-9a58-3f1c5e8d7b20"
TOKEN_LIFETIME = 86_400
AUDIENCES = {
    "management": frozenset({"https://management.azure.com", "https://management.core.windows.net"}),
    "vault": frozenset({"https://vault.azure.net"}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who can get a token: a managed identity, or an application with a secret."""

    name: str
    object_id: str
    client_id: str
    resource_id: str = ""
    secret: str | None = None


CERTROLL = Principal(
    "certroll",
    "6d2f7c84-1b0e-4a5f-8f43-0c9d1e2a3b4c",
    "2b8f5a10-77c1-4a0d-9c39-5b1a6e4d2f01",
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/certroll/providers/Microsoft.Web/sites/certroll",
)
"""The identity of the app under development; whoever asks the managed-identity endpoint for nobody else gets it."""
OPERATOR = Principal(
    "operator",
    "c1d5e9a2-3f40-4b6b-8e1d-7a9b2c4d6e80",
    "84f1b3c6-2a5d-4e7f-9b08-1c3d5e7f9a2b",
    secret="operator",  # noqa: S106 - of an application that exists nowhere else
)
"""A person's application: renews certificates and looks around with a command-line client."""


class TenantHolder(Protocol):
    """What Entra needs of a world."""

    tenant_id: str


@dataclass(slots=True)
class Directory:
    """The principals of a tenant."""

    principals: list[Principal] = field(default_factory=lambda: [CERTROLL, OPERATOR])

    def find(self, identifier: str) -> Principal | None:
        """Return the principal with that client, object or resource id, in any spelling."""
        wanted = identifier.casefold()
        return next((one for one in self.principals if wanted in _identifiers(one)), None)


def _identifiers(principal: Principal) -> set[str]:
    known = (principal.client_id, principal.object_id, principal.resource_id)
    return {identifier.casefold() for identifier in known if identifier}


def token(tenant: str, principal: Principal, audience: str, issued: int) -> str:
    """Return a token in the form of a JWT that names tenant, principal and audience."""
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": issued,
        "nbf": issued,
        "exp": issued + TOKEN_LIFETIME,
        "appid": principal.client_id,
        "idtyp": "app",
        "oid": principal.object_id,
        "sub": principal.object_id,
        "tid": tenant,
        "uti": secrets.token_urlsafe(16),
        "ver": "1.0",
        **({"xms_mirid": principal.resource_id} if principal.resource_id else {}),
    }
    header = {"typ": "JWT", "alg": "RS256", "kid": "local"}
    return ".".join((_encoded(header), _encoded(claims), secrets.token_urlsafe(32)))


def _encoded(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def claims_of(request: Request) -> Mapping[str, Any] | None:
    """Return what the request's bearer token says, or None where there is no readable token."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    parts = text.split(".")
    if scheme.lower() != "bearer" or len(parts) != 3:  # noqa: PLR2004 - a JWT has three parts
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def principal_of(request: Request) -> str | None:
    """Return the object id of whoever sends the request, or None for a request without a token."""
    claims = claims_of(request)
    return None if claims is None else claims.get("oid")


def audience_fits(claims: Mapping[str, Any], service: str) -> bool:
    """Whether a token with these claims was issued for that service."""
    return str(claims.get("aud", "")).rstrip("/") in AUDIENCES[service]


class Entra:
    """login.microsoftonline.com for one world: discovery documents and tokens for client credentials."""

    def __init__(self, world: TenantHolder, directory: Directory) -> None:
        """Answer for that world's tenant and these principals."""
        self._world = world
        self._directory = directory

    def __call__(self, request: Request) -> Response:
        """Return what Entra answers to that request."""
        if request.path.endswith("/discovery/instance"):
            return json_response(200, self._instances())
        if request.path.endswith("/.well-known/openid-configuration"):
            return self._configuration(request)
        if request.method == "POST" and request.path.endswith("/token"):
            return self._token(request)
        if request.path.endswith("/discovery/v2.0/keys") or request.path.endswith("/discovery/keys"):
            return json_response(200, {"keys": []})
        return json_response(404, {"error": "not_found"})

    def _instances(self) -> dict[str, Any]:
        tenant = self._world.tenant_id
        aliases = ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"]
        return {
            "tenant_discovery_endpoint": (
                f"https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration"
            ),
            "api-version": "1.1",
            "metadata": [
                {"preferred_network": aliases[0], "preferred_cache": aliases[1], "aliases": aliases},
            ],
        }

    def _configuration(self, request: Request) -> Response:
        tenant = request.path.split("/")[1]
        if tenant not in {self._world.tenant_id, "common", "organizations"}:
            return _refused(400, "invalid_tenant", f"AADSTS90002: Tenant '{tenant}' not found.")
        base = f"https://{request.host}/{tenant}"
        version = "/v2.0" if "/v2.0/" in request.path else ""
        return json_response(
            200,
            {
                "issuer": f"https://login.microsoftonline.com/{self._world.tenant_id}/v2.0",
                "token_endpoint": f"{base}/oauth2{version}/token",
                "authorization_endpoint": f"{base}/oauth2{version}/authorize",
                "device_authorization_endpoint": f"{base}/oauth2{version}/devicecode",
                "jwks_uri": f"{base}/discovery{version}/keys",
                "tenant_region_scope": "EU",
                "cloud_instance_name": "microsoftonline.com",
                "response_types_supported": ["code", "id_token"],
                "subject_types_supported": ["pairwise"],
            },
        )

    def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        principal = self._directory.find(form.get("client_id", ""))
        if principal is None:
            return _refused(400, "unauthorized_client", "AADSTS700016: Application was not found in the directory.")
        if principal.secret is None or form.get("client_secret") != principal.secret:
            return _refused(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        audience = form.get("resource") or form.get("scope", "").split(" ")[0].removesuffix("/.default")
        access = token(self._world.tenant_id, principal, audience, int(time.time()))
        lifetime = {"token_type": "Bearer", "expires_in": TOKEN_LIFETIME, "ext_expires_in": TOKEN_LIFETIME}
        return json_response(200, lifetime | {"access_token": access})


def _refused(status: int, error: str, description: str) -> Response:
    return json_response(status, {"error": error, "error_description": description, "error_codes": []})


class ManagedIdentity:
    """The managed-identity endpoint inside App Service: plain HTTP, guarded by a header.

    Azure docs, overview-managed-identity, "REST endpoint reference": api-version 2019-08-01, `resource`, the header
    X-IDENTITY-HEADER, and optionally a client, principal or resource id for a user-assigned identity.
    """

    def __init__(self, world: TenantHolder, directory: Directory, header: str) -> None:
        """Answer whoever sends that header."""
        self._world = world
        self._directory = directory
        self._header = header

    def __call__(self, request: Request) -> Response:
        """Return a token, or App Service's refusal."""
        if request.headers.get("x-identity-header") != self._header:
            return json_response(401, {"statusCode": 401, "message": "The identity header is missing or wrong."})
        audience = request.query.get("resource")
        if not audience:
            return json_response(400, {"statusCode": 400, "message": "The request names no resource."})
        principal = self._wanted(request)
        if principal is None:
            return json_response(400, {"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity."})
        now = int(time.time())
        return json_response(
            200,
            {
                "access_token": token(self._world.tenant_id, principal, audience, now),
                "expires_on": str(now + TOKEN_LIFETIME),
                "resource": audience,
                "token_type": "Bearer",
                "client_id": principal.client_id,
            },
        )

    def _wanted(self, request: Request) -> Principal | None:
        keys = ("client_id", "principal_id", "object_id", "mi_res_id")
        named = next((request.query[key] for key in keys if request.query.get(key)), None)
        return CERTROLL if named is None else self._directory.find(named)
