"""The mark on an order by which two installations of Certroll never pay for the same renewal twice.

Each installation has a journal of its own, so only Azure itself can show one installation what another one does. Before
a request that costs money, Certroll writes the tag `certroll-asked-by` on the order. The request follows only if a
later read still shows the own mark (ADR 50).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto

from shared.domain.orders.action import ASKED_LATELY, OrderAction, OrderRecord, certificate_of, record_of
from shared.domain.orders.order import Order
from shared.domain.orders.problems import OrderProblem
from shared.domain.reason import Reason
from shared.domain.tags import ASKED_BY

PAID = frozenset({OrderAction.RENEW, OrderAction.REISSUE})
"""The actions that cost money or revoke a certificate. Turning on automatic renewal twice changes nothing."""
SETTLED = timedelta(minutes=2)
"""How old the own mark must be before the request. A write of the mark by another installation takes at most 90 s."""
RENEWED_AFTER = timedelta(hours=12)
"""Up to which age the own mark counts. Certroll writes an older mark again, and waits."""
FORSAKEN = timedelta(days=1)
"""From which age a mark without a request counts no longer, because the other installation must have died. The time is
twice `RENEWED_AFTER`, so that two installations with different clocks never both have a mark that counts."""
LONGEST = 100
_FORM = "%Y-%m-%dT%H:%M:%SZ"


class MarkState(StrEnum):
    """Whether the installation of a mark has sent its request."""

    WANTS = "wants"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Mark:
    """What an installation of Certroll writes on an order."""

    installation: str
    action: OrderAction
    certificate: str
    """The serial number of the certificate that the order had at that time."""
    at: datetime
    state: MarkState

    def __str__(self) -> str:
        """Return the value of the tag, which has at most 256 characters."""
        return f"{self.installation} {self.state} {self.action} {self.certificate[:LONGEST]} {self.at:{_FORM}}"


def mark_of(order: Order, action: OrderAction, installation: str, state: MarkState, now: datetime) -> Mark:
    """Return the mark of an installation for an action on the order's current certificate."""
    return Mark("".join(installation.split())[:LONGEST] or "unnamed", action, certificate_of(order), now, state)


def parse_mark(text: str | None) -> Mark | None:
    """Return the mark in the value of the tag, or None for anything else, such as a text of a person."""
    try:
        installation, state, action, certificate, at = (text or "").split()
        moment = datetime.strptime(at, _FORM).replace(tzinfo=UTC)
        return Mark(installation, OrderAction(action), certificate, moment, MarkState(state))
    except ValueError:
        return None


class Claim(StrEnum):
    """What the mark on an order says about a request that costs money."""

    FREE = auto()
    """No mark counts, because there is none, or it is about another certificate, or too old, or of the far future.

    Certroll writes the own mark, and a later run sends the request.
    """
    STALE = auto()
    """The own mark is too old, as sweeps are rare: Certroll writes it again, waits, and reads it in the same run."""
    YOUNG = auto()
    """The own mark is too young: another installation may still be writing another one."""
    OWN = auto()
    """The own mark has lasted: Certroll sends the request."""
    SPENT = auto()
    """The own mark says that the request was sent, and the journal has no record of it: the journal was lost."""
    FOREIGN = auto()
    """Another installation has marked the order: Certroll sends no request."""


def claim_on(
    order: Order, action: OrderAction, records: Iterable[OrderRecord], installation: str, now: datetime
) -> Claim:
    """Return what the mark on the order says about an action of the installation."""
    mark, own = parse_mark(order.tag(ASKED_BY)), mark_of(order, action, installation, MarkState.WANTS, now)
    if mark is None or mark.certificate != certificate_of(order)[:LONGEST] or now - mark.at <= -FORSAKEN:
        return Claim.FREE
    if mark.installation != own.installation:
        lasts = FORSAKEN if mark.state is MarkState.WANTS else ASKED_LATELY
        return Claim.FOREIGN if now - mark.at < lasts else Claim.FREE
    if (
        mark.state is MarkState.ASKED
        and record_of(order, mark.action, records) is None
        and now - mark.at < ASKED_LATELY
    ):
        return Claim.SPENT
    if mark.action is not action:
        return Claim.FREE
    if now - mark.at > RENEWED_AFTER:
        return Claim.STALE
    return Claim.OWN if now - mark.at >= SETTLED else Claim.YOUNG


def mark_problems(
    order: Order, records: tuple[OrderRecord, ...], installation: str, now: datetime
) -> tuple[OrderProblem, ...]:
    """Return the problems that the mark on an order shows: another installation, or a journal that was lost."""
    mark = parse_mark(order.tag(ASKED_BY))
    if mark is None or not -FORSAKEN < now - mark.at < ASKED_LATELY:
        return ()
    when = f"{mark.installation} marked the order for {mark.action} at {mark.at:%Y-%m-%d %H:%M} UTC"
    if mark.installation != mark_of(order, mark.action, installation, mark.state, now).installation:
        detail = f"{when}: one fleet takes one installation of Certroll. Stop one, or take its rights on orders away"
        return (OrderProblem(Reason.ANOTHER_INSTALLATION, detail),)
    if claim_on(order, mark.action, records, installation, now) is Claim.SPENT:
        detail = f"{when} and sent the request, which the journal does not know; check the order in the portal"
        return (OrderProblem(Reason.ORDER_ACTION_UNKNOWN, detail),)
    return ()
