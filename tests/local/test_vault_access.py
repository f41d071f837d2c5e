"""These tests cover vault access: role assignments, access policies, the firewall, and what ARM shows of them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from azure.core.rest import HttpRequest
from azure.identity import ManagedIdentityCredential  # noqa: TID251 - a client from outside
from azure.mgmt.web import WebSiteManagementClient

from local.azure.entra.tokens import OPERATOR
from local.azure.principals import APP_SERVICE, REGISTRATION
from local.azure.vault.access import NetworkRules
from local.azure.vault.vault import Vault
from local.azure.world import World
from local.stand import Stand
from local.worlds.builders import Builder
from tests.local.arm_client import Json, Shop

CERTIFICATE_USER = "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba"
SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
NAME = "0a6d1c52-7f1e-4c39-9d3a-2e6f4b1c7a01"
OPERATIONS = ("secrets/get", "secrets/list", "secrets/set", "secrets/delete", "certificates/get", "certificates/list")


@pytest.fixture
def world() -> World:
    """Build an empty simulated Azure."""
    return World()


@pytest.fixture
def vault(world: World) -> Vault:
    """Build a vault with role-based access, on which App Service has no role."""
    return Builder(world).add_vault(app_service_may_read=False)


@pytest.fixture
def shop() -> Shop:
    """Build a site whose vault has a new certificate version, and which App Service may not read."""
    shop = Shop()
    shop.vault.unassign(APP_SERVICE)
    shop.vault.renew("shop")
    return shop


def allowed(vault: Vault, principal: str = APP_SERVICE) -> set[str]:
    """Return the operations that the principal may do on the vault."""
    return {operation for operation in OPERATIONS if vault.lets(principal, operation)}


def may_import(shop: Shop) -> bool:
    """Return True if App Service carries out a sync now."""
    return shop.arm.send("PUT", shop.copy.id, shop.import_body()).status == 200


def assignments(scope: str, name: str = NAME) -> str:
    """Return the ARM path of a role assignment at that scope."""
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"


def asked(shop: Shop, role: str = CERTIFICATE_USER, principal: str | None = None) -> Json:
    """Return the request body with which az creates a role assignment: by default for App Service."""
    definition = f"/subscriptions/{shop.vault.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    found = principal or shop.world.object_id(APP_SERVICE)
    return {"properties": {"roleDefinitionId": definition, "principalId": found, "principalType": "ServicePrincipal"}}


@pytest.mark.parametrize(
    ("role", "operations"),
    [
        ("Owner", set()),
        ("Key Vault Contributor", set()),
        ("Key Vault Reader", {"secrets/list", "certificates/get", "certificates/list"}),
        ("Key Vault Secrets User", {"secrets/get", "secrets/list"}),
        ("Key Vault Certificate User", {"secrets/get", "secrets/list", "certificates/get", "certificates/list"}),
        ("Key Vault Certificates Officer", {"certificates/get", "certificates/list"}),
        ("Key Vault Secrets Officer", {"secrets/get", "secrets/list", "secrets/set", "secrets/delete"}),
        ("Key Vault Administrator", set(OPERATIONS)),
    ],
)
def test_role_lets_do_what_azure_documents(vault: Vault, role: str, operations: set[str]) -> None:
    """Each built-in role allows exactly its documented data actions.

    A role that manages a vault does not allow reading its secrets.
    """
    vault.assign(APP_SERVICE, role)
    assert allowed(vault) == operations


def test_providers_are_let_in_one_by_one(vault: Vault, world: World) -> None:
    """A role for one Azure service gives nothing to another Azure service.

    A vault knows each service by its application id and by its object id.
    """
    vault.assign(REGISTRATION, "Key Vault Secrets Officer")
    assert allowed(vault) == set()
    assert vault.lets(world.object_id(REGISTRATION), "secrets/set")
    assert not vault.lets(world.object_id(APP_SERVICE), "secrets/get")
    vault.deny(REGISTRATION, operations=["secrets/set"])
    assert not vault.lets(world.object_id(REGISTRATION).upper(), "secrets/set")


def test_everybody_else_is_bound_by_denials_alone(vault: Vault) -> None:
    """In the local Azure, vault roles and the firewall apply to Azure's services, and not to Certroll and operators."""
    vault.close(bypass="None")
    assert allowed(vault, OPERATOR.object_id) == set(OPERATIONS)


