"""Certroll judges an Azure service's rights on a vault, and shows the command that grants missing rights."""

from dataclasses import replace

import pytest

from shared.domain.endpoints import CloudName
from shared.domain.fleet.vault_access import (
    CERTIFICATES,
    SECRETS,
    TO_IMPORT,
    TO_STORE,
    AccessPolicy,
    AccessVerdict,
    Principal,
    RoleAssignment,
    VaultRight,
    VaultSettings,
    app_service,
    judge,
    registration,
    unreadable,
)
from shared.domain.names import VaultName

VAULT_ID = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv"
)
OWN, OTHER = "aaaaaaaa-0000-0000-0000-000000000001", "bbbbbbbb-0000-0000-0000-000000000002"
APP, UNSET = app_service(object_id=OWN), app_service()
SELLER = registration(OWN)
USER, ADMINISTRATOR = "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba", "00482a5a-887f-4fb3-b363-3b7fe8e74483"
SECRETS_USER, READER = "4633458b-17de-408a-b874-0445c86b69e6", "21090545-7ca7-4776-b22c-e363652d74d2"
SECRETS_OFFICER, OWNER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
SECRETS_ALL = {"secrets/get", "secrets/list", "secrets/set", "secrets/delete"}
CERTIFICATES_ALL = {"certificates/get", "certificates/list"}
ADMIN = "cccccccc-0000-0000-0000-000000000003"
CUSTOM = "99999999-0000-0000-0000-000000000009"
ALLOWED, LACKING, UNKNOWN = AccessVerdict


def by_policies(*policies: AccessPolicy) -> VaultSettings:
    """Return a vault that uses access policies."""
    return VaultSettings(VAULT_ID, VaultName("kv"), uses_roles=False, policies=policies)


def by_roles(*assignments: RoleAssignment) -> VaultSettings:
    """Return a vault that uses Azure roles."""
    return VaultSettings(VAULT_ID, VaultName("kv"), uses_roles=True, assignments=assignments)


def role(
    role_id: str, owner: str = OWN, scope: str = VAULT_ID, *, group: bool = False, conditional: bool = False
) -> RoleAssignment:
    """Return a role assignment at the vault."""
    return RoleAssignment(owner, role_id, scope, group, conditional)


FULL, SOME = AccessPolicy(OWN, TO_STORE), AccessPolicy(OWN, frozenset({VaultRight.SECRETS_GET}))
BLIND = replace(by_roles(), assignments=None, not_read="the role assignments may not be read")


