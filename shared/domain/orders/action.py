"""What Certroll may ask of an order, at most once for each certificate that it has had, and what was asked before.

Renewing and reissuing cost money or revoke a certificate. What was asked is written down first, and what has no known
outcome is never asked again: a person is told instead.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.orders.order import (
    AUTOMATIC_DELAY,
    AUTOMATIC_WINDOW,
    Order,
    OrderProblem,
    OrderRef,
    OrderStatus,
    near_end,
)
from shared.domain.reason import Reason
from shared.domain.tags import REISSUE, opted_out

ASKED_LATELY = timedelta(days=30)
"""How long after Certroll asked for a renewal or a reissue it does not ask again: each may be charged (ADR 16)."""
ASK_AGAIN = timedelta(days=1)
"""How long a refusal counts; it costs nothing to be refused again, and rights may have been granted."""


class OrderAction(StrEnum):
    """What can be asked of an order."""

    AUTO_RENEW = "auto-renew"
    RENEW = "renew"
    REISSUE = "reissue"


class AskedState(StrEnum):
    """What came of asking."""

    ASKED = "Asked"
    """Written down before it was asked: whether Azure heard it is not known."""
    ACCEPTED = "Accepted"
    REFUSED = "Refused"
    PUT_OFF = "PutOff"
    """Azure was too busy to take it, so nothing was done."""


REASONS = {
    OrderAction.AUTO_RENEW: Reason.AUTO_RENEW_OFF,
    OrderAction.RENEW: Reason.RENEWAL_DUE,
    OrderAction.REISSUE: Reason.REISSUE_ASKED,
}


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """What was asked of an order while it had a certificate. `revision` is what it replaces, None for a new one."""

    order: OrderRef
    action: OrderAction
    certificate: str
    state: AskedState
    at: datetime
    detail: str = ""
    revision: str | None = None


def certificate_of(order: Order) -> str:
    """Return what tells the order's current certificate from its next one: the serial number, else the dates."""
    dates = (moment.isoformat() for moment in (order.issued, order.expires) if moment is not None)
    return plain_serial(order.serial) or " ".join(dates)


def plain_serial(serial: str) -> str:
    """Return a serial number as hex digits in lower case, without leading zeros and what people put between."""
    return "".join(digit for digit in serial.lower() if digit in "0123456789abcdef").lstrip("0")


def record_of(order: Order, action: OrderAction, records: Iterable[OrderRecord]) -> OrderRecord | None:
    """Return what is known of an action for the order's current certificate."""
    current = certificate_of(order)
    return next((one for one in records if one.action is action and one.certificate == current), None)


def next_action(order: Order, records: tuple[OrderRecord, ...], now: datetime) -> OrderAction | None:
    """Return the one thing to ask of an order now, None where there is nothing to ask or it must not be asked."""
    if not _may_act(order, now):
        return None
    wanted = (
        (OrderAction.REISSUE, _reissue_wanted(order)),
        (OrderAction.AUTO_RENEW, not order.auto_renew),
        (OrderAction.RENEW, _renewal_wanted(order, records, now)),
    )
    return next((action for action, needed in wanted if needed and _may_ask(order, action, records, now)), None)


def _may_act(order: Order, now: datetime) -> bool:
    """Say whether the order is one to act on: issued, stored, alive, with its key in Azure, and not opted out."""
    alive = order.status is OrderStatus.ISSUED and order.expires is not None and order.expires > now
    return alive and order.secret is not None and not order.external_key and not opted_out(order.tags)


def _reissue_wanted(order: Order) -> bool:
    """Say whether the tag names the certificate that is there now: after the reissue it names one that is gone."""
    return bool(plain_serial(order.serial)) and plain_serial(order.tag(REISSUE) or "") == plain_serial(order.serial)


