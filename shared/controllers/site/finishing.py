"""Finish the bindings of a site without the vault certificate, which is gone, denied or no longer Certroll's."""

from dataclasses import replace

from shared.controllers.site.bindings import bindings_of_site, conclude
from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.errors import NotFound
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import CopyRef, VaultCertificateRef, covers
from shared.domain.outcome import Converged, Outcome
from shared.domain.reason import Reason
from shared.domain.rollout.site_record import SiteRecord, SiteState
from shared.loop.run import Run
from shared.ports.storage import Lease


def finish_bindings(run: Run, lease: Lease, ref: VaultCertificateRef, record: SiteRecord) -> Outcome:
    """Bind the host names of the site's record to the copy that App Service already has, and return the outcome.

    Certroll began to bring the version before it lost the vault certificate. Without the vault, Certroll knows of the
    version only what App Service shows of its copy, so it binds only host names that the copy covers. If no copy has
    another thumbprint than the bindings had before, Certroll has written nothing, and writes nothing.
    """
    if (copy := _written_copy(run, record)) is None or copy.thumbprint is None or copy.not_after is None:
        lineage = Lineage(ref, (), None)
        detail = f"App Service has no new copy for {record.site}, so Certroll has written nothing, and writes nothing"
        return conclude(run, lineage, record, SiteState.UNPROVEN, Converged(Reason.NOTHING_STALE, detail))
    begins = copy.not_before or record.at
    version = CertificateVersion(record.version, copy.thumbprint, begins, copy.not_after, enabled=True, created=begins)
    covered = tuple(binding for binding in record.last_good if covers(copy.host_names, binding.host_name))
    lineage = Lineage(ref, (version,), version)
    return bindings_of_site(run, lease, lineage, version, replace(record, last_good=covered))


def _written_copy(run: Run, record: SiteRecord) -> WebspaceCertificate | None:
    """Return the certificate in App Service that holds the new version, or None if there is no such certificate."""
    before = {binding.thumbprint for binding in record.last_good}
    copies = (_copy(run, ref) for ref in record.copies)
    new = [copy for copy in copies if copy is not None and copy.thumbprint not in before]
    return new[0] if len({copy.thumbprint for copy in new}) == 1 else None


def _copy(run: Run, ref: CopyRef) -> WebspaceCertificate | None:
    try:
        return run.ports.app_service.certificate(ref)
    except NotFound:
        return None