@pytest.mark.parametrize(
    ("vault", "principal", "expected"),
    [
        pytest.param(by_policies(FULL), APP, ALLOWED, id="a policy with all that it needs"),
        pytest.param(by_policies(SOME), APP, LACKING, id="a policy with half of it"),
        pytest.param(by_policies(replace(FULL, object_id=OTHER)), APP, LACKING, id="somebody else's policy"),
        pytest.param(
            by_policies(replace(FULL, application_id=OTHER)), APP, LACKING, id="a policy for users of an application"
        ),
        pytest.param(by_policies(replace(FULL, object_id=OWN.upper())), APP, ALLOWED, id="the id in another case"),
        pytest.param(by_policies(), APP, LACKING, id="no policy at all"),
        pytest.param(by_policies(FULL), UNSET, UNKNOWN, id="object id not set: somebody may, who is not known"),
        pytest.param(by_policies(), UNSET, LACKING, id="object id not set, but nobody at all may"),
        pytest.param(by_policies(SOME), UNSET, LACKING, id="object id not set, and nobody may read certificates"),
        pytest.param(by_roles(role(USER)), APP, ALLOWED, id="Key Vault Certificate User"),
        pytest.param(
            by_roles(role(USER, scope="/subscriptions/11111111-2222-3333-4444-555555555555")),
            APP,
            ALLOWED,
            id="a role at the subscription",
        ),
        pytest.param(
            by_roles(role(USER, scope=VAULT_ID.rpartition("/providers")[0].upper())),
            APP,
            ALLOWED,
            id="a role at the group, in another case",
        ),
        pytest.param(by_roles(role(USER, scope="/")), APP, ALLOWED, id="a role at the root"),
        pytest.param(
            by_roles(role(USER, scope="/providers/Microsoft.Management/managementGroups/contoso")),
            APP,
            ALLOWED,
            id="a role at a management group, which Azure lists for vaults in it alone",
        ),
        pytest.param(by_roles(role(USER, scope=VAULT_ID + "2")), APP, LACKING, id="a role at another vault"),
        pytest.param(by_roles(role(USER, scope=f"{VAULT_ID}/secrets/web")), APP, LACKING, id="a role at one secret"),
        pytest.param(by_roles(role(SECRETS_USER)), APP, LACKING, id="Secrets User alone: certificates are missing"),
        pytest.param(by_roles(role(SECRETS_USER), role(READER)), APP, ALLOWED, id="two roles together"),
        pytest.param(by_roles(role(OWNER)), APP, LACKING, id="an owner manages a vault and reads nothing in it"),
        pytest.param(by_roles(role(ADMINISTRATOR)), SELLER, UNKNOWN, id="purchases by roles: not documented"),
        pytest.param(by_policies(FULL), SELLER, ALLOWED, id="purchases by a policy"),
        pytest.param(by_policies(AccessPolicy(OWN, SECRETS)), SELLER, LACKING, id="purchases need certificates too"),
        pytest.param(by_roles(role(CUSTOM)), APP, UNKNOWN, id="a custom role"),
        pytest.param(by_roles(role(USER, conditional=True)), APP, UNKNOWN, id="a role under a condition"),
        pytest.param(
            by_roles(role(CUSTOM)), app_service(object_id=OWN.upper()), UNKNOWN, id="a custom role, another case"
        ),
        pytest.param(by_roles(role(USER, OTHER, group=True)), APP, UNKNOWN, id="a group that may hold it"),
        pytest.param(
            by_roles(role("a custom role")),
            app_service(object_id=OWN.upper()),
            UNKNOWN,
            id="a custom role of its own, with the id in another case",
        ),
        pytest.param(
            by_roles(role(SECRETS_USER), role(SECRETS_USER, OTHER, group=True), role(USER, ADMIN)),
            APP,
            LACKING,
            id="a group that may hold what is not lacking",
        ),
        pytest.param(
            by_roles(role(CUSTOM, scope=VAULT_ID + "2"), role(USER, OTHER)),
            APP,
            LACKING,
            id="a custom role at another vault, and somebody else's at this one",
        ),
        pytest.param(by_roles(), UNSET, LACKING, id="object id not set, but nobody at all has a role"),
        pytest.param(by_roles(role(OWNER, OTHER, group=True)), APP, LACKING, id="a group with no right in the vault"),
        pytest.param(by_roles(role(CUSTOM, OTHER)), APP, LACKING, id="somebody else's custom role"),
        pytest.param(by_roles(role(CUSTOM, OTHER)), UNSET, UNKNOWN, id="a custom role of somebody, who is not known"),
        pytest.param(by_roles(role(CUSTOM), role(USER)), APP, ALLOWED, id="a custom role next to one that is enough"),
        pytest.param(BLIND, APP, UNKNOWN, id="role assignments not read"),
        pytest.param(replace(BLIND, not_read=""), APP, UNKNOWN, id="role assignments not asked for"),
        pytest.param(BLIND, UNSET, UNKNOWN, id="neither role assignments nor object id"),
        pytest.param(replace(by_policies(FULL), open_to_all=False), APP, ALLOWED, id="firewall with trusted services"),
        pytest.param(
            replace(by_policies(FULL), open_to_all=False, trusted_services=False), APP, LACKING, id="firewall without"
        ),
        pytest.param(
            replace(by_policies(FULL), trusted_services=False), APP, ALLOWED, id="no firewall: nothing to bypass"
        ),
    ],
)
def test_verdict(vault: VaultSettings, principal: Principal, expected: AccessVerdict) -> None:
    """Certroll reports vault access as allowed only if it has read that all needed rights are granted."""
    found = judge(vault, principal)
    assert found.verdict is expected
    assert (found.missing == found.unknown == found.remedies == ()) == (expected is ALLOWED)


def test_role_at_the_one_object_counts_where_only_that_matters() -> None:
    """A role on the secret itself is enough to import that secret."""
    vault = by_roles(role(USER, scope=f"{VAULT_ID}/secrets/Web"))
    assert judge(vault, APP, "web").verdict is ALLOWED
    assert judge(vault, APP, "Web").verdict is ALLOWED
    assert judge(vault, APP, "other").verdict is LACKING
    assert judge(by_roles(role(USER, scope=f"{VAULT_ID}/secrets/none")), APP).verdict is LACKING


