"""The services that issue tokens: login.microsoftonline.com, and App Service's managed-identity endpoint."""

import time
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

from local.azure.entra.tokens import TOKEN_LIFETIME, Directory, Principal, token
from local.azure.wire import Request, Response, json_response


class TenantHolder(Protocol):
    """The part of a simulated Azure that Entra reads: the tenant id."""

    tenant_id: str


class Entra:
    """The service login.microsoftonline.com of one simulated Azure: discovery, and tokens for client credentials."""

    def __init__(self, world: TenantHolder, directory: Directory) -> None:
        """Answer token requests for the tenant of the simulated Azure and for the principals in `directory`."""
        self._world = world
        self._directory = directory

    def __call__(self, request: Request) -> Response:
        """Return the simulated Entra's response to the request."""
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
    """The managed-identity endpoint inside App Service: plain HTTP, guarded by a secret header.

    A request to the managed-identity endpoint has the parameter `resource` and the header X-IDENTITY-HEADER (Azure
    docs, overview-managed-identity, "REST endpoint reference", api-version 2019-08-01). A request for a token may name
    a user-assigned identity by its client id, principal id or resource id.
    """

    def __init__(self, world: TenantHolder, directory: Directory, identities: Mapping[str, Principal]) -> None:
        """Give tokens only to requests whose X-IDENTITY-HEADER is one of the keys of `identities`.

        Each value is the identity of the requests that name none.
        """
        self._world = world
        self._directory = directory
        self._identities = identities

    def __call__(self, request: Request) -> Response:
        """Return a response with an access token, or a refusal in the form of App Service."""
        own = self._identities.get(request.headers.get("x-identity-header", ""))
        if own is None:
            return json_response(401, {"statusCode": 401, "message": "The identity header is missing or wrong."})
        audience = request.query.get("resource")
        if not audience:
            return json_response(400, {"statusCode": 400, "message": "The request names no resource."})
        principal = self._wanted(request, own)
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

    def _wanted(self, request: Request, own: Principal) -> Principal | None:
        keys = ("client_id", "principal_id", "object_id", "mi_res_id")
        named = next((request.query[key] for key in keys if request.query.get(key)), None)
        return own if named is None else self._directory.find(named)
