"""The resources of an installation of Certroll, which a person lists and removes, such as its system topics."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from local.azure.front_door.call import GROUP, SUBSCRIPTION, Call, Function, Route
from local.azure.wire import Refused, Response, arm_error, json_response
from local.azure.world import World

EVENT_GRID = "/providers/Microsoft.EventGrid"
INSIGHTS = "/providers/Microsoft.Insights"
TOPIC = f"{GROUP}{EVENT_GRID}/systemTopics/{{topic}}"
SCOPE = f"{GROUP}{INSIGHTS}/privateLinkScopes/{{scope}}"
DEFINITION = "/providers/microsoft.authorization/roledefinitions/"
LISTED = re.compile(r"/subscriptions/[^/]+/resourcegroups/[^/]+/providers/[^/]+/[^/]+/[^/]+")
"""The ids of the resources that ARM lists, which are no children of other resources (Azure docs, Resources_List)."""
Item = Mapping[str, Any]


def list_at(call: Call) -> Response:
    """Respond with the deployed resources whose list the request's path is."""
    return call.page(_shown(call.world, item) for item in _children(call.world, _path(call)))


def list_topics(call: Call) -> Response:
    """Respond with the system topics of a subscription."""
    return call.page(item for item in below(call) if item["type"] == "Microsoft.EventGrid/systemTopics")


def get_deployed(call: Call) -> Response:
    """Respond with one deployed resource."""
    return json_response(200, _shown(call.world, _found(call)))


def delete_deployed(call: Call) -> Response:
    """Delete a resource with its children, and respond with the resource; an unknown resource gets an empty 204.

    Azure deletes no custom role that a principal has (Azure docs, rbac, "Custom role limits").
    """
    path = _path(call)
    if DEFINITION in path and any(path.endswith(given.role.id) for given in call.world.role_assignments.values()):
        message = "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments)"
        raise Refused(arm_error(400, "RoleDefinitionHasAssignments", message))
    found = call.world.deployed.get(path)
    for identifier in _within(call.world, path):
        call.world.journal.note(f"{call.world.deployed.pop(identifier)['id']} deleted")
    return Response(204) if found is None else json_response(200, found)


def delete_group(call: Call) -> Response:
    """Delete a resource group that holds nothing but an installation, with the rights at its resources."""
    path = f"{_path(call)}/"
    web = call.world.web
    if web.sites.overview(call.below) or web.plans.overview(call.below):
        raise Refused(arm_error(409, "NotSimulated", "The local Azure deletes no group with simulated apps."))
    for given in [given for given in call.world.role_assignments if given.startswith(path)]:
        del call.world.role_assignments[given]
    for identifier in _within(call.world, path.rstrip("/")):
        del call.world.deployed[identifier]
    del call.world.resource_groups[call["subscription"].lower(), call["group"].lower()]
    return Response(200)


def or_deployed(function: Function) -> Function:
    """Return the function of a site's route, which also answers for an installed app, its settings and its lists."""

    def answer(call: Call) -> Response:
        """Return what the installed app has, or the response of the function."""
        path = _path(call).removesuffix("/list")
        found = call.world.deployed.get(path)
        if found is not None:
            return json_response(200, found)
        return call.page(()) if path.rpartition("/")[0] in call.world.deployed else function(call)

    return answer


def below(call: Call) -> Iterator[dict[str, Any]]:
    """Yield the deployed resources in the subscription or group of the request, without children of resources."""
    known = call.world.deployed.items()
    return (dict(item) for identifier, item in known if LISTED.fullmatch(identifier) and call.below(identifier))


def custom_roles(call: Call) -> Iterator[Item]:
    """Yield the custom roles of the subscription that the request names."""
    start = f"/subscriptions/{call['subscription']}{DEFINITION}".lower()
    return (item for identifier, item in call.world.deployed.items() if identifier.startswith(start))


def _path(call: Call) -> str:
    return unquote(call.request.path).rstrip("/").lower()


def _within(world: World, path: str) -> list[str]:
    return [identifier for identifier in world.deployed if f"{identifier}/".startswith(f"{path}/")]


def _children(world: World, path: str) -> Iterator[Item]:
    return (item for identifier, item in world.deployed.items() if identifier.rpartition("/")[0] == path)


def _found(call: Call) -> Item:
    found = call.world.deployed.get(_path(call))
    if found is None:
        message = f"The Resource '{_path(call).rpartition('/providers/')[2]}' was not found."
        raise Refused(arm_error(404, "ResourceNotFound", message))
    return found


def _shown(world: World, item: Item) -> Item:
    """Return the resource with the entries of private link scopes that name it, in the spelling of its provider."""
    linked = [entry["id"].lower() for entry in world.deployed.values() if _links(entry, item["id"])]
    if not linked or "properties" not in item:
        return item
    named = (
        ("PrivateLinkScopedResources", "ResourceId")
        if "/components/" in item["id"]
        else (
            "privateLinkScopedResources",
            "resourceId",
        )
    )
    return {**item, "properties": {**item["properties"], named[0]: [{named[1]: entry} for entry in linked]}}


def _links(entry: Item, identifier: str) -> bool:
    return str(entry.get("properties", {}).get("linkedResourceId", "")).lower() == identifier.lower()


ROUTES: tuple[Route, ...] = (
    ("DELETE", GROUP, delete_group),
    ("GET", f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities", list_at),
    ("GET", f"{SUBSCRIPTION}{EVENT_GRID}/systemTopics", list_topics),
    ("DELETE", TOPIC, delete_deployed),
    ("GET", f"{TOPIC}/eventSubscriptions", list_at),
    ("DELETE", f"{TOPIC}/eventSubscriptions/{{event}}", delete_deployed),
    ("GET", f"{GROUP}{INSIGHTS}/components/{{component}}", get_deployed),
    ("GET", f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/{{workspace}}", get_deployed),
    ("GET", f"{SCOPE}/scopedResources", list_at),
    ("DELETE", f"{SCOPE}/scopedResources/{{entry}}", delete_deployed),
    ("DELETE", f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{{definition}}", delete_deployed),
)
