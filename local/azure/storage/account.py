"""A storage account that takes no key: its front door judges each request by the roles of the token's principal.

Azurite knows no roles, so the front door stands before it, at the storage account's own host names.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

from local.azure.entra.tokens import principal_of
from local.azure.rights.storage import StorageOperation, UnknownRequest, operation_of, scope_of
from local.azure.wire import Request, Response
from local.azure.world import World

SERVICES = ("blob", "queue", "table")
SUFFIX = "core.windows.net"
UNAUTHORIZED, FORBIDDEN, NOT_SIMULATED = 401, 403, 501
MISMATCH = "AuthorizationPermissionMismatch"
"""The code of a refusal for want of a right. Code, text and both forms of the body are recorded (azure-sdk-for-js,
recordings of storage-blob and storage-queue of 2019; for tables, an error that azure-data-tables printed in 2023)."""
WITHOUT_RIGHT = "This request is not authorized to perform this operation using this permission."
BATCH = "/$batch"
PART = re.compile(rb"^([A-Z]+) https://[^/\s]+(/[^?\s]*)\S* HTTP/", re.MULTILINE)
"""The first line of each request inside a batch of a table (Azure docs, "Performing entity group transactions")."""
Send = Callable[[str, Request], Response]
"""Send a request to the service `blob`, `queue` or `table` of the storage emulator, and return its answer."""


@dataclass(frozen=True, slots=True)
class StorageAccount:
    """A storage account without keys."""

    resource_id: str
    send: Send

    @property
    def name(self) -> str:
        """The name of the account, with which its host names begin."""
        return self.resource_id.rpartition("/")[2].lower()

    def knows(self, host: str) -> bool:
        """Return True if the host name is one of the account's three."""
        name, _, rest = host.partition(".")
        service, _, suffix = rest.partition(".")
        return name == self.name and service in SERVICES and suffix == SUFFIX

    def handle(self, request: Request, world: World) -> Response:
        """Return the emulator's answer, or a refusal if the grants of this world do not allow the request."""
        service = request.host.split(".")[1]
        principal = principal_of(request)
        if principal is None:
            return _without_token(service, request, world.tenant_id)
        if not world.grants.binds(principal):
            return self.send(service, request)
        try:
            asked = _parts(service, request)
        except UnknownRequest as unknown:
            return _refused(service, NOT_SIMULATED, "NotImplemented", f"The local Azure has no row for {unknown}.")
        if not all(_allows(world, principal, operation, self.resource_id + scope) for operation, scope in asked):
            return _refused(service, FORBIDDEN, MISMATCH, WITHOUT_RIGHT)
        return self.send(service, request)


def _parts(service: str, request: Request) -> list[tuple[StorageOperation, str]]:
    """Return what the request does and at which scope, for a batch what each of its parts does.

    Raise UnknownRequest for a request without a row, and for a batch without a part.
    """
    asked = [(request.method, request.path)]
    if request.path == BATCH:
        asked = [(method.decode(), path.decode("latin-1")) for method, path in PART.findall(request.body)]
        if not asked:
            raise UnknownRequest(f"{service}: a batch without a part")
    return [(operation_of(service, method, path, request.query), scope_of(service, path)) for method, path in asked]


def _allows(world: World, principal: str, asked: StorageOperation, scope: str) -> bool:
    """Return True if the principal may do what the request asks, and remember a refusal."""
    grants = world.grants
    with world.lock:
        if asked.allowed(lambda operation, data: grants.sees(principal, operation, scope, data=data)):
            return True
        return grants.allow(principal, asked.alternatives[0][0], scope, data=asked.data)


def _without_token(service: str, request: Request, tenant: str) -> Response:
    """Return the answer to a request with a key, or with nothing.

    Azure docs: "Prevent Shared Key authorization for an Azure Storage account" names the code for a key, and "Authorize
    with Microsoft Entra ID", section "Bearer challenge", has the header.
    """
    if "authorization" in request.headers:
        message = "Key based authentication is not permitted on this storage account."
        return _refused(service, FORBIDDEN, "KeyBasedAuthenticationNotPermitted", message)
    authority = f"https://login.microsoftonline.com/{tenant}/oauth2/authorize"
    challenge = f"Bearer authorization_uri={authority} resource_id=https://storage.azure.com"
    message = "Server failed to authenticate the request."
    refused = _refused(service, UNAUTHORIZED, "NoAuthenticationInformation", message)
    return refused.adding({"WWW-Authenticate": challenge})


def _refused(service: str, status: int, code: str, message: str) -> Response:
    kind, body = _in_json(code, message) if service == "table" else _in_xml(code, message)
    headers: Mapping[str, str] = {"Content-Type": kind, "x-ms-error-code": code}
    return Response(status, headers, body.encode())


def _in_json(code: str, message: str) -> tuple[str, str]:
    error = {"code": code, "message": {"lang": "en-US", "value": message}}
    return "application/json;odata=minimalmetadata;charset=utf-8", json.dumps({"odata.error": error})


def _in_xml(code: str, message: str) -> tuple[str, str]:
    body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return "application/xml", f'<?xml version="1.0" encoding="utf-8"?>{body}'
