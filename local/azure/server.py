"""The whole simulated Azure, which gives each request to the service of the request's host name.

`LocalAzure` also applies scripted faults, writes the journal, and locks the simulated Azure during a request.
"""

import random
from collections.abc import Callable, Mapping
from uuid import UUID

from local.azure.entra.routes import Entra
from local.azure.entra.tokens import Directory, audience_fits, claims_of, principal_of
from local.azure.resource_manager import Arm
from local.azure.storage.account import StorageAccount
from local.azure.vault.routes import KeyVault
from local.azure.wire import Request, Response, Service, arm_error, json_response
from local.azure.world import World

ENTRA_HOSTS = ("login.microsoftonline.com", "login.windows.net")
ARM_HOST = "management.azure.com"
REQUEST, CORRELATION = "x-ms-request-id", "x-ms-correlation-request-id"
CLIENT_REQUEST = "x-ms-client-request-id"


class LocalAzure:
    """All services of one simulated Azure, under the host names of Azure."""

    def __init__(self, world: World, directory: Directory | None = None, storage: StorageAccount | None = None) -> None:
        """Answer requests from the state of this simulated Azure, and those to the storage account from its emulator.

        The function `after_write` is called after each processed request that is not a GET.
        """
        self.world = world
        self.directory = directory or Directory()
        self.after_write: Callable[[], None] = lambda: None
        self._storage = storage
        entra = Entra(world, self.directory)
        self._vaults = KeyVault(world.vaults, world.tenant_id)
        self._ids = _Ids(world)
        self._services: Mapping[str, Service] = {
            **dict.fromkeys(ENTRA_HOSTS, entra),
            ARM_HOST: _Authenticated(Arm(world), world),
        }

    def knows(self, host: str) -> bool:
        """Return True if the host name belongs to a service, a vault or the storage account of this simulated Azure."""
        return host in self._services or self._vaults.knows(host) or self._holds(host)

    def handle(self, request: Request) -> Response:
        """Return the response of the simulated Azure; raise Drop if a scripted fault closes the connection.

        Scripted faults do not strike a request without a token, except a request to Entra. SDK clients differ in when
        they send requests without a token. A scripted fault has to strike the same request in each test run.
        """
        if self._storage is not None and self._storage.knows(request.host):
            return self._storage.handle(request, self.world)
        principal = principal_of(request)
        with self.world.journal.recording(request, principal) as entry:
            if principal is None and request.host not in ENTRA_HOSTS:
                response = self._locked(request)
            else:
                response = self.world.faults.around(request, lambda: self._limited(request, principal or ""))
            response = self._ids.added(request, response)
            entry.status = response.status
            entry.correlation = response.headers.get(CORRELATION, "")
            entry.request_id = response.headers.get(REQUEST, "")
        return response

    def _holds(self, host: str) -> bool:
        return self._storage is not None and self._storage.knows(host)

    def _limited(self, request: Request, principal: str) -> Response:
        if request.host != ARM_HOST:
            return self._locked(request)
        refusal, headers = self.world.limits.refusal(request, principal)
        return (refusal or self._locked(request)).adding(headers)

    def _locked(self, request: Request) -> Response:
        with self.world.lock:
            response = self._service_of(request.host)(request)
        if request.method != "GET":
            self.after_write()
        return response

    def _service_of(self, host: str) -> Service:
        return self._services.get(host) or (self._vaults if self._vaults.knows(host) else _unknown_host)


class _Ids:
    """The ids of requests to ARM and Key Vault, under which Azure's logs list the requests."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = random.Random(0)  # noqa: S311 - request ids

    def added(self, request: Request, response: Response) -> Response:
        """Return the response with its ids. Key Vault has no correlation id (azure-sdk-for-js #13061)."""
        if request.host in ENTRA_HOSTS:
            return response
        echoed = {CLIENT_REQUEST: request.headers[CLIENT_REQUEST]} if CLIENT_REQUEST in request.headers else {}
        ids = {REQUEST: self._new(), **echoed}
        if request.host != ARM_HOST:
            return response.adding(ids)
        sent = request.headers.get(CORRELATION) if self._world.knobs.correlation_kept else None
        return response.adding({**ids, CORRELATION: sent or self._new()})

    def _new(self) -> str:
        with self._world.lock:
            return str(UUID(int=self._random.getrandbits(128), version=4))


class _Authenticated:
    """ARM behind its front door, which refuses every request without a token for ARM."""

    def __init__(self, service: Service, world: World) -> None:
        self._service = service
        self._world = world

    def __call__(self, request: Request) -> Response:
        claims = claims_of(request)
        if claims is None:
            return self._refused(
                "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
            )
        if not audience_fits(claims, "management"):
            message = f"The access token has been obtained for wrong audience or resource '{claims.get('aud')}'."
            return self._refused("InvalidAuthenticationTokenAudience", message)
        return self._service(request)

    def _refused(self, code: str, message: str) -> Response:
        authority = f"https://login.microsoftonline.com/{self._world.tenant_id}"
        header = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{message}"'
        return arm_error(401, code, message).adding({"WWW-Authenticate": header})


def _unknown_host(request: Request) -> Response:
    return json_response(404, {"error": {"code": "NotFound", "message": f"No simulated service at {request.host}."}})
