"""These tests cover Key Vault references in app settings, and how the local Azure resolves them."""

from collections.abc import Iterator

import pytest
from azure.identity import ManagedIdentityCredential  # noqa: TID251 - a client from outside
from azure.mgmt.web import WebSiteManagementClient

from local.azure.web.resources import STOPPED
from local.stand import Stand
from tests.local.arm_client import Json
from tests.local.outbound import Outbound

NEWEST = "@Microsoft.KeyVault(SecretUri=https://contoso-kv.vault.azure.net/secrets/client)"


@pytest.fixture
def out() -> Outbound:
    """Build a site whose setting KEY refers to the newest version of a secret."""
    out = Outbound()
    out.change(KEY=NEWEST)
    return out


def listed(out: Outbound, path: str = "") -> dict[str, Json]:
    """Return the properties of each Key Vault reference by the name of its setting."""
    found = out.arm.listed(f"{path or out.born.id}/config/configreferences/appsettings")
    return {item["name"]: item["properties"] for item in found}


def refresh(out: Outbound) -> None:
    """Ask App Service to refresh the site's Key Vault references."""
    out.arm.post(f"{out.born.id}/config/configreferences/appsettings/refresh")


def test_settings_that_are_references_are_listed(out: Outbound) -> None:
    """App Service lists each Key Vault reference with its resolved version, and omits plain settings."""
    found = listed(out)
    assert list(found) == ["KEY"]
    assert found["KEY"] == {
        "reference": NEWEST,
        "status": "Resolved",
        "vaultName": "contoso-kv",
        "secretName": "client",
        "secretVersion": None,
        "identityType": {"type": "SystemAssigned"},
        "details": "Reference has been successfully resolved.",
        "source": "KeyVault",
        "activeVersion": out.first.id,
    }


def test_one_reference_is_answered_by_name(out: Outbound) -> None:
    """A GET by setting name returns a Key Vault reference, and answers 404 for a plain or missing setting."""
    path = f"{out.born.id}/config/configreferences/appsettings"
    answer = out.arm.get(f"{path}/KEY")
    assert answer["id"] == f"{path}/KEY"
    assert answer["properties"]["activeVersion"] == out.first.id
    out.arm.get(f"{path}/CLIENT_CERT_THUMBPRINT", 404)
    out.arm.get(f"{path}/NONE", 404)


@pytest.mark.parametrize(
    ("reference", "status", "pinned"),
    [
        ("SecretUri=https://contoso-kv.vault.azure.net/secrets/client/", "Resolved", False),
        ("SecretUri=https://contoso-kv.vault.azure.net/secrets/client/{}", "Resolved", True),
        ("SecretUri=https://CONTOSO-kv.vault.azure.net/secrets/Client/{}/", "Resolved", True),
        ("VaultName=contoso-kv;SecretName=client", "Resolved", False),
        ("VaultName=contoso-kv; SecretName=client; SecretVersion={}", "Resolved", True),
        ("secretname=client;vaultname=contoso-kv", "Resolved", False),
        ("VaultName= contoso-kv ;SecretName =client", "Resolved", False),
        ("VaultName=contoso-kv", "InvalidSyntax", False),
        ("SecretUri=https://contoso-kv.vault.azure.net/keys/client", "InvalidSyntax", False),
        ("SecretUri=https://evil.example/secrets/client", "InvalidSyntax", False),
        ("", "InvalidSyntax", False),
        ("VaultName=other-kv;SecretName=client", "VaultNotFound", False),
        ("VaultName=contoso-kv;SecretName=other", "SecretNotFound", False),
        ("VaultName=contoso-kv;SecretName=client;SecretVersion=ab", "SecretVersionNotFound", False),
    ],
)
def test_both_forms_are_understood(out: Outbound, reference: str, status: str, *, pinned: bool) -> None:
    """App Service resolves a reference in both documented forms, with or without a version.

    A Key Vault reference that does not resolve shows the reason as its status.
    """
    second = out.vault.renew("client")
    out.change(KEY=f"@Microsoft.KeyVault({reference.format(out.first.id)})")
    found = listed(out)["KEY"]
    assert found["status"] == status
    expected = {True: out.first.id, False: second.id}[pinned] if status == "Resolved" else None
    assert found["activeVersion"] == expected
    assert found["secretVersion"] == ("ab" if reference.endswith("=ab") else out.first.id if pinned else None)


