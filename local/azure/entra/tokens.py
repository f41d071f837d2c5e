"""The principals (identities) of an Entra tenant, and the access tokens of these principals.

A token of the simulated Entra looks like a real token, and names its principal and its audience. No token of the
simulated Entra has a valid signature, and the local Azure checks no signature.
"""

import base64
import functools
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.azure.wire import Request

TENANT = "9f0c2a51-6d3e-4b77-9a58-3f1c5e8d7b20"
TOKEN_LIFETIME = 86_400
AUDIENCES = {
    "management": frozenset({"https://management.azure.com", "https://management.core.windows.net"}),
    "vault": frozenset({"https://vault.azure.net"}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """A principal that can get a token: a managed identity, or an application with a secret."""

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
"""The managed identity of Certroll, and the default of the managed-identity endpoint."""
OPERATOR = Principal(
    "operator",
    "c1d5e9a2-3f40-4b6b-8e1d-7a9b2c4d6e80",
    "84f1b3c6-2a5d-4e7f-9b08-1c3d5e7f9a2b",
    secret="operator",  # noqa: S106 - of an application that exists nowhere else
)
"""The application with which an operator renews and inspects certificates from a command-line client."""


@dataclass(slots=True)
class Directory:
    """The principals of a tenant."""

    principals: list[Principal] = field(default_factory=lambda: [CERTROLL, OPERATOR])

    def find(self, identifier: str) -> Principal | None:
        """Return the principal with the given client id, object id or resource id in any letter case, or None."""
        wanted = identifier.casefold()
        return next((principal for principal in self.principals if wanted in _identifiers(principal)), None)


def _identifiers(principal: Principal) -> set[str]:
    known = (principal.client_id, principal.object_id, principal.resource_id)
    return {identifier.casefold() for identifier in known if identifier}


def token(tenant: str, principal: Principal, audience: str, issued: int) -> str:
    """Return a JWT without a valid signature, which names the tenant, the principal and the audience."""
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
    """Return the claims of the request's bearer token, or None if the request has no readable token."""
    return _claims_in(request.headers.get("authorization", ""))


@functools.lru_cache(maxsize=64)
def _claims_in(header: str) -> Mapping[str, Any] | None:
    """Return the claims of the token in the header Authorization. A client sends one token with many requests."""
    scheme, _, text = header.partition(" ")
    parts = text.split(".")
    if scheme.lower() != "bearer" or len(parts) != 3:  # noqa: PLR2004 - a JWT has three parts
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def principal_of(request: Request) -> str | None:
    """Return the object id of the principal that sent the request, or None without a readable token."""
    claims = claims_of(request)
    return None if claims is None else claims.get("oid")


def audience_fits(claims: Mapping[str, Any], service: str) -> bool:
    """Return True if the audience in a token's claims is the named service."""
    return str(claims.get("aud", "")).rstrip("/") in AUDIENCES[service]
