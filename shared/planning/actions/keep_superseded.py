"""Upload an old version that app settings still name before a sync replaces that version in the imported certificate.

If Certroll does not sync an imported certificate with the vault, Azure syncs the certificate within 24 hours. A sync
with the vault replaces the imported certificate in place. Without an upload of the old version before the sync, an app
that names the old thumbprint would start without its certificate. Certroll uploads the old version under a name of its
own, so that the webspace (App Service's place for certificates) holds both versions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from shared.domain.certificates.pfx import Pfx
from shared.domain.certificates.requirements import Case
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Denied, NotFound, NotKept, NotSettled, NotYet, Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.intent import Intent
from shared.domain.names import CopyRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import named_stale, stale_in
from shared.planning.acting.about_copy import read_copy
from shared.planning.acting.own_names import own_copy
from shared.planning.acting.subjects import copy_subject
from shared.planning.acting.webspace_limits import PLANLESS, why_full, why_low
from shared.planning.actions.upload_certificate import UploadCertificate
from shared.planning.plan import Skip, Step
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class KeepSuperseded(UploadCertificate):
    """Upload a superseded version of the vault certificate into a webspace, under a name of its own.

    If Azure refuses to upload a version that the webspace already holds as an imported certificate, Certroll uploads
    this old version after the sync.
    """

    held_by: CopyRef | None = None
    """The imported certificate that holds the version now, None if none holds the version."""
    is_staged: ClassVar[bool] = False
    protects: ClassVar[bool] = True

    def cases(self, _: CertificateVersion, __: Snapshot) -> tuple[Case, ...]:
        """Return no requirements for the new version, because the action is about an older version."""
        return ()

    def perform(self, ports: Ports) -> bool:
        """Upload the old version unless the webspace has it, and return once Azure shows the upload.

        Raises NotYet if Azure takes the upload only after the sync of the imported certificate. Raises NotKept if
        Certroll cannot read the old version in the vault or Azure refuses the upload.
        """
        pfx = self._checked(ports)
        if pfx is None:
            return False
        try:
            self.send(ports, pfx)
        except (Denied, Rejected, NotSettled) as error:
            if not isinstance(error, Denied) and self._is_imported(ports):
                raise NotYet(f"{self.subject} is uploaded after the sync: {error}") from error
            raise NotKept(
                f"{self.subject}: Azure refuses the upload, so the new version replaces the old at once: {error}"
            ) from error
        return True

    def _checked(self, ports: Ports) -> Pfx | None:
        """Return the old version with its private key, None if the webspace has it.

        Raises NotKept if another certificate has the name, or if Certroll cannot read the old version in the vault.
        """
        try:
            if self._is_there(ports):
                return None
        except Rejected as taken:
            raise NotKept(str(taken)) from taken
        try:
            return ports.vault.pfx(self.ref, self.version.version, self.version.thumbprint)
        except (Denied, NotFound, Rejected) as error:
            raise NotKept(
                f"{self.subject}: Certroll cannot read the old version, so the new version replaces it at once: {error}"
            ) from error

    def _is_imported(self, ports: Ports) -> bool:
        return self.held_by is not None and self.holds(read_copy(ports, self.held_by))


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose an upload of each old version that apps still need, or a skip if Certroll cannot upload the version."""
    taken = {copy.ref: copy.webspace for copy in snapshot.fleet.certificates}
    for webspace in sorted({copy.webspace for copy in snapshot.copies if copy.site is None}):
        plan = snapshot.fleet.plan_in(webspace)
        for version in _to_keep(snapshot, webspace):
            kept = own_copy(snapshot.lineage, version, webspace, plan, taken)
            refusal = _refusal(snapshot, version, plan)
            if plan is None or refusal:
                yield Skip(copy_subject(kept.ref, webspace), Reason.NO_OVERLAP, refusal)
                continue
            taken[kept.ref] = webspace
            held_by = min((c.ref for c in snapshot.copies if _holds(c, webspace, version.thumbprint)), default=None)
            yield Step(
                KeepSuperseded(snapshot.lineage.ref, version, kept, plan, held_by=held_by), Reason.SUPERSEDED_IN_USE
            )


def _to_keep(snapshot: Snapshot, webspace: Webspace) -> tuple[CertificateVersion, ...]:
    """Return the versions that apps of the webspace name or mention, and that a sync removes or has removed.

    The newest version of the vault is excluded, because a sync brings the newest version. If Certroll cannot read the
    settings of an app, Certroll treats each version in an imported certificate as named by that app.
    """
    lineage, fleet = snapshot.lineage, snapshot.fleet
    imported = {copy.thumbprint for copy in snapshot.copies if copy.webspace == webspace}
    staying = {copy.thumbprint for copy in fleet.certificates_in(webspace) if copy.source != lineage.ref}
    unread = any(spot.settings_only and spot.hides(webspace) for spot in fleet.blind_spots)
    wanted: set[Thumbprint | None] = set(imported) if unread else set()
    current = {lineage.current.thumbprint} if lineage.current and lineage.refusal else set[Thumbprint]()
    before = {lineage.before.thumbprint} if lineage.before else set[Thumbprint]()
    for settings in (settings.without_roots for settings in snapshot.settings_in(webspace)):
        # Azure syncs even a newest version of the vault certificate that Certroll refuses
        known = {thumbprint for thumbprint in imported | current | before if thumbprint}
        wanted |= (settings.named & (imported | current)) | settings.mentioned_outside_roots(known)
        listed = settings.loads_everything or (lineage.current and lineage.current.thumbprint in settings.load_list)
        if not listed:
            wanted |= set(named_stale(snapshot, settings)[:1])
        wanted |= {pin.thumbprint for pin in settings.pins if stale_in(snapshot, webspace, pin.thumbprint)}
    newest = lineage.versions[0].thumbprint if lineage.versions else None
    kept = {v.thumbprint: v for v in reversed(lineage.versions) if v.thumbprint in wanted - staying - {newest}}
    enabled = {v.thumbprint: v for v in reversed(lineage.versions) if v.thumbprint in kept and v.enabled}
    return tuple(sorted((kept | enabled).values(), key=lineage.versions.index))


def _holds(copy: WebspaceCertificate, webspace: Webspace, thumbprint: Thumbprint) -> bool:
    return copy.webspace == webspace and copy.thumbprint == thumbprint


def _refusal(snapshot: Snapshot, version: CertificateVersion, plan: ServerFarm | None) -> str:
    if version.not_after <= snapshot.now:
        return f"the old version expired at {version.not_after:%Y-%m-%d %H:%M} UTC, so Certroll does not keep it"
    if not version.enabled:
        return "the old version is disabled in the vault, so Certroll keeps no copy of it"
    if plan is None:
        return PLANLESS
    return why_low(plan) or why_full(snapshot, plan.webspace)
