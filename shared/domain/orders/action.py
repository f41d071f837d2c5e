"""The actions that Certroll requests for a certificate order, such as a renewal.

A renewal of an order costs money, and a reissue revokes a certificate. Because actions on orders can cost money,
Certroll records an action before Certroll requests the action from Azure. If the outcome of a renewal or reissue is
unknown, Certroll reports a finding and does not repeat the action for that certificate.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.certificates.version import CertificateVersion
from shared.domain.orders.order import AUTOMATIC_DELAY, Order, OrderRef, OrderStatus, renewal_begins
from shared.domain.orders.problems import OrderProblem, near_end
from shared.domain.reason import Reason
from shared.domain.tags import REISSUE, opted_out

ASKED_LATELY = timedelta(days=30)
"""How long Certroll waits between two requests for a renewal, because Azure may charge each renewal (ADR 16)."""
ASK_AGAIN = timedelta(days=1)
"""How long Certroll waits after Azure refused a request about an order before Certroll repeats the request. Another
refusal costs nothing, and an operator may have granted a right."""


class OrderAction(StrEnum):
    """An action that Certroll can request for a certificate order."""

    AUTO_RENEW = "auto-renew"
    RENEW = "renew"
    REISSUE = "reissue"


class AskedState(StrEnum):
    """The outcome of an action that Certroll requested for a certificate order."""

    ASKED = "Asked"
    """Certroll recorded the action, and does not know whether Azure received it."""
    ACCEPTED = "Accepted"
    REFUSED = "Refused"
    PUT_OFF = "PutOff"
    """Azure was too busy to accept the action, or the run ended before Certroll sent it, so nothing was done."""


REASONS = {
    OrderAction.AUTO_RENEW: Reason.AUTO_RENEW_OFF,
    OrderAction.RENEW: Reason.RENEWAL_DUE,
    OrderAction.REISSUE: Reason.REISSUE_ASKED,
}


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An action that Certroll requested while the order had a certain certificate."""

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
    """Return a name for the order's current certificate: the serial number, or else the dates of the order."""
    dates = (moment.isoformat() for moment in (order.issued, order.expires) if moment is not None)
    return plain_serial(order.serial) or " ".join(dates)


def plain_serial(serial: str) -> str:
    """Return a serial number as lower-case hex digits, without leading zeros, blanks and colons."""
    return "".join(digit for digit in serial.lower() if digit in "0123456789abcdef").lstrip("0")


def record_of(order: Order, action: OrderAction, records: Iterable[OrderRecord]) -> OrderRecord | None:
    """Return Certroll's request of an action for the order's current certificate, None if Certroll made no request."""
    current = certificate_of(order)
    return next((record for record in records if record.action is action and record.certificate == current), None)


def next_action(order: Order, records: tuple[OrderRecord, ...], now: datetime) -> OrderAction | None:
    """Return the action that Certroll now requests for an order, None if no action is needed or allowed."""
    if not _may_act(order, now):
        return None
    wanted = (
        (OrderAction.REISSUE, _reissue_wanted(order)),
        (OrderAction.AUTO_RENEW, not order.auto_renew),
        (OrderAction.RENEW, _renewal_wanted(order, records, now)),
    )
    return next((action for action, needed in wanted if needed and _may_ask(order, action, records, now)), None)


def _may_act(order: Order, now: datetime) -> bool:
    """Return True if the order is issued, stored, not expired, not opted out, and its key was made in Azure."""
    alive = order.status is OrderStatus.ISSUED and order.expires is not None and order.expires > now
    return alive and order.secret is not None and not order.external_key and not opted_out(order.tags)


def _reissue_wanted(order: Order) -> bool:
    """Return True if the tag that requests a reissue names the serial number of the order's current certificate.

    After the reissue the tag `certroll-reissue` names the earlier certificate, so Certroll reissues only once.
    """
    return bool(plain_serial(order.serial)) and plain_serial(order.tag(REISSUE) or "") == plain_serial(order.serial)


def was_reissued(order: Order, current: CertificateVersion | None) -> bool:
    """Return True if an operator asked by tag for a reissue, and the version is the certificate that came of it.

    After the reissue, the tag names an earlier certificate than the order shows. The thumbprint tells the order's
    certificate apart from an older version that a restore of the vault brought to the top.
    """
    asked, serial = plain_serial(order.tag(REISSUE) or ""), plain_serial(order.serial)
    came = bool(asked) and bool(serial) and asked != serial
    return came and current is not None and order.thumbprint == current.thumbprint


def _renewal_wanted(order: Order, records: tuple[OrderRecord, ...], now: datetime) -> bool:
    """Return True if Certroll must renew the order now, because Azure's own renewal is late or cannot be turned on."""
    ends = near_end(order, now)
    if ends is None or order.not_renewable:
        return False
    turned_on = record_of(order, OrderAction.AUTO_RENEW, records)
    # If Azure refused to turn automatic renewal on, Certroll renews the order. If an operator turned an order's
    # automatic renewal off, Certroll does not renew the order.
    if not order.auto_renew:
        return turned_on is not None and turned_on.state is AskedState.REFUSED
    return _automatic_is_late(ends, order.renews_at, turned_on, now)


def _automatic_is_late(
    ends: datetime, renews_at: datetime | None, turned_on: OrderRecord | None, now: datetime
) -> bool:
    """Return True if Azure's automatic renewal of the order is overdue.

    The renewal time that Azure shows may belong to an earlier or to a later certificate of the order.
    """
    begins = renewal_begins(ends)
    shown = renews_at if renews_at is not None and begins <= renews_at < ends else begins
    since = max(shown, turned_on.at) if turned_on else shown
    return now - since > AUTOMATIC_DELAY


def _may_ask(order: Order, action: OrderAction, records: tuple[OrderRecord, ...], now: datetime) -> bool:
    """Return True if Certroll has not requested the action yet, or may safely request the action again.

    Certroll may turn automatic renewal on again after an unknown outcome, because the repeated write changes nothing. A
    renewal or reissue needs a serial number in the order, which Azure may omit at times. A renewal also needs 30 days
    in which Certroll requested no other renewal of the order.
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
    """Return True if a change of the order shows that Azure has accepted the action."""
    if action is OrderAction.AUTO_RENEW:
        return after.auto_renew
    return after.status is not before.status or certificate_of(after) != certificate_of(before)


def open_questions(order: Order, records: Iterable[OrderRecord], now: datetime) -> tuple[OrderProblem, ...]:
    """Return the problems of an issued order's actions: refused, undone, or with an unknown outcome."""
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
