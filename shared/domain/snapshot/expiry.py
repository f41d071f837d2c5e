"""Find the earliest end of the old certificates that are in use in a snapshot."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from shared.domain.fleet.bindings import Binding, SslState
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import SiteRef, Thumbprint, Webspace, covers
from shared.domain.rollout.gates import URGENT
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import is_stale, named_stale, shown_bindings, uploaded_to

Places = frozenset[tuple[Webspace | None, SiteRef | None]]


def expires_at(snapshot: Snapshot) -> datetime | None:
    """Return the earliest end of the old certificates in bindings that Certroll will update, None without any.

    A binding that will not get the vault certificate's current version does not count. If bindings that Certroll will
    not update counted, a forgotten binding would shorten the waits for every later version.
    """
    reached = frozenset((copy.webspace, copy.site) for copy in snapshot.copies) | uploaded_to(snapshot)
    moving = (binding for binding in shown_bindings(snapshot) if _will_move(snapshot, binding, reached))
    return _first_end(snapshot, (binding.thumbprint for binding in moving))


def settings_expire_at(snapshot: Snapshot, sites: Collection[SiteRef]) -> datetime | None:
    """Return the earliest end of the last good certificates that the given apps' settings name, None without any."""
    named = (snapshot.settings_of(site) for site in sites)
    last_good = (named_stale(snapshot, settings)[:1] for settings in named if settings)
    return _first_end(snapshot, (thumbprint for thumbprints in last_good for thumbprint in thumbprints))


def ends_within(snapshot: Snapshot, copy: WebspaceCertificate, margin: timedelta) -> bool:
    """Return True if the certificate in App Service ends within the margin."""
    return copy.not_after is not None and copy.not_after - snapshot.now < margin


def _first_end(snapshot: Snapshot, thumbprints: Iterable[Thumbprint | None]) -> datetime | None:
    versions = (snapshot.lineage.version_of(thumbprint) for thumbprint in thumbprints)
    ends = (version.not_after for version in versions if version is not None)
    return min((end for end in ends if end > snapshot.now - URGENT), default=None)


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
