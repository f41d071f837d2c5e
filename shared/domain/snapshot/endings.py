"""Find which certificate of a vault object ends first, of those that App Service uses or only holds.

An app that can choose between several certificates, such as an old and a new one in its load list, needs only the last
of them to end late. So a place with a choice counts with the certificate that ends last.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.bindings import SslState
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import EnvironmentRef, Thumbprint, VaultCertificateRef
from shared.domain.snapshot.expiry import FORGOTTEN_AFTER

Place = tuple[int, bool]
"""A place in App Service by its number, and True if the place uses its certificates instead of only holding them."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a certificate in App Service."""

    not_before: datetime | None
    """The beginning of the certificate's life, None if Certroll does not know it."""
    not_after: datetime
    used: bool = False
    """True if a binding, an app setting, an app that loads everything, or an environment uses the certificate."""

    def hours(self, now: datetime) -> float:
        """Return the hours until the end, below zero after the end."""
        return round((self.not_after - now) / timedelta(hours=1), 1)

    def share(self, now: datetime) -> float | None:
        """Return which part of the certificate's life is left, from 1.0 to 0.0, or None if Certroll does not know."""
        if self.not_before is None or self.not_after <= self.not_before:
            return None
        left = (self.not_after - now) / (self.not_after - self.not_before)
        return round(min(max(left, 0.0), 1.0), 3)


@dataclass(frozen=True, slots=True)
class Endings:
    """The places of a fleet that use or hold certificates, by which Certroll finds the ends without any request."""

    _places: Mapping[Thumbprint, tuple[Place, ...]]
    _followed: Mapping[VaultCertificateRef, frozenset[str | None]]
    """The versions that apps get by Key Vault references, None for a version that Azure does not show."""
    _imports: Mapping[VaultCertificateRef, Mapping[Thumbprint, Ending]]

    @classmethod
    def of(cls, fleet: Fleet) -> "Endings":
        """Return the places of a fleet."""
        places: dict[Thumbprint, list[Place]] = {}
        for number, (used, thumbprints) in enumerate(_groups(fleet)):
            for thumbprint in {found for found in thumbprints if found is not None}:
                places.setdefault(thumbprint, []).append((number, used))
        followed: dict[VaultCertificateRef, set[str | None]] = {}
        for reference in (reference for settings in fleet.settings for reference in settings.vault_references):
            followed.setdefault(reference.ref, set()).add(reference.active or reference.pinned)
        imports: dict[VaultCertificateRef, dict[Thumbprint, Ending]] = {}
        for copy in fleet.certificates:
            if copy.source is not None and copy.thumbprint is not None and copy.not_after is not None:
                ending = Ending(copy.not_before, copy.not_after)
                imports.setdefault(copy.source, {})[copy.thumbprint] = ending
        return cls(
            {thumbprint: tuple(found) for thumbprint, found in places.items()},
            {ref: frozenset(versions) for ref, versions in followed.items()},
            imports,
        )

    def first(self, ref: VaultCertificateRef, versions: tuple[CertificateVersion, ...], now: datetime) -> Ending | None:
        """Return the certificate of a vault object that ends first in App Service, None if App Service has none.

        `versions` are the versions of the vault object, newest first, or none if Certroll could not read the vault;
        then App Service itself shows when its imports end. A certificate that ended longer than 72 hours ago counts
        only if there is no other, because nobody can need it.
        """
        known = {**self._imports.get(ref, {}), **{v.thumbprint: Ending(v.not_before, v.not_after) for v in versions}}
        last: dict[Place, Ending] = {}
        for thumbprint, ending in known.items():
            for place in self._places.get(thumbprint, ()):
                last[place] = max(last.get(place, ending), ending, key=_end)
        used = [*(ending for (_, used), ending in last.items() if used), *self._led(ref, versions)]
        ends = used or list(last.values())
        counted = [ending for ending in ends if ending.not_after > now - FORGOTTEN_AFTER] or ends
        first = min(counted, key=_end, default=None)
        return None if first is None else Ending(first.not_before, first.not_after, bool(used))

    def _led(self, ref: VaultCertificateRef, versions: tuple[CertificateVersion, ...]) -> Iterator[Ending]:
        """Yield the ends of the versions that Key Vault references give to apps, the newest if Azure shows none."""
        for name in self._followed.get(ref, ()):
            named = (version for version in versions if name is None or version.version.lower() == name.lower())
            yield from (Ending(version.not_before, version.not_after) for version in list(named)[:1])


def _end(ending: Ending) -> datetime:
    return ending.not_after


def _groups(fleet: Fleet) -> Iterator[tuple[bool, Iterable[Thumbprint | None]]]:
    """Yield the thumbprints of each place, and True if the place uses them."""
    bound = (binding for binding in fleet.bindings if binding.ssl_state is not SslState.DISABLED)
    yield from ((True, (binding.thumbprint,)) for binding in bound)
    for settings in fleet.settings:
        yield from ((True, (pin.thumbprint,)) for pin in settings.pins)
        yield True, settings.load_list
        yield True, settings.root_list
        if settings.loads_everything:
            yield True, (copy.thumbprint for copy in fleet.certificates_of(settings.site))
    trusted: dict[EnvironmentRef, list[Thumbprint | None]] = {}
    for root in fleet.roots:
        trusted.setdefault(root.ref.environment, []).append(root.thumbprint)
    yield from ((True, thumbprints) for thumbprints in trusted.values())
    for copies in (*fleet.index.certificates.values(), *fleet.index.own.values()):
        yield False, (copy.thumbprint for copy in copies)
