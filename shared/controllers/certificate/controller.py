"""Handle the queue `certificates`: continue the rollout of the current version of one vault certificate."""

from shared.controllers.certificate.reconcile import reconcile_lineage
from shared.controllers.certificate.sight import Sight
from shared.domain.errors import Denied, LeaseBusy, OutOfTime, RecordUnreadable, Rejected
from shared.domain.findings import Finding
from shared.domain.messages import MOST_WAITS, Cause, CertificateMessage
from shared.domain.outcome import Converged, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.loop.backoff import UNANSWERED, planning_again, until_answered, until_free
from shared.loop.lineage import refuse_unknown
from shared.loop.opposed import Rivals
from shared.loop.perform import reason_of
from shared.loop.run import Run
from shared.ports.storage import Lease
from shared.telemetry import event


def reconcile_certificate(run: Run, message: CertificateMessage, *, redelivered: bool = False) -> Outcome:
    """Continue the rollout of the current version of one vault certificate to the sites and apps that use it.

    `redelivered` is True if an earlier delivery of the same queue message failed, or died with its process. If the
    queue delivers a message again, Certroll queues the message of each unfinished or failed site in the journal once
    more.
    """
    fresh = redelivered or message.cause is not Cause.WAIT
    if foreign := refuse_unknown(run, message.ref):
        return _log_certificate(message, foreign)
    try:
        with run.ports.leases.hold(f"lineage {message.ref}") as lease:
            outcome = _look(run, lease, message, fresh=fresh, redelivered=redelivered)
    except LeaseBusy as busy:
        outcome = until_free(run, busy, message.waits)
    except OutOfTime as late:
        outcome = Waiting(run.now(), Reason.OUT_OF_TIME, str(late))
    # Azure did not answer a read without which no plan is possible, or a step of this run.
    except UNANSWERED as error:
        outcome = until_answered(run, error, message.waits)
        _report(run, message, outcome)
    # Azure refused to list the fleet, so Certroll cannot build a plan. A write that Azure refused raises no error in
    # this function.
    except (Denied, Rejected) as error:
        outcome = Stalled(reason_of(error), str(error))
        _report(run, message, outcome)
    return _log_certificate(message, outcome)


def _report(run: Run, message: CertificateMessage, outcome: Stalled | Waiting) -> None:
    """Record a finding (a reported problem) about a run that could not judge the fleet, or not finish a step."""
    finding = Finding(run.now(), str(message.ref), "App Service", outcome.reason, outcome.detail)
    run.ports.findings.report((finding,))


def _look(run: Run, lease: Lease, message: CertificateMessage, *, fresh: bool, redelivered: bool) -> Outcome:
    """Continue the rollout, unless an inspection that began after the message was sent has answered the message.

    A message whose earlier delivery failed or died always looks, because that delivery may have died after the end of
    its look. An inspection whose message may wait no longer answers for nobody else, because nothing would continue it.
    An inspection that uses what another run has read answers for nobody else, because it began before its number.
    """
    ref, looks, rivals = message.ref, run.ports.looks, Rivals(run)
    sight = Sight(run.ports.fleet_reads, None if redelivered else message.mark, continues=not fresh)
    try:
        last = looks.last(ref)
    except RecordUnreadable:  # without numbers each message looks for itself
        return planning_again(lambda: reconcile_lineage(run, lease, message, rivals, sight, fresh=fresh))
    if not redelivered and last.answers(message.after, whole=fresh):
        return Converged(Reason.ANSWERED, f"look {max(last.whole, last.partial)} began after the message was sent")
    look = looks.begin(ref, last)
    outcome = planning_again(lambda: reconcile_lineage(run, lease, message, rivals, sight, fresh=fresh))
    if message.waits < MOST_WAITS and not sight.shared:
        looks.end(ref, look.ended(whole=fresh))
    return outcome


def _log_certificate(message: CertificateMessage, outcome: Outcome) -> Outcome:
    event(
        "certificate.reconciled",
        certificate=str(message.ref),
        site="",
        outcome=type(outcome).__name__,
        reason=outcome.reason,
        detail=outcome.detail,
    )
    return outcome
