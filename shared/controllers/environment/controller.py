"""Every app of an App Service Environment stopped and started once, in waves, after a root certificate came.

    is a noted root there? ──▶ list the apps, in the journal ──▶ settle ──▶ wave: stop, start, ask ──▶ next wave … done
                                                                              └── one does not come up: stop, report

Only one run at a time carries an environment, and every run goes on from the journal.
shared/domain/environments/waves.py decides how many apps may be down at once. pending_starts.py makes sure that each
app starts.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from shared.controllers.environment.pending_starts import STATE_PATIENCE
from shared.controllers.environment.wave import (
    WaveRun,
    ask_failed,
    ask_started,
    carry_wave,
    count_no_longer,
    look,
    next_apps,
    report_excluded,
)
from shared.domain.environments.record import AppRestart, AppRestartState, EnvironmentRecord
from shared.domain.environments.waves import last_of_group
from shared.domain.errors import Denied, LeaseBusy, NotFound, OutOfTime, Rejected
from shared.domain.findings import Finding
from shared.domain.fleet.fleet import Fleet
from shared.domain.intent import Mode
from shared.domain.messages import EnvironmentMessage
from shared.domain.names import EnvironmentRef, SiteRef, Thumbprint
from shared.domain.outcome import Converged, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.tags import GROUP, opted_out
from shared.loop.backoff import BUSY_PAUSE, pause, planning_again, until_free, until_open
from shared.loop.connect_address import inbound_of
from shared.loop.observe.fleet import observe_environment
from shared.loop.perform import REFUSALS
from shared.loop.report import report_blind_spots
from shared.loop.run import Run
from shared.planning.environment_plan import apps_of, why_excluded
from shared.ports.storage import Lease
from shared.telemetry import event

WAVE_TIME = 4 * STATE_PATIENCE
"""What must be left of a run for a wave to begin: a stop and a start may each take `STATE_PATIENCE` to be seen, and as
long again for their requests and for the first probes."""


def reconcile_environment(run: Run, message: EnvironmentMessage) -> Outcome:
    """Carry the apps of an environment through as many waves as the time allows."""
    environment = message.environment
    try:
        with run.ports.leases.hold(f"environment {environment.resource_id}") as lease:
            outcome = planning_again(lambda: _reconcile(run, lease, message))
    except LeaseBusy as busy:
        outcome = until_free(run, busy, message.waits)
    except OutOfTime as late:
        outcome = Waiting(run.now(), Reason.OUT_OF_TIME, str(late), progress=True)
    except (Denied, NotFound, Rejected) as error:
        outcome = Stalled(REFUSALS[type(error)], str(error))
    if isinstance(outcome, Stalled):
        finding = Finding(run.now(), str(environment), f"environment {environment}", outcome.reason, outcome.detail)
        run.ports.findings.report((finding,))
    event(
        "environment.reconciled",
        environment=str(environment),
        outcome=type(outcome).__name__,
        reason=outcome.reason,
        detail=outcome.detail,
    )
    return outcome


def record_stop_start_by_hand(run: Run, environment: EnvironmentRef) -> None:
    """Take people's word that every app was stopped and started since the last root came. Raises LeaseBusy."""
    with run.ports.leases.hold(f"environment {environment.resource_id}"):
        waiting = (AppRestartState.PENDING, AppRestartState.STARTED, AppRestartState.FAILED)
        left, now = [app for app in run.ports.app_restarts.of(environment) if app.state in waiting], run.now()
        for app in left:
            if app.state is AppRestartState.STARTED:
                count_no_longer(run, environment, app)
        run.ports.app_restarts.put(
            environment, [app.now(AppRestartState.EXCLUDED, now, "cycled by hand") for app in left]
        )
        run.ports.environment_records.change(
            environment, lambda environment_record: environment_record.done_by_hand(now)
        )
    event("environment.stopped_and_started_by_hand", environment=str(environment))


