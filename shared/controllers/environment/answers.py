"""Ask the apps of an environment their probes, and decide what each answer means."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

from shared.controllers.environment.wave_run import (
    SiteInspection,
    WaveRun,
    count_no_longer,
    inspect_site,
    report_excluded,
)
from shared.domain.environments.record import AppRestart, AppRestartState
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.probe import Probe, ProbeInvalid, ProbeResult, Verdict, probe_of
from shared.domain.fleet.sites import Site
from shared.domain.names import SiteRef, Thumbprint
from shared.loop.ask_app import BETWEEN_WAVE_PASSES_SECONDS, PASSES, ask_in_a_row
from shared.planning.environment_plan import why_excluded

NO_PROBE = "it has no probe that can be asked"
STOPPED_AGAIN = "somebody stopped or deleted it after it was started"
UP_PATIENCE = timedelta(minutes=5)
"""How long an app may take after its start until its probe passes, if it passed before. App Service itself
gives a container 230 s to start (Azure docs, `WEBSITES_CONTAINER_START_TIME_LIMIT`)."""
ASK_AGAIN_SECONDS = 5.0
"""The pause between two rounds of asking the apps of a wave: each round takes a request per app that is not up."""
NOBODY = Thumbprint("")


def ask_failed(wave_run: WaveRun) -> WaveRun:
    """Ask what failed once more: its answer ends the hold, as somebody may have mended it, or that it is taken out.

    Nothing else does: not that it is stopped, nor that it cannot be looked at or asked.
    """
    failed = wave_run.in_state(AppRestartState.FAILED)
    return wave_run.record(wave_run.run.pool.map(partial(_held, wave_run), failed))


def _held(wave_run: WaveRun, app: AppRestart) -> AppRestart:
    """Return an app that failed as it is now."""
    run = wave_run.run
    fleet, site = inspect_site(run, app.site)
    if site is not None and fleet.opted_out(site.ref) and (why := why_excluded(fleet, site, run.intent)):
        report_excluded(run, wave_run.environment, ((site.ref, *why),))
        return app.now(AppRestartState.EXCLUDED, run.now(), why[1])
    probe = _probe(wave_run, fleet, site)
    if site is None or not site.running or probe is None or _failure(wave_run, site, probe):
        return app
    return _through(wave_run, app, AppRestartState.ANSWERED)


def ask_started(wave_run: WaveRun) -> WaveRun:
    """Ask every app that was started until it passes its probe or had its time; return with all of them decided."""
    run = wave_run.run
    inspections = {app.site: inspect_site(run, app.site) for app in wave_run.in_state(AppRestartState.STARTED)}
    while started := wave_run.in_state(AppRestartState.STARTED):
        judged = tuple(run.pool.map(partial(_judged, wave_run, inspections), started))
        decided = tuple(app for app in judged if app.state is not AppRestartState.STARTED)
        wave_run = wave_run.record(decided)
        for app in decided:
            count_no_longer(wave_run.run, wave_run.environment, app)
        if len(decided) < len(started):
            run.check_time()
            run.ports.clock.sleep(ASK_AGAIN_SECONDS)
    return wave_run


def _judged(wave_run: WaveRun, inspections: Mapping[SiteRef, SiteInspection], app: AppRestart) -> AppRestart:
    """Return the app with what its probe says, as it is where that is to be asked again."""
    run, now = wave_run.run, wave_run.run.now()
    fleet, site = inspections[app.site]
    if site is None or not site.running:
        return app.now(AppRestartState.UNPROVEN, now, STOPPED_AGAIN)
    probe = _probe(wave_run, fleet, site)
    failure = NO_PROBE if probe is None else _failure(wave_run, site, probe)
    if not failure:
        return _through(wave_run, app, AppRestartState.ANSWERED)
    if now < app.at + (UP_PATIENCE if app.answered else run.intent.probe_settle):
        return app
    _, site = inspect_site(run, app.site)
    if site is None or not site.running:
        return app.now(AppRestartState.UNPROVEN, now, STOPPED_AGAIN)
    if app.answered:  # what cannot be asked any more is not well for that
        detail = f"{failure}; it passed its probe before the stop"
        return replace(app, state=AppRestartState.FAILED, detail=detail[:1000])
    detail = failure if probe is None else f"{failure}; it did not pass its probe before the stop either"
    return _through(wave_run, app, AppRestartState.UNPROVEN, detail)


def _through(wave_run: WaveRun, app: AppRestart, state: AppRestartState, detail: str = "") -> AppRestart:
    """Return an app that holds up nobody; one not started since the apps were listed is to be stopped and started."""
    since, now = wave_run.environment_record.since, wave_run.run.now()
    early = since is not None and app.at <= since
    return app.now(AppRestartState.PENDING, now) if early else app.now(state, now, detail)


def passes_before(wave_run: WaveRun, fleet: Fleet, site: Site) -> bool | None:
    """Say whether the app passes its probe now, once in three times; None where it has none."""
    probe = _probe(wave_run, fleet, site)
    return None if probe is None else any(_ask(wave_run, site, probe).verdict is Verdict.PASSED for _ in range(PASSES))


def _failure(wave_run: WaveRun, site: Site, probe: Probe) -> str:
    """Return why the probe did not pass so many times in a row, empty where it did."""
    result = ask_in_a_row(wave_run.run.ports.clock, partial(_ask, wave_run, site, probe), BETWEEN_WAVE_PASSES_SECONDS)
    return "" if result.verdict is Verdict.PASSED else result.detail


def _ask(wave_run: WaveRun, site: Site, probe: Probe) -> ProbeResult:
    ask = wave_run.run.ports.app_probe.ask
    return ask(site.default_host_name, probe, NOBODY, frozenset(), wave_run.inbound.address)


def _probe(wave_run: WaveRun, fleet: Fleet, site: Site | None) -> Probe | None:
    """Return the app's probe, None where it cannot be asked, be it stopped or gone.

    It goes without its text where that names a certificate: a root is none that an app presents.
    """
    if site is None or not site.running or wave_run.inbound.unknown:
        return None
    try:
        probe = probe_of(fleet, site.ref)
    except ProbeInvalid:
        return None
    return replace(probe, text="") if probe is not None and probe.proves else probe
