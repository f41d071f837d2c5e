"""Read a lineage from its vault; say what to do where the vault does not give it."""

from shared.domain.certificates.lineage import Lineage
from shared.domain.errors import AzureError, Denied, NotFound, Rejected
from shared.domain.findings import Finding
from shared.domain.names import VaultCertificateRef
from shared.domain.outcome import Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.loop.run import Run

VAULT_REASONS = {Denied: Reason.VAULT_DENIED, NotFound: Reason.NO_SUCH_CERTIFICATE}


def refuse_foreign(run: Run, ref: VaultCertificateRef) -> Stalled | None:
    """Return the refusal of a message for a vault outside of CERTROLL_VAULTS: it may be forged, or older than that."""
    if ref.vault in run.intent.vaults:
        return None
    detail = f"vault {ref.vault!r} is not among CERTROLL_VAULTS; add it, or leave the message"
    run.ports.findings.report((Finding(run.now(), str(ref), str(ref), Reason.UNKNOWN_VAULT, detail),))
    return Stalled(Reason.UNKNOWN_VAULT, detail)


def without_current(run: Run, lineage: Lineage) -> Outcome:
    """Return the outcome if no version of the certificate may be rolled out."""
    if lineage.refusal is None:
        return Stalled(Reason.NO_SUCH_CERTIFICATE, f"{lineage.ref} has no version")
    reason, detail = lineage.refusal
    if reason is Reason.NOT_YET_VALID:
        return Waiting(max(run.now(), lineage.versions[0].not_before), reason, detail)
    finding = Finding(run.now(), str(lineage.ref), str(lineage.ref), reason, f"its newest version is refused: {detail}")
    run.ports.findings.report((finding,))
    return Stalled(reason, finding.detail)


def read_lineage(run: Run, ref: VaultCertificateRef) -> Lineage | Stalled:
    """Return the versions of a vault certificate; if the vault refuses Certroll, report that and return the outcome."""
    try:
        return run.ports.vault.lineage(ref, run.now())
    except (Denied, NotFound, Rejected) as error:
        return stalled_on_vault(run, ref, error)


def stalled_on_vault(run: Run, ref: VaultCertificateRef, error: AzureError) -> Stalled:
    """Report a vault certificate that cannot be read, and return the outcome."""
    reason = VAULT_REASONS.get(type(error), Reason.REJECTED_BY_AZURE)
    run.ports.findings.report((Finding(run.now(), str(ref), str(ref), reason, str(error)),))
    return Stalled(reason, str(error))
