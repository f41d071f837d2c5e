"""Check what Certroll relies on when it reads and refreshes Key Vault references in app settings."""

from dataclasses import replace

import pytest

from tests.contract.apis import DATA_API
from tests.contract.making import Rig
from tests.contract.operations import Recording
from tests.contract.place import Waited, equal_to

KEY = "CONTRACT_REFERENCE"


@pytest.mark.operations("app_service.vault_references", "app_service.refresh_references")
def test_a_reference_is_resolved_and_refreshed(azure: Recording, rig: Rig, waited: Waited) -> None:
    """A reference without a version shows the version that the app has, and a refresh moves it to the newest."""
    secret = f"https://{rig.vault}.vault.azure.net/secrets/reference"

    def new_version() -> str:
        wire = rig.place.vaults.expect("PUT", f"{secret}?api-version={DATA_API}", {"value": "x"})
        return str(wire["id"]).rpartition("/")[2]

    def version() -> str | None:
        found: str | None = azure.app_service.vault_references(rig.site).get(KEY)
        return found

    first = new_version()
    settings = azure.app_service.settings(rig.site)
    reference = f"@Microsoft.KeyVault(SecretUri={secret})"
    azure.app_service.put_settings(replace(settings, values={**settings.values, KEY: reference}, etag=None))
    waited("a Key Vault reference is resolved", rig.place.until("the reference is resolved", version, equal_to(first)))
    second = new_version()
    azure.app_service.refresh_references(rig.site)
    waited("a refresh takes the newest version", rig.place.until("it is refreshed", version, equal_to(second)))
    azure.app_service.put_settings(replace(settings, etag=None))
