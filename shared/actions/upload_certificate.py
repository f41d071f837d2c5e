"""Put a version into a webspace that holds the certificate as an upload: App Service never renews those.

The old one stays where it is. Nothing is ever uploaded over it: Azure refuses that while it is bound, and an app that
names it would be left without it (Azure docs, "Renew an uploaded certificate").
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import ClassVar

from shared.actions.settle import settle
from shared.actions.sync_certificate import copy_subject
from shared.domain.errors import NotFound, Rejected
from shared.domain.lineage import Lineage
from shared.domain.model import OWN_PREFIX, CertificateVersion, ServerFarm, WebspaceCertificate
from shared.domain.names import CopyRef, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.plan import Intent, Skip, Step
from shared.domain.ports import Ports
from shared.domain.reason import Reason
from shared.domain.snapshot import Snapshot

LINEAGE_TAG = "certroll-lineage"
PATIENCE = timedelta(seconds=20)
PLANLESS = "no App Service plan of this webspace is visible, and an upload must name one: grant Reader on its plans"


@dataclass(frozen=True, slots=True)
class UploadCertificate:
    """Upload a version of the vault certificate into a webspace, under a name of its own."""

    ref: VaultCertificateRef
    version: CertificateVersion
    copy: WebspaceCertificate
    plan: ServerFarm
    restarts_site: ClassVar[bool] = False

    @property
    def subject(self) -> str:
        """The copy that is made."""
        return copy_subject(self.copy.ref, self.copy.webspace)

    @property
    def webspace(self) -> Webspace:
        """The webspace that gets it."""
        return self.copy.webspace

    @property
    def site(self) -> SiteRef | None:
        """None: a copy is there for the whole webspace, or for one that has its own before anything of it changes."""
        return None

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """Nothing that has to be live before."""
        return frozenset()

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the copy."""
        return snapshot.with_certificate(self.copy)

    def perform(self, ports: Ports) -> bool:
        """Upload the version unless it is there; return once Azure shows it.

        Raises Rejected where the name is taken, or where Azure put it elsewhere.
        """
        if self._is_there(ports):
            return False
        pfx = ports.vault.pfx(self.ref, self.version.version, self.version.thumbprint)
        ports.app_service.upload_certificate(self.copy, pfx, self.plan)
        self._settle(ports)
        return True

    def _is_there(self, ports: Ports) -> bool:
        """Say whether the copy is there. Raises Rejected where another one has its name."""
        seen = look(ports, self.copy.ref)
        if seen is not None and not self.holds(seen):
            raise Rejected(
                f"{self.subject}: the name is taken by {seen.thumbprint} in {seen.webspace}; delete that one"
            )
        return seen is not None

    def _settle(self, ports: Ports) -> None:
        settle(ports.clock, lambda: look(ports, self.copy.ref), self.holds, self.subject, PATIENCE)

    def holds(self, seen: WebspaceCertificate | None) -> bool:
        """Say whether what is seen holds this version in this webspace."""
        return (
            seen is not None
            and seen.thumbprint == self.version.thumbprint
            and (seen.site is not None or seen.webspace == self.webspace)
        )


def look(ports: Ports, ref: CopyRef) -> WebspaceCertificate | None:
    """Return the copy of that name, None where there is none."""
    try:
        return ports.app_service.certificate(ref)
    except NotFound:
        return None


def own_copy(
    lineage: Lineage,
    version: CertificateVersion,
    webspace: Webspace,
    plan: ServerFarm | None,
    taken: Mapping[CopyRef, Webspace],
) -> WebspaceCertificate:
    """Return a copy as we make it, named `certroll-{name}-{thumbprint}`.

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


def a_plan(snapshot: Snapshot, webspace: Webspace) -> ServerFarm | None:
    """Return the plan that an upload into the webspace names, None where none is seen."""
    plans = (plan for plan in snapshot.fleet.plans if plan.webspace == webspace)
    return min(plans, key=lambda one: one.resource_id, default=None)


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose it for every webspace with an upload of the lineage that has the current version in no form yet."""
    current = snapshot.lineage.current
    taken = {copy.ref: copy.webspace for copy in snapshot.fleet.certificates}
    for webspace, site in sorted(snapshot.uploaded_to, key=str) if current else ():
        there = snapshot.live_in(webspace) if site is None else snapshot.private_at(site)
        if current is None or current.thumbprint in there:
            continue
        plan = a_plan(snapshot, webspace)
        copy = own_copy(snapshot.lineage, current, webspace, plan, taken)
        if site is not None:
            copy = replace(copy, ref=CopyRef.of_site(site, copy.ref.name, public=False))
        if plan is None:
            yield Skip(copy_subject(copy.ref, webspace), Reason.NO_PLAN_IN_WEBSPACE, PLANLESS)
            continue
        taken[copy.ref] = webspace
        yield Step(UploadCertificate(snapshot.lineage.ref, current, copy, plan), Reason.STALE_UPLOAD)
