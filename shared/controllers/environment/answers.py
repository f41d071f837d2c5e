"""Send the apps of an environment their probes, and decide the state of each app from the probe's answer."""

from collections.abc import Iterable, Mapping
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
from shared.domain.despite_storage import despite_storage
from shared.domain.environments.record import AppRestart, AppRestartState
from shared.domain.errors import OutOfTime
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.probe import Probe, ProbeInvalid, ProbeResult, Verdict, probe_of
from shared.domain.fleet.sites import Site
from shared.domain.names import SiteRef, Thumbprint
from shared.loop.ask_app import BETWEEN_WAVE_PASSES_SECONDS, PASSES, ask_in_a_row
from shared.planning.environment_plan import why_excluded

NO_PROBE = "it has no probe that Certroll can send"
STOPPED_AGAIN = "somebody stopped or deleted it after Certroll started it"
UP_PATIENCE = timedelta(minutes=5)
"""How long an app that passed its probe before the stop may take after its start to pass the probe.

App Service gives a container 230 s to start (Azure docs, `WEBSITES_CONTAINER_START_TIME_LIMIT`).
"""
ASK_AGAIN_SECONDS = 5.0
"""The pause between two rounds of probes of a wave. Each round sends one request to each app that is not up yet."""
NOBODY = Thumbprint("")
"""No thumbprint, for a probe without a text."""


def ask_failed(wave_run: WaveRun) -> WaveRun:
    """Send the failed apps their probes once more, and return the run with the new states of these apps.

    Certroll continues with other apps once the failed app passes its probe or carries the tag `certroll: off`. Certroll
    stops no other apps while an operator has stopped a failed app, or while Certroll cannot read a failed app.
    """
    failed = wave_run.in_state(AppRestartState.FAILED)
    judged, late = _in_time(wave_run.run.probes.each(partial(_held, wave_run), failed))
    wave_run = wave_run.record(judged)
    if late:
        raise late
    return wave_run


def _in_time(results: Iterable[AppRestart | OutOfTime]) -> tuple[tuple[AppRestart, ...], OutOfTime | None]:
    """Return the records of the apps that answered their probes in time, and the error of the first late app."""
    results = tuple(results)
    late = (result for result in results if isinstance(result, OutOfTime))
    return tuple(result for result in results if not isinstance(result, OutOfTime)), next(late, None)


def _held(wave_run: WaveRun, app: AppRestart) -> AppRestart:
    """Send a failed app its probe once more, and return the app's record."""
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
    """Send each started app its probe until it passes or has had time to start, and return the run with the results."""
    run = wave_run.run
    inspections = {app.site: inspect_site(run, app.site) for app in wave_run.in_state(AppRestartState.STARTED)}
    while started := wave_run.in_state(AppRestartState.STARTED):
        judged, late = _in_time(run.probes.each(partial(_judged, wave_run, inspections), started))
        decided = tuple(app for app in judged if app.state is not AppRestartState.STARTED)
        wave_run = wave_run.record(decided)
        despite_storage(decided, partial(count_no_longer, run, wave_run.environment))
        if late:
            raise late
        if len(decided) < len(started):
            run.check_time()
            run.ports.clock.sleep(ASK_AGAIN_SECONDS)
    return wave_run


def _judged(wave_run: WaveRun, inspections: Mapping[SiteRef, SiteInspection], app: AppRestart) -> AppRestart:
    """Send a started app its probe, and return its new record, or the given record if the probe must be repeated."""
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
    if app.answered:  # an app that passed only before the stop counts as failed
        detail = f"{failure}; it passed its probe before the stop"
        return replace(app, state=AppRestartState.FAILED, detail=detail[:1000])
    detail = failure if probe is None else f"{failure}; it did not pass its probe before the stop either"
    return _through(wave_run, app, AppRestartState.UNPROVEN, detail)


def _through(wave_run: WaveRun, app: AppRestart, state: AppRestartState, detail: str = "") -> AppRestart:
    """Return the record of an app that no longer keeps Certroll from stopping other apps.

    If the app last started before Certroll listed the environment's apps, Certroll marks the app to be stopped and
    started.
    """
    since, now = wave_run.environment_record.since, wave_run.run.now()
    early = since is not None and app.at <= since
    return app.now(AppRestartState.PENDING, now) if early else app.now(state, now, detail)


def passes_before(wave_run: WaveRun, fleet: Fleet, site: Site) -> bool | None:
    """Send the app up to three probes, and return True if it passes one, or None if Certroll cannot send probes."""
    probe = _probe(wave_run, fleet, site)
    return None if probe is None else any(_ask(wave_run, site, probe).verdict is Verdict.PASSED for _ in range(PASSES))


def _failure(wave_run: WaveRun, site: Site, probe: Probe) -> str:
    """Send the app three probes in a row, and return why it failed one, or an empty text if it passed all."""
    result = ask_in_a_row(wave_run.run.ports.clock, partial(_ask, wave_run, site, probe), BETWEEN_WAVE_PASSES_SECONDS)
    return "" if result.verdict is Verdict.PASSED else result.detail


def _ask(wave_run: WaveRun, site: Site, probe: Probe) -> ProbeResult:
    """Send the probe once to the default host name of the app."""
    ask = wave_run.run.ports.app_probe.ask
    return ask(site.default_host_name, probe, NOBODY, frozenset(), wave_run.inbound.address)


def _probe(wave_run: WaveRun, fleet: Fleet, site: Site | None) -> Probe | None:
    """Return the app's probe, or None if Certroll cannot send it, for instance because the app is stopped or gone.

    Certroll omits the probe's text if the text names a certificate, because an app does not present a root certificate.
    """
    if site is None or not site.running or wave_run.inbound.unknown:
        return None
    try:
        probe = probe_of(fleet, site.ref)
    except ProbeInvalid:
        return None
    return replace(probe, text="") if probe is not None and probe.proves else probe
