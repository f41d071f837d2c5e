"""The checks of ARM before a resource provider sees a request: the scope exists, and the caller's role suffices."""

from collections.abc import Mapping
from urllib.parse import unquote

from local.azure.entra.tokens import principal_of
from local.azure.front_door.actions import action_of
from local.azure.front_door.call import Call, Function
from local.azure.wire import Refused, Request, Response, RoutedFunction, arm_error
from local.azure.world import World


def behind_front_door(world: World, function: Function) -> RoutedFunction:
    """Return the route's function, preceded by two checks of ARM: the scope, and then the caller's role."""

    def checked(request: Request, parameters: Mapping[str, str]) -> Response:
        """Return the response of the route's function, or refuse the request."""
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
    """Refuse the request if the caller's role in ARM does not allow the action that the request needs.

    ARM treats a POST as an action, and a principal that may only read may do no action. Listing app settings is a POST,
    so a principal that may only read cannot list app settings. The lists of subscriptions and tenants need no action:
    ARM lists each subscription in which the caller has any role.
    """
    scope = unquote(call.request.path)
    reading = call.request.method == "GET"
    may = call.world.roles.may_read if reading else call.world.roles.may_write
    action = action_of(call.request)
    may_do = call.world.roles.may_do(call.principal, action) or "subscription" not in call.parameters
    if not may(call.principal, scope) or not may_do:
        raise Refused(
            arm_error(
                403,
                "AuthorizationFailed",
                f"The client '{call.principal}' with object id '{call.principal}' does not have authorization to"
                f" perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently"
                " granted, please refresh your credentials.",
            )
        )
