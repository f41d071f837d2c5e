"""Define the port to the access settings of vaults in Azure Resource Manager."""

from collections.abc import Mapping
from typing import Protocol

from shared.domain.fleet.vault_access import VaultSettings
from shared.domain.names import VaultName


class VaultRights(Protocol):
    """The port to vaults and their access settings.

    If a call to Azure fails, each method of the port raises a subclass of AzureError.
    """

    def vaults(self, subscription: str) -> Mapping[VaultName, str]:
        """Return the resource id of each vault of a subscription, by the vault's name."""

    def settings(self, vault_id: str) -> VaultSettings:
        """Read the access settings of a vault."""
