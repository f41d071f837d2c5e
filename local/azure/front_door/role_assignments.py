"""Microsoft.Authorization: role assignments at subscriptions, resource groups and vaults, and the built-in roles."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from local.azure.front_door import installed
from local.azure.front_door.call import GROUP, SUBSCRIPTION, Call, Route
from local.azure.front_door.vaults import VAULT
from local.azure.rights.built_in import ROLES, Role, role
from local.azure.vault.access import RoleAssignment, is_within
from local.azure.wire import Refused, Response, arm_error, json_response

AUTHORIZATION = "/providers/Microsoft.Authorization"
ASSIGNMENTS = f"{AUTHORIZATION}/roleAssignments"
DEFINITIONS = f"{AUTHORIZATION}/roleDefinitions"
SCOPES = (SUBSCRIPTION, GROUP, VAULT)
OF_PRINCIPAL = re.compile(r"principalId\s+eq\s+'([^']+)'|assignedTo\('([^']+)'\)", re.IGNORECASE)
OF_NAME = re.compile(r"roleName\s+eq\s+'([^']+)'", re.IGNORECASE)


def list_assignments(call: Call) -> Response:
    """Respond with the role assignments at, above and below the scope in the request's path.

    With `atScope()` in `$filter`, the response omits role assignments from below the scope.
    """
    scope, wanted = _scope(call), call.request.query.get("$filter", "")
    principal = OF_PRINCIPAL.search(wanted)
    found = [
        given for given in call.world.role_assignments.values() if given.reaches(scope) or is_within(given.scope, scope)
    ]
    if "atscope()" in wanted.lower():
        found = [given for given in found if given.reaches(scope)]
    if principal:
        found = [given for given in found if given.concerns(principal[1] or principal[2])]
    return call.page(_assignment_json(call, given) for given in found)


def get_assignment(call: Call) -> Response:
    """Respond with one role assignment at exactly the scope in the request's path."""
    found = call.world.role_assignments.get(_assignment_id(call))
    if found is None:
        message = f"The role assignment '{call['assignment']}' is not found."
        raise Refused(arm_error(404, "RoleAssignmentNotFound", message))
    return json_response(200, _assignment_json(call, found))


def put_assignment(call: Call) -> Response:
    """Create the role assignment, and respond with the assignment.

    The role assignment takes effect in vaults after the seconds that the simulation's knob `role_seconds` sets. Writing
    the same role assignment again changes nothing.
    """
    wanted, known = _wanted(call), call.world.role_assignments.get(_assignment_id(call))
    if known is not None and known.what != wanted.what:
        message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
        raise Refused(arm_error(400, "RoleAssignmentUpdateNotPermitted", message))
    if known is None and any(given.what == wanted.what for given in call.world.role_assignments.values()):
        raise Refused(arm_error(409, "RoleAssignmentExists", "The role assignment already exists."))
    if known is None:
        call.world.role_assignments[wanted.id.lower()] = wanted
        call.world.journal.note(f"role {wanted.role.name} given to {wanted.principal} at {wanted.scope}")
    return json_response(201 if known is None else 200, _assignment_json(call, known or wanted))


def delete_assignment(call: Call) -> Response:
    """Delete the role assignment, and respond with the assignment.

    The response to the deletion of an unknown role assignment is an empty 204.
    """
    gone = call.world.role_assignments.pop(_assignment_id(call), None)
    if gone is None:
        return Response(204)
    call.world.journal.note(f"role {gone.role.name} taken from {gone.principal} at {gone.scope}")
    return json_response(200, _assignment_json(call, gone))


def list_definitions(call: Call) -> Response:
    """Respond with the roles that the local Azure knows, or with the role that `$filter` names."""
    named = OF_NAME.search(call.request.query.get("$filter", ""))
    built_in = (_definition_json(call, definition) for definition in ROLES)
    everything = (*built_in, *installed.custom_roles(call))
    return call.page(
        definition
        for definition in everything
        if named is None or definition["properties"]["roleName"].casefold() == named[1].casefold()
    )


def get_definition(call: Call) -> Response:
    """Respond with the built-in role whose id is in the request's path."""
    return json_response(200, _definition_json(call, _role(call["definition"])))


def _scope(call: Call) -> str:
    path = unquote(call.request.path)
    return path[: path.lower().rindex(AUTHORIZATION.lower())]


def _assignment_id(call: Call) -> str:
    return unquote(call.request.path).lower()


def _wanted(call: Call) -> RoleAssignment:
    properties = call.payload().get("properties")
    properties = properties if isinstance(properties, dict) else {}
    return RoleAssignment(
        name=call["assignment"],
        scope=_scope(call),
        role=_role(_text(properties, "roleDefinitionId")),
        principal=_text(properties, "principalId"),
        created=call.world.clock.now(),
        principal_type=properties.get("principalType") or "ServicePrincipal",
        condition=properties.get("condition"),
        description=properties.get("description"),
    )


def _text(properties: Mapping[str, Any], name: str) -> str:
    found = properties.get(name)
    if not isinstance(found, str) or not found:
        raise Refused(arm_error(400, "BadRequestFormat", f"The request was incorrectly formatted: no {name}."))
    return found


def _role(identifier: str) -> Role:
    try:
        return role(identifier)
    except KeyError as unknown:
        message = f"The specified role definition with ID '{identifier.rpartition('/')[2]}' does not exist."
        raise Refused(arm_error(404, "RoleDefinitionDoesNotExist", message)) from unknown


def _definition_id(call: Call, found: Role) -> str:
    return f"/subscriptions/{call['subscription']}{DEFINITIONS}/{found.id}"


def _assignment_json(call: Call, given: RoleAssignment) -> dict[str, Any]:
    created = given.created.isoformat().replace("+00:00", "Z")
    properties = {
        "roleDefinitionId": _definition_id(call, given.role),
        "principalId": given.principal,
        "principalType": given.principal_type,
        "scope": given.scope,
        "condition": given.condition,
        "conditionVersion": "2.0" if given.condition else None,
        "createdOn": created,
        "updatedOn": created,
        "delegatedManagedIdentityResourceId": None,
        "description": given.description,
    }
    return {
        "id": given.id,
        "type": ASSIGNMENTS.removeprefix("/providers/"),
        "name": given.name,
        "properties": properties,
    }


def _definition_json(call: Call, found: Role) -> dict[str, Any]:
    properties = {
        "roleName": found.name,
        "type": "BuiltInRole",
        "description": "",
        "assignableScopes": ["/"],
        "permissions": [found.permissions.to_json()],
    }
    kind = DEFINITIONS.removeprefix("/providers/")
    return {"id": _definition_id(call, found), "type": kind, "name": found.id, "properties": properties}


ROUTES: tuple[Route, ...] = tuple(
    (method, f"{scope}{path}", function)
    for scope in SCOPES
    for method, path, function in (
        ("GET", ASSIGNMENTS, list_assignments),
        ("GET", f"{ASSIGNMENTS}/{{assignment}}", get_assignment),
        ("PUT", f"{ASSIGNMENTS}/{{assignment}}", put_assignment),
        ("DELETE", f"{ASSIGNMENTS}/{{assignment}}", delete_assignment),
        ("GET", DEFINITIONS, list_definitions),
        ("GET", f"{DEFINITIONS}/{{definition}}", get_definition),
    )
)
