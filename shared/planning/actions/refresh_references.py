"""Ask App Service to fetch the values of an app's Key Vault references now, because Azure does so only once a day."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.app_settings import SiteSettings, fetched
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import WRITTEN
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.acting.in_use import in_use
from shared.planning.acting.later_in_use import later_led, later_versions
from shared.planning.acting.subjects import settings_subject
from shared.planning.plan import Phase, Skip, Step, Traits
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class RefreshReferences(Traits):
    """Make App Service fetch the Key Vault references of one app again.

    App Service restarts the app if the value of a Key Vault reference changed.
    """

    settings: SiteSettings
    version: str
    webspace: Webspace
    phase: ClassVar[Phase] = Phase.APP

    @property
    def subject(self) -> str:
        """The Key Vault references of the app, as text for operators."""
        return f"Key Vault references of {self.settings.site}"

    @property
    def site(self) -> SiteRef | None:
        """The app whose Key Vault references App Service fetches."""
        return self.settings.site

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """The action names no thumbprints, because the app reads the certificate from the vault."""
        return frozenset()

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that the current version must meet for an app that used the previous version."""
        lineage = snapshot.lineage
        active = {reference.active for reference in self.settings.vault_references if reference.ref == lineage.ref}
        known = [version.thumbprint for version in lineage.versions if version.version.lower() in active]
        used = in_use(snapshot, known or (version.thumbprint for version in lineage.replaced))
        return (Case(current, Use.OUTBOUND, snapshot.now, used, lineage.key),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the current version in the Key Vault references of the app."""
        return snapshot.with_settings(fetched(self.settings, snapshot.lineage.ref, self.version))

    def perform(self, ports: Ports) -> bool:
        """Ask for one refresh. Raises OutcomeUnknown if Azure's answer is lost: the next run reads the references."""
        ports.app_service.refresh_references(self.settings.site)
        return True


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose a refresh for each app with a Key Vault reference that still leads to an older version.

    Certroll does not change the app setting that holds the Key Vault reference. If a Key Vault reference names another
    version than the current one, Certroll only reports the reference. Certroll refreshes no references of an app that
    may have a certificate which begins and ends later than the current version.
    """
    current, ref = snapshot.lineage.current, snapshot.lineage.ref
    # A refresh of the references brings the newest version of the vault, even if Certroll refuses that version.
    if current is None or snapshot.lineage.refusal is not None:
        return
    older = {version.version.lower() for version in snapshot.lineage.versions} - {current.version.lower()}
    good = {version.version.lower() for version in (current, *later_versions(snapshot.lineage))}
    for settings in sorted(snapshot.fleet.settings, key=lambda settings: settings.site):
        site, record = snapshot.site(settings.site), snapshot.rollout.roll_of(settings.site)
        ours = tuple(reference for reference in settings.vault_references if reference.ref == ref)
        pinned = sorted(reference.key for reference in ours if reference.pinned not in {None, *good})
        if pinned:
            detail = (
                f"{', '.join(pinned)} names another version of {ref}: let the reference name the new version, or no "
                "version to follow the vault"
            )
            yield Skip(settings_subject(settings.site), Reason.PINNED_REFERENCE, detail, settings.site)
        behind = any(
            reference.pinned is None and (reference.active is None or reference.active in older) for reference in ours
        )
        asked = record is not None and record.state in WRITTEN
        if later := later_led(snapshot, settings_subject(settings.site), settings):
            yield replace(later, detail=f"{later.detail}. App Service itself fetches the earlier one within 24 h")
        elif behind and not asked and site is not None and site.webspace is not None:
            yield Step(RefreshReferences(settings, current.version, site.webspace), Reason.STALE_REFERENCE)
