"""Put a version into a webspace that holds the certificate as an upload: App Service never renews those.

The old one stays where it is. Nothing is ever uploaded over it: Azure refuses that while it is bound, and an app that
names it would be left without it (Azure docs, "Renew an uploaded certificate").
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.domain.certificates.pfx import Pfx
from shared.domain.certificates.requirements import Case, Requirement, Use
from shared.domain.certificates.rules import refusals
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import Denied, NotFound, Rejected
from shared.domain.findings import Finding
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.intent import Intent
from shared.domain.names import CopyRef, SiteRef, VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.snapshot.liveness import live_in, private_at
from shared.domain.snapshot.roots import trusts_by_chain
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import uploaded_to
from shared.planning.acting.about_copy import AboutCopy, look
from shared.planning.acting.new_copy import own_copy, room_for
from shared.planning.acting.settle import UPLOAD_PATIENCE, settle
from shared.planning.plan import Skip, Step
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class UploadCertificate(AboutCopy):
    """Upload a version of the vault certificate into a webspace, under a name of its own.

    `whole_chain` says that servers there take their trust from the chain that goes with it.
    """

    ref: VaultCertificateRef
    version: CertificateVersion
    copy: WebspaceCertificate
    plan: ServerFarm
    before: CertificateVersion | None = None
    whole_chain: bool = False

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """An upload in place of the version before."""
        lineage = snapshot.lineage
        whole = self.whole_chain
        return (Case(current, Use.UPLOAD, snapshot.now, lineage.before, lineage.key, whole_chain=whole),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the copy."""
        return snapshot.with_certificate(self.copy)

    def perform(self, ports: Ports) -> bool:
        """Upload the version unless it is there; return once Azure shows it.

        Raises Rejected where the name is taken or its chain is shorter than that of the version in use, NotSettled
        where Azure does not show it, or shows it elsewhere.
        """
        if self._is_there(ports):
            return False
        pfx = ports.vault.pfx(self.ref, self.version.version, self.version.thumbprint)
        self._check_chain(ports, pfx)
        self._report_chain(ports, pfx)
        self.send(ports, pfx)
        return True

    def send(self, ports: Ports, pfx: Pfx) -> None:
        """Upload it; return once Azure shows it. Raises NotSettled where it does not."""
        ports.app_service.upload_certificate(self.copy, pfx, self.plan)
        settle(ports.clock, lambda: look(ports, self.copy.ref), self.holds, self.subject, UPLOAD_PATIENCE)

    def _check_chain(self, ports: Ports, pfx: Pfx) -> None:
        """Raise Rejected where intermediates are missing that the version in use has: visitors would not trust it.

        What lies beside the certificate is known once the secret is read; the older secret only where there is doubt.
        """
        if pfx.bundle is None or pfx.bundle.missing is None or self.before is None:
            return
        try:
            beside = ports.vault.pfx(self.ref, self.before.version, self.before.thumbprint).bundle
        except (Denied, NotFound, Rejected):
            return  # then there is nothing to compare it with
        in_use = replace(self.before, bundle=beside)
        version, now = replace(self.version, bundle=pfx.bundle), ports.clock.now()
        case = Case(version, Use.UPLOAD, now, in_use, whole_chain=self.whole_chain)
        lost = next((one for one in refusals(case) if one.requirement is Requirement.CHAIN), None)
        if lost is not None:
            raise Rejected(f"{self.subject}: {lost.detail}", lost.reason)

    def _report_chain(self, ports: Ports, pfx: Pfx) -> None:
        """Report a chain that ends before its root, where servers take their trust from it."""
        missing = pfx.bundle.missing if pfx.bundle else None
        if not self.whole_chain or missing is None:
            return
        detail = (
            f"{missing} is not in version {self.version.version} of {self.ref}, and the servers of an App Service "
            "Environment trust a private authority by the whole chain that is uploaded: put a version with its root "
            "and all intermediates into the vault"
        )
        finding = Finding(ports.clock.now(), str(self.ref), self.subject, Reason.CHAIN_INCOMPLETE, detail)
        ports.findings.report((finding,))

    def _is_there(self, ports: Ports) -> bool:
        """Say whether the copy is there. Raises Rejected where another one has its name."""
        seen = look(ports, self.copy.ref)
        if seen is not None and not self.holds(seen):
            raise Rejected(
                f"{self.subject}: the name is taken by {seen.thumbprint} in {seen.webspace}; delete that one"
            )
        return seen is not None

    def holds(self, seen: WebspaceCertificate | None) -> bool:
        """Say whether what is seen holds this version in this webspace."""
        return (
            seen is not None
            and seen.thumbprint == self.version.thumbprint
            and (seen.site is not None or seen.webspace == self.webspace)
        )


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose it for every webspace with an upload of the lineage that has the current version in no form yet."""
    current = snapshot.lineage.current
    taken = {copy.ref: copy.webspace for copy in snapshot.fleet.certificates}
    for webspace, site in sorted(uploaded_to(snapshot), key=str) if current else ():
        there = live_in(snapshot, webspace) if site is None else private_at(snapshot, site)
        if current is None or current.thumbprint in there:
            continue
        plan = snapshot.fleet.plan_in(webspace)
        copy = own_copy(snapshot.lineage, current, webspace, plan, taken)
        if site is not None:
            ref = CopyRef.of_site(site, copy.ref.name, public=False)
            copy = replace(copy, ref=ref, switches=_switches(snapshot, site))
        room = room_for(snapshot, copy, plan)
        if isinstance(room, Skip):
            yield room
            continue
        taken[copy.ref] = webspace
        whole = trusts_by_chain(snapshot, webspace)
        before = snapshot.lineage.before
        yield Step(UploadCertificate(snapshot.lineage.ref, current, copy, room, before, whole), Reason.STALE_UPLOAD)


def _switches(snapshot: Snapshot, site: SiteRef) -> str:
    """Return the switches of the newest upload that is superseded there: what the app's code got it gets again."""
    own = {one.thumbprint: one.switches for one in snapshot.fleet.certificates_of(site) if one.is_upload and one.site}
    return next((own[version.thumbprint] for version in snapshot.lineage.versions if version.thumbprint in own), "{}")
