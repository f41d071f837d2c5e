"""Decide which failures still hold a version: what is gone, or no longer the vault certificate's, holds nobody."""

from collections.abc import Collection

from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.bindings import SslState
from shared.domain.fleet.handshake import Handshake
from shared.domain.names import HostName
from shared.domain.rollout.settings_record import RollRecord
from shared.domain.rollout.site_record import SiteRecord, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import shown_bindings
from shared.domain.tags import ROOT_ON, is_root
from shared.domain.targets import found_targets, names_of_site


def failing_hosts(record: SiteRecord, snapshot: Snapshot, handshakes: Collection[Handshake]) -> frozenset[HostName]:
    """Return the host names for which App Service serves another certificate, by the latest handshake that showed one.

    A host name that failed earlier stays in the result until a handshake shows the version, or until the site's answer
    shows that the host name is gone or bound to a certificate that the vault certificate never had.
    """
    earlier = _failed_before(record, snapshot) - _in_state(handshakes, SiteState.PROVEN)
    if record.site in snapshot.fleet.index.bindings:
        earlier &= _bound_to_lineage(record, snapshot)  # Azure always shows the default host name of a site
    return earlier | _in_state(handshakes, SiteState.FAILED)


def freed_hosts(record: SiteRecord, snapshot: Snapshot, handshakes: Collection[Handshake]) -> frozenset[HostName]:
    """Return the host names whose end of use ends the hold, empty if a host name still fails or all are proven."""
    if failing_hosts(record, snapshot, handshakes):
        return frozenset()
    return _failed_before(record, snapshot) - _in_state(handshakes, SiteState.PROVEN)


def _in_state(handshakes: Collection[Handshake], state: SiteState) -> frozenset[HostName]:
    return frozenset(handshake.host_name for handshake in handshakes if handshake.state is state)


def _failed_before(record: SiteRecord, snapshot: Snapshot) -> frozenset[HostName]:
    """Return the host names that failed earlier. If the record names none, each host name of the site may be one."""
    if record.state is not SiteState.FAILED:
        return frozenset()
    return record.failing or _bound_to_lineage(record, snapshot)


def _bound_to_lineage(record: SiteRecord, snapshot: Snapshot) -> frozenset[HostName]:
    """Return the site's host names that show, or may show, a version of the vault certificate.

    Azure sometimes omits the thumbprint of a binding (shibayan/appservice-acmebot issue 479), which then counts.
    """
    ours = {binding for binding in shown_bindings(snapshot) if binding.site == record.site}
    unknown = {binding for binding in snapshot.fleet.bindings if binding.thumbprint is None}
    return frozenset(
        binding.host_name
        for binding in ours | unknown
        if binding.site == record.site and binding.ssl_state is not SslState.DISABLED
    )


def still_uses(record: RollRecord, settings: SiteSettings, snapshot: Snapshot) -> bool:
    """Return True if the settings of a failed app name a version of the vault object, or a tag asks for it there."""
    lineage, added = snapshot.lineage, (edit.add for edit in record.edits)
    ours = {version.thumbprint for version in lineage.versions} | {*record.replaces, *added}
    named = not ours.isdisjoint(settings.named)
    follows = any(reference.ref == lineage.ref for reference in settings.vault_references)
    return named or follows or settings.loads_everything or _is_asked(record, snapshot)


def _is_asked(record: RollRecord, snapshot: Snapshot) -> bool:
    """Return True if the tag `certroll-root-on` asks for the vault object in the root list of the app."""
    candidates = {record.site.resource_id: names_of_site(record.site)}
    tags = snapshot.lineage.tags
    return is_root(tags) and bool(found_targets(tags, ROOT_ON, candidates)[0])
