"""These tests cover an installation of Certroll in the local Azure, which a person lists and removes with az."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.azure.entra.tokens import CERTROLL
from local.azure.scripting.clock import Clock
from local.azure.world import World
from local.deployment import deploy
from local.variants import FOLDER, document
from local.worlds.named import WORLDS
from tests.local.arm_client import Client

SUBSCRIPTION = "/subscriptions/5b0c8a52-7f1e-4c39-9d3a-2e6f4b1c7a01"
GROUP, SECOND = (f"{SUBSCRIPTION}/resourceGroups/{name}" for name in ("certroll-rg", "certroll-b-rg"))
TOPICS = f"{SUBSCRIPTION}/providers/Microsoft.EventGrid/systemTopics"
TOPIC = f"{SUBSCRIPTION}/resourceGroups/security/providers/Microsoft.EventGrid/systemTopics/certroll-contoso-web-kv"
ROLES = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
ASSIGNMENTS = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments"
ASSIGNED = "Microsoft.Authorization/roleAssignments"
VARIANTS = sorted(path.name.partition(".")[0] for path in FOLDER.glob("*.snapshot.json"))


@pytest.fixture
def azure() -> Client:
    """Return a client of a local Azure with two installations that share a vault."""
    world = WORLDS["contoso"](Clock.real(), 0)
    deploy(world, "private")
    deploy(world, "two-installations-b", own=False)
    return Client(world)


def own_role(azure: Client) -> str:
    """Return the path of the custom role of the first installation."""
    custom = [role for role in azure.listed(ROLES) if role["properties"]["type"] == "CustomRole"]
    assert len(custom) == 2
    return next(str(role["id"]) for role in custom if " certroll-a" in role["properties"]["roleName"])


def test_two_installations_share_the_topic_of_a_vault(azure: Client) -> None:
    """A person finds the one system topic of a vault, with an event subscription of each installation."""
    assert [topic["id"] for topic in azure.listed(TOPICS)] == [TOPIC]
    assert len(azure.listed(f"{TOPIC}/eventSubscriptions")) == 2


def test_group_lists_what_the_templates_make_there(azure: Client) -> None:
    """The list of a group has each resource of the installation, and no child of another resource."""
    found = {item["id"] for item in azure.listed(f"{GROUP}/resources")}
    types = {item["type"] for item in azure.listed(f"{GROUP}/resources")}
    assert {"Microsoft.Web/sites", "Microsoft.Storage/storageAccounts", "Microsoft.Insights/components"} <= types
    assert all(len(identifier.split("/")) == 9 for identifier in found)


def test_identity_has_the_rights_that_the_templates_assign(azure: Client) -> None:
    """The identity in the group is the app's, and the list of role assignments has its rights."""
    (identity,) = azure.listed(f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities")
    assert identity["properties"]["principalId"] == CERTROLL.object_id
    (other,) = azure.listed(f"{SECOND}/providers/Microsoft.ManagedIdentity/userAssignedIdentities")
    assert other["properties"]["principalId"] != CERTROLL.object_id
    given = [item["properties"] for item in azure.listed(ASSIGNMENTS)]
    assert len([rights for rights in given if rights["principalId"] == CERTROLL.object_id]) == 7


def test_telemetry_names_its_private_link_scope(azure: Client) -> None:
    """Application Insights and its workspace name their entries in a private link scope, as Azure does."""
    component = azure.get(f"{GROUP}/providers/Microsoft.Insights/components/certroll")["properties"]
    workspace = azure.get(f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/certroll")["properties"]
    (linked,), (same,) = component["PrivateLinkScopedResources"], workspace["privateLinkScopedResources"]
    scope = linked["ResourceId"].rpartition("/scopedresources/")[0]
    assert same["resourceId"].startswith(scope)
    assert len(azure.listed(f"{scope}/scopedResources")) == 2


def test_settings_of_the_installed_app_are_those_of_the_templates(azure: Client) -> None:
    """A person reads the settings of the installed app, with the client id of the app's identity."""
    (app,) = [item["id"] for item in azure.listed(f"{GROUP}/resources") if item["type"] == "Microsoft.Web/sites"]
    settings = azure.post(f"{app}/config/appsettings/list")["properties"]
    assert (settings["CERTROLL_VAULTS"], settings["AZURE_CLIENT_ID"]) == ("contoso-web-kv", CERTROLL.client_id)


def test_role_that_somebody_has_is_not_deleted(azure: Client) -> None:
    """Azure refuses to delete a custom role while somebody has it."""
    role = own_role(azure)
    assert azure.delete(role, 400)["error"]["code"] == "RoleDefinitionHasAssignments"
    for given in azure.listed(ASSIGNMENTS):
        if str(given["properties"]["roleDefinitionId"]).endswith(role.rpartition("/")[2]):
            azure.delete(given["id"])
    azure.send("DELETE", role)
    assert role not in {str(known["id"]) for known in azure.listed(ROLES)}


def test_deleted_group_takes_its_parts_and_no_other(azure: Client) -> None:
    """The deletion of a group ends its resources and the rights at them, and leaves the second installation."""
    before = len(azure.listed(f"{SECOND}/resources"))
    assert azure.send("DELETE", GROUP).status == 200
    azure.get(GROUP, 404)
    assert not [given for given in azure.listed(ASSIGNMENTS) if given["id"].startswith(f"{GROUP}/")]
    assert len(azure.listed(f"{SECOND}/resources")) == before
    assert len(azure.listed(f"{TOPIC}/eventSubscriptions")) == 2


def test_group_with_simulated_apps_is_not_deleted(azure: Client) -> None:
    """The local Azure deletes no group whose apps it simulates."""
    assert azure.send("DELETE", f"{SUBSCRIPTION}/resourceGroups/shop").status == 409


def test_second_deletion_of_a_topic_changes_nothing(azure: Client) -> None:
    """A deleted topic goes with its event subscriptions, and its second deletion is an empty 204."""
    assert [azure.send("DELETE", TOPIC).status for _ in range(2)] == [200, 204]
    assert azure.listed(f"{TOPIC}/eventSubscriptions") == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_can_be_deployed(variant: str) -> None:
    """Each kept variant of the templates becomes an installation without an unresolved id or principal."""
    world = WORLDS["contoso"](Clock.real(), 0)
    deploy(world, variant)
    kept = {resource["type"] for resource in document(variant)["predictedResources"]}
    given = [rights for rights in world.role_assignments.values() if rights.principal == CERTROLL.object_id]
    assert {resource["type"] for resource in world.deployed.values()} == kept - {ASSIGNED}
    assert given
    assert not [text for text in _texts(world) if text.startswith("[extensionResourceId") or "principalId]" in text]


def _texts(world: World) -> Iterator[str]:
    everything: list[Any] = [*world.deployed.values()]
    yield from json.dumps(everything).split('"')
    yield from (given.id for given in world.role_assignments.values())
