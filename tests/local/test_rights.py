"""These tests cover the rights of principals in the local Azure: operations, roles, scopes and refusals."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local import variants
from local.azure.entra.tokens import TENANT, Principal, token
from local.azure.front_door.operations import NoOperation, operation_of, unlisted
from local.azure.resource_manager import ROUTES
from local.azure.rights.built_in import EXTRACT as KEPT_ROLES
from local.azure.rights.built_in import role
from local.azure.rights.deployed import NotReadable, anywhere, grants_of
from local.azure.rights.grants import Grant, Grants, reaches
from local.azure.rights.lists import EXTRACT as KEPT_OPERATIONS
from local.azure.rights.lists import listed
from local.azure.rights.permissions import Permissions
from local.azure.vault import routes, secret_routes
from local.azure.vault.access import data_action
from local.azure.vault.routes import KeyVault
from local.azure.wire import Request, Response
from local.azure.world import World
from tests.local.arm_client import PRINCIPAL, Shop, as_principal

SUBSCRIPTION = "/subscriptions/a"
GROUP = f"{SUBSCRIPTION}/resourceGroups/g"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/certroll"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/contoso-kv"
DEFINITION = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/11111111-1111-1111-1111-111111111111"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
SITES = "Microsoft.Web/sites/read"


@pytest.fixture
def shop() -> Shop:
    """Build a local Azure with the site `shop`."""
    return Shop()


def grants(*actions: str, scope: str = "/", **others: tuple[str, ...]) -> tuple[Grant, ...]:
    """Return one grant of these actions."""
    return (Grant(scope, Permissions(tuple(actions), **others)),)


def may(given: tuple[Grant, ...], operation: str, scope: str = GROUP, *, data: bool = False) -> bool:
    """Return True if a principal with these grants may do the operation."""
    known = Grants()
    known.give("me", given)
    return known.allow("me", operation, scope, data=data)


# --------------------------------------------------------------------------------------------------------- operations


def test_every_route_names_an_operation_of_microsofts_lists() -> None:
    """Each route of ARM has an operation, and Microsoft's lists have it, or the table says that they lack it."""
    operations = {operation_of(method, template) for method, template, _ in ROUTES}
    assert {name for name in operations if name.lower() not in listed()} == unlisted()


def test_route_without_an_operation_is_an_error() -> None:
    """A new route of ARM needs a row in the table of operations."""
    with pytest.raises(NoOperation, match="unheard has no operation"):
        operation_of("DELETE", "/subscriptions/{subscription}/unheard")


def test_route_of_a_slot_has_the_operation_of_slots() -> None:
    """A request about a slot needs the right on slots, and not the right on sites."""
    there = "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Web/sites/{site}/slots/{slot}/restart"
    assert operation_of("POST", there) == "Microsoft.Web/sites/slots/restart/action"


def test_every_route_of_a_vault_names_a_data_action_of_microsofts_lists() -> None:
    """Each route of Key Vault's data plane has a data action that Microsoft's list of Key Vault has."""
    known = {data_action(route.permission) for route in (*routes.ROUTES, *secret_routes.ROUTES)}
    assert {name for name in known if name.lower() not in listed("dataActions")} == set()


@pytest.mark.parametrize("path", sorted(variants.FOLDER.glob("*.snapshot.json")), ids=lambda path: path.name)
def test_template_names_no_unknown_action(path: Path) -> None:
    """Each action of a custom role in the templates is in Microsoft's lists, or one of the few that they lack."""
    name = path.name.removesuffix(".snapshot.json")
    own = (grant for grant in variants.grants(name) if grant.role.startswith("Certroll"))
    actions = {action.lower() for grant in own for action in grant.permissions.actions}
    assert actions - listed() - {action.lower() for action in unlisted()} == set()


