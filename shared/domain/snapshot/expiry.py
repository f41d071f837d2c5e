"""Decide whether the old certificates that are in use in a snapshot must be replaced soon."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from shared.domain.certificates import urgency
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import SiteRef, Thumbprint, Webspace, covers
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import is_stale, named_stale, shown_bindings, uploaded_to

Places = frozenset[tuple[Webspace | None, SiteRef | None]]
FORGOTTEN_AFTER = timedelta(hours=72)
"""How long after its end a certificate in use still makes its renewal urgent. A certificate that ended longer ago in a
forgotten binding or app would otherwise shorten the waits of every later version."""


def is_urgent(snapshot: Snapshot) -> bool:
    """Return True if the old certificate in a binding that Certroll will update ends soon, or is disabled.

    An operator disables the version in use because its key leaked, for example. Its successor waits for nothing, also
    not in a webspace that only imported the disabled version.

    A binding that will not get the vault certificate's current version does not count, and neither does an import in a
    webspace without an App Service plan. If bindings that Certroll will not update counted, a forgotten binding would
    shorten the waits for every later version.
    """
    reached = frozenset((copy.webspace, copy.site) for copy in snapshot.copies) | uploaded_to(snapshot)
    moving = [b.thumbprint for b in shown_bindings(snapshot) if _will_move(snapshot, b, reached)]
    synced = (copy for copy in snapshot.copies if snapshot.fleet.plan_in(copy.webspace) is not None)
    disabled = [copy.thumbprint for copy in synced if snapshot.lineage.is_disabled(copy.thumbprint)]
    return any(hurries(snapshot, version) for version in _in_use(snapshot, (*moving, *disabled)))


def settings_are_urgent(snapshot: Snapshot, sites: Collection[SiteRef]) -> bool:
    """Return True if a last good certificate that the given apps' settings name ends soon.

    Return True also if an app uses a disabled version: a setting other than a list names it, or it is the newest old
    version of the lists. A disabled version that only remains in a list next to the last good version does not count.

    An app that loads every certificate, or follows the vault, may use each version that the current version replaces.
    """
    named = [settings for site in sites if (settings := snapshot.settings_of(site)) is not None]
    used = (thumbprint for settings in named for thumbprint in _used(snapshot, settings))
    unnamed = snapshot.lineage.replaced if any(_follows(snapshot, settings) for settings in named) else ()
    counted = (*_last_good(snapshot, sites), *_in_use(snapshot, used), *unnamed)
    return any(hurries(snapshot, version) for version in counted)


def settings_expire_at(snapshot: Snapshot, sites: Collection[SiteRef]) -> datetime | None:
    """Return the earliest end of the last good certificates that the given apps' settings name, None without any."""
    return min((version.not_after for version in _last_good(snapshot, sites)), default=None)


def ends_soon(snapshot: Snapshot, copy: WebspaceCertificate) -> bool:
    """Return True if the certificate in App Service ends so soon that a sync must not wait.

    Azure shows when the life of a certificate began. If Azure does not, the vault's version with the same thumbprint
    does.
    """
    version = snapshot.lineage.version_of(copy.thumbprint)
    begin = copy.not_before or (version.not_before if version else None)
    return copy.not_after is not None and urgency.is_urgent(begin, copy.not_after, snapshot.now)


def hurries(snapshot: Snapshot, version: CertificateVersion | None) -> bool:
    """Return True if the successor of a version in use must wait for nothing: the version ends soon, or is disabled.

    Return False for a version that ended so long ago that nobody can need it.
    """
    if version is None or version.not_after <= snapshot.now - FORGOTTEN_AFTER:
        return False
    soon = urgency.is_urgent(version.not_before, version.not_after, snapshot.now)
    return soon or snapshot.lineage.is_disabled(version.thumbprint)


def _follows(snapshot: Snapshot, settings: SiteSettings) -> bool:
    """Return True if the app gets versions of the vault certificate without a setting that names an old thumbprint."""
    led = any(reference.ref == snapshot.lineage.ref for reference in settings.vault_references)
    return (settings.loads_everything or led) and not named_stale(snapshot, settings)


def _used(snapshot: Snapshot, settings: SiteSettings) -> Iterable[Thumbprint]:
    """Return the older thumbprints by which the app finds a certificate now, as far as its settings show."""
    stale = named_stale(snapshot, settings)
    pinned = [pin.thumbprint for pin in settings.pins if pin.thumbprint in stale]
    order = [version.thumbprint for version in snapshot.lineage.versions]
    return pinned or sorted(stale, key=lambda named: order.index(named) if named in order else len(order))[:1]


def _last_good(snapshot: Snapshot, sites: Collection[SiteRef]) -> tuple[CertificateVersion, ...]:
    named = (snapshot.settings_of(site) for site in sites)
    last_good = (named_stale(snapshot, settings)[:1] for settings in named if settings)
    return _in_use(snapshot, (thumbprint for thumbprints in last_good for thumbprint in thumbprints))


def _in_use(snapshot: Snapshot, thumbprints: Iterable[Thumbprint | None]) -> tuple[CertificateVersion, ...]:
    """Return the versions with the thumbprints, without versions that ended so long ago that nobody can need them."""
    versions = (snapshot.lineage.version_of(thumbprint) for thumbprint in thumbprints)
    long_ago = snapshot.now - FORGOTTEN_AFTER
    return tuple(version for version in versions if version is not None and version.not_after > long_ago)


def _will_move(snapshot: Snapshot, binding: Binding, reached: Places) -> bool:
    """Return True if the binding will get the current version, from an import or an upload that reaches its site."""
    current, webspace = snapshot.lineage.current, snapshot.webspace_of(binding)
    facts = current.facts if current else None
    return (
        is_stale(snapshot, binding)
        and binding.ssl_state is not SslState.DISABLED
        and not snapshot.fleet.is_left_alone(binding.site)
        and (facts is None or covers(facts.host_names, binding.host_name))
        and not reached.isdisjoint({(webspace, owner) for owner in (None, binding.site)})
    )
