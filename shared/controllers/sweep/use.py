"""Decide which vault certificates App Service uses or is to use. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from shared.domain.certificates.lineage import Lineage
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import Thumbprint, VaultCertificateRef
from shared.domain.tags import are_wanted


@dataclass(frozen=True, slots=True)
class Use:
    """What App Service has, or is asked for, of all vaults: most vault certificates are for other services."""

    refs: frozenset[VaultCertificateRef]
    thumbprints: frozenset[Thumbprint | None]
    opposed: Mapping[VaultCertificateRef, VaultCertificateRef]

    @classmethod
    def of(cls, fleet: Fleet, opposed: Mapping[VaultCertificateRef, VaultCertificateRef]) -> Self:
        """Return what the fleet has, and what is asked for in opposite ways."""
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
        """Return True if the lineage is there in any way, or a tag asks for it."""
        there = lineage.ref in self.refs or any(v.thumbprint in self.thumbprints for v in lineage.versions)
        unread = lineage.unread > 0  # then an upload may be a version of it, and nobody knows
        return are_wanted(lineage.tags) or there or unread


def opposed(lineages: list[Lineage]) -> dict[VaultCertificateRef, VaultCertificateRef]:
    """Return the lineages that hold each other's current version as an older one: each would undo the other's work."""
    current: dict[Thumbprint, list[Lineage]] = {}
    for lineage in lineages:
        if lineage.current:
            current.setdefault(lineage.current.thumbprint, []).append(lineage)
    return {
        lineage.ref: rival.ref
        for lineage in lineages
        if lineage.current
        for version in lineage.versions
        if lineage.is_stale(version.thumbprint)
        for rival in current.get(version.thumbprint, ())
        if rival.is_stale(lineage.current.thumbprint)
    }
