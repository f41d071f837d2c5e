"""Perform the steps of a plan in order, and record which steps Azure refused."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from shared.domain.errors import (
    AzureError,
    CertrollError,
    Conflict,
    Denied,
    NotFound,
    NotKept,
    NotSettled,
    NotYet,
    OutcomeUnknown,
    OutOfTime,
    RecordUnreadable,
    Rejected,
    Transient,
)
from shared.domain.findings import HistoryEntry
from shared.domain.names import VaultCertificateRef
from shared.domain.reason import Reason
from shared.domain.writes import AzureWrite
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
    RecordUnreadable: Reason.RECORD_UNREADABLE,
}
"""The errors that stop one step but no other step, each with the reason that Certroll reports.

If a write answers 404, Azure has lost the certificate or the App Service plan that the write names.
"""
Errors = tuple[type[AzureError], ...]
NO_ANSWER: Errors = (Transient, OutcomeUnknown, Conflict)
"""The errors after which a later run does a step again: Azure did not answer, or shows something else than before."""


def reason_of(refusal: CertrollError) -> Reason:
    """Return the reason that Certroll reports for a refusal by Azure.

    An error of type `Rejected` carries its own reason.
    """
    return refusal.reason if isinstance(refusal, Rejected) else REFUSALS[type(refusal)]


@dataclass(frozen=True, slots=True)
class Performed:
    """The result of the plan's steps that Certroll performed."""

    refused: tuple[Skip, ...] = ()
    """The steps that Azure refused, and the steps that Azure did not answer."""
    unanswered: tuple[CertrollError, ...] = ()
    """The errors of the steps that Azure did not answer, or for which Azure shows something else than expected."""

    def __add__(self, other: "Performed") -> "Performed":
        return Performed((*self.refused, *other.refused), (*self.unanswered, *other.unanswered))


def perform_all(run: Run, lease: Lease, ref: VaultCertificateRef, steps: Iterable[Step]) -> tuple[Skip, ...]:
    """Perform the steps of the plan in order, and return the steps that Azure refused.

    If Azure refuses a step, this function still performs the next steps. If Azure does not answer a step, this function
    raises the error and begins no further step. Raises LeaseLost or OutOfTime between two steps if the run has lost its
    lease or has no time left.
    """
    return _in_order(run, lease, ref, steps, noted=()).refused


def perform_each(run: Run, lease: Lease, ref: VaultCertificateRef, steps: Iterable[Step]) -> Performed:
    """Perform the steps of the plan in order, and return the steps that Azure refused or did not answer.

    If Azure refuses a step, or shows something else than Certroll observed before, this function still performs the
    next steps. If Azure does not answer the upload of a version that apps still name, this function begins no further
    step, because a later sync could remove that
    version. Raises LeaseLost or OutOfTime between two steps if the run has lost its lease or has no time left.
    """
    return _in_order(run, lease, ref, steps, noted=NO_ANSWER)


def _in_order(run: Run, lease: Lease, ref: VaultCertificateRef, steps: Iterable[Step], *, noted: Errors) -> Performed:
    """Perform step by step. A step that raises NotYet goes to the end of the steps, as long as other steps follow.

    This function returns Azure's refusals and the errors of the types in `noted`, and raises all other errors.
    """
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
            else:  # the step cannot be done, because a step that must come first failed
                event("step.not_needed", certificate=str(ref), subject=step.subject, reason=step.reason)
            continue
        performed += done
        # an upload that preserves an old version must succeed before a later step removes that version
        if done.unanswered and step.action.protects:
            return performed + _waiting_for(step, ahead)
    return performed


def _perform(run: Run, ref: VaultCertificateRef, step: Step, noted: Errors) -> Performed:
    """Perform one step and write it into the history, or return its refusal or its error of a type in `noted`.

    If the time of the run ends during a step, Azure may have carried the step out. Certroll then writes the step into
    the history, and raises OutOfTime.
    """
    with run.ports.trace.writes() as writes:
        try:
            written = run.ports.retrying.retry(partial(step.action.perform, run.ports))
        except noted as error:
            reason = Reason.STALE_VIEW if isinstance(error, Conflict) else Reason.NO_ANSWER
            return Performed((_refused(run, ref, step, reason, error, writes),), (error,))
        except tuple(REFUSALS) as error:
            return Performed((_refused(run, ref, step, reason_of(error), error, writes),))
        except OutOfTime as late:
            _noted(run, ref, step, "step.cut_off", writes, str(late))
            raise
    name = "step.performed" if written else "step.not_needed"
    _noted(run, ref, step, name, writes)
    return Performed()


def _noted(
    run: Run, ref: VaultCertificateRef, step: Step, name: str, writes: list[AzureWrite], detail: str = ""
) -> None:
    """Write what happened to a step into the log and into the history."""
    event(name, certificate=str(ref), subject=step.subject, reason=step.reason)
    run.ports.history.add(ref, (HistoryEntry(run.now(), name, step.subject, step.reason, detail, tuple(writes)),))


def _waiting_for(step: Step, left: Iterable[Step]) -> Performed:
    """Return the steps after `step` as refused, because Azure did not answer `step`."""
    return Performed(tuple(Skip(other.subject, Reason.NO_ANSWER, f"it waits for {step.subject}") for other in left))


def _refused(
    run: Run, ref: VaultCertificateRef, step: Step, reason: Reason, error: CertrollError, writes: list[AzureWrite]
) -> Skip:
    """Log a refused step, and return its refusal. The history names the step only if Azure got a write."""
    event("step.refused", certificate=str(ref), subject=step.subject, reason=reason, detail=str(error))
    if writes:
        entry = HistoryEntry(run.now(), "step.refused", step.subject, reason, str(error)[:1000], tuple(writes))
        run.ports.history.add(ref, (entry,))
    return Skip(step.subject, reason, str(error), step.action.site, step)
