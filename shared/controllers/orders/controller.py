"""Report what operators must do for purchased certificates, and request renewals if CERTROLL_ORDER_ACTIONS allows it.

Azure renews an order of a purchased certificate, and writes the new certificate into the vault as a new version of a
secret. Certroll installs the renewed certificate in App Service like any other new version in the vault. Certroll
records each request to an order before sending the request. After a crash, the record of a request to an order keeps
Certroll from buying a certificate twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from shared.controllers.orders.comparison import report_unread, with_secrets
from shared.controllers.orders.listing import listed
from shared.controllers.orders.marking import REQUEST_NEEDS, SCOPE, claimed, mark, not_asked
from shared.domain.certificates.urgency import is_urgent
from shared.domain.errors import (
    AzureError,
    Conflict,
    OutcomeUnknown,
    OutOfTime,
    RecordUnreadable,
    SiteLocked,
    Throttled,
    Unavailable,
)
from shared.domain.findings import Finding, HistoryEntry, OpenFinding
from shared.domain.fleet.vault_access import AccessVerdict, VaultAccess
from shared.domain.orders.action import (
    REASONS,
    AskedState,
    OrderAction,
    OrderRecord,
    certificate_of,
    moved,
    next_action,
    open_questions,
    record_of,
)
from shared.domain.orders.mark import PAID, SETTLED, Claim, MarkState, mark_problems
from shared.domain.orders.order import Order
from shared.domain.orders.problems import OrderProblem, asks_when_verified, outcome_of, problems
from shared.domain.reason import Reason
from shared.domain.tags import Carrier
from shared.domain.writes import AzureWrite
from shared.loop.report import report, report_tags
from shared.loop.run import Run
from shared.loop.turns import Turns, taking_turns
from shared.loop.vault_access import access_subject, access_to, report_access
from shared.ports.orders import Orders
from shared.telemetry import event

MOST_TEXT = 4_000
"""The most characters of a finding's detail."""
SEND: dict[OrderAction, Callable[[Orders, Order], None]] = {
    OrderAction.AUTO_RENEW: lambda orders, order: orders.turn_on_auto_renew(order.ref),
    OrderAction.RENEW: lambda orders, order: orders.renew(order),
    OrderAction.REISSUE: lambda orders, order: orders.reissue(order),
}


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result of inspecting one order of a purchased certificate."""

    order: Order
    """The order after Certroll's requests."""
    records: tuple[OrderRecord, ...] = ()
    """The requests for the order that the journal has recorded."""
    problems: tuple[OrderProblem, ...] = ()
    error: Exception | None = None
    """The error that stopped the inspection."""
    unread: tuple[AzureError, ...] = ()
    """The errors of what Certroll could not read, and can do without."""
    marked_again: bool = False
    """True if Certroll wrote a mark again that was too old, so the request needs another read two minutes later."""


def look_after_orders(run: Run) -> tuple[Order, ...]:
    """Inspect the orders of the subscriptions, report problems, send the allowed requests, and return the orders.

    Certroll sends one list request for the orders of each subscription. If Certroll fails with one order, Certroll
    still inspects the other orders. This function raises the errors of all orders together at the end.
    """
    began = run.now()
    listings = run.pool.map(partial(listed, run), run.intent.subscriptions or run.ports.app_service.subscriptions())
    found = [order for listing in listings for order in listing.found]
    with taking_turns(run, "orders", found, lambda order: order.ref.resource_id) as turns:
        acted = _settled(run, turns, [_acted(run, turns, order) for order in turns.order])
        inspections = [_judged(run, turns, seen) for seen in acted]
    stored = (certificate for inspection in inspections for certificate in inspection.order.stored)
    vaults = sorted(
        {
            certificate.vault_id
            for certificate in stored
            if certificate.secret and certificate.secret.vault in run.intent.vaults
        }
    )
    answers = run.pool.each(lambda vault: access_to(run, vault, run.intent.registration), vaults)
    accesses = tuple(answer for answer in answers if isinstance(answer, VaultAccess))
    report_access(run, SCOPE, accesses)
    report(
        run.ports.findings,
        tuple(_finding(run, seen.order, problem) for seen in inspections for problem in seen.problems),
    )
    tagged = ((order.subject, order.tags, Carrier.ORDER) for order in found)
    report_tags(run.ports.findings, SCOPE, tagged, run.now())
    if len(accesses) == len(answers) and not any(listing.blind_spots for listing in listings):
        _close(run, began, inspections, accesses)
    event("orders.found", orders=[_row(inspection) for inspection in inspections])
    if failed := [seen.error for seen in inspections if seen.error and not isinstance(seen.error, RecordUnreadable)]:
        raise ExceptionGroup("Certroll could not inspect every order", failed)
    return tuple(inspection.order for inspection in inspections)