def remind(run: Run) -> tuple[EnvironmentRef, ...]:
    """Return the environments whose apps are not all done, after putting each on the queue."""
    left = tuple(
        environment_record.environment
        for environment_record in run.ports.environment_records.all()
        if environment_record.is_open
    )
    for environment in left:
        run.ports.queue.send_environment(EnvironmentMessage(environment))
    event("environments.reminded", environments=[str(environment) for environment in left])
    return left


# ------------------------------------------------------------------------------------------------------- what is left


def _reconcile(run: Run, lease: Lease, message: EnvironmentMessage) -> Outcome:
    environment = message.environment
    environment_record = run.ports.environment_records.of(environment)
    if not environment_record.is_open:
        return Converged(Reason.NOTHING_TO_STOP, f"no app of {environment} waits for a stop and a start")
    if start_wait := _await_starts(run, environment, message.waits):
        return start_wait
    listed = run.ports.environments.roots(environment)
    there = frozenset(root.thumbprint for root in listed.found if root.is_root)
    if not environment_record.has_news(there) and not environment_record.is_under_way:
        return _not_there_yet(run, environment_record, there, message.waits)
    wave_run = _seen(run, lease, environment_record, there)
    wave_run = ask_started(ask_failed(wave_run))
    return _not_allowed(wave_run) or _waves(wave_run, message.waits)


def _await_starts(run: Run, environment: EnvironmentRef, waits: int) -> Waiting | None:
    """Return the wait while an app may be down: nobody else is stopped meanwhile."""
    start_wait = tuple(str(start.site) for start in run.ports.pending_starts.all() if start.environment == environment)
    return (
        Waiting(_later(run, waits), Reason.START_PENDING, f"{', '.join(start_wait)} is owed a start")
        if start_wait
        else None
    )


def _not_there_yet(
    run: Run, environment_record: EnvironmentRecord, there: frozenset[Thumbprint | None], waits: int
) -> Outcome:
    """Come back for what was to be put and is not there: the vault object's own run puts it, or says why not."""
    environment_record = run.ports.environment_records.change(
        environment_record.environment, lambda known: known.without_lost(there, run.now())
    )
    if not environment_record.is_open:
        return Converged(
            Reason.NOTHING_TO_STOP, f"what was to be put into {environment_record.environment} did not come for a day"
        )
    missing = ", ".join(root.thumbprint for root in environment_record.roots if root.seen_at is None)
    detail = f"{missing} was to be put into {environment_record.environment} and is not there yet"
    return Waiting(_later(run, waits), Reason.ROOT_NOT_THERE, detail)


def _later(run: Run, waits: int) -> datetime:
    """Return when to look again at what takes others a while: never within seconds."""
    return run.now() + max(pause(waits), BUSY_PAUSE)


def _seen(
    run: Run, lease: Lease, environment_record: EnvironmentRecord, there: frozenset[Thumbprint | None]
) -> WaveRun:
    """Read the environment and update the record of every app.

    If a new root has arrived, or an operator asks for it, each running app becomes pending. Otherwise the apps keep
    their state. Apps are recorded before the environment is, so that a crash in between lists them again.
    """
    now, ref, news = run.now(), environment_record.environment, environment_record.has_news(there)
    fleet = observe_environment(run.ports, run.pool, ref, now)
    report_blind_spots(run.ports.findings, str(ref), fleet)
    before = {app.site: app for app in run.ports.app_restarts.of(ref)}
    apps = _as_seen(run, environment_record, fleet, before, news=news)
    excluded = (app for app in apps if app.state is AppRestartState.EXCLUDED)
    _report_excluded(run, fleet, ref, {app.site for app in excluded if news or _is_new(app, before)})
    run.ports.app_restarts.put(ref, (app for app in apps if app != before.get(app.site)))
    hidden = bool(fleet.blind_spots)
    if news:
        environment_record = run.ports.environment_records.put(environment_record.listed(there, now, hidden=hidden))
    elif environment_record.hidden and not hidden:
        environment_record = run.ports.environment_records.put(replace(environment_record, hidden=False))
    off = any(opted_out(environment.tags) for environment in fleet.environments)
    inbound = inbound_of(run.ports, next((site for site in fleet.sites if site.behind is not None), None))
    return WaveRun(run, lease, environment_record, apps, inbound, is_off=off)


