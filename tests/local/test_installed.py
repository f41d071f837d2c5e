"""These tests compare the settings of the hosted Function App with those that the templates deploy."""

from pathlib import Path

import pytest

from local.app import LocalApp
from local.azure.entra.tokens import CERTROLL
from local.installed import NotReadable, computed, deployed_settings, storage_account
from local.variants import DEFAULT, FOLDER, OBSERVE

OF_THE_FLEET = {"CERTROLL_VAULTS", "CERTROLL_SUBSCRIPTIONS", "CERTROLL_APP_SERVICE_OBJECT_ID"}
"""The settings of the templates whose values name places and ids, which differ in each fleet."""
LOCAL_ONLY = {
    "AzureFunctionsJobHost__extensions__queues__maxPollingInterval",
    "CERTROLL_DNS_SERVERS",
    "CERTROLL_REGISTRATION_OBJECT_ID",
    "CERTROLL_SWEEP_SCHEDULE",
}
"""The settings that only the local Azure needs: see local/DIVERGENCES.md."""
PLATFORM = {"WEBSITE_OWNER_NAME", "WEBSITE_SITE_NAME"}
"""The environment variables that App Service sets."""


@pytest.mark.parametrize(("mode", "variant"), [("apply", DEFAULT), ("observe", OBSERVE)])
def test_hosted_app_has_the_settings_of_its_templates(tmp_path: Path, mode: str, variant: str) -> None:
    """The hosted app has each setting that the templates deploy, a few that only the local Azure needs, and no key."""
    local = LocalApp("empty", {"CERTROLL_MODE": mode}, logs=tmp_path, host_app=False)
    with local.stand:
        settings, transport = local.app_settings(), local.stand.environment()
    deployed = deployed_settings(variant)
    assert set(settings) - set(transport) == {*deployed, *LOCAL_ONLY, *PLATFORM}
    assert {name for name, value in deployed.items() if settings[name] != value} <= OF_THE_FLEET
    assert "AzureWebJobsStorage" not in settings
    assert not any("AccountKey" in value for value in settings.values())


def test_storage_is_reached_by_the_identity_of_the_templates() -> None:
    """The settings of the templates name the storage account and the managed identity by its id."""
    settings = deployed_settings(DEFAULT)
    assert {name: value for name, value in settings.items() if name.startswith("AzureWebJobsStorage")} == {
        "AzureWebJobsStorage__accountName": storage_account(DEFAULT).rpartition("/")[2],
        "AzureWebJobsStorage__clientId": CERTROLL.client_id,
        "AzureWebJobsStorage__credential": "managedidentity",
    }
    assert settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"] == f"ClientId={CERTROLL.client_id};Authorization=AAD"


def test_settings_of_each_variant_can_be_computed() -> None:
    """The settings of each kept variant that deploys an app have values without expressions."""
    variants = [path.name.removesuffix(".snapshot.json") for path in FOLDER.glob("*.snapshot.json")]
    assert variants
    for variant in variants:
        assert not any(value.startswith("[") for value in deployed_settings(variant).values())


@pytest.mark.parametrize(
    "value",
    [
        "[reference('/subscriptions/x/resourceGroups/y/providers/Microsoft.Web/sites/z', '2025-03-01').name]",
        "[concat('a', 'b')]",
    ],
)
def test_unknown_expression_is_an_error(value: str) -> None:
    """A setting with an expression that the local Azure cannot compute is an error, and never a wrong value."""
    with pytest.raises(NotReadable, match=r"local/installed\.py"):
        computed(value)
