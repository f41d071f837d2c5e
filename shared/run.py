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
from shared.domain.reason import Reason
from shared.domain.record import HistoryEntry
from shared.ports import Ports
from shared.ports.storage import Lease
from shared.telemetry import event

FUNCTION_TIME_OUT = timedelta(minutes=10)
"""The same as `functionTimeout` of host.json, and the most that a Consumption plan allows (Azure docs, "Function app
timeout duration"). The host kills the worker process of a run that takes longer, and with it the other runs there."""
TIME_BUDGET = FUNCTION_TIME_OUT - timedelta(minutes=2)
"""How long a run may begin new work. The rest is for a request that has begun: it may be retried for 90 s."""
BUSY_PAUSE = timedelta(seconds=30)
"""The longest pause before a run asks again for a lease that another run holds. A dead run's lease ends after 60 s."""
FIRST_PAUSE = timedelta(seconds=1)
"""How soon a message comes back the first times. Most of what Certroll waits for is done within seconds."""
SHORT_PAUSES = 4
"""How many pauses are as short as the first one; each further one is twice the one before."""
LONGEST_PAUSE = timedelta(minutes=15)
"""The longest pause of a message. Messages wait 20 times in a row at most, so that they bridge hours; after them the
hourly sweep looks."""
WINDOW_AHEAD = timedelta(hours=4)
"""How long before CERTROLL_RESTART_WINDOW opens messages begin to look every `LONGEST_PAUSE`, so that a sweep that runs
every four hours misses no window."""
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
Errors = tuple[type[AzureError], ...]
NO_ANSWER: Errors = (Transient, OutcomeUnknown)
"""The errors after which nobody knows what Azure did, or will do when the step is tried again."""


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


@dataclass(frozen=True, slots=True)
class Performed:
    """What became of steps."""

    refused: tuple[Skip, ...] = ()
    """The steps that were not done. Those without an answer of Azure are among them: they count as refused for now."""
    unanswered: tuple[AzureError, ...] = ()
    """The errors of the steps that Azure did not answer."""

    def __add__(self, other: "Performed") -> "Performed":
        return Performed((*self.refused, *other.refused), (*self.unanswered, *other.unanswered))


def perform_all(run: Run, lease: Lease, ref: VaultCertificateRef, steps: Iterable[Step]) -> tuple[Skip, ...]:
    """Perform the steps in order; return those that Azure refused, which do not hold up the others.

    Raises what Azure does not answer: the steps after it are not begun. Raises LeaseLost or OutOfTime between two
    steps.
    """
    return _in_order(run, lease, ref, steps, noted=()).refused


def perform_each(run: Run, lease: Lease, ref: VaultCertificateRef, steps: Iterable[Step]) -> Performed:
    """Perform the steps in order; a step that Azure refuses or does not answer does not hold up the others.

    One kind of step does: if Azure does not answer whether it kept a version, the steps after it are not begun. A sync
    among them would take that version away. Raises LeaseLost or OutOfTime between two steps.
    """
    return _in_order(run, lease, ref, steps, noted=NO_ANSWER)


def _in_order(run: Run, lease: Lease, ref: VaultCertificateRef, steps: Iterable[Step], *, noted: Errors) -> Performed:
    """Perform step by step. A step that can only be done after the others goes to the end, as long as others follow."""
    performed, ahead, put_off = Performed(), deque(steps), 0
    while ahead:
        step = ahead.popleft()
        lease.check()
        run.check_time()
        try:
            done = _perform(run, ref, step, noted)
        except NotYet as early:
            put_off += 1
            if put_off <= len(ahead):
                ahead.append(step)
                event("step.put_off", certificate=str(ref), subject=step.subject, detail=str(early))
            else:  # the step that it waits for was not done either
                event("step.not_needed", certificate=str(ref), subject=step.subject, reason=step.reason)
            continue
        performed += done
        if done.unanswered and step.action.protects:  # a later step may replace what was to be kept
            return performed + _waiting_for(step, ahead)
    return performed


def _perform(run: Run, ref: VaultCertificateRef, step: Step, noted: Errors) -> Performed:
    """Perform one step and write it into the history; return a refusal, or one of the noted errors, in its place."""
    try:
        written = run.ports.retrying.again(partial(step.action.perform, run.ports))
    except noted as error:
        return Performed((_refused(ref, step, Reason.NO_ANSWER, error),), (error,))
    except tuple(REFUSALS) as error:
        return Performed((_refused(ref, step, reason_of(error), error),))
    name = "step.performed" if written else "step.not_needed"
    run.ports.history.add(ref, (HistoryEntry(run.now(), name, step.subject, step.reason),))
    event(name, certificate=str(ref), subject=step.subject, reason=step.reason)
    return Performed()


def _waiting_for(step: Step, left: Iterable[Step]) -> Performed:
    """Return the steps that are left as refused for now."""
    return Performed(tuple(Skip(other.subject, Reason.NO_ANSWER, f"it waits for {step.subject}") for other in left))


def _refused(ref: VaultCertificateRef, step: Step, reason: Reason, error: CertrollError) -> Skip:
    event("step.refused", certificate=str(ref), subject=step.subject, reason=reason, detail=str(error))
    return Skip(step.subject, reason, str(error), step.action.site)
