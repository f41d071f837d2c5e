"""Find uploaded certificates whose chain the servers of an App Service Environment do not know."""

from datetime import UTC, datetime

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.requirements import Case, Requirement
from shared.domain.certificates.rules import Verdict, refusals
from shared.domain.certificates.version import CertificateVersion
from shared.domain.findings import Finding, SeenBy
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.roots import trusts_by_chain
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import UPLOAD_AGAIN, is_on

CHAINS_ADDED_SINCE = datetime(2023, 10, 1, tzinfo=UTC)
"""The servers of an App Service Environment do not know the chain of earlier uploads (Azure docs, "Certificates in App
Service Environment", private server certificate)."""


def is_asked(lineage: Lineage) -> bool:
    """Return True if the vault object carries `certroll-upload-again: on`."""
    return is_on(UPLOAD_AGAIN.value_in(lineage.tags))


def brings_chain(copy: WebspaceCertificate) -> bool:
    """Return True if the upload is so late that the servers of the environment know its chain.

    Certroll assumes that servers know the chain of each certificate that Certroll uploaded or App Service imported.
    Certroll assumes that servers do not know the chain of an uploaded certificate without an upload date.
    """
    return not copy.uploaded or (copy.created is not None and copy.created >= CHAINS_ADDED_SINCE)


def is_uploaded_again(snapshot: Snapshot, webspace: Webspace) -> bool:
    """Return True if servers know the chain of one upload of the current version, but not of another."""
    known = [brings_chain(copy) for copy in snapshot.uploads_in(webspace)]
    return trusts_by_chain(snapshot, webspace) and any(known) and not all(known)


def lost_chain(case: Case) -> Verdict | None:
    """Return a refusal if a version's chain lacks certificates that the chain in use has, otherwise None."""
    return next((verdict for verdict in refusals(case) if verdict.requirement is Requirement.CHAIN), None)


def chain_finding(
    now: datetime, ref: VaultCertificateRef, version: CertificateVersion, subject: str, missing: str
) -> Finding:
    """Return the finding that an upload lacks the certificate `missing`, which an App Service Environment needs."""
    detail = (
        f"{missing} is not in version {version.version} of {ref}, and the servers of an App Service Environment trust "
        "a private authority by the whole chain that is uploaded: put a version with its root and all intermediates "
        "into the vault"
    )
    return Finding(now, str(ref), subject, Reason.CHAIN_INCOMPLETE, detail, SeenBy.VERSION)
