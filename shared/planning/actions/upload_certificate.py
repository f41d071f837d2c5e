"""Upload the current version into a webspace that holds an uploaded certificate, because App Service renews no upload.

Certroll uploads the new version under a new name and leaves the old upload unchanged. Azure refuses to overwrite a
bound certificate, and an app that names the old thumbprint would lose its certificate (Azure docs, "Renew an uploaded
certificate").
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.domain.certificates.pfx import Pfx
from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion, InUse
from shared.domain.errors import Denied, NotFound, Rejected
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.intent import Intent
from shared.domain.names import CopyRef, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.liveness import live_in, private_at
from shared.domain.snapshot.roots import trusts_by_chain
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import uploaded_to
from shared.planning.acting.about_copy import AboutCopy, read_copy
from shared.planning.acting.chains import (
    chain_finding,
    hurries,
    left_out_finding,
    lost_chain,
    requirement_finding,
    tolerated_loss,
)
from shared.planning.acting.in_use import in_use
from shared.planning.acting.own_names import own_copy
from shared.planning.acting.settle import UPLOAD_PATIENCE, settle
from shared.planning.acting.webspace_limits import plan_for_upload
from shared.planning.plan import Skip, Step
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class UploadCertificate(AboutCopy):
    """Upload a version of the vault certificate into a webspace, under a name of its own."""

    ref: VaultCertificateRef
    version: CertificateVersion
    copy: WebspaceCertificate
    plan: ServerFarm
    before: tuple[CertificateVersion, ...] = ()
    """The versions in use, with whose chains Certroll compares the new chain. Empty skips the comparison."""
    whole_chain: bool = False
    """True if servers of the webspace trust the certificate by the chain that is uploaded with it."""
    urgent: bool = False
    """True if the upload that the new upload replaces ends so soon that Certroll does not wait for a better chain."""

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that the new version must meet for an upload that replaces an older version."""
        used = in_use(snapshot, _replaced(snapshot, self.webspace, self.owner))
        known = Case(current, Use.UPLOAD, snapshot.now, used, snapshot.lineage.key)
        return (replace(known, whole_chain=self.whole_chain, urgent=self.urgent),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the uploaded certificate."""
        return snapshot.with_certificate(self.copy)

    def preflight(self, ports: Ports) -> bool:
        """Check the name of the upload, the vault's private key and the chain, as `perform` does."""
        return self._checked(ports) is not None

    def perform(self, ports: Ports) -> bool:
        """Upload the version unless the webspace has it, and return once Azure shows the upload.

        Raises Rejected if another certificate has the name, or if the chain lacks certificates that the chain of the
        version in use has. Raises NotSettled if Azure does not show the uploaded certificate in the webspace in time.
        """
        pfx = self._checked(ports)
        if pfx is not None:
            self.send(ports, pfx)
        return pfx is not None

    def _checked(self, ports: Ports) -> Pfx | None:
        """Return the version with its private key after all checks, None if the webspace has the version."""
        if self._is_there(ports):
            return None
        pfx = ports.vault.pfx(self.ref, self.version.version, self.version.thumbprint)
        self._check_chain(ports, pfx)
        self._report_chain(ports, pfx)
        return pfx

    def send(self, ports: Ports, pfx: Pfx) -> None:
        """Upload the certificate, and return once Azure shows the upload.

        Raises NotSettled if Azure does not show the uploaded certificate.
        """
        ports.app_service.upload_certificate(self.copy, pfx, self.plan)
        settle(ports.clock, lambda: read_copy(ports, self.copy.ref), self.holds, self.subject, UPLOAD_PATIENCE)

    def _check_chain(self, ports: Ports, pfx: Pfx) -> None:
        """Raise Rejected if the new version's chain lacks certificates that the chain in use has.

        Clients of the site would not trust a version without its intermediate certificates. Certroll reads the older
        secret in the vault only if the new chain is incomplete.
        """
        if pfx.bundle is None or pfx.bundle.missing is None:
            return
        used = tuple(self._with_chain(ports, before) for before in self.before)
        version, now = replace(self.version, bundle=pfx.bundle), ports.clock.now()
        case = Case(version, Use.UPLOAD, now, used, whole_chain=self.whole_chain, urgent=self.urgent)
        if (lost := lost_chain(case)) is not None:
            raise Rejected(f"{self.subject}: {lost.detail}", lost.reason)
        if (tolerated := tolerated_loss(case)) is not None:
            ports.findings.report((requirement_finding(now, self.ref, self.version, self.subject, tolerated),))

    def _with_chain(self, ports: Ports, before: CertificateVersion) -> InUse:
        """Return the version in use with its chain, or without it if Certroll cannot read the older secret."""
        try:
            return replace(before.in_use, bundle=ports.vault.pfx(self.ref, before.version, before.thumbprint).bundle)
        except (Denied, NotFound, Rejected):
            return before.in_use

    def _report_chain(self, ports: Ports, pfx: Pfx) -> None:
        """Record what the uploaded chain lacks.

        Certroll reports certificates of the vault's value that the upload lacks. Certroll reports a missing root if the
        servers of the webspace trust by the uploaded chain.
        """
        missing = pfx.bundle.missing if pfx.bundle else None
        if pfx.left_out:
            finding = left_out_finding(ports.clock.now(), self.ref, self.version, self.subject, pfx.left_out)
            ports.findings.report((finding,))
        if not self.whole_chain or missing is None:
            return
        finding = chain_finding(ports.clock.now(), self.ref, self.version, self.subject, str(missing))
        ports.findings.report((finding,))

    def _is_there(self, ports: Ports) -> bool:
        """Return True if Azure already has the certificate.

        Raises Rejected if another certificate in Azure has the name of the upload.
        """
        seen = read_copy(ports, self.copy.ref)
        if seen is not None and not self.holds(seen):
            raise Rejected(
                f"{self.subject}: certificate {seen.thumbprint} in {seen.webspace} has the name; delete that "
                "certificate",
                Reason.NAME_TAKEN,
            )
        return seen is not None

    def holds(self, seen: WebspaceCertificate | None) -> bool:
        """Return True if the App Service certificate has the version's thumbprint and is in the given webspace."""
        return (
            seen is not None
            and seen.thumbprint == self.version.thumbprint
            and (seen.site is not None or seen.webspace == self.webspace)
        )


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose an upload for each webspace that has an older upload and lacks the current version."""
    current = snapshot.lineage.current
    if current is None:
        return
    taken = {copy.ref: copy.webspace for copy in snapshot.fleet.certificates}
    for webspace, site in sorted(uploaded_to(snapshot), key=str):
        there = live_in(snapshot, webspace) if site is None else private_at(snapshot, site)
        if current.thumbprint in there:
            continue
        plan = snapshot.fleet.plan_in(webspace)
        copy = own_copy(snapshot.lineage, current, webspace, plan, taken)
        if site is not None:
            ref = CopyRef.of_site(site, copy.ref.name, public=False)
            copy = replace(copy, ref=ref, switches=_switches(snapshot, site))
        found = plan_for_upload(snapshot, copy, plan)
        if isinstance(found, Skip):
            yield found
            continue
        taken[copy.ref] = webspace
        whole = trusts_by_chain(snapshot, webspace)
        before = _with_chains(snapshot, _replaced(snapshot, webspace, site))
        held = snapshot.fleet.certificates_of(site) if site else snapshot.fleet.certificates
        urgent = hurries(snapshot, (old for old in held if old.webspace == webspace))
        action = UploadCertificate(snapshot.lineage.ref, current, copy, found, before, whole, urgent)
        yield Step(action, Reason.STALE_UPLOAD)


def _replaced(snapshot: Snapshot, webspace: Webspace, site: SiteRef | None) -> tuple[Thumbprint, ...]:
    """Return the older versions among the uploads of the place: those in use, or all if nothing uses one of them."""
    here = (copy for copy in snapshot.fleet.certificates if (copy.webspace, copy.site) == (webspace, site))
    old = [copy for copy in here if copy.is_upload and snapshot.lineage.is_stale(copy.thumbprint)]
    named = {thumbprint for settings in snapshot.settings_in(webspace) for thumbprint in settings.named}
    used = [copy for copy in old if copy.thumbprint in named or snapshot.served_by(copy)]
    return tuple(copy.thumbprint for copy in used or old if copy.thumbprint is not None)


def _with_chains(snapshot: Snapshot, replaced: tuple[Thumbprint, ...]) -> tuple[CertificateVersion, ...]:
    """Return the newest enabled version among the replaced ones, and the vault's version before, without repetition."""
    used = (version for version in snapshot.lineage.versions if version.enabled and version.thumbprint in replaced)
    return tuple(dict.fromkeys(filter(None, (next(used, None), snapshot.lineage.before))))


def _switches(snapshot: Snapshot, site: SiteRef) -> str:
    """Return the properties of the site's newest older upload that the new upload must have, too.

    On a Flex Consumption plan, the further properties of an upload let the code of the app load the certificate.
    """
    uploads = (copy for copy in snapshot.fleet.certificates_of(site) if copy.is_upload and copy.site)
    own = {copy.thumbprint: copy.switches for copy in uploads}
    return next((own[version.thumbprint] for version in snapshot.lineage.versions if version.thumbprint in own), "{}")