def test_each_kept_fact_names_where_it_was_read() -> None:
    """Each kept operation and built-in role names the repository, the whole commit and the file that it comes from."""
    roles, operations = (json.loads(kept.read_text(encoding="utf-8")) for kept in (KEPT_ROLES, KEPT_OPERATIONS))
    read = [roles["sources"][kept["source"]] for kept in roles["roles"]]
    read += [{**operations, "path": page["page"]} for page in operations["pages"]]
    assert set(operations) == {"about", "repository", "commit", "date", "pages"}, "every operation is on a page"
    whole = re.compile(r"[\w-]+/[\w-]+ [0-9a-f]{40} \S+\.(md|json)")
    written = [f"{source['repository']} {source['commit']} {source['path']}" for source in read]
    assert [source for source in written if not whole.fullmatch(source)] == []


def test_role_for_environments_may_not_touch_their_apps() -> None:
    """App Service Environment Contributor allows what is in Azure's definition: roots of environments, and no site."""
    environments = (Grant("/", role("App Service Environment Contributor").permissions),)
    for allowed in ("Web/hostingEnvironments/publicCertificates/write", "Authorization/roleAssignments/read"):
        assert may(environments, f"Microsoft.{allowed}")
    for refused in ("Web/sites/read", "Web/serverfarms/join/action", "Authorization/roleAssignments/write"):
        assert not may(environments, f"Microsoft.{refused}")


# --------------------------------------------------------------------------------------------------------- evaluation


@pytest.mark.parametrize(
    ("given", "operation", "expected"),
    [
        pytest.param(grants("microsoft.web/SITES/read"), SITES, True, id="case does not matter"),
        pytest.param(grants("Microsoft.Web/sites/slots/read"), SITES, False, id="a slot is no site"),
        pytest.param(grants("*/read"), "Microsoft.Web/sites/slots/read", True, id="a star covers slashes"),
        pytest.param(grants("Microsoft.Web/*/action"), "Microsoft.Web/sites/stop/action", True, id="a star inside"),
        pytest.param(grants("Microsoft.Web/sites/*"), "Microsoft.Web/sitesx/read", False, id="no more than the type"),
        pytest.param(grants("*", not_actions=("*/WRITE",)), "Microsoft.Web/sites/write", False, id="taken away"),
        pytest.param(
            (*grants("*", not_actions=("*/write",)), *grants("Microsoft.Web/sites/write")),
            "Microsoft.Web/sites/write",
            True,
            id="another role may give it",
        ),
        pytest.param(grants(data_actions=("*",)), SITES, False, id="data is not the resource"),
        pytest.param(grants("*"), SITES, True, id="everything"),
        pytest.param((), SITES, False, id="no grant"),
    ],
)
def test_role_allows_what_azure_would_allow(given: tuple[Grant, ...], operation: str, expected: bool) -> None:  # noqa: FBT001 - a column
    """A role allows an operation by its patterns, without regard to case, and roles add up."""
    assert may(given, operation) is expected


def test_owner_reads_no_secret() -> None:
    """The built-in role Owner allows every operation on resources, and none on the content of a vault."""
    owner = (Grant("/", role("Owner").permissions),)
    assert may(owner, "Microsoft.KeyVault/vaults/delete", VAULT)
    assert not may(owner, "Microsoft.KeyVault/vaults/secrets/getSecret/action", VAULT, data=True)


@pytest.mark.parametrize(
    ("scope", "resource", "expected"),
    [
        ("/", VAULT, True),
        (SUBSCRIPTION, VAULT, True),
        ("/SUBSCRIPTIONS/A", VAULT, True),
        (VAULT, VAULT, True),
        (VAULT, f"{VAULT}/secrets/web", True),
        (VAULT, f"{VAULT}-2", False),
        (f"{SUBSCRIPTION}b", VAULT, False),
        (VAULT, GROUP, False),
        ("/subscriptions/*", VAULT, True),
        (f"{GROUP}/providers/Microsoft.KeyVault/vaults/*", VAULT, True),
        (f"{GROUP}/providers/Microsoft.KeyVault/vaults/*", GROUP, False),
    ],
)
def test_scope_reaches_what_is_below_it(scope: str, resource: str, expected: bool) -> None:  # noqa: FBT001 - a column
    """A role at a scope counts for the scope and for everything below it, and for nothing else."""
    assert reaches(scope, resource) is expected


# ---------------------------------------------------------------------------------------------------------- refusals


