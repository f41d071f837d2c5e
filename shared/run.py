"""What every run works with, and how it carries out steps."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from shared.domain.errors import (
    AzureError,
    CertrollError,
    Conflict,
    Denied,
    LeaseBusy,
    NotFound,
    NotKept,
    NotSettled,
    NotYet,
    OutcomeUnknown,
    OutOfTime,
    Rejected,
    Transient,
)
from shared.domain.names import VaultCertificateRef
from shared.domain.outcome import Waiting
from shared.domain.plan import Intent, Skip, Step
from shared.domain.ports import Lease, Ports
from shared.domain.reason import Reason
from shared.domain.record import HistoryEntry
from shared.telemetry import event

TIME_BUDGET = timedelta(minutes=8)
BUSY_PAUSE = timedelta(seconds=30)
SECOND_LOOK = timedelta(minutes=3)  # a site that still serves another certificate takes 90 s to say so
FIRST_PAUSE = timedelta(seconds=1)
SHORT_PAUSES = 4
LONGEST_PAUSE = timedelta(minutes=15)
WINDOW_AHEAD = timedelta(hours=4)
ROUNDS = 3

Result = TypeVar("Result")

REFUSALS: dict[type[CertrollError], Reason] = {
    Denied: Reason.DENIED_BY_AZURE,
    Rejected: Reason.REJECTED_BY_AZURE,
    NotFound: Reason.REJECTED_BY_AZURE,
    NotSettled: Reason.NOT_SETTLED,
    NotKept: Reason.NO_OVERLAP,
}
"""What stops one step and not the others; a write that answers 404 names a certificate or plan that Azure lost."""


@dataclass(frozen=True, slots=True)
class Run:
    """The ports, the intent, a pool for reads, and the moment by which the run must end."""

    ports: Ports
    intent: Intent
    pool: Executor
    ends_at: datetime

    @classmethod
    def start(cls, ports: Ports, intent: Intent, pool: Executor) -> "Run":
        """Return a run that starts now and ends well inside the function time-out of ten minutes."""
        return cls(ports, intent, pool, ports.clock.now() + TIME_BUDGET)

    def now(self) -> datetime:
        """Return the present moment."""
        return self.ports.clock.now()

    def check_time(self) -> None:
        """Return while there is time. Raises OutOfTime."""
        if self.now() >= self.ends_at:
            raise OutOfTime("the rest goes in another run")


def reason_of(refusal: CertrollError) -> Reason:
    """Return the reason for one of the REFUSALS: what is rejected may bring its own."""
    return refusal.reason if isinstance(refusal, Rejected) else REFUSALS[type(refusal)]


def pause(waits: int) -> timedelta:
    """Return how long to wait after so many waits: a second for the first five, in which most things are done."""
    return min(FIRST_PAUSE * (1 << min(max(waits - SHORT_PAUSES, 0), 16)), LONGEST_PAUSE)


def until_open(run: Run) -> datetime:
    """Return when to look again at what waits for CERTROLL_RESTART_WINDOW.

    Near its opening somebody looks every quarter of an hour: a sweep may well miss a short window.
    """
    now, window = run.now(), run.intent.restart_window
    opens = window.opens_at(now) if window else now
    return min(opens, now + LONGEST_PAUSE) if opens - now <= WINDOW_AHEAD else opens


def until_free(run: Run, busy: LeaseBusy, waits: int) -> Waiting:
    """Come back soon: another instance is usually done with a site within seconds."""
    return Waiting(run.now() + min(pause(waits), BUSY_PAUSE), Reason.BUSY, str(busy))


def planning_again(attempt: Callable[[], Result]) -> Result:
    """Return what the attempt returns; where the world moved under it, it observes and plans again."""
    for _ in range(ROUNDS - 1):
        try:
            return attempt()
        except Conflict as conflict:
            event("plan.outdated", detail=str(conflict))
    return attempt()


def perform_all(
    run: Run,
    lease: Lease,
    ref: VaultCertificateRef,
    steps: Iterable[Step],
    unanswered: list[AzureError] | None = None,
) -> tuple[Skip, ...]:
    """Perform the steps in order; return those that Azure refused, which do not hold up the others.

    A step that can only be done after the others goes to the end. Raises LeaseLost or OutOfTime between two steps. What
    Azure does not answer is raised, too; with a list for it, it is put there, and counts as refused for now. Where that
    was a version to keep, the rest is not done: a sync would take it away.
    """
    refused: list[Skip] = []
    ahead, put_off = deque(steps), 0
    while ahead:
        step = ahead.popleft()
        lease.check()
        run.check_time()
        try:
            written = run.ports.retrying.again(partial(step.action.perform, run.ports))
        except NotYet as early:
            put_off += 1
            if put_off <= len(ahead):
                ahead.append(step)
                event("step.put_off", certificate=str(ref), subject=step.subject, detail=str(early))
            else:  # what was to be before it was not done either
                event("step.not_needed", certificate=str(ref), subject=step.subject, reason=step.reason)
            continue
        except (Transient, OutcomeUnknown) as error:
            if unanswered is None:
                raise
            unanswered.append(error)
            refused.append(_refused(ref, step, Reason.NO_ANSWER, error))
            if step.action.protects:  # what is about to be replaced there may still be needed
                refused += [Skip(one.subject, Reason.NO_ANSWER, f"it waits for {step.subject}") for one in ahead]
                break
            continue
        except tuple(REFUSALS) as error:
            refused.append(_refused(ref, step, reason_of(error), error))
            continue
        name = "step.performed" if written else "step.not_needed"
        run.ports.journal.add_history(ref, (HistoryEntry(run.now(), name, step.subject, step.reason),))
        event(name, certificate=str(ref), subject=step.subject, reason=step.reason)
    return tuple(refused)


def _refused(ref: VaultCertificateRef, step: Step, reason: Reason, error: CertrollError) -> Skip:
    event("step.refused", certificate=str(ref), subject=step.subject, reason=reason, detail=str(error))
    return Skip(step.subject, reason, str(error), step.action.site)
