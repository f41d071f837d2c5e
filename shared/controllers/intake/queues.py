"""Handle the messages of Certroll's queues, and decide after which pause Certroll continues unfinished work."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TypeGuard, TypeVar

from shared.controllers.certificate.controller import reconcile_certificate
from shared.controllers.compliance.controller import check_compliance
from shared.controllers.environment.controller import reconcile_environment
from shared.controllers.intake.dead_letters import keep, message_subject, queue_scope
from shared.controllers.intake.events import take_events
from shared.controllers.site.controller import reconcile_site
from shared.controllers.site.way_back import go_on_later
from shared.controllers.sweep.parts import do_part, give_up_part
from shared.domain.errors import EventRejected, MessageInvalid, OutOfTime, StorageFailed
from shared.domain.events import VaultEvent
from shared.domain.findings import Finding
from shared.domain.message_text import described
from shared.domain.messages import (
    CERTIFICATES,
    COMPLIANCE,
    ENVIRONMENTS,
    EVENTS,
    MOST_WAITS,
    SITES,
    SWEEPS,
    Cause,
    CertificateMessage,
    EnvironmentMessage,
    SiteMessage,
    SweepMessage,
)
from shared.domain.outcome import Outcome, Waiting
from shared.domain.reason import Reason
from shared.loop.backoff import LONGEST_PAUSE
from shared.loop.run import Run
from shared.telemetry import event

MOST_BUSY = MOST_WAITS // 2
"""How many waits for a busy lease count. The run that follows has waits of its own left."""

Message = TypeVar("Message", CertificateMessage, SiteMessage, EnvironmentMessage)


def on_certificate(run: Run, body: str, tries: int) -> None:
    """Reconcile the vault certificate that a message of the queue `certificates` names.

    `tries` is 1 at the first delivery of the queue message. If `tries` is higher than 1, an earlier delivery of the
    message failed, or died with its process.
    """

    def work() -> None:
        message = CertificateMessage.parse(body)
        outcome = reconcile_certificate(run, message, redelivered=tries > 1)

        def send(again: CertificateMessage, delay: timedelta) -> None:
            cut_off = outcome.reason is Reason.OUT_OF_TIME
            run.ports.queue.send_certificate(replace(again, cause=Cause.CUT_OFF) if cut_off else again, delay)

        _come_back(run, outcome, message, send)

    _remembering(run, CERTIFICATES, body, work)


def on_site(run: Run, body: str) -> None:
    """Reconcile the site or slot that a message of the queue `sites` names.

    If the run fails while a change of the app's settings is unfinished, Certroll sends the message again instead of
    letting the queue count the failure.
    """

    def work() -> None:
        message = SiteMessage.parse(body)
        try:
            outcome = reconcile_site(run, message)
        except Exception as error:
            if not _goes_on(run, message, f"{type(error).__name__}: {error}"):
                raise
        else:
            _come_back(run, outcome, message, run.ports.queue.send_site)

    _remembering(run, SITES, body, work)


def on_poison(run: Run, queue: str, body: str) -> None:
    """Store a message that failed five times as a dead letter, or go on with the app that it is about.

    The sweep whose part failed five times goes on without that part.
    """
    if queue == SITES:
        with suppress(MessageInvalid):
            if go_on_later(run, SiteMessage.parse(body), "its message failed five times"):
                return
    keep(run, queue, body)
    if queue == SWEEPS:
        with suppress(MessageInvalid):
            give_up_part(run, SweepMessage.parse(body))


def _goes_on(run: Run, message: SiteMessage, error: str) -> bool:
    """Return True if Certroll goes on with the app of a failed run, False if not, or if the journal does not say."""
    try:
        return go_on_later(run, message, error)
    except (StorageFailed, OutOfTime) as unknown:
        event("site.retry_unknown", site=str(message.site), detail=str(unknown))
        return False


def on_environment(run: Run, body: str) -> None:
    """Stop and start the apps of the App Service Environment that a message names."""

    def work() -> None:
        message = EnvironmentMessage.parse(body)
        _come_back(run, reconcile_environment(run, message), message, run.ports.queue.send_environment)

    _remembering(run, ENVIRONMENTS, body, work)


def on_sweep(run: Run, body: str) -> None:
    """Do the part of a sweep that a message of the queue `sweeps` names, unless the part has ended."""

    def work() -> None:
        message = SweepMessage.parse(body)
        (check_compliance if message.part == COMPLIANCE else do_part)(run, message)

    _remembering(run, SWEEPS, body, work)


def on_events(run: Run, body: str) -> None:
    """Put each vault certificate that a message of Event Grid names on the queue `certificates`.

    A message with a malformed event becomes a dead letter after Certroll has taken the other events of the message.
    """

    def work() -> None:
        events = run.ports.read_events(body, run.intent.vaults)
        malformed = [read.problem for read in events if _is_malformed(read)]
        take_events(run, (read for read in events if not _is_malformed(read)))
        if malformed:
            raise MessageInvalid(f"{len(malformed)} of {len(events)} events cannot be read: {malformed[0]}")

    _remembering(run, EVENTS, body, work)


def _is_malformed(read: VaultEvent | EventRejected) -> TypeGuard[EventRejected]:
    return isinstance(read, EventRejected) and read.reason is Reason.MALFORMED_EVENT


def _remembering(run: Run, queue: str, body: str, work: Callable[[], None]) -> None:
    """Do the work of a queue message, and record the cause of a failure, in case the message becomes a dead letter.

    A message that Certroll cannot parse becomes a dead letter at once, because every retry would fail.
    """
    try:
        work()
    except MessageInvalid as invalid:
        _keep_unreadable(run, queue, body, invalid)
    except Exception as error:
        run.ports.dead_letters.note_cause(body, f"{type(error).__name__}: {error}")
        event("message.failed", queue=queue, error=type(error).__name__, detail=str(error))
        raise


def _keep_unreadable(run: Run, queue: str, body: str, invalid: MessageInvalid) -> None:
    """Keep an unreadable message as a dead letter, and report the message without what a person typed into it.

    Only the row of the dead letter holds the text, in the storage account that held the message before.
    """
    problem = f"{invalid}; {described(body)}"
    record = run.ports.dead_letters.add(queue, body, f"{Reason.MALFORMED_MESSAGE}: {problem}")
    event("message.rejected", queue=queue, key=record.key, detail=problem)
    detail = f"{problem}; send a correct message, then remove the dead letter {record.key}"
    scope, subject = queue_scope(queue), message_subject(record)
    run.ports.findings.report((Finding(run.now(), scope, subject, Reason.MALFORMED_MESSAGE, detail),))


def _come_back(run: Run, outcome: Outcome, message: Message, send: Callable[[Message, timedelta], None]) -> None:
    """Send the message that continues a waiting run.

    After too many pauses in a row, or before a long pause, Certroll sends no message, because the hourly sweep
    continues the work.
    """
    if not isinstance(outcome, Waiting):
        return
    if outcome.reason is Reason.BUSY:
        # The run of the message has not begun, and the lease of every other run ends: the message stays what it is.
        waits = max(message.waits, min(message.waits + 1, MOST_BUSY))
        send(replace(message, waits=waits), max(outcome.until - run.now(), timedelta(0)))
        return
    again = message.next_wait(progress=outcome.progress)
    delay = max(outcome.until - run.now(), timedelta(0))
    if again is None or delay > LONGEST_PAUSE:
        event("wait.left_to_sweep", reason=outcome.reason, until=outcome.until)
        return
    send(again, delay)
