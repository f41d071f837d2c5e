"""Decide without any request which vault certificates App Service uses or is to use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import Thumbprint, VaultCertificateRef
from shared.domain.tags import are_wanted


@dataclass(frozen=True, slots=True)
class Use:
    """The vault certificates and thumbprints that App Service uses.

    Most certificates in a vault are usually for services other than App Service.
    """

    refs: frozenset[VaultCertificateRef]
    """The vault certificates that App Service imported or that a Key Vault reference names."""
    thumbprints: frozenset[Thumbprint | None]
    """The thumbprints that App Service holds, serves, or finds in app settings."""
    opposed: Mapping[VaultCertificateRef, VaultCertificateRef]
    """Two vault certificates that hold the same versions in opposite order, each with the other."""

    @classmethod
    def of(cls, fleet: Fleet, opposed: Mapping[VaultCertificateRef, VaultCertificateRef]) -> Self:
        """Return the vault certificates and thumbprints that the fleet uses."""
        led = {reference.ref for settings in fleet.settings for reference in settings.vault_references}
        named = {thumbprint for settings in fleet.settings for thumbprint in settings.named}
        bound = {binding.thumbprint for binding in fleet.bindings if binding.thumbprint}
        held = {copy.thumbprint for copy in fleet.certificates if copy.thumbprint}
        return cls(
            frozenset(led | {copy.source for copy in fleet.certificates if copy.source}),
            frozenset(named | bound | held),
            opposed,
        )

    def has(self, lineage: Lineage) -> bool:
        """Return True if App Service may use a version of the vault certificate, or a tag asks for the certificate."""
        there = lineage.ref in self.refs or any(v.thumbprint in self.thumbprints for v in lineage.versions)
        # any upload in App Service may be the version that Certroll could not read in the vault
        unread = lineage.unread > 0
        return are_wanted(lineage.tags) or there or unread