def test_role_of_single_actions_allows_those_alone(shop: Shop) -> None:
    """ARM refuses a request whose operation the principal's role lacks, and names the operation and the scope."""
    shop.world.grants.give(PRINCIPAL, grants("microsoft.web/SITES/read", "Microsoft.Web/sites/config/list/action"))
    assert as_principal(shop.world, "GET", shop.site.id).status == 200
    assert as_principal(shop.world, "POST", f"{shop.site.id}/config/appsettings/list").status == 200
    refused = {
        ("GET", shop.binding): ("Microsoft.Web/sites/hostNameBindings/read", shop.binding),
        ("PUT", shop.binding): ("Microsoft.Web/sites/hostNameBindings/write", shop.binding),
        ("DELETE", shop.copy.id): ("Microsoft.Web/certificates/delete", shop.copy.id),
        ("POST", f"{shop.site.id}/stop"): ("Microsoft.Web/sites/stop/action", shop.site.id),
        ("GET", f"{shop.subscription}/resources"): (
            "Microsoft.Resources/subscriptions/resources/read",
            f"{shop.subscription}/resources",
        ),
    }
    for (method, path), (operation, scope) in refused.items():
        answer = as_principal(shop.world, method, path, {})
        assert answer.status == 403
        error = answer.json()["error"]
        assert error["code"] == "AuthorizationFailed"
        assert f"to perform action '{operation}' over scope '{scope}' or the scope is invalid." in error["message"]
    assert shop.arm.get(shop.binding), "other principals keep their rights"
    assert {refusal.operation for refusal in shop.world.grants.refused} == {name for name, _ in refused.values()}


def test_certificate_needs_the_right_to_join_its_plan(shop: Shop) -> None:
    """ARM refuses an import that names a plan which the principal may not join, in the words for linked scopes."""
    shop.world.grants.give(PRINCIPAL, grants("Microsoft.Web/certificates/write"))
    path = f"{shop.copy.id.rpartition('/')[0]}/second"
    refused = as_principal(shop.world, "PUT", path, shop.import_body())
    assert (refused.status, refused.json()["error"]["code"]) == (403, "LinkedAuthorizationFailed")
    assert "'Microsoft.Web/serverfarms/join/action' on the linked scope(s)" in refused.json()["error"]["message"]
    join = grants("Microsoft.Web/serverfarms/join/action", scope=shop.plan.id)
    shop.world.grants.give(PRINCIPAL, (*grants("Microsoft.Web/certificates/write"), *join))
    assert as_principal(shop.world, "PUT", path, shop.import_body()).status == 200


def test_list_of_all_resources_omits_what_the_role_may_not_read(shop: Shop) -> None:
    """ARM refuses nothing in the list of all resources, and silently omits the types that the role may not read."""
    listing = "Microsoft.Resources/subscriptions/resources/read"
    shop.world.grants.give(PRINCIPAL, grants(listing, "Microsoft.KeyVault/vaults/read"))
    found = as_principal(shop.world, "GET", f"{shop.subscription}/resources").json()["value"]
    assert {item["type"] for item in found} == {"Microsoft.KeyVault/vaults"}
    assert list(shop.world.grants.refused) == []


def ask_vault(world: World, principal: Principal, path: str) -> Response:
    """Send a GET to the vault `contoso-kv` as a principal."""
    header = {"Authorization": f"Bearer {token(TENANT, principal, 'https://vault.azure.net', 0)}"}
    url = f"https://contoso-kv.vault.azure.net{path}?api-version=2026-04-01"
    return KeyVault(world.vaults, TENANT)(Request.to("GET", url, headers=header))


def test_role_at_one_secret_shows_no_other_secret(shop: Shop) -> None:
    """A role that is assigned at a single secret shows the value of that secret, and a vault names what is refused."""
    shop.build.add_certificate("other", ("other.contoso.com",))
    someone = Principal("someone", PRINCIPAL, "client")
    user = Grant(f"{shop.vault.resource_id}/secrets/shop", role("Key Vault Secrets User").permissions)
    shop.world.grants.give(PRINCIPAL, [user])
    assert ask_vault(shop.world, someone, "/secrets/shop").status == 200
    refused = ask_vault(shop.world, someone, "/secrets/other")
    assert (refused.status, refused.json()["error"]["innererror"]["code"]) == (403, "ForbiddenByRbac")
    assert "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'" in refused.json()["error"]["message"]


