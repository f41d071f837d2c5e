"""The grants that a deployment makes, read from the list of its resources that `bicep snapshot` writes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local.azure.rights.built_in import role
from local.azure.rights.grants import Grant
from local.azure.rights.permissions import Permissions

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/"
"""What the principal of an assignment names if the principal is Certroll's identity. The compiler leaves a `reference`
to an identity unresolved, with the id of the identity inside."""
PLACES = re.compile(r"/(subscriptions|resourceGroups)/[^/]+", re.IGNORECASE)
CHILD = re.compile(r"(/providers/[^/]+)((?:/[^/]+/[^/]+)+)$")
SITES = "/providers/microsoft.web/sites/"
SCOPES: Mapping[re.Pattern[str], str] = {
    re.compile(rf"(/.*)/providers/{ASSIGNMENTS}/", re.IGNORECASE): "{}",
    re.compile(rf"\[extensionResourceId\('([^']+)', *'{ASSIGNMENTS}'", re.IGNORECASE): "{}",
    re.compile(rf"\[subscriptionResourceId\('([^']+)', *'{ASSIGNMENTS}'", re.IGNORECASE): "/subscriptions/{}",
}
"""The forms of an assignment's id, and the scope in each form."""


class NotReadable(ValueError):
    """A deployment has an assignment whose role or scope the local Azure cannot read."""


def grants_of(document: Mapping[str, Any]) -> tuple[Grant, ...]:
    """Return the grants of Certroll's identity in a document with `predictedResources`.

    Raise NotReadable for an assignment of a role that is neither in the document nor in the kept extract.
    """
    resources: Sequence[Mapping[str, Any]] = document["predictedResources"]
    return tuple(
        Grant(scope_of(assignment), permissions, name)
        for assignment in assignments_of(resources)
        for name, permissions in _permissions_of(assignment, resources)
    )


def assignments_of(resources: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the role assignments whose principal is a user-assigned identity."""
    for resource in resources:
        if _is(resource, ASSIGNMENTS) and IDENTITY.lower() in str(resource["properties"]["principalId"]).lower():
            yield resource


def definitions_of(resources: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return the custom roles that the deployment makes."""
    return tuple(resource for resource in resources if _is(resource, DEFINITIONS))


def scope_of(assignment: Mapping[str, Any]) -> str:
    """Return the scope of an assignment: what its id names before the assignment's own provider.

    The compiler leaves an id unresolved whose last name depends on the id of a principal. Raise NotReadable for an id
    in another form.
    """
    identifier = str(assignment["id"])
    for form, scope in SCOPES.items():
        if found := form.match(identifier):
            return scope.format(found[1])
    raise NotReadable(f"The scope of the role assignment {identifier} cannot be read.")


def anywhere(grant: Grant) -> Grant:
    """Return the grant for each place of the same kind: a role at one vault becomes the role at each vault.

    Raise NotReadable for a role at a single site: which sites of another fleet it stands for is unknown.
    """
    if SITES in grant.scope.lower():
        raise NotReadable(f"{grant.role} is assigned at a site ({grant.scope}), which stands for no kind of place.")
    named = PLACES.sub(lambda found: f"/{found[1]}/*", grant.scope)
    scope = CHILD.sub(lambda found: found[1] + re.sub(r"(/[^/]+)/[^/]+", r"\1/*", found[2]), named)
    return Grant(scope, grant.permissions, grant.role)


def _permissions_of(
    assignment: Mapping[str, Any], resources: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Permissions]]:
    wanted = str(assignment["properties"]["roleDefinitionId"])
    identifier = wanted.rpartition("/")[2].strip("')]").lower()
    for definition in definitions_of(resources):
        if str(definition["id"]).rpartition("/")[2].lower() == identifier and _reachable(definition, assignment):
            name = str(definition["properties"]["roleName"])
            yield from ((name, Permissions.of(each)) for each in definition["properties"]["permissions"])
            return
    try:
        found = role(identifier)
    except KeyError as unknown:
        raise NotReadable(f"{assignment['id']} assigns {wanted}, which is in no kept list of roles.") from unknown
    yield found.name, found.permissions


def _reachable(definition: Mapping[str, Any], assignment: Mapping[str, Any]) -> bool:
    """Return True if a scope in which the custom role may be assigned contains the assignment's scope."""
    scopes = definition["properties"].get("assignableScopes") or ()
    within = f"{scope_of(assignment)}/".lower()
    return any(within.startswith(f"{str(scope).rstrip('/')}/".lower()) for scope in scopes)


def _is(resource: Mapping[str, Any], kind: str) -> bool:
    return str(resource.get("type", "")).lower() == kind.lower()
