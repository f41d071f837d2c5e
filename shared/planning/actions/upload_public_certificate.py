"""Put a certificate without its key on a site, for apps that use only the public part, such as to verify signatures.

The tag `certroll-public-to` of the vault object names the sites and slots. If a root list
(WEBSITE_LOAD_ROOT_CERTIFICATES) needs the version, Certroll also puts the certificate on one app of the App Service
plan. Certroll restarts no app for the upload of a public certificate, so apps find the certificate at their next start.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from shared.domain.certificates.requirements import Case, Use
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.sites import Site
from shared.domain.intent import Intent
from shared.domain.names import CopyRef, SiteRef, VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.liveness import roots_at
from shared.domain.snapshot.roots import wants_root
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import stale_in
from shared.domain.tags import LINEAGE, PUBLIC_TO
from shared.planning.acting.about_copy import AboutCopy, read_copy
from shared.planning.acting.in_use import in_use
from shared.planning.acting.named_targets import named_sites
from shared.planning.acting.own_names import own_name
from shared.planning.acting.public_part import public_part_to_put
from shared.planning.acting.settle import UPLOAD_PATIENCE, settle
from shared.planning.acting.webspace_limits import why_site_full
from shared.planning.plan import Skip, Step
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class UploadPublicCertificate(AboutCopy):
    """Upload the public part of a version to one site or slot, under a name of its own."""

    ref: VaultCertificateRef
    version: CertificateVersion
    copy: WebspaceCertificate
    as_root: bool = False
    """True if only root lists need the certificate."""
    is_staged: ClassVar[bool] = False

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that the version must meet as a root, or as a public certificate of an app."""
        lineage = snapshot.lineage
        if self.as_root:
            return (Case(current, Use.ROOT, snapshot.now, (), lineage.key),)
        own = (copy for copy in snapshot.fleet.certificates if copy.ref.public and copy.site == self.owner)
        stale = (copy.thumbprint for copy in own if stale_in(snapshot, self.webspace, copy.thumbprint))
        return (Case(current, Use.PUBLIC, snapshot.now, in_use(snapshot, stale), lineage.key),)

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the public certificate."""
        return snapshot.with_certificate(self.copy)

    def preflight(self, ports: Ports) -> bool:
        """Check the name of the public certificate, and read the certificate in the vault, as `perform` does."""
        return self._checked(ports) is not None

    def perform(self, ports: Ports) -> bool:
        """Upload the public certificate unless the site has it, and return once Azure shows the upload.

        Raises Rejected if another certificate on the site has the name.
        """
        der = self._checked(ports)
        if der is None:
            return False
        ports.app_service.upload_public_certificate(self.copy, der)
        settle(ports.clock, lambda: read_copy(ports, self.copy.ref), self._is, self.subject, UPLOAD_PATIENCE)
        return True

    def _checked(self, ports: Ports) -> bytes | None:
        """Return the certificate to upload, None if the site has it. Raises Rejected if the name is taken."""
        seen = read_copy(ports, self.copy.ref)
        return public_part_to_put(ports, self.subject, self.ref, self.version, seen, is_there=self._is(seen))

    def _is(self, seen: WebspaceCertificate | None) -> bool:
        return seen is not None and seen.thumbprint == self.version.thumbprint


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose an upload for each site and slot that needs the current version and lacks it as a public certificate."""
    current = snapshot.lineage.current
    if current is None:
        return
    named, skips = named_sites(snapshot, PUBLIC_TO)
    yield from skips
    for ref in sorted(named):
        site = snapshot.site(ref)
        own = (copy for copy in snapshot.fleet.certificates_of(ref) if copy.ref.public)
        if site is None or site.webspace is None or any(copy.thumbprint == current.thumbprint for copy in own):
            continue
        upload = _upload(snapshot, current, ref, site.webspace)
        if site.flex and (full := why_site_full(snapshot, ref, public=True)):
            yield Skip(upload.subject, Reason.SITE_FULL, full)
            continue
        yield Step(upload, Reason.PUBLIC_CERTIFICATE_ASKED)
    yield from _for_roots(snapshot, current, named)


def _for_roots(snapshot: Snapshot, current: CertificateVersion, named: frozenset[SiteRef]) -> Iterable[Step]:
    """Propose an upload to one app of each plan whose root lists need the version, if no app of the plan has it.

    `named` are the sites that get the certificate because of the tag `certroll-public-to`.
    """
    served: set[SiteRef] = set()
    for site in sorted(snapshot.fleet.sites, key=lambda site: site.ref):
        if site.webspace is None or site.ref in served or not _needs_root(snapshot, site):
            continue
        plan = {site.ref, *snapshot.fleet.plan_mates(site.ref)}
        served |= plan
        coming = any(not snapshot.fleet.is_left_alone(ref) for ref in plan & named)
        if coming or current.thumbprint in roots_at(snapshot, site.ref):
            continue
        upload = replace(_upload(snapshot, current, site.ref, site.webspace), as_root=True)
        yield Step(upload, Reason.ROOT_NEEDED)


def _needs_root(snapshot: Snapshot, site: Site) -> bool:
    """Return True if the app's root list names a version of the vault object.

    Return True also if the tag `certroll-root-on` names the app.
    """
    settings = snapshot.settings_of(site.ref)
    if settings is None or not site.supports_root_list or snapshot.fleet.is_left_alone(site.ref):
        return False
    ours = any(
        stale_in(snapshot, site.webspace, thumbprint) or snapshot.lineage.is_current(thumbprint)
        for thumbprint in settings.root_list
    )
    return ours or wants_root(snapshot, site.ref)


def _upload(
    snapshot: Snapshot, current: CertificateVersion, ref: SiteRef, webspace: Webspace
) -> UploadPublicCertificate:
    lineage = snapshot.lineage.ref
    copy = WebspaceCertificate(
        ref=CopyRef.of_site(ref, own_name(lineage, current.thumbprint), public=True),
        webspace=webspace,
        location="",
        thumbprint=current.thumbprint,
        host_names=frozenset(),
        not_after=current.not_after,
        source=None,
        tags=((LINEAGE.name, str(lineage)),),
    )
    return UploadPublicCertificate(lineage, current, copy)
