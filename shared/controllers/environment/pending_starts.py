"""A start is owed for every stop: written down before the stop, paid in any case, and by a timer for those who died.

    owe ──▶ stop ──▶ seen stopped ──▶ start ──▶ seen running ──▶ paid
                            └── whatever goes wrong ──▶ start all the same
                                                            └── the process died ──▶ the timer starts it

Who stops an app holds its lease until it is started, so the timer takes over only from the dead. A stop whose answer
was lost may still come: a start is forgotten only once the app was seen to run for a while.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared.domain.environments.record import AppRestart, AppRestartState, PendingStart
from shared.domain.errors import Denied, LeaseBusy, NotFound, OutOfTime, Rejected, SiteLocked, StopRefused, Throttled
from shared.domain.findings import Finding, HistoryEntry
from shared.domain.messages import EnvironmentMessage
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.reason import Reason
from shared.loop.perform import reason_of
from shared.loop.run import Run
from shared.planning.acting.settle import settle
from shared.ports.storage import Lease
from shared.telemetry import event

STOP_MAY_COME = timedelta(minutes=5)
"""How long after it was owed a start is kept although the app runs: a stop that was under way may still happen."""
GONE_AFTER = timedelta(hours=1)
"""How long a site has to be unknown to Azure until its start is not owed any more: a 404 may be wrong."""
STATE_PATIENCE = timedelta(seconds=60)
"""How long Azure may take to show that a site stopped, or runs."""
MINUTE, MOST_THREADS = 60, 8


def stop_and_start(run: Run, leases: tuple[Lease, ...], environment: EnvironmentRef, app: AppRestart) -> AppRestart:
    """Stop an app that runs and start it again; return it as started, or as spared where it did not run any more.

    Either is recorded. Whatever goes wrong in between, the start is tried, and stays owed until the app was seen to
    run; where a stop may still come, a while longer. Raises what went wrong. The caller holds the leases, that of the
    site among them.
    """
    run.check_time()
    # Somebody stopped the app since the apps were listed, and meant to: Certroll must not start it.
    if not _runs(run, app.site):
        excluded = app.now(AppRestartState.EXCLUDED, run.now(), "somebody stopped it meanwhile")
        run.ports.app_restarts.put(environment, (excluded,))
        return excluded
    run.ports.app_restarts.put(
        environment, (app,)
    )  # what it answered before is needed by whoever goes on after a crash
    _check(leases)
    run.ports.pending_starts.record(PendingStart(app.site, environment, run.now()))
    stop = _Stop(run, app.site)
    try:
        _check(leases)
        run.ports.retrying.retry(stop)
    except (Denied, Rejected) as refusal:
        if stop.was_refused:
            raise StopRefused(str(refusal), reason_of(refusal)) from refusal
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
    """Start the app, whatever came of its stop. A stop that Azure refused leaves nothing to start."""
    if stop.was_refused:
        run.ports.pending_starts.complete(app.site)
        run.ports.app_restarts.put(environment, (replace(app, answered=None),))
    elif stop.was_asked:
        _start(run, app.site)


def _check(leases: tuple[Lease, ...]) -> None:
    for lease in leases:
        lease.check()


class _Stop:
    """Stops a site, and returns once it is seen to be stopped: a start that comes too early would be none.

    `doubts` are requests of which nobody knows whether they were heard: each may stop the site later.
    """

    def __init__(self, run: Run, site: SiteRef) -> None:
        self._run, self._site = run, site
        self._was_heard = False
        self.was_asked = False
        self.doubts: list[BaseException] = []

    @property
    def was_refused(self) -> bool:
        """Whether the site was not stopped, nor will be, by whatever was asked."""
        return self.was_asked and not self._was_heard and not self.doubts

    def __call__(self) -> None:
        run, site = self._run, self._site
        self.was_asked = True
        try:
            run.ports.app_service.stop(site)
        except (Denied, Rejected, NotFound, Throttled, SiteLocked):
            raise  # Azure did not do it
        except BaseException as doubt:
            self.doubts.append(doubt)
            raise
        self._was_heard = True
        settle(run.ports.clock, partial(_runs, run, site), lambda runs: not runs, f"site {site}", STATE_PATIENCE)


def complete_pending_starts(run: Run) -> None:
    """Start every app whose start is owed and that nobody is at work on; what still fails is reported, and stays owed.

    One that cannot be started does not hold up the others: each minute begins with another one, and what went wrong is
    raised at the end, as a group.
    """
    starts = run.ports.pending_starts.all()
    first = int(run.now().timestamp() // MINUTE) % len(starts) if starts else 0
    with ThreadPoolExecutor(MOST_THREADS, "starts") as pool:  # that of the run is for reads, and shared with sweeps
        results = list(pool.map(partial(_guarded, run), (*starts[first:], *starts[:first])))
    if errors := [error for error in results if error is not None]:
        raise ExceptionGroup("not every app that is owed a start could be started", errors)


def _guarded(run: Run, pending_start: PendingStart) -> Exception | None:
    try:
        run.check_time()
        with run.ports.leases.hold(f"site {pending_start.site.resource_id}"):
            _complete(run, pending_start)
    except (LeaseBusy, OutOfTime):
        return None  # who stopped it is alive, and starts it; or it is the first of a later minute
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one app, the others are started; raised above
        with suppress(Exception):  # what cannot be told is raised all the same
            _still_pending(run, pending_start, error)
        return error
    return None


def _complete(run: Run, pending_start: PendingStart) -> None:
    pending_starts, site = run.ports.pending_starts, pending_start.site
    # The run that stopped the app started it while this one waited for the lease.
    if not any(start.site == site for start in pending_starts.all()):
        return
    try:
        stopped = not _runs(run, site)
    except NotFound as gone:
        _complete_gone(run, pending_start, gone)
        return
    if stopped:
        _start_for_the_dead(run, pending_start)
    # The run that seems dead may only be slow. Its stop may still reach Azure, so the start stays owed for a while.
    if run.now() < pending_start.at + STOP_MAY_COME:
        return
    pending_starts.complete(site)
    run.ports.queue.send_environment(EnvironmentMessage(pending_start.environment))


def _complete_gone(run: Run, pending_start: PendingStart, gone: NotFound) -> None:
    """Forget the start of a site that is gone. Azure sometimes answers 404 for a site that exists, so wait an hour."""
    if run.now() < pending_start.at + GONE_AFTER:
        _still_pending(run, pending_start, gone)
        return
    event("start.not_needed", site=str(pending_start.site), detail="it is gone")
    run.ports.pending_starts.complete(pending_start.site)


def _start_for_the_dead(run: Run, pending_start: PendingStart) -> None:
    """Start an app that a run stopped before it died, and record that."""
    site, environment = str(pending_start.site), str(pending_start.environment)
    _start(run, pending_start.site)
    _mark_started(run, pending_start)
    detail = "its stop was begun by a run that died"
    entry = HistoryEntry(run.now(), "start.completed", f"site {site}", Reason.START_PENDING, detail)
    run.ports.history.add(environment, (entry,))
    event("start.completed", site=site, environment=environment)


def _mark_started(run: Run, pending_start: PendingStart) -> None:
    """Record that it was stopped and started, which is all that it takes to trust a root."""
    record = run.ports.environment_records.of(pending_start.environment)
    known = (app for app in run.ports.app_restarts.of(pending_start.environment) if app.site == pending_start.site)
    for app in known:
        if app.state is AppRestartState.PENDING and record.since is not None and pending_start.at >= record.since:
            started = app.now(AppRestartState.STARTED, run.now(), "started by the timer")
            run.ports.app_restarts.put(pending_start.environment, (started,))


def _still_pending(run: Run, pending_start: PendingStart, error: Exception) -> None:
    detail = (
        f"it was stopped at {pending_start.at:%Y-%m-%d %H:%M} UTC and could not be started: {error}; start it by hand"
    )
    finding = Finding(
        run.now(), str(pending_start.environment), f"site {pending_start.site}", Reason.START_PENDING, detail
    )
    run.ports.findings.report((finding,))


def _start(run: Run, site: SiteRef) -> None:
    """Return once the app is seen to run. It is asked to start whatever is read first: a stop may be under way."""

    def start() -> None:
        run.ports.app_service.start(site)
        settle(run.ports.clock, partial(_runs, run, site), bool, f"site {site}", STATE_PATIENCE)

    run.ports.retrying.retry(start)


def _runs(run: Run, site: SiteRef) -> bool:
    return run.ports.app_service.site(site)[0].running
