"""The checks of ARM before a resource provider sees a request: the scope exists, and the caller's role suffices."""

from collections.abc import Mapping
from urllib.parse import unquote

from local.azure.entra.tokens import principal_of
from local.azure.front_door.call import Call, Function
from local.azure.front_door.operations import JOIN
from local.azure.wire import Refused, Request, Response, RoutedFunction, arm_error
from local.azure.world import World

NAMING_A_PLAN = frozenset({"Microsoft.Web/certificates/write", "Microsoft.Web/sites/write"})
"""The operations whose request may name an App Service plan, which the caller then has to be allowed to join."""
ACTION = "/action"


def behind_front_door(world: World, function: Function, operation: str) -> RoutedFunction:
    """Return the route's function, preceded by two checks of ARM: the scope, and then the caller's role.

    `operation` is the operation of Azure that the route stands for.
    """

    def checked(request: Request, parameters: Mapping[str, str]) -> Response:
        """Return the response of the route's function, or refuse the request."""
        call = Call(world, request, parameters, principal_of(request))
        world.journal.note_operation(operation)
        _check_scope(call)
        _check_role(call, operation)
        _check_plan(call, operation)
        return function(call)

    return checked


def _check_scope(call: Call) -> None:
    subscription, group = call.parameters.get("subscription"), call.parameters.get("group")
    if subscription is not None and subscription.lower() not in call.world.subscriptions:
        raise Refused(arm_error(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found."))
    if group is not None and (str(subscription).lower(), group.lower()) not in call.world.resource_groups:
        raise Refused(arm_error(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found."))


def _check_role(call: Call, operation: str) -> None:
    """Refuse the request if the caller's role in ARM does not allow the operation.

    ARM treats a POST as an action, and a principal that may only read may do no action. Listing app settings is a POST,
    so a principal that may only read cannot list app settings. The lists of subscriptions and tenants need no right:
    ARM lists each subscription in which the caller has any role.
    """
    path = unquote(call.request.path)
    scope = path.rpartition("/")[0] if operation.endswith(ACTION) else path
    reading = call.request.method == "GET"
    may = call.world.roles.may_read if reading else call.world.roles.may_write
    granted = "subscription" not in call.parameters or call.world.grants.allow(call.principal, operation, scope)
    if granted and may(call.principal, path):
        return
    raise Refused(
        arm_error(
            403,
            "AuthorizationFailed",
            f"The client '{call.principal}' with object id '{call.principal}' does not have authorization to"
            f" perform action '{operation}' over scope '{scope}' or the scope is invalid. If access was recently"
            " granted, please refresh your credentials.",
        )
    )


def _check_plan(call: Call, operation: str) -> None:
    """Refuse the request if it names a plan that the caller may not join, in ARM's words (azure-cli #18763)."""
    if operation not in NAMING_A_PLAN or not call.world.grants.binds(call.principal):
        return
    plan = (call.payload().get("properties") or {}).get("serverFarmId")
    if plan and not call.world.grants.allow(call.principal, JOIN, str(plan)):
        raise Refused(
            arm_error(
                403,
                "LinkedAuthorizationFailed",
                f"The client '{call.principal}' with object id '{call.principal}' has permission to perform action"
                f" '{operation}' on scope '{unquote(call.request.path)}'; however, it does not have permission to"
                f" perform action '{JOIN}' on the linked scope(s) '{plan}' or the linked scope(s) are invalid.",
            )
        )
