"""Mark an order before a request that costs money, so that no other installation of Certroll sends the same request."""

from datetime import timedelta
from typing import Final

from shared.domain.errors import Denied
from shared.domain.findings import Finding
from shared.domain.orders.action import OrderAction, OrderRecord
from shared.domain.orders.mark import Claim, MarkState, claim_on, mark_of
from shared.domain.orders.order import Order
from shared.domain.reason import Reason
from shared.domain.tags import ASKED_BY
from shared.loop.report import report
from shared.loop.run import Run
from shared.telemetry import event

SCOPE: Final = "orders"
REQUEST_NEEDS = timedelta(seconds=90)
"""How long a request for an order may take, from its record to Azure's answer. A run with less time sends none."""


def claimed(run: Run, order: Order, action: OrderAction, records: tuple[OrderRecord, ...]) -> Claim:
    """Return what the mark on the order says about a request that costs money.

    If no mark on the order counts, or if the own mark is too old, this function writes the own mark. If Azure denies
    the mark, the denial is a finding.
    """
    claim = claim_on(order, action, records, run.intent.installation, run.now())
    if claim in {Claim.FREE, Claim.STALE}:
        run.check_time(REQUEST_NEEDS)
        try:
            mark(run, order, action, MarkState.WANTS)
        except Denied as denied:
            report(run.ports.findings, (Finding(run.now(), SCOPE, order.subject, Reason.DENIED_BY_AZURE, str(denied)),))
            claim = Claim.FREE
    if claim is not Claim.OWN:
        not_asked(order, action, Reason.ANOTHER_INSTALLATION if claim is Claim.FOREIGN else Reason.SETTLING)
    return claim


def mark(run: Run, order: Order, action: OrderAction, state: MarkState) -> None:
    """Write the own mark on the order."""
    own = mark_of(order, action, run.intent.installation, state, run.now())
    run.ports.orders.mark(order.ref, ASKED_BY.name, str(own))


def not_asked(order: Order, action: OrderAction, reason: Reason) -> None:
    """Log that Certroll sends no request for the order now."""
    event("order.not_asked", order=str(order.ref), action=action, reason=reason)
