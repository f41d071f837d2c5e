"""Stop and start apps, with a record of each pending start, so that each stopped app starts even after a crash.

```text
record the pending start ──▶ stop ──▶ seen stopped ──▶ start ──▶ seen running ──▶ complete
                                           └── any error ──▶ start nevertheless
                                                                 └── the process died ──▶ the timer starts the app
```

A run that stops an app holds the app's lease (an exclusive lock) until the run has started the app. The timer starts
the app only after the run has ended or lost its lease. If Azure's answer to a stop was lost, Azure may still stop the
app later. While Azure may still carry out a lost stop, the start stays pending for some minutes.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared.domain.environments.record import AppRestart, AppRestartState, PendingStart
from shared.domain.errors import (
    AzureError,
    Conflict,
    Denied,
    LeaseBusy,
    NotFound,
    NotSettled,
    OutOfTime,
    RecordUnreadable,
    Rejected,
    SiteLocked,
    StopRefused,
    Throttled,
)
from shared.domain.findings import Finding, HistoryEntry, SeenBy
from shared.domain.messages import EnvironmentMessage
from shared.domain.missing import is_gone
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.reason import Reason
from shared.domain.subject import site_subject
from shared.domain.writes import AzureWrite
from shared.loop.backoff import UNANSWERED
from shared.loop.perform import reason_of
from shared.loop.pool import Pool
from shared.loop.run import Run
from shared.loop.turns import Turns, taking_turns
from shared.planning.acting.settle import settle
from shared.ports.storage import Lease
from shared.telemetry import event

STOP_MAY_COME = timedelta(minutes=5)
"""How long a start stays pending although the app runs, because a stop that Azure received late may still happen."""
STATE_PATIENCE = timedelta(seconds=60)
"""How long Azure may take to show that a site has stopped or runs."""
MOST_THREADS = 8
"""How many apps the timer starts at the same time."""


def stop_and_start(run: Run, leases: tuple[Lease, ...], environment: EnvironmentRef, app: AppRestart) -> AppRestart:
    """Stop a running app, start the app again, and store and return its new record.

    If an app does not run, this function does not stop the app and records it as excluded. After any error with the
    stop, this function still tries to start the app, and raises the error. The start of the app stays pending until
    Certroll has seen the app run, and longer if Azure may still stop the app. The caller of this function holds the
    leases of the site and of its environment.
    """
    with run.ports.trace.writes() as writes:
        try:
            restarted = _stopped_and_started(run, leases, environment, app)
        except Exception as error:
            _note(run, environment, app, "app.not_stopped_and_started", writes, str(error))
            raise
    _note(run, environment, app, "app.stopped_and_started", writes)
    return restarted


def why_not_stopped(error: AzureError | NotSettled) -> Reason:
    """Return the reason for which Certroll reports an app that it could not read or stop."""
    return Reason.UNANSWERED if isinstance(error, UNANSWERED) else reason_of(error)


def _note(
    run: Run, environment: EnvironmentRef, app: AppRestart, name: str, writes: list[AzureWrite], detail: str = ""
) -> None:
    """Write into the history what became of an app, if Certroll sent a request to stop or start the app."""
    if writes:
        subject, reason = f"site {app.site}", Reason.STOPPED_AND_STARTED
        entry = HistoryEntry(run.now(), name, subject, reason, detail[:1000], tuple(writes))
        run.ports.history.add(environment.resource_id, (entry,))


def _stopped_and_started(
    run: Run, leases: tuple[Lease, ...], environment: EnvironmentRef, app: AppRestart
) -> AppRestart:
    """Stop a running app and start the app again, with a record before each request."""
    run.check_time()
    # An operator stopped the app on purpose after Certroll listed the apps, so Certroll must not start it.
    if not _runs(run, app.site):
        excluded = app.now(AppRestartState.EXCLUDED, run.now(), "somebody stopped it before its wave")
        run.ports.app_restarts.put(environment, (excluded,))
        return excluded
    # After a crash, the next run needs the result of the probe that Certroll sent before the stop.
    run.ports.app_restarts.put(environment, (app,))
    _check(leases)
    run.ports.pending_starts.record(PendingStart(app.site, environment, run.now()))
    stop = _Stop(run, app.site)
    try:
        _check(leases)
        run.ports.retrying.retry(stop)
    except AzureError as refusal:
        if stop.was_refused:
            raise StopRefused(str(refusal), why_not_stopped(refusal)) from refusal
        raise
    finally:
        _start_again(run, environment, app, stop)
    started = app.now(AppRestartState.STARTED, run.now())
    run.ports.app_restarts.put(environment, (started,))
    if not stop.doubts:
        run.ports.pending_starts.complete(app.site)
    event("app.stopped_and_started", site=str(app.site), environment=str(environment))
    return started


def _start_again(run: Run, environment: EnvironmentRef, app: AppRestart, stop: "_Stop") -> None:
    """Start the app again, unless Azure refused every request to stop the app."""
    if stop.was_refused:
        run.ports.pending_starts.complete(app.site)
        run.ports.app_restarts.put(environment, (replace(app, answered=None),))
    elif stop.was_asked:
        _start(run, app.site)


def _check(leases: tuple[Lease, ...]) -> None:
    """Raise LeaseLost if this run has lost the lease of the site or of its environment."""
    for lease in leases:
        lease.check()


class _Stop:
    """Stop a site, and return as soon as Azure shows the site as stopped.

    Azure ignores a start before the site has stopped.

    `doubts` holds the error of each stop request that Azure did not answer and may still carry out. A stop request
    without an answer may stop the site later.
    """

    def __init__(self, run: Run, site: SiteRef) -> None:
        self._run, self._site = run, site
        self._was_heard = False
        self.was_asked = False
        self.doubts: list[BaseException] = []

    @property
    def was_refused(self) -> bool:
        """True if Azure refused every request to stop the site."""
        return self.was_asked and not self._was_heard and not self.doubts

    def __call__(self) -> None:
        run, site = self._run, self._site
        self.was_asked = True
        try:
            run.ports.app_service.stop(site)
        except (Denied, Rejected, NotFound, Throttled, SiteLocked, Conflict):
            raise  # Azure refused this stop request, so Azure did not stop the site
        except BaseException as doubt:
            self.doubts.append(doubt)
            raise
        self._was_heard = True
        settle(run.ports.clock, partial(_runs, run, site), lambda runs: not runs, f"site {site}", STATE_PATIENCE)


def complete_pending_starts(run: Run) -> None:
    """Start each app that Certroll left stopped and no other run has locked, and report apps that do not start.

    If Certroll cannot start an app, Certroll still starts the other apps, and begins with the others at the next call.
    This function raises the errors of all apps together at the end. It first logs the apps that wait for a start, so
    that the log has the event `starts.owed` in each minute until the last of them runs.
    """
    starts = run.ports.pending_starts.all()
    _log_waiting(starts)
    with (
        taking_turns(run, "pending starts", starts, lambda start: start.site.resource_id) as turns,
        Pool(MOST_THREADS, "starts") as pool,  # the run's own thread pool is for reads only
    ):
        results = pool.map(partial(_guarded, run, turns), turns.order)
    if errors := [error for error in results if error is not None]:
        raise ExceptionGroup("Certroll could not start every app with a pending start", errors)


def _log_waiting(starts: Sequence[PendingStart]) -> None:
    """Log how many apps wait for a start, and since when the first of them waits. Log nothing without such an app."""
    if starts:
        event("starts.owed", count=len(starts), oldest=starts[0].at.isoformat(), site=str(starts[0].site))


def _guarded(run: Run, turns: Turns[PendingStart], pending_start: PendingStart) -> Exception | None:
    """Start one app that Certroll stopped earlier, and return the error if the start failed."""
    try:
        run.check_time()
        turns.begin(pending_start)
        with run.ports.leases.hold(f"site {pending_start.site.resource_id}"):
            _complete(run, pending_start)
        turns.end(pending_start)
    except (LeaseBusy, OutOfTime):
        # the run that stopped the app is alive and starts the app, or a later call of the timer starts the app
        return None
    except Exception as error:  # noqa: BLE001 - an error with one app must not stop the others; the caller raises it
        with suppress(Exception):  # the caller raises the error of the start even if Certroll cannot report it
            _still_pending(run, pending_start, error)
        return error
    return None


def _complete(run: Run, pending_start: PendingStart) -> None:
    """Start the app if Azure shows the app as stopped.

    Forget the pending start of an app once Azure can no longer carry out an unanswered stop request.
    """
    pending_starts, site = run.ports.pending_starts, pending_start.site
    # The run that stopped the app has started the app while this run waited for the lease.
    if not any(start.site == site for start in pending_starts.all()):
        return
    try:
        stopped = not _runs(run, site)
    except NotFound as gone:
        _complete_gone(run, pending_start, gone)
        return
    if stopped:
        _start_for_the_dead(run, pending_start)
    # A run that seems to have crashed may only be slow. A slow run may still stop the app, so Certroll goes on checking
    # for some minutes whether it has to start the app.
    if run.now() < pending_start.at + STOP_MAY_COME:
        return
    _forget(run, pending_start)
    run.ports.queue.send_environment(EnvironmentMessage(pending_start.environment))


def _forget(run: Run, pending_start: PendingStart) -> None:
    """Delete a pending start, and close the finding about the app."""
    site = pending_start.site
    run.ports.pending_starts.complete(site)
    run.ports.findings.close(
        pending_start.environment.resource_id,
        run.now(),
        lambda found: found.seen_by is SeenBy.START and found.site == site,
    )


def _complete_gone(run: Run, pending_start: PendingStart, gone: NotFound) -> None:
    """Forget the pending start of a site for which Azure has answered 404 for an hour. Report the site until then.

    Azure sometimes answers 404 for a site that exists. If Azure lists a site of the same name in the environment, an
    operator has moved the site to another resource group, and the timer starts the site there.
    """
    if (site := _moved_to(run, pending_start)) is not None:
        event("start.moved", site=str(pending_start.site), to=site.resource_id)
        run.ports.pending_starts.record(replace(pending_start, site=site))
        _forget(run, pending_start)
        return
    if not is_gone(pending_start.at, run.now()):
        _still_pending(run, pending_start, gone)
        return
    event("start.not_needed", site=str(pending_start.site), detail="the site is gone")
    _forget(run, pending_start)


def _moved_to(run: Run, pending_start: PendingStart) -> SiteRef | None:
    """Return the new id of a site or slot that moved to another resource group, None if Azure lists no such site."""
    before = pending_start.site
    listed = run.ports.environments.sites(pending_start.environment).found
    named = (site.ref for site in listed if site.ref.name == before.name and site.ref != before.production)
    return next((replace(ref, slot=before.slot) for ref in named), None)


def _start_for_the_dead(run: Run, pending_start: PendingStart) -> None:
    """Start an app that an earlier run stopped before that run died, and write the start into the history."""
    site, environment = str(pending_start.site), str(pending_start.environment)
    with run.ports.trace.writes() as writes:
        _start(run, pending_start.site)
    with suppress(RecordUnreadable):  # the app runs again, and the finding about the row says the rest
        _mark_started(run, pending_start)
    detail = "the run that stopped it died, so the timer started it"
    entry = HistoryEntry(run.now(), "start.completed", f"site {site}", Reason.START_PENDING, detail, tuple(writes))
    run.ports.history.add(pending_start.environment.resource_id, (entry,))
    event("start.completed", site=site, environment=environment)


def _mark_started(run: Run, pending_start: PendingStart) -> None:
    """Record a pending app as started if Certroll stopped the app after the root came.

    Certroll need not stop an app that it started after the new root certificate came, because the app trusts the root.
    """
    record = run.ports.environment_records.of(pending_start.environment)
    known = (app for app in run.ports.app_restarts.of(pending_start.environment) if app.site == pending_start.site)
    for app in known:
        if app.state is AppRestartState.PENDING and record.since is not None and pending_start.at >= record.since:
            started = app.now(AppRestartState.STARTED, run.now(), "started by the timer")
            run.ports.app_restarts.put(pending_start.environment, (started,))


def _still_pending(run: Run, pending_start: PendingStart, error: Exception) -> None:
    """Record a finding (a reported problem) for an app that Certroll could not start."""
    stopped_at = f"{pending_start.at:%Y-%m-%d %H:%M} UTC"
    detail = f"Certroll stopped it at {stopped_at} and could not start it: {error}; start it by hand"
    scope, site = pending_start.environment.resource_id, pending_start.site
    finding = Finding(run.now(), scope, site_subject(site), Reason.START_PENDING, detail, SeenBy.START, site)
    run.ports.findings.report((finding,))


def _start(run: Run, site: SiteRef) -> None:
    """Start the app, and return as soon as Azure shows that the app runs.

    Certroll sends the start even if Azure shows the app as running, because Azure may be carrying out a stop.
    """

    def start() -> None:
        run.ports.app_service.start(site)
        settle(run.ports.clock, partial(_runs, run, site), bool, f"site {site}", STATE_PATIENCE)

    run.ports.retrying.retry(start)


def _runs(run: Run, site: SiteRef) -> bool:
    """Return True if Azure shows that the site runs."""
    return run.ports.app_service.site(site)[0].running