def test_access_policy_needs_its_own_words(vault: Vault) -> None:
    """An access policy's permissions match in any letter case, and `all` allows every operation.

    A vault ignores roles while it uses access policies.
    """
    vault.assign(APP_SERVICE, "Key Vault Administrator")
    vault.permit(APP_SERVICE, secrets=["Get"], certificates=["get"])
    assert allowed(vault) == {"secrets/get", "certificates/get"}
    vault.permit(APP_SERVICE, secrets=["All"])
    assert allowed(vault) == {"secrets/get", "secrets/list", "secrets/set", "secrets/delete"}
    assert len(vault.access.policies) == 1


@pytest.mark.parametrize("where", ["vault", "group", "subscription"])
def test_created_role_assignment_opens_the_vault(shop: Shop, where: str) -> None:
    """A role assignment at vault, group or subscription lets App Service import at once.

    A deletion of the role assignment ends the vault access that it gave.
    """
    scope = {"vault": shop.vault.resource_id, "group": shop.group.id, "subscription": shop.subscription}[where]
    assert not may_import(shop)
    answer = shop.arm.put(assignments(scope), asked(shop), 201)
    assert answer["properties"]["scope"] == scope
    assert may_import(shop)
    shop.arm.put(assignments(scope), asked(shop))
    assert shop.arm.delete(assignments(scope))["name"] == NAME
    assert not may_import(shop)
    assert shop.arm.send("DELETE", assignments(scope)).status == 204
    shop.arm.get(assignments(scope), 404)


def test_role_on_another_vault_opens_nothing(vault: Vault, world: World) -> None:
    """A role on a vault gives no access to another vault whose name begins with the same letters."""
    longer = Builder(world).add_vault(f"{vault.name}-2", app_service_may_read=False)
    vault.assign(APP_SERVICE)
    assert allowed(vault)
    assert not allowed(longer)


def test_new_role_may_take_its_time(shop: Shop) -> None:
    """The simulation setting `role_seconds` delays the effect of a new role assignment."""
    shop.world.knobs.role_seconds = 300
    shop.arm.put(assignments(shop.vault.resource_id), asked(shop), 201)
    shop.world.clock.advance(timedelta(seconds=299))
    assert not may_import(shop)
    shop.world.clock.advance(timedelta(seconds=1))
    assert may_import(shop)


def test_only_the_named_application_loses_its_roles(vault: Vault) -> None:
    """`unassign` removes an application's roles on the vault, even inherited roles.

    Other applications keep their roles.
    """
    for application in (APP_SERVICE, REGISTRATION):
        vault.assign(application, "Key Vault Administrator", f"/subscriptions/{vault.subscription}")
    vault.unassign(APP_SERVICE)
    assert (allowed(vault), allowed(vault, REGISTRATION)) == (set(), set(OPERATIONS))