def _renewal_wanted(order: Order, records: tuple[OrderRecord, ...], now: datetime) -> bool:
    """Say whether a renewal can be asked for, and the automatic one does not come in time."""
    ends = near_end(order, now)
    if ends is None or order.not_renewable:
        return False
    turned_on = record_of(order, OrderAction.AUTO_RENEW, records)
    if not order.auto_renew:  # a person who turned it off again wants no renewal; Azure that refuses it prevents one
        return turned_on is not None and turned_on.state is AskedState.REFUSED
    return _automatic_is_late(ends, order.renews_at, turned_on, now)


def _automatic_is_late(
    ends: datetime, renews_at: datetime | None, turned_on: OrderRecord | None, now: datetime
) -> bool:
    """Return True if Azure's own renewal is overdue. The moment shown for it may be last year's, or the next one's."""
    begins = ends - AUTOMATIC_WINDOW
    shown = renews_at if renews_at is not None and begins <= renews_at < ends else begins
    since = max(shown, turned_on.at) if turned_on else shown
    return now - since > AUTOMATIC_DELAY


def _may_ask(order: Order, action: OrderAction, records: tuple[OrderRecord, ...], now: datetime) -> bool:
    """Say whether it was not asked yet, or asking again is safe; turning on what is on changes nothing.

    A renewal is not asked for while one was asked for lately, of whatever certificate, and nothing that costs money
    without a serial number: it may be missing for once.
    """
    if action is not OrderAction.AUTO_RENEW and not plain_serial(order.serial):
        return False
    if action is OrderAction.RENEW and _asked_lately(action, records, now):
        return False
    known = record_of(order, action, records)
    if known is None or known.state is AskedState.PUT_OFF:
        return True
    if known.state is AskedState.REFUSED:
        return now - known.at >= ASK_AGAIN
    return known.state is AskedState.ASKED and action is OrderAction.AUTO_RENEW


def _asked_lately(action: OrderAction, records: Iterable[OrderRecord], now: datetime) -> bool:
    counting = {AskedState.ASKED, AskedState.ACCEPTED}
    return any(one.action is action and one.state in counting and now - one.at < ASKED_LATELY for one in records)


def moved(before: Order, after: Order, action: OrderAction) -> bool:
    """Say whether the order shows that Azure heard what was asked."""
    if action is OrderAction.AUTO_RENEW:
        return after.auto_renew
    return after.status is not before.status or certificate_of(after) != certificate_of(before)


def open_questions(order: Order, records: Iterable[OrderRecord], now: datetime) -> tuple[OrderProblem, ...]:
    """Return what was asked for the current certificate, and did not come about."""
    current = certificate_of(order)
    ours = (one for one in records if one.certificate == current and order.status is OrderStatus.ISSUED)
    return tuple(found for one in ours if (found := _open_question(order, one, now)) is not None)


def _open_question(order: Order, asked: OrderRecord, now: datetime) -> OrderProblem | None:
    when = f"{asked.action} was asked at {asked.at:%Y-%m-%d %H:%M} UTC"
    if asked.state is AskedState.REFUSED:
        return OrderProblem(Reason.ORDER_ACTION_REFUSED, f"{when} and refused: {asked.detail}")
    if asked.action is OrderAction.AUTO_RENEW:
        gone = asked.state is AskedState.ACCEPTED and not order.auto_renew
        detail = f"{when}, and it is off again: Certroll leaves it off for this certificate"
        return OrderProblem(Reason.AUTO_RENEW_OFF, detail) if gone else None
    if asked.state is AskedState.ASKED:
        detail = f"{when}, and its outcome is not known; it is not repeated, because it may be paid for: {_look(order)}"
        return OrderProblem(Reason.ORDER_ACTION_UNKNOWN, f"{detail} {asked.detail}".strip())
    if asked.state is AskedState.ACCEPTED and now - asked.at > AUTOMATIC_DELAY:
        detail = f"{when} and accepted, and no new certificate has come; it is not repeated: {_look(order)}"
        return OrderProblem(Reason.ORDER_ACTION_UNKNOWN, detail)
    return None


def _look(order: Order) -> str:
    return f"look at {order.ref.name} in the portal (App Service Certificates) and do it there if it was not done."
