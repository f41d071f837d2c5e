"""Compare the chains of certificates, and find uploads whose chain the servers of an environment do not know."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.requirements import Case, Requirement
from shared.domain.certificates.rules import Verdict, refusals, warnings
from shared.domain.certificates.urgency import is_urgent
from shared.domain.certificates.version import CertificateVersion, InUse
from shared.domain.findings import Finding, SeenBy
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.names import VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.expiry import FORGOTTEN_AFTER
from shared.domain.snapshot.roots import trusts_by_chain
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.tags import UPLOAD_AGAIN, is_on

MOST_NAMED = 10
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


def hurries(snapshot: Snapshot, copies: Iterable[WebspaceCertificate]) -> bool:
    """Return True if an older version in the copies that is in use ends so soon that Certroll must not wait.

    A better chain is worth waiting for only while the certificate in use is valid. If no binding shows a copy, the
    newest of the older versions counts as in use. A version that ended long ago counts no more, because a forgotten
    copy would otherwise loosen the guard for every later version.
    """
    lineage = snapshot.lineage
    old = [copy for copy in copies if lineage.is_stale(copy.thumbprint)]
    shown = {copy.thumbprint for copy in old if snapshot.served_by(copy)}
    held = shown or {copy.thumbprint for copy in old}
    in_use = [version for version in lineage.versions if version.thumbprint in held]
    counted = in_use if shown else in_use[:1]
    return any(
        is_urgent(version.not_before, version.not_after, snapshot.now)
        and version.not_after > snapshot.now - FORGOTTEN_AFTER
        for version in counted
    )


def left_out_finding(
    now: datetime, ref: VaultCertificateRef, version: CertificateVersion, subject: str, left_out: tuple[str, ...]
) -> Finding:
    """Return the finding that an upload lacks certificates of the vault's value that are no issuers."""
    named = ", ".join(left_out[:MOST_NAMED])
    more = f" and {len(left_out) - MOST_NAMED} more" if len(left_out) > MOST_NAMED else ""
    detail = (
        f"version {version.version} of {ref} also holds {named}{more}, which the chain of its certificate does not "
        "need or which another certificate replaces, so the upload lacks them: if clients need one, put a version "
        "with the right issuers into the vault"
    )
    return Finding(now, str(ref), subject, Reason.REQUIREMENT_WARNING, detail, SeenBy.VERSION)


def lost_chain(case: Case) -> Verdict | None:
    """Return a refusal if a version's chain lacks certificates that the chain in use has, otherwise None."""
    return next((verdict for verdict in refusals(case) if verdict.requirement is Requirement.CHAIN), None)


def tolerated_loss(case: Case) -> Verdict | None:
    """Return the warning about a chain that Certroll refuses in other circumstances, None without such a chain.

    Certroll tolerates a shorter chain if clients hold the root of the missing issuer's key, or if time is short. The
    caller has asked `lost_chain` first, which refuses every other shorter chain.
    """
    in_use = tuple(_without_held(in_use) for in_use in case.in_use)
    if lost_chain(replace(case, in_use=in_use, urgent=False)) is None:
        return None
    return next((verdict for verdict in warnings(case) if verdict.requirement is Requirement.CHAIN), None)


def _without_held(in_use: InUse) -> InUse:
    """Return the certificate in use as if clients held no root of its chain."""
    return replace(in_use, bundle=replace(in_use.bundle, held=frozenset())) if in_use.bundle else in_use


def requirement_finding(
    now: datetime, ref: VaultCertificateRef, version: CertificateVersion, subject: str, warning: Verdict
) -> Finding:
    """Return the finding that an upload of a version misses a requirement."""
    detail = f"version {version.version} of {ref}: {warning.requirement}: {warning.detail}"
    return Finding(now, str(ref), subject, Reason.REQUIREMENT_WARNING, detail, SeenBy.VERSION)


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