def test_role_must_let_read_certificates_too(shop: Shop) -> None:
    """A role for secrets alone is not enough for an import, as Azure documents.

    A role for secrets alone is enough if the simulation setting `import_needs_certificates_get` is off.
    """
    shop.arm.put(assignments(shop.vault.resource_id), asked(shop, SECRETS_USER), 201)
    assert not may_import(shop)
    shop.world.knobs.import_needs_certificates_get = False
    assert may_import(shop)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (lambda body: body | {"name": "7c0d"}, 409, "RoleAssignmentExists"),
        (lambda body: body | {"principalId": "7c0d"}, 400, "RoleAssignmentUpdateNotPermitted"),
        (lambda body: body | {"roleDefinitionId": "7c0d"}, 404, "RoleDefinitionDoesNotExist"),
        (lambda _: {}, 400, "BadRequestFormat"),
    ],
    ids=["said already", "changed", "unknown role", "empty"],
)
def test_impossible_assignments_are_refused(shop: Shop, change: Callable[[Json], Json], status: int, code: str) -> None:
    """ARM refuses a second role assignment for the same principal, role and scope.

    ARM refuses a PUT that changes the role or the principal of an existing role assignment.
    """
    shop.arm.put(assignments(shop.vault.resource_id), asked(shop), 201)
    body = change(asked(shop)["properties"])
    path = assignments(shop.vault.resource_id, body.get("name", NAME))
    assert shop.arm.put(path, {"properties": body}, status)["error"]["code"] == code


def test_assignments_at_scope_include_those_from_above(shop: Shop) -> None:
    """The filter `atScope()` lists role assignments on the vault and above it, and none below it.

    A filter with `assignedTo` or `principalId` limits role assignments to a principal.
    """
    root = f"{shop.subscription}/providers/Microsoft.Authorization/roleAssignments"
    here = f"{shop.vault.resource_id}/providers/Microsoft.Authorization/roleAssignments"
    shop.vault.assign(APP_SERVICE)
    shop.vault.assign(REGISTRATION, "Key Vault Administrator", shop.group.id)
    shop.build.add_vault("other-kv")

    def found(path: str, wanted: str = "") -> set[tuple[str, str]]:
        listed = shop.arm.listed(f"{path}?$filter={wanted}")
        return {(assignment["properties"]["scope"], assignment["properties"]["principalId"]) for assignment in listed}

    own, above = (
        (shop.vault.resource_id, shop.world.object_id(APP_SERVICE)),
        (shop.group.id, shop.world.object_id(REGISTRATION)),
    )
    assert found(here, "atScope()") == {own, above}
    assert found(here) == {own, above}
    assert found(here, f"principalId eq '{own[1]}'") == {own}
    assert found(here, f"atScope() and assignedTo('{above[1]}')") == {above}
    assert found(root, "atScope()") == set()
    assert len(found(root)) == 3


def test_role_is_found_by_name_and_by_id(shop: Shop) -> None:
    """ARM finds a role definition by its name, as az needs it, and shows the role's data actions."""
    path = f"{shop.vault.resource_id}/providers/Microsoft.Authorization/roleDefinitions"
    (found,) = shop.arm.listed(f"{path}?$filter=roleName eq 'Key Vault Certificate User'")
    assert found["name"] == CERTIFICATE_USER
    actions = shop.arm.get(f"{path}/{CERTIFICATE_USER}")["properties"]["permissions"][0]["dataActions"]
    assert "Microsoft.KeyVault/vaults/secrets/getSecret/action" in actions


def test_vault_shows_who_gets_in(shop: Shop) -> None:
    """ARM shows a vault's access policies by object id. A vault with role-based access shows no policies."""
    roles = shop.arm.get(shop.vault.resource_id)["properties"]
    assert (roles["enableRbacAuthorization"], roles["accessPolicies"]) == (True, [])
    assert roles["networkAcls"] == {
        "bypass": "AzureServices",
        "defaultAction": "Allow",
        "ipRules": [],
        "virtualNetworkRules": [],
    }
    by_policies = shop.build.add_vault("policies-kv", by_roles=False)
    policies = shop.arm.get(by_policies.resource_id)["properties"]
    assert policies["enableRbacAuthorization"] is False
    assert policies["accessPolicies"] == [
        {
            "tenantId": shop.world.tenant_id,
            "objectId": shop.world.object_id(APP_SERVICE),
            "permissions": {"secrets": ["get"], "certificates": ["get"]},
        }
    ]
    listed = shop.arm.listed(f"{shop.subscription}/providers/Microsoft.KeyVault/vaults")
    assert [vault["properties"]["enableRbacAuthorization"] for vault in listed] == [True, False]
    shop.arm.get(f"{shop.vault.resource_id}-2", 404)


