"""Handle the queue `certificates`: continue the rollout of the current version of one vault certificate."""

from shared.controllers.certificate.reconcile import reconcile_lineage
from shared.domain.errors import Denied, LeaseBusy, OutOfTime, Rejected
from shared.domain.findings import Finding
from shared.domain.messages import Cause, CertificateMessage
from shared.domain.outcome import Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.loop.backoff import planning_again, until_free
from shared.loop.lineage import refuse_unknown
from shared.loop.perform import reason_of
from shared.loop.run import Run
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
            outcome = planning_again(lambda: reconcile_lineage(run, lease, message, fresh=fresh))
    except LeaseBusy as busy:
        outcome = until_free(run, busy, message.waits)
    except OutOfTime as late:
        outcome = Waiting(run.now(), Reason.OUT_OF_TIME, str(late))
    # Azure refused to list the fleet, so Certroll cannot build a plan. A write that Azure refused raises no error in
    # this function.
    except (Denied, Rejected) as error:
        outcome = Stalled(reason_of(error), str(error))
        run.ports.findings.report((Finding(run.now(), str(message.ref), "App Service", outcome.reason, str(error)),))
    return _log_certificate(message, outcome)


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
