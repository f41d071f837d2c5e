"""Put a certificate without its key on a site, for apps that only check what others have signed.

A site or slot gets it where the tag `certroll-public-to` of the vault object names it. Nothing restarts: apps find it
at their next start, or when their settings are rolled.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.actions.about_copy import AboutCopy
from shared.actions.settle import settle
from shared.actions.upload_certificate import PATIENCE, look
from shared.domain.errors import Rejected, TargetInvalid
from shared.domain.model import LINEAGE_TAG, OWN_PREFIX, CertificateVersion, WebspaceCertificate
from shared.domain.names import CopyRef, SiteRef, Thumbprint, VaultCertificateRef
from shared.domain.plan import Intent, Skip, Step
from shared.domain.ports import Ports
from shared.domain.reason import Reason
from shared.domain.snapshot import Snapshot
from shared.domain.targets import names_of_site, parse_targets, resolve

TAG = "certroll-public-to"


@dataclass(frozen=True, slots=True)
class UploadPublicCertificate(AboutCopy):
    """Upload the public part of a version to one site or slot, under a name of its own."""

    ref: VaultCertificateRef
    version: CertificateVersion
    copy: WebspaceCertificate

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the certificate."""
        return snapshot.with_certificate(self.copy)

    def perform(self, ports: Ports) -> bool:
        """Upload the certificate unless it is there; return once Azure shows it. Raises Rejected: the name is taken."""
        if (seen := look(ports, self.copy.ref)) is not None:
            if self._is(seen):
                return False
            raise Rejected(f"{self.subject}: the name is taken by {seen.thumbprint}; delete that one")
        der = ports.vault.public_part(self.ref, self.version.version, self.version.thumbprint)
        ports.app_service.upload_public_certificate(self.copy, der)
        settle(ports.clock, lambda: look(ports, self.copy.ref), self._is, self.subject, PATIENCE)
        return True

    def _is(self, seen: WebspaceCertificate | None) -> bool:
        return seen is not None and seen.thumbprint == self.version.thumbprint


def propose(snapshot: Snapshot, _: Intent) -> Iterable[Step | Skip]:
    """Propose it for every site and slot that should have the current version and has it in no public form yet."""
    lineage, current = snapshot.lineage, snapshot.lineage.current
    if current is None:
        return
    targets, skips = _targets(snapshot)
    yield from skips
    for ref in sorted(targets):
        site = snapshot.site(ref)
        own = (copy for copy in snapshot.fleet.certificates_of(ref) if copy.ref.public)
        if site is None or site.webspace is None or any(copy.thumbprint == current.thumbprint for copy in own):
            continue
        copy = WebspaceCertificate(
            ref=CopyRef.of_site(ref, own_name(lineage.ref, current.thumbprint), public=True),
            webspace=site.webspace,
            location="",
            thumbprint=current.thumbprint,
            host_names=frozenset(),
            not_after=current.not_after,
            source=None,
            tags=((LINEAGE_TAG, str(lineage.ref)),),
        )
        yield Step(UploadPublicCertificate(lineage.ref, current, copy), Reason.PUBLIC_CERTIFICATE_ASKED)


def own_name(ref: VaultCertificateRef, thumbprint: Thumbprint | None) -> str:
    """Return how a public certificate of ours is named: it has no tags to say of which vault object it is."""
    return f"{OWN_PREFIX}{ref.vault}-{ref.name}-{thumbprint}".lower()


def _targets(snapshot: Snapshot) -> tuple[frozenset[SiteRef], list[Skip]]:
    """Return the sites and slots that the tag names, and what is wrong with it."""
    subject = f"tag {TAG} of {snapshot.lineage.ref}"
    sites = {site.ref.resource_id: names_of_site(site.ref) for site in snapshot.fleet.sites}
    found: set[SiteRef] = set()
    skips: list[Skip] = []
    try:
        targets = parse_targets(snapshot.lineage.tags, TAG)
    except TargetInvalid as invalid:
        return frozenset(), [Skip(subject, invalid.reason, str(invalid))]
    for target in targets:
        try:
            found.add(SiteRef.parse(resolve(target, sites)))
        except TargetInvalid as invalid:
            skips.append(Skip(f"{subject}: {target}", invalid.reason, str(invalid)))
    return frozenset(found), skips
