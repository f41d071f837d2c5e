"""How a run carries out the steps of a plan."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from shared.domain.errors import (
    AzureError,
    CertrollError,
    Denied,
    NotFound,
    NotKept,
    NotSettled,
    NotYet,
    OutcomeUnknown,
    Rejected,
    Transient,
)
from shared.domain.findings import HistoryEntry
from shared.domain.names import VaultCertificateRef
from shared.domain.reason import Reason
from shared.loop.run import Run
from shared.planning.plan import Skip, Step
from shared.ports.storage import Lease
from shared.telemetry import event

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


def reason_of(refusal: CertrollError) -> Reason:
    """Return the reason for one of the REFUSALS: what is rejected may bring its own."""
    return refusal.reason if isinstance(refusal, Rejected) else REFUSALS[type(refusal)]


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
        written = run.ports.retrying.retry(partial(step.action.perform, run.ports))
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