def _as_seen(
    run: Run, environment_record: EnvironmentRecord, fleet: Fleet, before: Mapping[SiteRef, AppRestart], *, news: bool
) -> tuple[AppRestart, ...]:
    """Return every app as far as it came; one that is not seen is forgotten, unless it may only be hidden."""
    known = (
        _renewed if news else partial(_known, anew=environment_record.hidden)
    )  # what was hidden may have run since before
    found = apps_of(fleet, environment_record.environment, run.intent, fleet.taken_at)
    apps = tuple(known(before.get(app.site), app) for app in found)
    unseen = tuple(before[site] for site in sorted(before.keys() - {app.site for app in apps}))
    hidden = tuple(app for app in unseen if fleet.blind_spots and not _is_gone(run, app))
    for app in unseen:
        if app not in hidden:
            run.ports.app_restarts.forget(environment_record.environment, app.site)
    if news:  # it runs, as far as anybody knows: it is looked at right before its stop
        fresh = (AppRestart(app.app, AppRestartState.PENDING, fleet.taken_at) for app in hidden)
        hidden = tuple(map(_renewed, hidden, fresh))
    return (*apps, *hidden)


def _is_gone(run: Run, app: AppRestart) -> bool:
    """Return True if a failed app, which no listing shows, is not there when Certroll reads it by its name either."""
    return app.state is AppRestartState.FAILED and look(run, app.site)[1] is None


def _is_new(app: AppRestart, before: Mapping[SiteRef, AppRestart]) -> bool:
    known = before.get(app.site)
    return known is None or known.state is not AppRestartState.EXCLUDED or known.detail != app.detail


def _report_excluded(run: Run, fleet: Fleet, ref: EnvironmentRef, sites: set[SiteRef]) -> None:
    """Tell people of what they have to stop and start by hand, and log all that is spared."""
    looks = [(site.ref, why_excluded(fleet, site, run.intent)) for site in fleet.sites if site.ref in sites]
    excluded = [(site, *why) for site, why in looks if why is not None]
    rows = [{"site": str(site), "reason": reason} for site, reason, _ in excluded]
    event("environment.listed", environment=str(ref), apps=len(fleet.sites), excluded=rows)
    report_excluded(run, ref, excluded)


def _renewed(before: AppRestart | None, now: AppRestart) -> AppRestart:
    """Return an app that is listed anew. What has not come up yet goes on holding the others up: no root mends it."""
    held = before is not None and before.state in {AppRestartState.STARTED, AppRestartState.FAILED}
    return _known(before, now) if held else now


def _known(before: AppRestart | None, now: AppRestart, *, anew: bool = False) -> AppRestart:
    """Return an app as far as it came. What was not there when the apps were listed has started since, or is `anew`."""
    if before is None and anew:
        return now
    if before is None:
        return now.now(AppRestartState.EXCLUDED, now.at, now.detail or "it came after the root")
    if now.state is AppRestartState.EXCLUDED and before.state is AppRestartState.PENDING:
        return now
    return replace(before, app=now.app)


def _not_allowed(wave_run: WaveRun) -> Outcome | None:
    """Return the outcome where operators allow no stop: the report is all there is then."""
    intent, pending = wave_run.run.intent, wave_run.in_state(AppRestartState.PENDING)
    if pending and wave_run.is_off:
        return Converged(Reason.OPTED_OUT, f"environment {wave_run.environment} carries the tag certroll: off")
    named = ", ".join(str(app.site) for app in pending)
    if pending and intent.ase_max_unavailable is None:
        detail = (
            f"these apps trust the new root only after a stop and a start: {named}. Set CERTROLL_ASE_MAX_UNAVAILABLE "
            "to have it done in waves, or do it by hand and "
            f"POST /api/environments/{wave_run.environment}/stop-start-done"
        )
        return Stalled(Reason.STOP_START_BY_HAND, detail)
    if pending and intent.mode is not Mode.APPLY:
        return Converged(Reason.OBSERVE_ONLY, f"these apps would be stopped and started: {named}")
    return None


