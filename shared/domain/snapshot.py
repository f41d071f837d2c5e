"""Everything that a plan is made from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.lineage import Lineage
from shared.domain.model import Binding, Fleet, Site, WebspaceCertificate, tag
from shared.domain.names import SiteRef, Webspace
from shared.domain.rollout import Rollout


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One lineage, the fleet that it may serve, and how far its current version has come."""

    lineage: Lineage
    fleet: Fleet
    rollout: Rollout

    @property
    def now(self) -> datetime:
        """The moment of the observation: the only clock a plan knows."""
        return self.fleet.taken_at

    def site(self, ref: SiteRef) -> Site | None:
        """Return the observed site or slot."""
        return self.fleet.site(ref)

    def webspace_of(self, binding: Binding) -> Webspace | None:
        """Return the webspace of a binding's site, None where it was not seen."""
        site = self.site(binding.site)
        return None if site is None else site.webspace

    @property
    def copies(self) -> tuple[WebspaceCertificate, ...]:
        """The webspace certificates that were imported from this lineage's vault certificate."""
        return tuple(copy for copy in self.fleet.certificates if copy.source == self.lineage.ref)

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """The bindings that show a version of this lineage, the current or a stale one, in a stable order."""
        lineage = self.lineage
        return tuple(
            sorted(b for b in self.fleet.bindings if lineage.is_stale(b.thumbprint) or lineage.is_current(b.thumbprint))
        )

    def served_by(self, copy: WebspaceCertificate) -> tuple[Binding, ...]:
        """Return the bindings of the copy's webspace that show its thumbprint."""
        return tuple(
            binding
            for binding in sorted(self.fleet.bindings)
            if binding.thumbprint is not None
            and binding.thumbprint == copy.thumbprint
            and self.webspace_of(binding) == copy.webspace
        )

    def expires_at(self) -> datetime | None:
        """Return when the first stale certificate that a host name still shows runs out, None where there is none."""
        shown = (self.lineage.version_of(b.thumbprint) for b in self.bindings if self.lineage.is_stale(b.thumbprint))
        return min((version.not_after for version in shown if version is not None), default=None)

    def tag(self, ref: SiteRef, name: str) -> str | None:
        """Return a site's tag; a slot's own tag wins over its site's."""
        own = self.site(ref)
        value = tag(own.tags, name) if own else None
        if value is not None or ref.slot is None:
            return value
        parent = self.site(ref.production)
        return tag(parent.tags, name) if parent else None

    def with_bindings(self, change: Callable[[Binding], Binding]) -> "Snapshot":
        """Return the snapshot with every binding changed by the function."""
        return replace(self, fleet=replace(self.fleet, bindings=tuple(map(change, self.fleet.bindings))))

    def with_certificates(self, change: Callable[[WebspaceCertificate], WebspaceCertificate]) -> "Snapshot":
        """Return the snapshot with every webspace certificate changed by the function."""
        return replace(self, fleet=replace(self.fleet, certificates=tuple(map(change, self.fleet.certificates))))
