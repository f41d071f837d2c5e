"""management.azure.com for one world: the front door (api-version, subscription, role) and the routes behind it."""

import random
from collections.abc import Mapping
from urllib.parse import unquote
from uuid import UUID

from local.azure.arm import (
    certificates,
    config_references,
    configuration,
    environments,
    host_names,
    plans,
    public_certificates,
    resource_lists,
    role_assignments,
    site_certificates,
    sites,
    vaults,
)
from local.azure.arm.call import Call, Function, Route
from local.azure.entra import principal_of
from local.azure.registration import routes as registration
from local.azure.wire import Refused, Request, Response, RoutedFunction, Router, arm_error
from local.azure.world import World

ROUTES: tuple[Route, ...] = (
    *resource_lists.ROUTES,
    *vaults.ROUTES,
    *role_assignments.ROUTES,
    *environments.ROUTES,
    *plans.ROUTES,
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
    """The service behind management.azure.com. It asks for no token; the server does. A request is one change.

    A request without a token is nobody's in particular, and sees what everyone sees.
    """

    def __init__(self, world: World) -> None:
        """Answer from that world."""
        self._world = world
        self._ids = random.Random(0)  # noqa: S311 - request ids
        self._router = Router(_unmatched)
        for method, template, function in ROUTES:
            self._router.add(method, template, _behind_front_door(world, function))

    def __call__(self, request: Request) -> Response:
        """Return what ARM answers."""
        if "api-version" not in request.query:
            message = "The api-version query parameter (?api-version=) is required for all requests."
            return self._with_ids(arm_error(400, "MissingApiVersionParameter", message))
        if request.method != "GET":
            self._world.web.history.begin_write()
        try:
            with self._world.changes.batch():
                self._world.managed.settle()
                self._world.orders.settle()
                return self._with_ids(self._router.dispatch(request))
        except Refused as refused:
            return self._with_ids(refused.response)

    def _with_ids(self, response: Response) -> Response:
        identifier = str(UUID(int=self._ids.getrandbits(128), version=4))
        return response.adding({"x-ms-request-id": identifier, "x-ms-correlation-request-id": identifier})


def _behind_front_door(world: World, function: Function) -> RoutedFunction:
    """Return the function behind what ARM itself checks before a resource provider sees a request."""

    def checked(request: Request, parameters: Mapping[str, str]) -> Response:
        """Return what the function answers, or refuse."""
        call = Call(world, request, parameters, principal_of(request))
        _check_scope(call)
        _check_role(call)
        return function(call)

    return checked


def _check_scope(call: Call) -> None:
    subscription, group = call.parameters.get("subscription"), call.parameters.get("group")
    if subscription is not None and subscription.lower() not in call.world.subscriptions:
        raise Refused(arm_error(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found."))
    if group is not None and (str(subscription).lower(), group.lower()) not in call.world.resource_groups:
        raise Refused(arm_error(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found."))


def _check_role(call: Call) -> None:
    """Refuse as role assignments do. A POST is an action, which a mere reader may not take: listing settings is one."""
    scope = unquote(call.request.path)
    reading = call.request.method == "GET"
    may = call.world.roles.may_read if reading else call.world.roles.may_write
    if not may(call.principal, scope):
        verb = "read" if reading else "write"
        raise Refused(
            arm_error(
                403,
                "AuthorizationFailed",
                f"The client '{call.principal}' with object id '{call.principal}' does not have authorization to"
                f" perform action '{verb}' over scope '{scope}' or the scope is invalid. If access was recently"
                " granted, please refresh your credentials.",
            )
        )


def _unmatched(request: Request) -> Response:
    message = f"The local Azure has no {request.method} {request.path}."
    return arm_error(404, "InvalidResourceType", message)
