"""Restart an app that loads every certificate: its list does not change, but files are made only at start."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import OutcomeUnknown
from shared.domain.fleet.sites import Site
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import RESTART, is_on
from shared.planning.acting.subjects import settings_subject
from shared.planning.plan import Phase, Skip, Step, Traits
from shared.ports import Ports

UNTOUCHED = frozenset({RollState.STALE, RollState.DEFERRED, RollState.REFUSED})
RECENT = timedelta(days=7)
"""How old a version may be whose arrival asks for a restart: without a record, nobody knows when the app started."""


@dataclass(frozen=True, slots=True)
class RestartSite(Traits):
    """Restart one app."""

    site: SiteRef
    webspace: Webspace
    version: CertificateVersion
    phase: ClassVar[Phase] = Phase.APP

    @property
    def subject(self) -> str:
        """The app."""
        return f"site {self.site}"

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """What it will load, which has to be there."""
        return frozenset({self.version.thumbprint})

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """What the app loads, in place of the version before."""
        lineage = snapshot.lineage
        return (Case(current, Use.OUTBOUND, snapshot.now, lineage.before, lineage.key),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot in which the app has started with this version."""
        return snapshot.with_start_of(self.site, self.webspace, self.version)

    def perform(self, ports: Ports) -> bool:
        """Ask for one restart. Where the answer is lost it is not asked again: the probe tells."""
        with suppress(OutcomeUnknown):
            ports.app_service.restart(self.site)
        return True


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose it for apps that load everything and carry `certroll-restart: on`; others are only named.

    An app that also pins a version is restarted by the edit of the pin.
    """
    version = snapshot.lineage.current
    if version is None or snapshot.now - version.created > RECENT:
        return
    for settings in sorted(snapshot.fleet.settings, key=lambda one: one.site):
        site = snapshot.site(settings.site)
        if site is None or settings.changing or not settings.loads_everything or not _concerns(snapshot, site):
            continue
        record = snapshot.rollout.roll_of(site.ref)
        if site.webspace is None or (record is not None and record.state not in UNTOUCHED):
            continue
        if any(snapshot.lineage.version_of(pin.thumbprint) for pin in settings.pins):
            continue
        if is_on(snapshot.tag(site.ref, RESTART)):
            yield Step(RestartSite(site.ref, site.webspace, version), Reason.LOADED_AT_START)
        else:
            detail = (
                "the app loads every certificate, but only when it starts: it will use the new version after its next "
                "start; tag it certroll-restart: on to have it restarted"
            )
            yield Skip(settings_subject(site.ref), Reason.LOADS_EVERYTHING, detail, site.ref)


def _concerns(snapshot: Snapshot, site: Site) -> bool:
    """Say whether the lineage is in the app's webspace."""
    return any(
        copy.source == snapshot.lineage.ref or snapshot.lineage.version_of(copy.thumbprint) is not None
        for copy in snapshot.fleet.certificates_of(site.ref)
    )