# --------------------------------------------------------------------------------------------- what a deployment grants


def assigned(identifier: str, role_id: str = READER, principal: str = IDENTITY) -> Mapping[str, Any]:
    """Return a deployment with a custom role that reads sites, and one assignment."""
    definition = {"roleName": "Certroll", "permissions": [{"actions": [SITES]}], "assignableScopes": [SUBSCRIPTION]}
    assignment = {"roleDefinitionId": role_id, "principalId": f"[reference('{principal}', '2024-11-30').principalId]"}
    kind = "Microsoft.Authorization"
    return {
        "predictedResources": [
            {"id": DEFINITION, "type": f"{kind}/roleDefinitions", "properties": definition},
            {"id": identifier, "type": f"{kind}/roleAssignments", "properties": assignment},
        ]
    }


@pytest.mark.parametrize(
    ("identifier", "scope"),
    [
        (f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/x", VAULT),
        (f"[extensionResourceId('{VAULT}', 'Microsoft.Authorization/roleAssignments', guid('b'))]", VAULT),
        ("[subscriptionResourceId('a', 'Microsoft.Authorization/roleAssignments', guid('b'))]", SUBSCRIPTION),
    ],
)
def test_scope_of_an_assignment_is_read_from_its_id(identifier: str, scope: str) -> None:
    """The scope of an assignment is read from its id, whether the compiler could resolve the id or not."""
    (grant,) = grants_of(assigned(identifier))
    assert (grant.scope, grant.role) == (scope, "Reader")


def test_assignment_of_another_principal_grants_certroll_nothing() -> None:
    """An assignment to an identity other than a user-assigned one, such as a system topic's, is not Certroll's."""
    topic = f"{GROUP}/providers/Microsoft.EventGrid/systemTopics/topic"
    assert grants_of(assigned(f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/x", principal=topic)) == ()


def test_custom_role_is_found_in_the_deployment() -> None:
    """An assignment of a custom role grants the permissions that the same deployment gives the role."""
    there = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/x"
    (grant,) = grants_of(assigned(there, DEFINITION))
    assert grant == Grant(SUBSCRIPTION, Permissions((SITES,)), "Certroll")


@pytest.mark.parametrize(
    ("identifier", "role_id", "words"),
    [
        ("[resourceId('what')]", READER, "cannot be read"),
        (f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/x", "unheard", "in no kept list of roles"),
        ("/subscriptions/b/providers/Microsoft.Authorization/roleAssignments/x", DEFINITION, "in no kept list"),
    ],
)
def test_assignment_that_cannot_be_read_is_an_error(identifier: str, role_id: str, words: str) -> None:
    """An assignment with an odd id, an unknown role, or a role that may not be assigned there, is never passed over."""
    with pytest.raises(NotReadable, match=words):
        grants_of(assigned(identifier, role_id))


@pytest.mark.parametrize(
    ("scope", "everywhere"),
    [
        (SUBSCRIPTION, "/subscriptions/*"),
        (VAULT, "/subscriptions/*/resourceGroups/*/providers/Microsoft.KeyVault/vaults/*"),
        (f"{VAULT}/secrets/web", "/subscriptions/*/resourceGroups/*/providers/Microsoft.KeyVault/vaults/*/secrets/*"),
    ],
)
def test_grant_at_one_place_stands_for_each_place_of_its_kind(scope: str, everywhere: str) -> None:
    """The templates name one subscription and vault; a simulated fleet has others, with the same rights."""
    assert anywhere(Grant(scope, Permissions())).scope == everywhere


def test_grant_at_one_site_stands_for_no_kind_of_place() -> None:
    """A role at one Flex Consumption app must not become a role at every app of a fleet."""
    with pytest.raises(NotReadable, match="stands for no kind of place"):
        anywhere(Grant(f"{GROUP}/providers/Microsoft.Web/sites/flex", Permissions()))
