"""Keep a version that app settings name, when the imported copy under it is replaced.

A sync, ours or Azure's own within 24 hours, replaces an imported copy in place; an app that names the old thumbprint
would not start with it again. The version is brought into the webspace once more, as an upload under a name of its own,
so that old and new are live together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import ClassVar

from shared.actions.settle import settle
from shared.actions.sync_certificate import copy_subject
from shared.domain.errors import Denied, NotFound, NotKept, NotSettled, NotYet, Rejected
from shared.domain.lineage import Lineage
from shared.domain.model import OWN_PREFIX, CertificateVersion, ServerFarm, WebspaceCertificate
from shared.domain.names import CopyRef, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.plan import Intent, Skip, Step
from shared.domain.ports import Ports
from shared.domain.reason import Reason
from shared.domain.snapshot import Snapshot

LINEAGE_TAG = "certroll-lineage"
PATIENCE = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class KeepSuperseded:
    """Upload a version of the vault certificate into a webspace, under a name of its own.

    `held_by` is the imported copy that holds the version now, None where none does any more. Where Azure does not take
    a thumbprint that it holds already, the upload has to wait for the sync of that copy.
    """

    ref: VaultCertificateRef
    version: CertificateVersion
    kept: WebspaceCertificate
    plan: ServerFarm
    held_by: CopyRef | None
    restarts_site: ClassVar[bool] = False

    @property
    def subject(self) -> str:
        """The copy that is made."""
        return copy_subject(self.kept.ref, self.kept.webspace)

    @property
    def webspace(self) -> Webspace:
        """The webspace that gets it."""
        return self.kept.webspace

    @property
    def site(self) -> SiteRef | None:
        """None: a copy is there for the whole webspace."""
        return None

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """Nothing that has to be live before."""
        return frozenset()

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the copy."""
        return snapshot.with_certificate(self.kept)

    def perform(self, ports: Ports) -> bool:
        """Upload the version unless it is there; return once Azure shows it.

        Raises NotYet where Azure takes it only after the sync, NotKept where it cannot be had at all.
        """
        if (seen := _look(ports, self.kept.ref)) is not None:
            if self._is_kept(seen):
                return False
            raise NotKept(f"{self.subject}: the name is taken by {seen.thumbprint} in {seen.webspace}; delete that one")
        try:
            pfx = ports.vault.pfx(self.ref, self.version.version, self.version.thumbprint)
        except (Denied, NotFound, Rejected) as error:
            raise NotKept(f"{self.subject}: the old version cannot be read, so there is no overlap: {error}") from error
        try:
            ports.app_service.upload_certificate(self.kept, pfx, self.plan)
            settle(ports.clock, lambda: _look(ports, self.kept.ref), self._is_kept, self.subject, PATIENCE)
        except (Denied, Rejected, NotSettled) as error:
            if not isinstance(error, Denied) and self._is_imported(ports):
                raise NotYet(f"{self.subject} goes up after the sync: {error}") from error
            raise NotKept(f"{self.subject}: Azure does not take it, so there is no overlap: {error}") from error
        return True

    def _is_kept(self, seen: WebspaceCertificate | None) -> bool:
        return seen is not None and (seen.thumbprint, seen.webspace) == (self.version.thumbprint, self.kept.webspace)

    def _is_imported(self, ports: Ports) -> bool:
        return self.held_by is not None and self._is_kept(_look(ports, self.held_by))