@pytest.mark.parametrize(
    ("vault", "principal", "remedies"),
    [
        pytest.param(
            by_policies(),
            APP,
            [
                (
                    "az keyvault set-policy --name kv --spn abfa0a7c-a6b6-4736-8310-5855508787cd "
                    "--secret-permissions get --certificate-permissions get"
                )
            ],
            id="an access policy for App Service",
        ),
        pytest.param(
            by_policies(AccessPolicy(OWN, frozenset({VaultRight.SECRETS_GET}))),
            SELLER,
            [
                (
                    "az keyvault set-policy --name kv --spn f3c21649-0979-4721-ac85-b0216b2cf413 "
                    "--secret-permissions delete get list set --certificate-permissions get list"
                )
            ],
            id="the whole policy, because set-policy replaces what is there",
        ),
        pytest.param(
            by_roles(),
            APP,
            [
                (
                    'az role assignment create --role "Key Vault Certificate User" '
                    f"--assignee abfa0a7c-a6b6-4736-8310-5855508787cd --scope {VAULT_ID}"
                )
            ],
            id="a role for App Service",
        ),
        pytest.param(
            by_roles(role(USER)),
            SELLER,
            [
                (
                    'az role assignment create --role "Key Vault Secrets Officer" '
                    f"--assignee f3c21649-0979-4721-ac85-b0216b2cf413 --scope {VAULT_ID}"
                )
            ],
            id="the role that is missing next to the one that is there",
        ),
        pytest.param(
            replace(by_policies(FULL), open_to_all=False, trusted_services=False),
            APP,
            ["az keyvault update --name kv --bypass AzureServices"],
            id="the firewall",
        ),
        pytest.param(
            replace(by_roles(role(USER)), open_to_all=False, trusted_services=False),
            APP,
            ["az keyvault update --name kv --bypass AzureServices"],
            id="the firewall, where the role is there",
        ),
    ],
)
def test_cure(vault: VaultSettings, principal: Principal, remedies: list[str]) -> None:
    """Certroll shows exactly the commands that grant the missing rights."""
    found = judge(vault, principal)
    assert list(found.remedies) == remedies
    assert all(remedy in found.detail for remedy in remedies)


def test_two_roles_are_needed_to_store_a_purchase() -> None:
    """Certroll shows two role assignments for the service that stores purchased certificates."""
    commands = " ".join(judge(by_roles(), SELLER).remedies)
    assert "Key Vault Secrets Officer" in commands
    assert "Key Vault Certificate User" in commands


def test_what_is_missing_is_named() -> None:
    """The finding about missing vault rights names the Azure service, the right, and a blocking firewall."""
    vault = replace(by_policies(SOME), open_to_all=False, trusted_services=False)
    found = judge(vault, APP)
    assert "App Service (application abfa0a7c-a6b6-4736-8310-5855508787cd) lacks certificates/get" in found.detail
    assert "secrets/get" not in found.detail
    assert "firewall does not let trusted Microsoft services through" in found.detail


def test_unset_object_id_says_how_to_get_it_and_who_holds_rights() -> None:
    """If the setting with App Service's object id is missing, the finding names that setting and an `az` command.

    The finding also names the principals that have rights on the vault.
    """
    detail = judge(by_policies(FULL), UNSET).detail
    assert "set CERTROLL_APP_SERVICE_OBJECT_ID" in detail
    assert "`az ad sp show --id abfa0a7c-a6b6-4736-8310-5855508787cd --query id -o tsv`" in detail
    assert detail.endswith(f"Rights are held by {OWN}")
    other = AccessPolicy(OTHER, frozenset({VaultRight.SECRETS_LIST}))
    assert judge(by_policies(FULL, other), UNSET).detail == detail


def test_many_holders_are_counted() -> None:
    """The finding about a vault with a thousand access policies names some principals and counts the rest."""
    vault = by_policies(*(AccessPolicy(f"{number:036d}", TO_STORE) for number in range(1000)))
    detail = judge(vault, UNSET).detail
    assert "and 990 more" in detail
    assert len(detail) < 1000