def _close(run: Run, began: datetime, inspections: list[Inspection], accesses: tuple[VaultAccess, ...]) -> None:
    """Close the findings whose causes this inspection of all orders could see, and has not seen since it began.

    A finding about a stored certificate stays open while Certroll cannot compare the order with its secret.
    """
    unseen = {seen.order.subject for seen in inspections if seen.error}
    unseen |= {access_subject(access) for access in accesses if access.verdict is AccessVerdict.UNKNOWN}
    orders = (seen.order for seen in inspections)
    uncompared = {order.subject for order in orders if any(stored.is_unread for stored in order.stored)}

    def is_gone(known: OpenFinding) -> bool:
        hidden = known.reason == Reason.ORDER_STORE_FAILED and known.subject in uncompared
        return known.last_seen < began and known.subject not in unseen and not hidden

    run.ports.findings.close(SCOPE, run.now(), is_gone)


def _acted(run: Run, turns: Turns[Order], order: Order) -> Inspection:
    """Send the request that is due now for an order, and return the order with its requests."""
    unread: list[AzureError] = []

    def act() -> Inspection:
        run.check_time()
        turns.begin(order)
        acted = _acted_on(run, _with_history(run, order, unread), run.ports.requests.asked(order.ref))
        return replace(acted, unread=tuple(unread))

    return _tried(run, order, act)


def _judged(run: Run, turns: Turns[Order], acted: Inspection) -> Inspection:
    """Compare the order with its secrets, and return the order with its problems.

    Certroll compares after it has acted on all orders, so that a vault that is silent delays no request.
    """
    if acted.error is not None:
        return acted
    unread = list(acted.unread)

    def judge() -> Inspection:
        run.check_time()
        turns.begin(acted.order)  # an order that uses up the time of the run goes behind those that the run misses
        seen, now = with_secrets(run, acted.order, unread), run.now()
        marked = mark_problems(seen, acted.records, run.intent.installation, now)
        found = (*problems(seen, now), *open_questions(seen, acted.records, now), *marked)
        turns.end(acted.order, failed=bool(unread))
        return replace(acted, order=seen, problems=found)

    return _tried(run, acted.order, judge)


def _tried(run: Run, order: Order, inspect: Callable[[], Inspection]) -> Inspection:
    """Return the result of a part of an inspection, or the error that stopped it."""
    try:
        return inspect()
    except AzureError as error:
        report_unread(run, order, error)
        return Inspection(order, error=error)
    except Exception as error:  # noqa: BLE001 - an error for one order must not stop the others; the caller raises it
        return Inspection(order, error=error)


def _settled(run: Run, turns: Turns[Order], inspections: list[Inspection]) -> list[Inspection]:
    """Wait once for all marks that this run has written again, act on their orders again, and return all inspections.

    If the run has too little time for the wait and a request, the orders get the error OutOfTime. Their job then comes
    last in the next sweep, with all the time that the other jobs leave.
    """
    if not any(inspection.marked_again for inspection in inspections):
        return inspections
    try:
        run.check_time(SETTLED + REQUEST_NEEDS)
    except OutOfTime as late:
        return [replace(seen, error=late) if seen.marked_again else seen for seen in inspections]
    run.ports.clock.sleep(SETTLED.total_seconds())
    return [_acted(run, turns, seen.order) if seen.marked_again else seen for seen in inspections]


def _with_history(run: Run, order: Order, unread: list[AzureError]) -> Order:
    """Read when the order's domain was last verified, and return the order with that time.

    Certroll reads the time of the domain verification only if Azure may soon need a new verification. If Azure does not
    answer, the time of the domain verification stays unknown, and `unread` gets the error.
    """
    if not asks_when_verified(order, run.now()):
        return order
    try:
        return replace(order, last_verified=run.ports.orders.last_verified(order.ref))
    except AzureError as error:
        event("order.history_unread", order=str(order.ref), detail=str(error))
        unread.append(error)
        return order


# ----------------------------------------------------------------------------------------------------------- actions


def _acted_on(run: Run, order: Order, records: tuple[OrderRecord, ...]) -> Inspection:
    """Send the request for the order that is due, if allowed, and return the order with its requests."""
    action = next_action(order, records, run.now())
    if action is None:
        return Inspection(order, records)
    if (refusal := _refusal(run, order)) is not None:
        not_asked(order, action, refusal)
        return Inspection(order, records)
    return _asked(run, order, records, action)


def _refusal(run: Run, order: Order) -> Reason | None:
    """Return why Certroll may send no request for the order, or None if Certroll may send one."""
    if not _in_scope(run, order):
        return Reason.UNKNOWN_VAULT
    if not run.intent.order_actions:
        return Reason.ORDER_ACTIONS_OFF
    if (barrier := run.intent.barrier(order.tags, order.subject)) is not None:
        return barrier.reason
    frozen = run.intent.frozen_until(run.now()) is not None
    return Reason.FROZEN if frozen and not _is_urgent(order, run.now()) else None


def _is_urgent(order: Order, now: datetime) -> bool:
    """Return True if the order or its current certificate ends so soon that a request does not wait for a freeze."""
    ends = (end for end in (order.certificate_ends, order.expires) if end is not None)
    return any(is_urgent(None, end, now) for end in ends)


