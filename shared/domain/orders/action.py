"""The actions that Certroll asks of an order, each at most once for each certificate of the order.

A renewal costs money, and a reissue revokes a certificate. So Certroll records an action before it asks Azure for the
action. If the outcome of an action is unknown, Certroll reports a finding and never repeats the action.
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
"""How long Certroll waits after it asked for a renewal before it asks again: Azure may charge each one (ADR 16)."""
ASK_AGAIN = timedelta(days=1)
"""How long Certroll waits after a refusal before it asks again. Another refusal costs nothing, and an operator may have
granted a right."""


class OrderAction(StrEnum):
    """An action that Certroll can ask of an order."""

    AUTO_RENEW = "auto-renew"
    RENEW = "renew"
    REISSUE = "reissue"


class AskedState(StrEnum):
    """The outcome of an action that Certroll asked for."""

    ASKED = "Asked"
    """Certroll recorded the action, and does not know whether Azure received it."""
    ACCEPTED = "Accepted"
    REFUSED = "Refused"
    PUT_OFF = "PutOff"
    """Azure was too busy to accept the action, so nothing was done."""


REASONS = {
    OrderAction.AUTO_RENEW: Reason.AUTO_RENEW_OFF,
    OrderAction.RENEW: Reason.RENEWAL_DUE,
    OrderAction.REISSUE: Reason.REISSUE_ASKED,
}


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An action that Certroll asked for while the order had a certain certificate."""

    order: OrderRef
    action: OrderAction
    certificate: str
    """The certificate of the order at that time, as `certificate_of` names it."""
    state: AskedState
    at: datetime
    detail: str = ""
    revision: str | None = None
    """The revision of the journal entry that a write replaces, None for a new entry."""


def certificate_of(order: Order) -> str:
    """Return a name for the order's current certificate: the serial number, or the dates without a serial number."""
    dates = (moment.isoformat() for moment in (order.issued, order.expires) if moment is not None)
    return plain_serial(order.serial) or " ".join(dates)


def plain_serial(serial: str) -> str:
    """Return a serial number as lower-case hex digits, without leading zeros, blanks and colons."""
    return "".join(digit for digit in serial.lower() if digit in "0123456789abcdef").lstrip("0")


def record_of(order: Order, action: OrderAction, records: Iterable[OrderRecord]) -> OrderRecord | None:
    """Return the record of an action for the order's current certificate, None if there is no such record."""
    current = certificate_of(order)
    return next((record for record in records if record.action is action and record.certificate == current), None)


def next_action(order: Order, records: tuple[OrderRecord, ...], now: datetime) -> OrderAction | None:
    """Return the action that Certroll asks of an order now, None if it needs no action or may not act."""
    if not _may_act(order, now):
        return None
    wanted = (
        (OrderAction.REISSUE, _reissue_wanted(order)),
        (OrderAction.AUTO_RENEW, not order.auto_renew),
        (OrderAction.RENEW, _renewal_wanted(order, records, now)),
    )
    return next((action for action, needed in wanted if needed and _may_ask(order, action, records, now)), None)


def _may_act(order: Order, now: datetime) -> bool:
    """Return True if the order is issued, stored, not expired, with its key in Azure, and not opted out."""
    alive = order.status is OrderStatus.ISSUED and order.expires is not None and order.expires > now
    return alive and order.secret is not None and not order.external_key and not opted_out(order.tags)


def _reissue_wanted(order: Order) -> bool:
    """Return True if the tag names the serial number of the current certificate.

    After the reissue the tag names an earlier certificate, so Certroll reissues only once.
    """
    return bool(plain_serial(order.serial)) and plain_serial(order.tag(REISSUE) or "") == plain_serial(order.serial)


def _renewal_wanted(order: Order, records: tuple[OrderRecord, ...], now: datetime) -> bool:
    """Return True if Azure accepts a renewal now, and the automatic renewal does not come in time."""
    ends = near_end(order, now)
    if ends is None or order.not_renewable:
        return False
    turned_on = record_of(order, OrderAction.AUTO_RENEW, records)
    # If Azure refused to turn automatic renewal on, Certroll renews. If a person turned it off, the person wants none.
    if not order.auto_renew:
        return turned_on is not None and turned_on.state is AskedState.REFUSED
    return _automatic_is_late(ends, order.renews_at, turned_on, now)


def _automatic_is_late(
    ends: datetime, renews_at: datetime | None, turned_on: OrderRecord | None, now: datetime
) -> bool:
    """Return True if Azure's automatic renewal is overdue.

    The time that Azure shows for the renewal may belong to an earlier or to a later certificate.
    """
    begins = ends - AUTOMATIC_WINDOW
    shown = renews_at if renews_at is not None and begins <= renews_at < ends else begins
    since = max(shown, turned_on.at) if turned_on else shown
    return now - since > AUTOMATIC_DELAY


def _may_ask(order: Order, action: OrderAction, records: tuple[OrderRecord, ...], now: datetime) -> bool:
    """Return True if Certroll has not asked for the action yet, or if it is safe to ask again.

    It is always safe to turn automatic renewal on. An action that costs money needs a serial number, which Azure may
    omit at times. A renewal also needs 30 days without another renewal of the order.
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
    asked = (record for record in records if record.action is action and record.state in counting)
    return any(now - record.at < ASKED_LATELY for record in asked)


def moved(before: Order, after: Order, action: OrderAction) -> bool:
    """Return True if the order shows that Azure received the action."""
    if action is OrderAction.AUTO_RENEW:
        return after.auto_renew
    return after.status is not before.status or certificate_of(after) != certificate_of(before)


def open_questions(order: Order, records: Iterable[OrderRecord], now: datetime) -> tuple[OrderProblem, ...]:
    """Return a problem for each action on the current certificate whose outcome is unknown or missing."""
    current = certificate_of(order)
    asked = (record for record in records if record.certificate == current and order.status is OrderStatus.ISSUED)
    return tuple(found for record in asked if (found := _open_question(order, record, now)) is not None)


def _open_question(order: Order, asked: OrderRecord, now: datetime) -> OrderProblem | None:
    when = f"Certroll asked for {asked.action} at {asked.at:%Y-%m-%d %H:%M} UTC"
    if asked.state is AskedState.REFUSED:
        return OrderProblem(Reason.ORDER_ACTION_REFUSED, f"{when}, and Azure refused: {asked.detail}")
    if asked.action is OrderAction.AUTO_RENEW:
        gone = asked.state is AskedState.ACCEPTED and not order.auto_renew
        detail = f"{when}, and automatic renewal is off again: Certroll leaves it off for this certificate"
        return OrderProblem(Reason.AUTO_RENEW_OFF, detail) if gone else None
    if asked.state is AskedState.ASKED:
        detail = f"{when} and does not know the outcome; a repetition may cost money, so {_check(order, asked.action)}"
        return OrderProblem(Reason.ORDER_ACTION_UNKNOWN, f"{detail} {asked.detail}".strip())
    if asked.state is AskedState.ACCEPTED and now - asked.at > AUTOMATIC_DELAY:
        detail = f"{when}, Azure accepted, and no new certificate has come; {_check(order, asked.action)}"
        return OrderProblem(Reason.ORDER_ACTION_UNKNOWN, detail)
    return None


def _check(order: Order, action: OrderAction) -> str:
    return f"check {order.ref.name} in the portal (App Service Certificates), and {action} it there if it is not done."
