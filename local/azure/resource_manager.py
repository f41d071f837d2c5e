"""ARM (management.azure.com): the check of the api-version, and the routes of all simulated resource providers."""

from local.azure.front_door import (
    activity_log,
    deleted_vaults,
    installed,
    looking,
    resource_lists,
    role_assignments,
    vaults,
)
from local.azure.front_door.api_versions import check_version
from local.azure.front_door.call import Route
from local.azure.front_door.checks import behind_front_door
from local.azure.front_door.operations import operation_of
from local.azure.registration import routes as registration
from local.azure.web.routes import (
    certificates,
    config_references,
    configuration,
    creation,
    environments,
    host_names,
    plans,
    public_certificates,
    site_certificates,
    sites,
)
from local.azure.wire import Refused, Request, Response, Router, arm_error
from local.azure.world import World

ROUTES: tuple[Route, ...] = (
    *activity_log.ROUTES,
    *looking.ROUTES,
    *installed.ROUTES,
    *resource_lists.ROUTES,
    *vaults.ROUTES,
    *deleted_vaults.ROUTES,
    *role_assignments.ROUTES,
    *environments.ROUTES,
    *plans.ROUTES,
    *creation.ROUTES,
    *sites.ROUTES,
    *host_names.ROUTES,
    *certificates.ROUTES,
    *site_certificates.ROUTES,
    *public_certificates.ROUTES,
    *configuration.ROUTES,
    *config_references.ROUTES,
    *registration.ROUTES,
)


class Arm:
    """The simulated service management.azure.com, which counts one request as one change of the simulated Azure.

    `LocalAzure` refuses a request to ARM without a token. If a test sends a request without a token directly to `Arm`,
    only access rules for everyone apply to the request.
    """

    def __init__(self, world: World) -> None:
        """Answer requests to ARM from the state of this simulated Azure."""
        self._world = world
        self._router = Router(_unmatched)
        for method, template, function in ROUTES:
            guarded = behind_front_door(world, function, operation_of(method, template))
            self._router.add(method, template, guarded)

    def __call__(self, request: Request) -> Response:
        """Return ARM's response to the request."""
        try:
            check_version(self._world, request)
        except Refused as refused:
            return refused.response
        if request.method != "GET":
            self._world.web.history.begin_write()
        try:
            with self._world.changes.batch():
                self._world.managed.settle()
                self._world.orders.settle()
                return self._router.dispatch(request)
        except Refused as refused:
            return refused.response


def _unmatched(request: Request) -> Response:
    message = f"The local Azure has no {request.method} {request.path}."
    return arm_error(404, "InvalidResourceType", message)