def _in_scope(run: Run, order: Order) -> bool:
    return order.secret is not None and order.secret.vault in run.intent.vaults


def _asked(run: Run, order: Order, records: tuple[OrderRecord, ...], action: OrderAction) -> Inspection:
    """Read the order again, record the request to Azure, send the request, and record Azure's answer.

    Certroll sends no request if the request is no longer due or allowed when Certroll reads the order again, for
    instance because an operator took a tag away. Raise OutOfTime before the record if the run has less than
    `REQUEST_NEEDS` left: a record without a request delays a renewal.
    """
    seen = _read_again(run, order)
    if next_action(seen, records, run.now()) is not action or _refusal(run, seen) is not None:
        return Inspection(seen, records)
    if action in PAID and (claim := claimed(run, seen, action, records)) is not Claim.OWN:
        return Inspection(seen, records, marked_again=claim is Claim.STALE)
    known = record_of(seen, action, records)
    revision = known.revision if known else None
    wanted = OrderRecord(seen.ref, action, certificate_of(seen), AskedState.ASKED, run.now(), revision=revision)
    run.check_time(REQUEST_NEEDS)
    try:
        asked = run.ports.requests.put_asked(wanted)
    except Conflict:  # another run is sending a request for this order to Azure right now
        not_asked(seen, action, Reason.BUSY)
        return Inspection(seen, run.ports.requests.asked(seen.ref))
    # From the record to the request, nothing may fail. Certroll repeats no recorded renewal without a request.
    _tell(asked, "order.asked")
    with run.ports.trace.writes() as writes:
        state, detail = _sent(run, seen, action)
    answered = run.ports.requests.put_asked(replace(asked, state=state, at=run.now(), detail=detail))
    _tell(answered, "order.answered")
    entries = (_entry(asked, "order.asked"), _entry(answered, "order.answered", tuple(writes)))
    run.ports.history.add(SCOPE, entries)
    return Inspection(_seen_after(run, seen), (*(record for record in records if record is not known), answered))


def _sent(run: Run, order: Order, action: OrderAction) -> tuple[AskedState, str]:
    """Send the request for the order, and return the state of the request with a detail.

    Only a clear refusal by Azure counts as a refused request. After a lost answer, Azure may have accepted the request
    for the order and charged for it.
    """
    try:
        if action in PAID:
            mark(run, order, action, MarkState.ASKED)
    except (AzureError, OutOfTime) as unmarked:  # without the mark, Certroll has sent no request
        if isinstance(unmarked, AzureError):
            report_unread(run, order, unmarked)
        return AskedState.PUT_OFF, str(unmarked)
    try:
        SEND[action](run.ports.orders, order)
    except (Throttled, SiteLocked, OutOfTime) as busy:  # `Retrying` raises OutOfTime only before it sends a write
        if isinstance(busy, AzureError):
            report_unread(run, order, busy)
        return AskedState.PUT_OFF, str(busy)
    except (OutcomeUnknown, Unavailable) as lost:
        heard = moved(order, _seen_after(run, order), action)
        return (AskedState.ACCEPTED if heard else AskedState.ASKED), str(lost)
    except AzureError as refused:
        return AskedState.REFUSED, str(refused)
    return AskedState.ACCEPTED, ""


def _read_again(run: Run, order: Order) -> Order:
    return replace(run.ports.orders.order(order.ref), last_verified=order.last_verified)


def _seen_after(run: Run, order: Order) -> Order:
    """Read the order again, and return the order as Azure shows it now, or as given if Azure does not show it."""
    try:
        return _read_again(run, order)
    except AzureError as error:
        event("order.unread", order=str(order.ref), detail=str(error))
        return order


def _tell(record: OrderRecord, name: str) -> None:
    """Write a request for an order into the log."""
    event(name, order=str(record.order), action=record.action, state=record.state, detail=record.detail)


def _entry(record: OrderRecord, name: str, writes: tuple[AzureWrite, ...] = ()) -> HistoryEntry:
    """Return the entry of the history about a request for an order."""
    detail = " ".join(part for part in (record.action, record.state, record.certificate, record.detail) if part)
    return HistoryEntry(record.at, name, f"order {record.order}", REASONS[record.action], detail[:1000], writes)


# ----------------------------------------------------------------------------------------------------------- reports


def _finding(run: Run, order: Order, problem: OrderProblem) -> Finding:
    return Finding(run.now(), SCOPE, order.subject, problem.reason, problem.detail[:MOST_TEXT])


def _row(inspection: Inspection) -> dict[str, object]:
    order, outcome = inspection.order, outcome_of(inspection.problems)
    return {
        "order": str(order.ref),
        "host": order.host,
        "status": order.status,
        "auto_renew": order.auto_renew,
        "expires": order.expires,
        "renews_at": order.renews_at if order.auto_renew else None,
        "secret": str(order.secret) if order.secret else None,
        "stored": [certificate.status for certificate in order.stored],
        "outcome": type(outcome).__name__ if inspection.error is None else type(inspection.error).__name__,
        "reason": outcome.reason,
    }
