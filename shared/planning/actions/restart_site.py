"""Restart an app that loads every certificate, because App Service provides certificates only at the app's start."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.sites import Site
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import RESTART, is_on
from shared.planning.acting.in_use import in_use, loaded_in
from shared.planning.acting.subjects import settings_subject
from shared.planning.plan import Phase, Skip, Step, Traits
from shared.ports import Ports

UNTOUCHED = frozenset({RollState.STALE, RollState.DEFERRED, RollState.REFUSED})
"""The states of an app's settings update in which Certroll has not yet restarted the app."""
RECENT = timedelta(days=7)
"""How old a version may be for Certroll to restart an app. Without a record the last start of the app is unknown."""


@dataclass(frozen=True, slots=True)
class RestartSite(Traits):
    """Restart one app, so that the app loads the current version."""

    site: SiteRef
    webspace: Webspace
    version: CertificateVersion
    phase: ClassVar[Phase] = Phase.APP

    @property
    def subject(self) -> str:
        """The name of the app, as text for operators."""
        return f"site {self.site}"

    @property
    def is_visible(self) -> bool:
        """False, because Azure does not show when an app started."""
        return False

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """The thumbprint that the app will load, of a certificate that the webspace must hold."""
        return frozenset({self.version.thumbprint})

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that the current version must meet for an app that loaded the previous version."""
        lineage = snapshot.lineage
        used = in_use(snapshot, loaded_in(snapshot, self.webspace))
        return (Case(current, Use.OUTBOUND, snapshot.now, used, lineage.key),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot after the app's restart with the current version."""
        return snapshot.with_start_of(self.site, self.webspace, self.version)

    def perform(self, ports: Ports) -> bool:
        """Ask for one restart. Raises OutcomeUnknown if Azure's answer is lost: the app's probe may show the rest."""
        ports.app_service.restart(self.site)
        return True


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose a restart for apps that load every certificate and carry `certroll-restart: on`.

    Without the tag `certroll-restart: on`, Certroll only reports that an app loads every certificate. If another
    setting of the app names a version's thumbprint, Certroll plans no separate restart, because the edit of that
    setting restarts the app.
    """
    version = snapshot.lineage.current
    if version is None or snapshot.now - version.created > RECENT:
        return
    for settings in sorted(snapshot.fleet.settings, key=lambda settings: settings.site):
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
    """Return True if the app can load a version of the vault certificate."""
    return any(
        copy.source == snapshot.lineage.ref or snapshot.lineage.version_of(copy.thumbprint) is not None
        for copy in snapshot.fleet.certificates_of(site.ref)
    )