def _look(ports: Ports, ref: CopyRef) -> WebspaceCertificate | None:
    try:
        return ports.app_service.certificate(ref)
    except NotFound:
        return None


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose it for every version that settings name and that only an imported copy holds, or none any more."""
    taken = {copy.ref: copy.webspace for copy in snapshot.fleet.certificates}
    for webspace in sorted({copy.webspace for copy in snapshot.copies}):
        plans = (plan for plan in snapshot.fleet.plans if plan.webspace == webspace)
        plan = min(plans, key=lambda one: one.resource_id, default=None)
        for version in _to_keep(snapshot, webspace):
            kept = _kept(snapshot.lineage, version, webspace, plan, taken)
            refusal = _refusal(snapshot, version, plan)
            if plan is None or refusal:
                yield Skip(copy_subject(kept.ref, webspace), Reason.NO_OVERLAP, refusal)
                continue
            taken[kept.ref] = webspace
            held_by = min((c.ref for c in snapshot.copies if _holds(c, webspace, version.thumbprint)), default=None)
            yield Step(KeepSuperseded(snapshot.lineage.ref, version, kept, plan, held_by), Reason.SUPERSEDED_IN_USE)


def _to_keep(snapshot: Snapshot, webspace: Webspace) -> tuple[CertificateVersion, ...]:
    """Return the versions of the webspace that a sync takes away, or took away, from apps that name them.

    What only a sync with the vault's newest version can bring is not among them. Where the settings of an app cannot be
    read, it may name what an imported copy holds.
    """
    lineage, fleet = snapshot.lineage, snapshot.fleet
    imported = {copy.thumbprint for copy in snapshot.copies if copy.webspace == webspace}
    staying = {copy.thumbprint for copy in fleet.certificates_in(webspace) if copy.source != lineage.ref}
    unread = any(spot.settings_only and spot.hides(webspace) for spot in fleet.blind_spots)
    wanted: set[Thumbprint | None] = set(imported) if unread else set()
    current = {lineage.current.thumbprint} if lineage.current and lineage.refusal else set[Thumbprint]()
    for settings in snapshot.settings_in(webspace):
        wanted |= settings.named & (imported | current)  # Azure itself brings a newest version that is refused
        listed = settings.loads_everything or (lineage.current and lineage.current.thumbprint in settings.load_list)
        if not listed:
            wanted |= set(snapshot.named_stale(settings)[:1])
        wanted |= {pin.thumbprint for pin in settings.pins if snapshot.stale_in(webspace, pin.thumbprint)}
    newest = lineage.versions[0].thumbprint if lineage.versions else None
    kept = {v.thumbprint: v for v in reversed(lineage.versions) if v.thumbprint in wanted - staying - {newest}}
    enabled = {v.thumbprint: v for v in reversed(lineage.versions) if v.thumbprint in kept and v.enabled}
    return tuple(sorted((kept | enabled).values(), key=lineage.versions.index))


def _holds(copy: WebspaceCertificate, webspace: Webspace, thumbprint: Thumbprint) -> bool:
    return copy.webspace == webspace and copy.thumbprint == thumbprint


def _refusal(snapshot: Snapshot, version: CertificateVersion, plan: ServerFarm | None) -> str:
    if version.not_after <= snapshot.now:
        return f"it expired at {version.not_after:%Y-%m-%d %H:%M} UTC, so it is not kept beside the new version"
    if not version.enabled:
        return "this version is disabled in the vault, so it cannot be kept beside the new one: enable it until then"
    if plan is None:
        return "no App Service plan of this webspace is visible, and an upload must name one: grant Reader on its plans"
    return ""


def _kept(
    lineage: Lineage,
    version: CertificateVersion,
    webspace: Webspace,
    plan: ServerFarm | None,
    taken: dict[CopyRef, Webspace],
) -> WebspaceCertificate:
    """Return the copy as it will be.

    Two webspaces of one resource group must not share a name: the second would replace the first (azure-powershell
    issue 17347).
    """
    group = plan.resource_group if plan else "unknown"
    ref = CopyRef(webspace.subscription, group, f"{OWN_PREFIX}{lineage.ref.name}-{version.thumbprint}".lower())
    if taken.get(ref, webspace) != webspace:
        ref = CopyRef(ref.subscription, group, f"{ref.name}-{sha256(webspace.name.encode()).hexdigest()[:8]}")
    return WebspaceCertificate(
        ref=ref,
        webspace=webspace,
        location=plan.location if plan else "",
        thumbprint=version.thumbprint,
        host_names=version.facts.host_names if version.facts else frozenset(),
        not_after=version.not_after,
        source=None,
        tags=((LINEAGE_TAG, str(lineage.ref)),),
    )