def test_a_reference_is_resolved_at_a_start_and_then_kept(out: Outbound) -> None:
    """App Service resolves a Key Vault reference when the site starts, and keeps that version until a restart."""
    second = out.vault.renew("client")
    out.arm.send("PATCH", out.born.id, {"tags": {"a": "b"}})
    assert listed(out)["KEY"]["activeVersion"] == out.first.id
    out.restart()
    assert listed(out)["KEY"]["activeVersion"] == second.id


def test_a_refresh_that_moves_a_version_restarts_the_app(out: Outbound) -> None:
    """A refresh of Key Vault references restarts the app only if a reference resolves to another version."""
    before = out.site.restarts
    second = out.vault.renew("client")
    refresh(out)
    assert listed(out)["KEY"]["activeVersion"] == second.id
    assert out.site.restarts == before + 1
    refresh(out)
    assert out.site.restarts == before + 1
    assert "references of caller refreshed: KEY; restarted" in out.world.journal.changes()


def test_a_refresh_may_find_a_reason(out: Outbound) -> None:
    """A refresh of Key Vault references shows in the status that a secret is denied, disabled or deleted."""
    out.vault.deny(out.born.id, operations=["secrets/get"])
    refresh(out)
    assert listed(out)["KEY"]["status"] == "AccessToKeyVaultDenied"
    out.vault.allow()
    out.first.enabled = False
    refresh(out)
    assert listed(out)["KEY"]["status"] == "OtherReasons"
    out.first.enabled = True
    out.vault.delete("client")
    refresh(out)
    assert listed(out)["KEY"]["status"] == "SecretNotFound"


def test_a_site_that_never_started_has_resolved_nothing(out: Outbound) -> None:
    """A Key Vault reference has the status `Initialized` until its site starts for the first time."""
    site = out.build.add_site("sleeper", settings={"KEY": NEWEST}, state=STOPPED)
    found = listed(out, site.id)["KEY"]
    assert (found["status"], found["activeVersion"]) == ("Initialized", None)
    out.arm.post(f"{site.id}/start")
    assert listed(out, site.id)["KEY"]["activeVersion"] == out.first.id


# ------------------------------------------------------------------------------------------------------ by the SDK


@pytest.fixture
def client(out: Outbound) -> Iterator[WebSiteManagementClient]:
    """Yield the unmodified azure-mgmt-web client, connected to the local Azure."""
    with Stand(out.world) as stand, pytest.MonkeyPatch.context() as patch:
        for name, value in stand.environment().items():
            patch.setenv(name, value)
        with (
            ManagedIdentityCredential() as credential,
            WebSiteManagementClient(credential, out.born.subscription) as client,
        ):
            yield client


def test_the_sdk_reads_references_of_sites_and_slots(out: Outbound, client: WebSiteManagementClient) -> None:
    """azure-mgmt-web reads all Key Vault references of a site and of a slot, over several pages."""
    out.world.knobs.turn(page_size=1)
    out.change(OTHER=NEWEST)
    slot = out.build.add_slot(out.site, "staging")
    group = out.born.resource_group
    of_site = client.web_apps.get_app_settings_key_vault_references(group, slot.name)
    of_slot = client.web_apps.get_app_settings_key_vault_references_slot(group, slot.name, "staging")
    for found, kind in ((list(of_site), "sites"), (list(of_slot), "sites/slots")):
        assert found[0].type == f"Microsoft.Web/{kind}/config/configreferences"
        assert [reference.name for reference in found] == ["KEY", "OTHER"]
        properties = found[0].properties
        assert properties is not None
        shown = (properties.status, properties.vault_name, properties.secret_name, properties.active_version)
        assert shown == ("Resolved", "contoso-kv", "client", out.first.id)