def _waves(wave_run: WaveRun, waits: int) -> Outcome:
    """Do wave after wave, as long as nothing forbids the next one."""
    run = wave_run.run
    while not (blocked := _blocked(wave_run)):
        pending = wave_run.in_state(AppRestartState.PENDING)
        if pending and opted_out(run.ports.environments.environment(wave_run.environment).tags):
            return Converged(Reason.OPTED_OUT, f"environment {wave_run.environment} carries the tag certroll: off")
        if run.now() + WAVE_TIME > run.ends_at:
            raise OutOfTime(f"the next wave of {wave_run.environment} goes in another run")
        wave = next_apps(wave_run)
        if not wave:
            return _finished(wave_run, waits)
        wave_run = carry_wave(wave_run, wave)
        if start_wait := _await_starts(run, wave_run.environment, waits):
            return start_wait
    return blocked


def _blocked(wave_run: WaveRun) -> Outcome | None:
    """Return why no wave may begin now."""
    run = wave_run.run
    if failed := wave_run.in_state(AppRestartState.FAILED):
        detail = "; ".join(f"{app.site}: {app.detail}" for app in failed)
        remedy = "no other app is stopped until it answers, or is tagged certroll: off"
        return Stalled(Reason.WAVE_FAILED, f"{detail}; {remedy}")
    if not wave_run.in_state(AppRestartState.PENDING):
        return None
    window = run.intent.restart_window
    if window is not None and not window.is_open(run.now()):
        opens = window.opens_at(run.now())
        return Waiting(until_open(run), Reason.OUTSIDE_WINDOW, f"the window opens at {opens:%Y-%m-%d %H:%M} UTC")
    settled = (wave_run.environment_record.since or run.now()) + run.intent.probe_settle
    if run.now() < settled:
        return Waiting(settled, Reason.SETTLING, "more roots may come, and one stop and start is enough for them all")
    return None


def _finished(wave_run: WaveRun, waits: int) -> Outcome:
    """Return the outcome where no wave can be made: all is done, or what is left is busy or the last of its group."""
    run, pending = wave_run.run, wave_run.in_state(AppRestartState.PENDING)
    apps = [app.app for app in wave_run.apps]
    last = [(app.site, group) for app in pending if (group := last_of_group(apps, app.site))]
    if pending and len(last) == len(pending):
        detail = "; ".join(f"{site} is the last app of group {group} that runs" for site, group in last)
        return Stalled(Reason.LAST_OF_GROUP, f"{detail}: start another one of it, or take the tag {GROUP} away")
    if pending and all(app.site in wave_run.refused for app in pending):
        refusal = wave_run.refused[pending[0].site]
        return Stalled(refusal.reason, "; ".join(f"{app.site}: {wave_run.refused[app.site]}" for app in pending))
    if pending:
        names = ", ".join(str(app.site) for app in pending)
        return Waiting(
            _later(run, waits), Reason.PLAN_BUSY, f"{names}: it, or enough others of its plan, are restarting"
        )
    if wave_run.environment_record.hidden:
        detail = f"what can be seen of {wave_run.environment} is done, and not everything can: see its blind spots"
        return Stalled(Reason.INCOMPLETE_VIEW, detail)
    run.ports.environment_records.put(wave_run.environment_record.done(run.now()))
    return Converged(Reason.STOPPED_AND_STARTED, _summary(wave_run))


def _summary(wave_run: WaveRun) -> str:
    """Return how many apps were stopped and started, and which of the others run without trusting what came."""
    done = wave_run.in_state(AppRestartState.ANSWERED, AppRestartState.UNPROVEN)
    unproven = [str(app.site) for app in wave_run.in_state(AppRestartState.UNPROVEN)]
    excluded = [str(app.site) for app in wave_run.in_state(AppRestartState.EXCLUDED) if app.app.runs]
    parts = [f"{len(done)} apps were stopped and started"]
    parts += [f"not shown to be well: {', '.join(unproven)}"] if unproven else []
    parts += [f"not stopped, though they run: {', '.join(excluded)}"] if excluded else []
    return "; ".join(parts)