def test_object_ids_belong_to_the_tenant() -> None:
    """An application has different object ids in simulated Azures of different seeds.

    Simulated Azures of the same seed give an application the same object id.
    """
    first, again, other = World(seed=3), World(seed=3), World(seed=4)
    assert first.object_id(APP_SERVICE) == again.object_id(APP_SERVICE.upper()) != other.object_id(APP_SERVICE)
    assert first.object_id(APP_SERVICE) not in {APP_SERVICE, first.object_id(REGISTRATION)}


def with_policy(shop: Shop, **permissions: list[str]) -> Json:
    """Return the vault as az writes it back after adding an access policy for App Service."""
    vault = shop.arm.get(shop.vault.resource_id)
    entry = {
        "tenantId": shop.world.tenant_id,
        "objectId": shop.world.object_id(APP_SERVICE),
        "permissions": permissions,
    }
    properties = vault["properties"]
    policies = [*properties["accessPolicies"], entry]
    return vault | {"properties": properties | {"accessPolicies": policies, "enableRbacAuthorization": False}}


def test_written_access_policy_opens_the_vault(shop: Shop) -> None:
    """An access policy that `az keyvault set-policy` writes takes effect at once.

    The command az reads the vault, adds the access policy and writes the whole vault back.
    """
    shop.arm.put(shop.vault.resource_id, with_policy(shop, secrets=["get"]))
    assert not may_import(shop)
    shop.arm.send("PATCH", shop.vault.resource_id, {"properties": {"accessPolicies": []}})
    answer = shop.arm.put(shop.vault.resource_id, with_policy(shop, secrets=["get"], certificates=["Get"]))
    assert len(answer["properties"]["accessPolicies"]) == 1
    assert may_import(shop)
    shop.arm.put(shop.vault.resource_id, {"location": "westeurope", "properties": {"accessPolicies": []}})
    assert shop.arm.get(shop.vault.resource_id)["properties"]["enableRbacAuthorization"] is False
    assert not may_import(shop)


def test_access_policies_are_added_replaced_and_removed(shop: Shop) -> None:
    """The ARM resource `accessPolicies` changes only the policies of the principals that it names."""
    shop.vault.permit(REGISTRATION, secrets=["get"])
    entry = {"tenantId": "", "objectId": shop.world.object_id(APP_SERVICE)}

    def change(kind: str, **permissions: list[str]) -> set[str]:
        body = {"properties": {"accessPolicies": [entry | {"permissions": permissions}]}}
        shop.arm.put(f"{shop.vault.resource_id}/accessPolicies/{kind}", body)
        return allowed(shop.vault)

    assert change("add", secrets=["get"]) == {"secrets/get"}
    assert change("add", secrets=["list"], certificates=["get"]) == {
        "secrets/get",
        "secrets/list",
        "certificates/get",
    }
    assert change("remove", secrets=["list"]) == {"secrets/get", "certificates/get"}
    assert change("replace", secrets=["set"]) == {"secrets/set"}
    assert change("remove", secrets=["set"]) == set()
    assert len(shop.vault.access.policies) == 1
    assert allowed(shop.vault, REGISTRATION) == {"secrets/get"}
    shop.arm.put(f"{shop.vault.resource_id}/accessPolicies/forget", {"properties": {}}, 400)
    shop.arm.put(f"{shop.vault.resource_id}/accessPolicies/add", {"properties": {"accessPolicies": [{}]}}, 400)


