"""Stop and start the running apps of an App Service Environment, a few at a time, after it got a new root certificate.

```text
is a recorded root there? ─▶ list the apps, in the journal ─▶ wait ─▶ wave: stop, start, probe ─▶ next wave … done
                                                                        └── an app fails: no more waves, report
```

Only one run at a time works on an environment, and each run continues from the journal.
shared/domain/environments/waves.py decides how many apps may be down at once. pending_starts.py makes sure that each
app starts.
"""

from datetime import datetime

from shared.controllers.environment.all_waves import await_starts, carry_waves, later, not_allowed
from shared.controllers.environment.answers import ask_failed, ask_started
from shared.controllers.environment.listing import list_apps
from shared.controllers.environment.wave_run import STOPPED, count_no_longer
from shared.domain.despite_storage import despite_storage
from shared.domain.environments.record import AppRestartState, EnvironmentRecord
from shared.domain.errors import Denied, LeaseBusy, NotFound, OutOfTime, RecordUnreadable, Rejected
from shared.domain.findings import Finding, OpenFinding, SeenBy
from shared.domain.messages import EnvironmentMessage
from shared.domain.names import EnvironmentRef, Thumbprint
from shared.domain.outcome import Converged, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.subject import environment_subject
from shared.loop.backoff import UNANSWERED, planning_again, until_answered, until_free
from shared.loop.perform import reason_of
from shared.loop.run import Run
from shared.ports.storage import Lease
from shared.telemetry import event


def reconcile_environment(run: Run, message: EnvironmentMessage) -> Outcome:
    """Stop and start the apps of an environment, a few at a time, until the run has no time left.

    A wave is a group of apps that Certroll stops and starts together.
    """
    environment, began = message.environment, run.now()
    try:
        with run.ports.leases.hold(f"environment {environment.resource_id}") as lease:
            outcome = planning_again(lambda: _reconcile(run, lease, message))
    except LeaseBusy as busy:
        outcome = until_free(run, busy, message.waits)
    except OutOfTime as late:
        progress = _has_progress(run, environment, began)
        until = run.now() if progress else later(run, message.waits)
        outcome = Waiting(until, Reason.OUT_OF_TIME, str(late), progress=progress)
    except (Denied, NotFound, Rejected, RecordUnreadable) as error:
        outcome = Stalled(reason_of(error), str(error))
    except UNANSWERED as error:
        outcome = until_answered(run, error, message.waits)
    if isinstance(outcome, Stalled) or outcome.reason is Reason.UNANSWERED:
        finding = Finding(
            run.now(), environment.resource_id, environment_subject(environment), outcome.reason, outcome.detail
        )
        run.ports.findings.report((finding,))
    if isinstance(outcome, Converged):
        _close(run, environment, began, outcome)
    event(
        "environment.reconciled",
        environment=str(environment),
        outcome=type(outcome).__name__,
        reason=outcome.reason,
        detail=outcome.detail,
    )
    return outcome


def _close(run: Run, environment: EnvironmentRef, began: datetime, outcome: Converged) -> None:
    """Close the findings about an environment after a run with nothing left to do.

    The findings about its excluded apps stay open until the next round, because people have to stop and start them.
    The finding about an app that Certroll could not stop or start closes once Certroll has done so.
    """
    record = run.ports.environment_records.of(environment)
    since = record.since or began
    done = {app.site: app.at for app in run.ports.app_restarts.of(environment) if app.state in STOPPED}
    is_done = outcome.reason is Reason.STOPPED_AND_STARTED

    def is_gone(found: OpenFinding) -> bool:
        if found.seen_by is SeenBy.ROOT:
            return is_done
        whole = found.subject == f"environment {environment}" or (
            found.reason == Reason.BLIND_SPOT and is_done and not record.hidden
        )
        until = done.get(found.site, since) if found.site else since
        return found.seen_by is SeenBy.INSPECTION and found.last_seen < (began if whole else max(until, since))

    run.ports.findings.close(environment.resource_id, run.now(), is_gone)