def test_half_known_says_what_is_lacking_and_what_is_not_known() -> None:
    """If a service's object id is unknown, Certroll counts a right as missing only if no principal has the right."""
    found = judge(by_policies(SOME), UNSET)
    assert found.verdict is LACKING
    assert "lacks certificates/get" in found.missing[0]
    assert "does not know whether App Service has secrets/get" in found.unknown[0]


def test_what_is_wholly_missing_is_told_once() -> None:
    """Certroll does not ask for an Azure service's object id if no principal has any of the needed vault rights."""
    assert judge(by_policies(), UNSET).unknown == ()


def test_service_is_named_as_azure_names_it() -> None:
    """The finding about missing vault rights names the Azure service by its name in the Azure portal."""
    assert (
        judge(by_policies(), SELLER)
        .missing[0]
        .startswith("Microsoft.Azure.CertificateRegistration (application f3c21649-0979-4721-ac85-b0216b2cf413) lacks ")
    )


def test_why_roles_were_not_read_is_told() -> None:
    """The finding about unknown vault rights gives Azure's error if Certroll could not read the role assignments."""
    assert judge(BLIND, APP).unknown == ("the role assignments may not be read",)
    assert judge(replace(BLIND, not_read=""), APP).unknown == (
        "Certroll did not read the role assignments of the vault",
    )


@pytest.mark.parametrize(
    ("count", "end"),
    [(2, f"{1:036d}"), (10, f"{9:036d}"), (11, "and 1 more")],
)
def test_some_holders_are_named(count: int, end: str) -> None:
    """The finding about rights on a vault names up to ten principals and counts the other principals."""
    vault = by_policies(*(AccessPolicy(f"{number:036d}", TO_STORE) for number in range(count)))
    assert judge(vault, UNSET).detail.endswith(end)


@pytest.mark.parametrize(
    ("name", "role_id", "rights"),
    [
        ("Key Vault Administrator", ADMINISTRATOR, SECRETS_ALL | CERTIFICATES_ALL),
        ("Key Vault Secrets Officer", SECRETS_OFFICER, SECRETS_ALL),
        ("Key Vault Secrets User", SECRETS_USER, {"secrets/get", "secrets/list"}),
        ("Key Vault Certificate User", USER, {"secrets/get", "secrets/list"} | CERTIFICATES_ALL),
        ("Key Vault Certificates Officer", "a4417e6f-fecd-4de8-b567-7b0420556985", CERTIFICATES_ALL),
        ("Key Vault Reader", READER, {"secrets/list"} | CERTIFICATES_ALL),
        ("Key Vault Crypto Officer", "14b46e9e-c2b7-41b4-b07b-48a6ebf60603", set()),
        ("Key Vault Crypto User", "12338af0-0e69-4776-bea7-57ae8d297424", set()),
        ("Key Vault Crypto Service Encryption User", "e147488a-f6f5-4113-8e2d-b22465e65bf6", set()),
        ("Key Vault Crypto Service Release User", "08bbd89e-9f13-488c-ac41-acfcb10c90ab", set()),
        ("Key Vault Contributor", "f25e0fa2-a7c8-4377-a976-54943a77a395", set()),
        ("Key Vault Data Access Administrator", "8b54135c-b56d-4d72-a534-26097cfdc8d8", set()),
        ("Owner", OWNER, set()),
        ("Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c", set()),
        ("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7", set()),
        ("User Access Administrator", "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", set()),
        ("Role Based Access Control Administrator", "f58310d9-a9f6-439a-9e8d-f62e7b41a168", set()),
    ],
)
def test_role_allows_what_azure_documents(name: str, role_id: str, rights: set[str]) -> None:
    """Each built-in role has the data actions on secrets and certificates that "Azure built-in roles" documents."""
    assert role(role_id).rights == rights, name


def test_unreadable_vault_is_not_known() -> None:
    """If Certroll cannot read the access to a vault, it reports the access as unknown."""
    found = unreadable("kv", APP, "403 AuthorizationFailed")
    assert found.verdict is UNKNOWN
    assert "403 AuthorizationFailed" in found.detail


def test_services_of_each_cloud() -> None:
    """App Service has another application id in Azure US Government, and each service needs its documented rights."""
    assert app_service(CloudName.US_GOVERNMENT).application_id == "6a02c803-dafd-4136-b4c3-5a6f318b4714"
    assert app_service().needs == TO_IMPORT
    assert registration().needs == SECRETS | CERTIFICATES