def test_rights_for_others_are_shown_and_do_not_count(shop: Shop) -> None:
    """An access policy for users of an application gives App Service no access.

    A role assignment with a condition gives App Service no access to the vault.
    """
    condition = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals 'shop'"
    asked_for = {"properties": asked(shop)["properties"] | {"condition": condition}}
    answer = shop.arm.put(assignments(shop.vault.resource_id), asked_for, 201)["properties"]
    assert (answer["condition"], answer["conditionVersion"]) == (condition, "2.0")
    assert allowed(shop.vault) == set()
    vault = with_policy(shop, secrets=["all"], certificates=["all"])
    vault["properties"]["accessPolicies"][0]["applicationId"] = OPERATOR.client_id
    answer = shop.arm.put(shop.vault.resource_id, vault)["properties"]
    assert answer["accessPolicies"] == vault["properties"]["accessPolicies"]
    assert allowed(shop.vault) == set()
    shop.vault.permit(APP_SERVICE, secrets=["get"])
    assert len(shop.vault.access.policies) == 2


@pytest.mark.parametrize(
    ("rules", "public", "open_to_services"),
    [
        (NetworkRules(), "Enabled", True),
        (None, "Enabled", True),
        (NetworkRules("None"), "Enabled", True),
        (NetworkRules("AzureServices", "Deny"), "Enabled", True),
        (NetworkRules("None", "Deny"), "Enabled", False),
        (None, "Disabled", True),
        (NetworkRules("None"), "disabled", False),
    ],
)
def test_firewall_lets_trusted_services_pass_where_told(
    shop: Shop, rules: NetworkRules | None, public: str, *, open_to_services: bool
) -> None:
    """App Service passes a vault's firewall only with the bypass `AzureServices`, which is the default.

    ARM stores and shows the firewall rules unchanged.
    """
    shop.vault.assign(APP_SERVICE)
    properties: dict[str, object] = {"enableRbacAuthorization": True, "publicNetworkAccess": public}
    if rules:
        acls = {"bypass": rules.bypass, "defaultAction": rules.default_action}
        properties["networkAcls"] = acls | {"ipRules": [{"value": "10.0.0.1"}], "virtualNetworkRules": [{"id": "/net"}]}
    shop.arm.put(shop.vault.resource_id, {"location": "westeurope", "properties": properties})
    shown = shop.arm.get(shop.vault.resource_id)["properties"]
    assert shown.get("networkAcls") == properties.get("networkAcls")
    assert may_import(shop) is open_to_services


def test_lost_role_is_told_by_the_status_of_the_copy(shop: Shop) -> None:
    """Without the role, the nightly sync cannot read a vault, and only the certificate's status shows why."""
    shop.world.nightly_sync()
    properties = shop.arm.get(shop.copy.id)["properties"]
    assert properties["keyVaultSecretStatus"] == "AzureServiceUnauthorizedToAccessKeyVault"
    assert properties["thumbprint"] == shop.first.thumbprint
    shop.vault.assign(APP_SERVICE, scope=shop.subscription)
    shop.world.nightly_sync()
    assert shop.served() == shop.vault.certificates["shop"].newest.thumbprint


def test_client_reads_vault_and_assignments_over_the_wire(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with a token reads a vault and its role assignments.

    ARM answers 403 for a vault and its role assignments if the vault is hidden from the client.
    """
    shop.vault.assign(APP_SERVICE)
    here = f"{shop.vault.resource_id}/providers/Microsoft.Authorization/roleAssignments"
    with Stand(shop.world) as stand:
        for name, value in stand.environment().items():
            monkeypatch.setenv(name, value)
        with (
            ManagedIdentityCredential() as credential,
            WebSiteManagementClient(credential, shop.site.subscription) as arm,
        ):
            found = arm.send_request(HttpRequest("GET", f"{here}?api-version=2022-04-01&$filter=atScope()")).json()
            assert [assignment["properties"]["principalId"] for assignment in found["value"]] == [
                shop.world.object_id(APP_SERVICE)
            ]
            shop.world.roles.hide(shop.vault.resource_id)
            for path in (here, shop.vault.resource_id):
                answer = arm.send_request(HttpRequest("GET", f"{path}?api-version=2023-07-01"))
                assert answer.status_code == 403