def record_stop_start_by_hand(run: Run, environment: EnvironmentRef) -> None:
    """Record that operators stopped and started the apps of the environment after the last root came.

    Raises LeaseBusy.
    """
    with run.ports.leases.hold(f"environment {environment.resource_id}"):
        waiting = (AppRestartState.PENDING, AppRestartState.STARTED, AppRestartState.FAILED)
        left, now = [app for app in run.ports.app_restarts.of(environment) if app.state in waiting], run.now()
        started = [app for app in left if app.state is AppRestartState.STARTED]
        despite_storage(started, lambda app: count_no_longer(run, environment, app))
        run.ports.app_restarts.put(
            environment, [app.now(AppRestartState.EXCLUDED, now, "stopped and started by hand") for app in left]
        )
        run.ports.environment_records.change(
            environment, lambda environment_record: environment_record.done_by_hand(now)
        )
    by_hand = (SeenBy.INSPECTION, SeenBy.ROOT)
    run.ports.findings.close(environment.resource_id, now, lambda found: found.seen_by in by_hand)
    event("environment.stopped_and_started_by_hand", environment=str(environment))


def remind(run: Run) -> tuple[EnvironmentRef, ...]:
    """Queue a message for each environment with apps to stop and start, and return these environments."""
    left = tuple(
        environment_record.environment
        for environment_record in run.ports.environment_records.all()
        if environment_record.is_open
    )
    event("environments.reminded", environments=[str(environment) for environment in left])
    despite_storage(left, lambda environment: run.ports.queue.send_environment(EnvironmentMessage(environment)))
    return left


def _reconcile(run: Run, lease: Lease, message: EnvironmentMessage) -> Outcome:
    """Wait until Azure shows the root in the environment, list its apps, and stop and start groups of these apps."""
    environment = message.environment
    environment_record = run.ports.environment_records.of(environment)
    if not environment_record.is_open:
        return Converged(Reason.NOTHING_TO_STOP, f"no app of {environment} waits for a stop and a start")
    if waiting := await_starts(run, environment, message.waits):
        return waiting
    listed = run.ports.environments.roots(environment)
    there = frozenset(root.thumbprint for root in listed.found if root.is_root)
    if not environment_record.has_news(there) and not environment_record.is_under_way:
        return _not_there_yet(run, environment_record, there, message.waits)
    wave_run = list_apps(run, lease, environment_record, there)
    wave_run = ask_started(ask_failed(wave_run))
    return not_allowed(wave_run) or carry_waves(wave_run, message.waits)


def _has_progress(run: Run, environment: EnvironmentRef, began: datetime) -> bool:
    """Return True if the journal shows that an app of the environment changed its state since `began`.

    An environment whose reads never end makes no progress, so Certroll leaves the environment to the sweep after
    `MOST_WAITS` runs. If the run has no time left to read the journal, the run counts as one without progress.
    """
    try:
        return any(app.at >= began for app in run.ports.app_restarts.of(environment))
    except OutOfTime:
        return False


def _not_there_yet(
    run: Run, environment_record: EnvironmentRecord, there: frozenset[Thumbprint | None], waits: int
) -> Outcome:
    """Return a `Waiting` outcome for a root certificate that Azure does not yet show in the environment.

    The run for the vault object puts the root into the environment, or reports why Azure refuses the root. After a day,
    Certroll no longer waits for the root certificate.
    """
    environment_record = run.ports.environment_records.change(
        environment_record.environment, lambda known: known.without_lost(there, run.now())
    )
    if not environment_record.is_open:
        return Converged(
            Reason.NOTHING_TO_STOP, f"the root for {environment_record.environment} did not come for a day"
        )
    missing = ", ".join(root.thumbprint for root in environment_record.roots if root.seen_at is None)
    detail = f"root {missing} for {environment_record.environment} is not there yet"
    return Waiting(later(run, waits), Reason.ROOT_NOT_THERE, detail)
