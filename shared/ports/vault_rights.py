"""Who may use a vault, as Azure Resource Manager shows it."""

from collections.abc import Mapping
from typing import Protocol

from shared.domain.fleet.vault_access import VaultSettings
from shared.domain.names import VaultName


class VaultRights(Protocol):
    """The vaults and their access settings. Every method raises AzureError's kinds."""

    def vaults(self, subscription: str) -> Mapping[VaultName, str]:
        """Return the resource ids of a subscription's vaults."""

    def settings(self, vault_id: str) -> VaultSettings:
        """Read how a vault decides who may use it."""
