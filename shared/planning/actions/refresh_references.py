"""Ask App Service to fetch what an app's Key Vault references lead to; by itself it does so once a day."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import OutcomeUnknown
from shared.domain.fleet.app_settings import SiteSettings, fetched
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import WRITTEN
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.subjects import settings_subject
from shared.planning.plan import Phase, Skip, Step, Traits
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class RefreshReferences(Traits):
    """Have the Key Vault references of one app fetched again, which restarts it where a value changed."""

    settings: SiteSettings
    version: str
    webspace: Webspace
    phase: ClassVar[Phase] = Phase.APP

    @property
    def subject(self) -> str:
        """The references."""
        return f"Key Vault references of {self.settings.site}"

    @property
    def site(self) -> SiteRef | None:
        """The app."""
        return self.settings.site

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """Nothing: the app reads the vault, not the webspace."""
        return frozenset()

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """What the app uses, in place of the version before."""
        lineage = snapshot.lineage
        return (Case(current, Use.OUTBOUND, snapshot.now, lineage.before, lineage.key),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot in which the app has the current version."""
        return snapshot.with_settings(fetched(self.settings, snapshot.lineage.ref, self.version))

    def perform(self, ports: Ports) -> bool:
        """Ask for one refresh. Where the answer is lost it is not asked again: the next look tells."""
        with suppress(OutcomeUnknown):
            ports.app_service.refresh_references(self.settings.site)
        return True


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose it where a reference to this vault certificate still leads to another version.

    The setting stays as it is. A reference that names a version is its owner's choice, and only reported.
    """
    current, ref = snapshot.lineage.current, snapshot.lineage.ref
    if current is None or snapshot.lineage.refusal is not None:  # a refresh always brings the vault's newest version
        return
    older = {one.version.lower() for one in snapshot.lineage.versions} - {current.version.lower()}
    for settings in sorted(snapshot.fleet.settings, key=lambda one: one.site):
        site, record = snapshot.site(settings.site), snapshot.rollout.roll_of(settings.site)
        ours = tuple(one for one in settings.vault_references if one.ref == ref)
        pinned = sorted(one.key for one in ours if one.pinned not in {None, current.version.lower()})
        if pinned:
            detail = f"{', '.join(pinned)} names another version of {ref}: write the new one, or none, to follow it"
            yield Skip(settings_subject(settings.site), Reason.PINNED_REFERENCE, detail, settings.site)
        behind = any(one.pinned is None and (one.active is None or one.active in older) for one in ours)
        asked = record is not None and record.state in WRITTEN
        if behind and not asked and site is not None and site.webspace is not None:
            yield Step(RefreshReferences(settings, current.version, site.webspace), Reason.STALE_REFERENCE)
