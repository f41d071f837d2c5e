"""Put an installation into a simulated Azure as Certroll's templates make it.

The resources are those that `bicep snapshot` wrote. The snapshot names one subscription and its vaults, which stand for
those of the simulated Azure. What only Azure knows, such as the principal of an identity, is made up here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from local.azure.entra.tokens import CERTROLL
from local.azure.rights.built_in import Role, role
from local.azure.rights.deployed import ASSIGNMENTS, definitions_of, scope_of
from local.azure.rights.permissions import Permissions
from local.azure.vault.access import RoleAssignment
from local.azure.world import ResourceGroup, World
from local.variants import document

IN_GROUP = re.compile("/subscriptions/([^/]+)/resourceGroups/([^/]+)", re.IGNORECASE)
SUBSCRIPTIONS = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
"""The subscriptions in the snapshots: that of the installation, and another one."""
SITES = "Microsoft.Web/sites"
VAULT_GROUP, VAULT = "vaults", re.compile(r"\bkv-(?:one|two)\b")
REFERENCE = re.compile(r"\[[^\]\"]*reference\('([^']+)'[^\]\"]*\.(principalId|clientId)\)?\]")


def deploy(world: World, variant: str, *, own: bool = True) -> None:
    """Add the installation of a variant of the templates to the simulated Azure, for its first vault.

    With `own=False` the identity of the installation is another one than that of the running app.
    """
    resources = [_known(world, resource, own=own) for resource in _placed(world, variant)]
    for resource in resources:
        if found := IN_GROUP.match(resource["id"]):
            group = ResourceGroup(found[1], found[2], resource["location"])
            world.resource_groups.setdefault((group.subscription.lower(), group.name.lower()), group)
        if resource["type"] == ASSIGNMENTS:
            given = _assignment(world, resource, resources)
            world.role_assignments[given.id.lower()] = given
        else:
            world.deployed[resource["id"].lower()] = resource


def _placed(world: World, variant: str) -> Iterator[dict[str, Any]]:
    """Yield the resources of the variant, in the first subscription and for the first vault of the simulated Azure."""
    vault = next(iter(world.vaults.values()))
    text = json.dumps(document(variant)["predictedResources"])
    for stands, found in zip(SUBSCRIPTIONS, [*world.subscriptions, *world.subscriptions][:2], strict=True):
        text = text.replace(stands, found)
    text = text.replace(f"/resourceGroups/{VAULT_GROUP}/", f"/resourceGroups/{vault.resource_group}/")
    yield from json.loads(VAULT.sub(vault.name, text))


def _known(world: World, resource: Mapping[str, Any], *, own: bool) -> dict[str, Any]:
    """Return the resource with what its unresolved expressions stand for, and with the identity that Azure gives it."""

    def stands(found: re.Match[str]) -> str:
        if own and "/userassignedidentities/" in found[1].lower():
            return CERTROLL.object_id if found[2] == "principalId" else CERTROLL.client_id
        return world.object_id(f"{found[2]} of {found[1]}".lower())

    identifier = resource["id"]
    if str(identifier).startswith("["):
        identifier = f"{scope_of(resource)}/providers/{ASSIGNMENTS}/{uuid5(NAMESPACE_URL, identifier)}"
    known: dict[str, Any] = json.loads(REFERENCE.sub(stands, json.dumps({**resource, "id": identifier})))
    name = str(identifier).rpartition("/")[2]
    if "/userassignedidentities/" in str(identifier).lower():
        values = {part: stands(_reference(identifier, part)) for part in ("principalId", "clientId")}
        known["properties"] = {**known.get("properties", {}), **values, "tenantId": world.tenant_id}
    if known["type"] == SITES:
        sku = "FlexConsumption" if "functionAppConfig" in known["properties"] else "Basic"
        known["properties"]["sku"] = sku
    return known | {"name": name, "tags": known.get("tags") or {}, "location": known.get("location", "westeurope")}


def _reference(identifier: str, part: str) -> re.Match[str]:
    found = REFERENCE.fullmatch(f"[reference('{identifier}', '').{part}]")
    if found is None:
        raise ValueError(f"{identifier} is no id of a resource.")
    return found


def _assignment(world: World, resource: Mapping[str, Any], resources: list[dict[str, Any]]) -> RoleAssignment:
    properties = resource["properties"]
    wanted = str(properties["roleDefinitionId"]).rpartition("/")[2]
    custom = {str(found["name"]): found for found in definitions_of(resources)}.get(wanted)
    given = role(wanted) if custom is None else custom_role(custom)
    scope = str(resource["id"]).rpartition(f"/providers/{ASSIGNMENTS}/")[0]
    return RoleAssignment(str(resource["name"]), scope, given, properties["principalId"], world.clock.now())


def custom_role(definition: Mapping[str, Any]) -> Role:
    """Return the custom role that a deployed role definition describes."""
    described = definition["properties"]
    return Role(described["roleName"], definition["name"], Permissions.of(described["permissions"][0]))
