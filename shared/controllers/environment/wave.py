"""Stop and start some apps together, and send each app its probe until the app passes or fails.

Certroll reads each app once more right before the stop.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from shared.controllers.environment.answers import ask_started, passes_before
from shared.controllers.environment.pending_starts import stop_and_start, why_not_stopped
from shared.controllers.environment.wave_run import WaveRun, count_no_longer, inspect_site, report_excluded
from shared.domain.despite_storage import despite_storage
from shared.domain.environments.apps import wave_app
from shared.domain.environments.record import AppRestart, AppRestartState
from shared.domain.environments.waves import next_wave, slots_first
from shared.domain.errors import AzureError, LeaseBusy, NotSettled, StopRefused
from shared.domain.findings import HistoryEntry
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MaxUnavailable, restart_budget
from shared.loop.pool import Pool
from shared.loop.restart_claims import claimed, limits_of
from shared.loop.run import Run
from shared.loop.turns import Turns, last_turns, taking_turns
from shared.planning.environment_plan import why_excluded
from shared.telemetry import event

MOST_THREADS = 16
"""How many apps of a wave Certroll stops and starts at the same time."""
DIED = "it passed its probe before a run that died began to stop it, and fails its probe now"


@dataclass(frozen=True, slots=True)
class Stopped:
    """The result of stopping and starting one app, or the reason why Certroll could not stop the app."""

    app: AppRestart
    """The record of the app as the journal has it now."""
    is_busy: bool = False
    """True if another run holds the lease of the site."""
    refusal: StopRefused | None = None
    """Why Azure does not let Certroll stop the app, or what Azure did not answer."""
    error: Exception | None = None
    """The unexpected error that stopped the work on the app."""

    @classmethod
    def not_done(cls, app: AppRestart, error: Exception) -> "Stopped":
        """Return the result for an app that Certroll could not stop and start."""
        match error:
            case LeaseBusy():
                return cls(app, is_busy=True)
            case StopRefused():
                return cls(app, refusal=error)
            case AzureError() | NotSettled():
                return cls(app, refusal=StopRefused(str(error), why_not_stopped(error)))
            case _:
                return cls(app, error=error)


def next_apps(wave_run: WaveRun) -> tuple[AppRestart, ...]:
    """Return the apps that Certroll stops and starts together next.

    Apps that restart now because of new app settings count as down.
    """
    restart_claims, most = wave_run.run.ports.restart_claims, wave_run.run.intent.ase_max_unavailable
    if most is None:
        return ()
    apps = [app.app for app in wave_run.apps]
    out = {*wave_run.busy, *wave_run.refused}
    pending = tuple(app for app in wave_run.in_state(AppRestartState.PENDING) if app.site not in out)
    plans = sorted({app.plan for app in apps})
    busy = frozenset(site for plan in plans for site in restart_claims.restarting(plan, wave_run.environment))
    waiting = slots_first(app.site for app in pending)
    turns = last_turns(wave_run.run, _kind(wave_run), waiting, _full_name)
    wave = next_wave(apps, waiting, most, busy, turns)
    return tuple(app for app in pending if app.site in wave and _may_restart(wave_run, app, most))


def _may_restart(wave_run: WaveRun, app: AppRestart, most: MaxUnavailable) -> bool:
    """Count the app against the limit of simultaneous restarts, and return True if the limit has room for the app.

    The restart budget says how many apps may restart at once.

    Certroll counts stopped apps and apps with updated settings against the same limit of simultaneous restarts.
    """
    plan, environment = app.app.plan, wave_run.environment
    running = [other.app.plan for other in wave_run.apps if other.app.runs]
    budget = restart_budget(most, environment, plan, running)
    try:
        return claimed(wave_run.run, limits_of(plan, budget), app.site, environment)
    except LeaseBusy:
        return False


def carry_wave(wave_run: WaveRun, wave: tuple[AppRestart, ...]) -> WaveRun:
    """Stop and start one group of apps, send their probes, and return the run with the new states of the apps."""
    began = wave_run.run.now()
    event("wave.started", environment=str(wave_run.environment), sites=[str(app.site) for app in wave])
    pending = slots_first(app.site for app in wave_run.in_state(AppRestartState.PENDING))
    with (
        taking_turns(wave_run.run, _kind(wave_run), pending, _full_name) as turns,
        # Certroll stops apps in separate threads, because the run's own thread pool is for read requests only
        Pool(min(len(wave), MOST_THREADS), "wave") as pool,
    ):
        results = pool.map(partial(_guarded, wave_run, turns), wave)
    wave_run = _after(wave_run, results)
    _give_back_unused(wave_run, wave)
    wave_run = ask_started(wave_run)
    if errors := [result.error for result in results if result.error]:
        raise errors[0]
    _report_wave(wave_run, wave, began)
    return wave_run


def _after(wave_run: WaveRun, results: tuple[Stopped, ...]) -> WaveRun:
    """Return the run with new journal records of the stopped apps, and with the apps that Certroll could not stop."""
    busy = frozenset(result.app.site for result in results if result.is_busy)
    refused = {result.app.site: result.refusal for result in results if result.refusal}
    report_excluded(
        wave_run.run,
        wave_run.environment,
        (
            (site, refusal.reason, f"Certroll could not stop and start it: {refusal}")
            for site, refusal in refused.items()
        ),
    )
    known = replace(wave_run, busy=wave_run.busy | busy, refused={**wave_run.refused, **refused})
    return known.recorded(result.app for result in results)


def _give_back_unused(wave_run: WaveRun, wave: tuple[AppRestart, ...]) -> None:
    """Stop counting the apps that Certroll did not stop against the limit of simultaneous restarts.

    An app still counts against the limit of simultaneous restarts while another run has locked the app or the app may
    be down.
    """
    in_use = {app.site for app in wave_run.in_state(AppRestartState.STARTED)} | wave_run.busy
    unused = [app for app in wave if app.site not in in_use]
    pending_sites = {start.site for start in wave_run.run.ports.pending_starts.all()} if unused else set()
    despite_storage(
        (app for app in unused if app.site not in pending_sites),
        lambda app: count_no_longer(wave_run.run, wave_run.environment, app),
    )


def _report_wave(wave_run: WaveRun, wave: tuple[AppRestart, ...], began: datetime) -> None:
    """Write the states of the apps that Certroll stopped together into the log and the history."""
    run, sites = wave_run.run, {app.site for app in wave}
    states = {str(app.site): str(app.state) for app in wave_run.apps if app.site in sites}
    seconds = round((run.now() - began).total_seconds(), 1)
    event("wave.completed", environment=str(wave_run.environment), sites=states, seconds=seconds)
    detail = ", ".join(f"{site} {state}" for site, state in states.items())[:1000]
    entry = HistoryEntry(
        run.now(), "wave.completed", f"environment {wave_run.environment}", Reason.STOPPED_AND_STARTED, detail
    )
    run.ports.history.add(wave_run.environment.resource_id, (entry,))


def _kind(wave_run: WaveRun) -> str:
    return f"apps of {wave_run.environment.resource_id}"


def _full_name(site: SiteRef) -> str:
    return site.resource_id


def _guarded(wave_run: WaveRun, turns: Turns[SiteRef], app: AppRestart) -> Stopped:
    """Stop and start one app, and return its new record or the error, so that Certroll still handles the other apps."""
    turns.begin(app.site)
    try:
        stopped = Stopped(_stopped_and_started(wave_run, app))
    except Exception as error:  # noqa: BLE001 - carry_wave raises it after every app of the wave
        event(
            "app.not_stopped_and_started", site=str(app.site), environment=str(wave_run.environment), detail=str(error)
        )
        return Stopped.not_done(app, error)
    turns.end(app.site)
    return stopped


def _stopped_and_started(wave_run: WaveRun, app: AppRestart) -> AppRestart:
    """Read the app once more. Stop and start the app if the app still runs and Certroll may still stop it."""
    run, environment = wave_run.run, wave_run.environment
    with run.ports.leases.hold(f"site {app.site.resource_id}") as lease:
        try:
            fleet, site = inspect_site(run, app.site)
        except AzureError as refusal:
            raise StopRefused(str(refusal), why_not_stopped(refusal)) from refusal
        if site is None:  # a 404 may be wrong; the app counts as gone once Azure no longer lists it for an hour
            detail = "Azure lists the app in the environment and answers 404 for it, and Certroll tries again later"
            raise StopRefused(detail, Reason.NO_SUCH_SITE)
        if excluded := why_excluded(fleet, site, run.intent):
            report_excluded(run, environment, ((site.ref, *excluded),))
            return _put(run, environment, app.now(AppRestartState.EXCLUDED, run.now(), excluded[1]))
        # the app has a new App Service plan or a new tag, so Certroll has to choose again which apps to stop together
        if wave_app(site) != app.app:
            return _put(run, environment, replace(app, app=wave_app(site)))
        answers = passes_before(wave_run, fleet, site)
        if app.answered and not answers:  # an earlier run may have crashed between the stop and the start of the app
            # even if the app passes its probe later, the app still needs a stop and a start to trust the new root
            before = wave_run.environment_record.since or app.at
            return _put(run, environment, replace(app, state=AppRestartState.FAILED, at=before, detail=DIED))
        return stop_and_start(run, (wave_run.lease, lease), environment, replace(app, answered=answers))


def _put(run: Run, environment: EnvironmentRef, app: AppRestart) -> AppRestart:
    """Store one app's record in Certroll's journal, and return the stored record."""
    run.ports.app_restarts.put(environment, (app,))
    return app
