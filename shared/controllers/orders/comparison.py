"""Compare the orders of purchased certificates with the vault secrets into which Azure writes the certificates."""

from dataclasses import replace

from shared.controllers.orders.marking import SCOPE
from shared.domain.errors import AzureError, Rejected
from shared.domain.findings import Finding
from shared.domain.orders.order import STORE_DELAY, Order, StoredCertificate, StoreStatus
from shared.domain.reason import Reason
from shared.loop.backoff import UNANSWERED
from shared.loop.report import report
from shared.loop.run import Run
from shared.telemetry import event


def with_secrets(run: Run, order: Order, unread: list[AzureError]) -> Order:
    """Compare the order's certificate with its vault secrets, and return the order. `unread` gets errors of vaults.

    Azure's own word about a secret may be wrong: it may stay `Initialized` after Azure stored the certificate, or stay
    `Succeeded` from the certificate before. Azure may take a day to store a certificate, so an earlier read of
    a secret that Azure calls stored tells nothing. The sweep has read the value of the secret, so the comparison sends
    one more list request for each order.
    """
    return replace(order, stored=tuple(_compared(run, order, stored, unread) for stored in order.stored))


def _compared(run: Run, order: Order, stored: StoredCertificate, unread: list[AzureError]) -> StoredCertificate:
    """Return the stored certificate, with whether the vault secret in scope holds the order's current certificate."""
    known = order.thumbprint is not None and stored.secret is not None and stored.secret.vault in run.intent.vaults
    settled = order.issued is not None and run.now() - order.issued > STORE_DELAY
    if not known or stored.secret is None or (stored.status is StoreStatus.SUCCEEDED and not settled):
        return stored
    try:
        lineage = run.ports.vault.lineage(stored.secret, run.now())
    except AzureError as error:
        event("order.secret_unread", order=str(order.ref), detail=str(error))
        unread.append(error)
        if isinstance(error, UNANSWERED):  # the sweep reports a vault that refuses or lacks the secret
            report_unread(run, order, error)
        return replace(stored, is_unread=True)
    seen = lineage.current if lineage.refusal is None else None
    is_current = seen is not None and seen.thumbprint == order.thumbprint
    return replace(stored, is_current=is_current, is_other=seen is not None and not is_current, is_unread=seen is None)


def report_unread(run: Run, order: Order, error: AzureError) -> None:
    """Record as a finding (a reported problem) what Certroll could not read of an order."""
    reason = error.reason if isinstance(error, Rejected) else Reason.UNANSWERED
    report(run.ports.findings, (Finding(run.now(), SCOPE, order.subject, reason, str(error)),))
