"""Read a vault certificate with its versions, and decide the outcome if the vault does not return it."""

from dataclasses import replace

from shared.domain.certificates.lineage import Lineage
from shared.domain.errors import AzureError, Denied, NotFound, Rejected
from shared.domain.findings import Finding
from shared.domain.names import ObjectKind, VaultCertificateRef
from shared.domain.orders.action import was_reissued
from shared.domain.outcome import Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.loop.run import Run

VAULT_REASONS = {Denied: Reason.VAULT_DENIED, NotFound: Reason.NO_SUCH_CERTIFICATE}


def refuse_foreign(run: Run, ref: VaultCertificateRef) -> Stalled | None:
    """Report a message that names a vault outside of CERTROLL_VAULTS, and return the outcome, None for another message.

    An attacker may have forged the message for an unknown vault, or Certroll sent the message before an operator took
    the vault out of the setting.
    """
    if ref.vault in run.intent.vaults:
        return None
    detail = f"vault {ref.vault!r} is not among CERTROLL_VAULTS: add the vault, or ignore the message"
    run.ports.findings.report((Finding(run.now(), str(ref), str(ref), Reason.UNKNOWN_VAULT, detail),))
    return Stalled(Reason.UNKNOWN_VAULT, detail)


def refuse_unknown(run: Run, ref: VaultCertificateRef) -> Stalled | None:
    """Return the outcome for a vault outside of CERTROLL_VAULTS, None if Certroll has to work on the vault certificate.

    Certroll finishes or takes back what it has begun before an operator took the vault out of the setting.
    """
    if ref.vault in run.intent.vaults or run.ports.rollouts.begun_in(ref):
        return None
    return refuse_foreign(run, ref)


def without_current(run: Run, lineage: Lineage) -> Outcome:
    """Report a vault certificate of which Certroll may install no version, and return the outcome."""
    if lineage.refusal is None:
        return Stalled(Reason.NO_SUCH_CERTIFICATE, f"{lineage.ref} has no version")
    reason, detail = lineage.refusal
    if reason is Reason.NOT_YET_VALID:
        return Waiting(max(run.now(), lineage.versions[0].not_before), reason, detail)
    finding = Finding(run.now(), str(lineage.ref), str(lineage.ref), reason, f"its newest version is refused: {detail}")
    run.ports.findings.report((finding,))
    return Stalled(reason, finding.detail)


def read_lineage(run: Run, ref: VaultCertificateRef) -> Lineage | Stalled:
    """Read the vault certificate with its versions. If the vault refuses the read, report and return the refusal.

    Certroll never asks a vault outside of CERTROLL_VAULTS, because each request carries a token of Certroll.
    """
    if foreign := refuse_foreign(run, ref):
        return foreign
    try:
        return lineage_of(run, ref)
    except (Denied, NotFound, Rejected) as error:
        return stalled_on_vault(run, ref, error)


def lineage_of(run: Run, ref: VaultCertificateRef) -> Lineage:
    """Read the vault certificate with its versions, and for an earlier version on top whether it was asked for.

    Only if a version of a plain secret begins and ends later than the version on top, this function lists the orders of
    purchased certificates, one request for each subscription. An order whose tag `certroll-reissue` names an earlier
    certificate gave the vault the version on top.
    """
    lineage = run.ports.vault.lineage(ref, run.now())
    secret = lineage.ref.kind is ObjectKind.SECRET
    if not secret or not any(lineage.later(version.thumbprint) for version in lineage.versions):
        return lineage
    return replace(lineage, reissued=_is_reissued(run, lineage))


def _is_reissued(run: Run, lineage: Lineage) -> bool:
    """Return True if an order was issued again on request, and stores its new certificate as the current version."""
    try:
        subscriptions = run.intent.subscriptions or run.ports.app_service.subscriptions()
        listings = [run.ports.orders.orders(subscription) for subscription in subscriptions]
    except AzureError:
        return False  # Certroll did not see the request, so the dates of the certificates decide
    orders = (order for listing in listings for order in listing.found)
    return any(was_reissued(order, lineage.current) for order in orders if order.stores_in(lineage.ref))


def stalled_on_vault(run: Run, ref: VaultCertificateRef, error: AzureError) -> Stalled:
    """Report a vault certificate that Certroll cannot read, and return the outcome of the run."""
    reason = error.reason if isinstance(error, Rejected) else VAULT_REASONS[type(error)]
    run.ports.findings.report((Finding(run.now(), str(ref), str(ref), reason, str(error)),))
    return Stalled(reason, str(error))
