"""Carry out one wave: stop and start some apps together, and ask each until it has answered or had its time.

Certroll reads each app once more right before it stops the app. pending_starts.py makes sure that the app starts again.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from shared.controllers.environment.pending_starts import stop_and_start
from shared.domain.environments.apps import wave_app
from shared.domain.environments.record import AppRestart, AppRestartState, EnvironmentRecord
from shared.domain.environments.waves import next_wave
from shared.domain.errors import Denied, LeaseBusy, NotFound, StopRefused
from shared.domain.findings import Finding, HistoryEntry
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.probe import Probe, ProbeInvalid, ProbeResult, Verdict, probe_of
from shared.domain.fleet.sites import Site
from shared.domain.names import EnvironmentRef, SiteRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MaxUnavailable, restart_budget
from shared.loop.ask_app import BETWEEN_WAVE_PASSES_SECONDS, PASSES, ask_in_a_row
from shared.loop.connect_address import Inbound
from shared.loop.observe.site import observe_tags
from shared.loop.restart_claims import claimed, give_back, places_of
from shared.loop.run import Run
from shared.planning.environment_plan import why_excluded
from shared.ports.storage import Lease
from shared.telemetry import event

MOST_THREADS = 16
DIED = "it passed its probe before a run began to stop it, did not finish, and it does not pass any more"
NO_PROBE = "it has no probe that can be asked"
STOPPED_AGAIN = "somebody stopped or deleted it after it was started"
UP_PATIENCE = timedelta(minutes=5)
"""How long an app may take after its start until its probe passes, if it passed before. App Service itself
gives a container 230 s to start (Azure docs, `WEBSITES_CONTAINER_START_TIME_LIMIT`)."""
ASK_AGAIN_SECONDS = 5.0
"""The pause between two rounds of asking the apps of a wave: each round takes a request per app that is not up."""
NOBODY = Thumbprint("")

Look = tuple[Fleet, Site | None]


@dataclass(frozen=True, slots=True)
class WaveRun:
    """A run at work on one environment: its lease, and what the journal knows.

    `busy` are apps that others are at work on, `refused` why Azure does not let some of them be stopped. `inbound` says
    where an internal environment is reached, `is_off` that operators took the environment out.
    """

    run: Run
    lease: Lease
    environment_record: EnvironmentRecord
    apps: tuple[AppRestart, ...]
    inbound: Inbound
    busy: frozenset[SiteRef] = frozenset()
    refused: Mapping[SiteRef, StopRefused] = field(default_factory=dict)
    is_off: bool = False

    @property
    def environment(self) -> EnvironmentRef:
        """The environment."""
        return self.environment_record.environment

    def in_state(self, *states: AppRestartState) -> tuple[AppRestart, ...]:
        """Return the apps that are so far."""
        return tuple(app for app in self.apps if app.state in states)

    def recorded(self, changed: Iterable[AppRestart]) -> "WaveRun":
        """Return it with these apps, which are in the journal, in place of what was known of them."""
        renewed = {app.site: app for app in changed}
        return replace(self, apps=tuple(renewed.get(app.site, app) for app in self.apps))

    def record(self, changed: Iterable[AppRestart]) -> "WaveRun":
        """Record the apps, and return it with them."""
        changed = tuple(changed)
        self.run.ports.app_restarts.put(self.environment, changed)
        return self.recorded(changed)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of one app of a wave."""

    app: AppRestart
    """The app as it is recorded now."""
    is_busy: bool = False
    """True if another run holds the lease of the site."""
    refusal: StopRefused | None = None
    """Why Azure does not let it be stopped."""
    error: Exception | None = None
    """The error that nobody foresaw."""

    @classmethod
    def not_done(cls, app: AppRestart, error: Exception) -> "Stopped":
        """Return an app that could not be stopped and started."""
        match error:
            case LeaseBusy():
                return cls(app, is_busy=True)
            case StopRefused():
                return cls(app, refusal=error)
            case _:
                return cls(app, error=error)


def next_apps(wave_run: WaveRun) -> tuple[AppRestart, ...]:
    """Return the pending apps that go now; what rolls of settings restart just now counts as down."""
    restart_claims, most = wave_run.run.ports.restart_claims, wave_run.run.intent.ase_max_unavailable
    if most is None:
        return ()
    apps = [app.app for app in wave_run.apps]
    out = {*wave_run.busy, *wave_run.refused}
    pending = tuple(app for app in wave_run.in_state(AppRestartState.PENDING) if app.site not in out)
    plans = sorted({app.plan for app in apps})
    busy = frozenset(site for plan in plans for site in restart_claims.restarting(plan, wave_run.environment))
    wave = next_wave(apps, frozenset(app.site for app in pending), most, busy)
    return tuple(app for app in pending if app.site in wave and _may_restart(wave_run, app, most))


def _may_restart(wave_run: WaveRun, app: AppRestart, most: MaxUnavailable) -> bool:
    """Count the app among those that restart, so that no roll of settings restarts too many at the same time."""
    plan, environment = app.app.plan, wave_run.environment
    running = [other.app.plan for other in wave_run.apps if other.app.runs]
    budget = restart_budget(most, environment, plan, running)
    try:
        return claimed(wave_run.run, places_of(plan, budget), app.site, environment)
    except LeaseBusy:
        return False


def count_no_longer(run: Run, environment: EnvironmentRef, app: AppRestart) -> None:
    """Give back what the app took of the limits of its plan and environment."""
    give_back(run, (app.app.plan, environment.resource_id), app.site, environment)


def carry_wave(wave_run: WaveRun, wave: tuple[AppRestart, ...]) -> WaveRun:
    """Stop and start the apps of one wave, and return when each has answered, or did not."""
    began = wave_run.run.now()
    event("wave.started", environment=str(wave_run.environment), sites=[str(app.site) for app in wave])
    with ThreadPoolExecutor(min(len(wave), MOST_THREADS), "wave") as pool:  # that of the run is for reads, and shared
        results = tuple(pool.map(partial(_guarded, wave_run), wave))
    wave_run = _after(wave_run, results)
    _give_back_unused(wave_run, wave)
    wave_run = ask_started(wave_run)
    if errors := [result.error for result in results if result.error]:
        raise errors[0]
    _tell(wave_run, wave, began)
    return wave_run


def _after(wave_run: WaveRun, results: tuple[Stopped, ...]) -> WaveRun:
    """Return the run after its wave: with the apps as they are now, and those that could not be stopped."""
    busy = frozenset(result.app.site for result in results if result.is_busy)
    refused = {result.app.site: result.refusal for result in results if result.refusal}
    known = replace(wave_run, busy=wave_run.busy | busy, refused={**wave_run.refused, **refused})
    return known.recorded(result.app for result in results)


def _give_back_unused(wave_run: WaveRun, wave: tuple[AppRestart, ...]) -> None:
    """Give back what the apps that were not stopped took of the limits.

    An app keeps its claim while another run is at work on it, or while it may be down.
    """
    kept = {app.site for app in wave_run.in_state(AppRestartState.STARTED)} | wave_run.busy
    unused = [app for app in wave if app.site not in kept]
    pending_sites = {start.site for start in wave_run.run.ports.pending_starts.all()} if unused else set()
    for app in unused:
        if app.site not in pending_sites:
            count_no_longer(wave_run.run, wave_run.environment, app)


def _tell(wave_run: WaveRun, wave: tuple[AppRestart, ...], began: datetime) -> None:
    run, sites = wave_run.run, {app.site for app in wave}
    states = {str(app.site): str(app.state) for app in wave_run.apps if app.site in sites}
    seconds = round((run.now() - began).total_seconds(), 1)
    event("wave.completed", environment=str(wave_run.environment), sites=states, seconds=seconds)
    detail = ", ".join(f"{site} {state}" for site, state in states.items())[:1000]
    entry = HistoryEntry(
        run.now(), "wave.completed", f"environment {wave_run.environment}", Reason.STOPPED_AND_STARTED, detail
    )
    run.ports.history.add(str(wave_run.environment), (entry,))


def _guarded(wave_run: WaveRun, app: AppRestart) -> Stopped:
    """Return what became of the app, or what went wrong: the others of the wave are finished in any case."""
    try:
        return Stopped(_stopped_and_started(wave_run, app))
    except Exception as error:  # noqa: BLE001 - raised above, once every app of the wave runs again
        event(
            "app.not_stopped_and_started", site=str(app.site), environment=str(wave_run.environment), detail=str(error)
        )
        return Stopped.not_done(app, error)


def _stopped_and_started(wave_run: WaveRun, app: AppRestart) -> AppRestart:
    """Look at the app once more, and stop and start it if it still runs and may be."""
    run, environment = wave_run.run, wave_run.environment
    with run.ports.leases.hold(f"site {app.site.resource_id}") as lease:
        try:
            fleet, site = look(run, app.site)
        except Denied as refusal:
            raise StopRefused(str(refusal), Reason.DENIED_BY_AZURE) from refusal
        if site is None:
            return _put(run, environment, app.now(AppRestartState.EXCLUDED, run.now(), "it is gone"))
        if excluded := why_excluded(fleet, site, run.intent):
            report_excluded(run, environment, ((site.ref, *excluded),))
            return _put(run, environment, app.now(AppRestartState.EXCLUDED, run.now(), excluded[1]))
        if wave_app(site) != app.app:  # it was moved or tagged anew: other waves may be right now
            return _put(run, environment, replace(app, app=wave_app(site)))
        answers = _answers(wave_run, fleet, site)
        if app.answered and not answers:  # a run that died may have stopped it, and it has not come up since
            before = wave_run.environment_record.since or app.at  # so that it still waits for its stop when it answers
            return _put(run, environment, replace(app, state=AppRestartState.FAILED, at=before, detail=DIED))
        return stop_and_start(run, (wave_run.lease, lease), environment, replace(app, answered=answers))


def report_excluded(run: Run, environment: EnvironmentRef, excluded: Iterable[tuple[SiteRef, Reason, str]]) -> None:
    """Tell people of what they have to stop and start by hand; an app that is stopped needs nobody."""
    findings = (
        Finding(run.now(), str(environment), f"site {site}", reason, detail) for site, reason, detail in excluded
    )
    run.ports.findings.report(tuple(finding for finding in findings if finding.reason.makes_finding))


def _put(run: Run, environment: EnvironmentRef, app: AppRestart) -> AppRestart:
    run.ports.app_restarts.put(environment, (app,))
    return app


def look(run: Run, ref: SiteRef) -> Look:
    """Return a site or slot as it is now, with its tags; None where it is gone."""
    try:
        fleet = observe_tags(run.ports.app_service, ref, (), run.now())
    except NotFound:
        return Fleet(run.now()), None
    return fleet, fleet.site(ref)


# ------------------------------------------------------------------------------------------------------- its answer


def ask_failed(wave_run: WaveRun) -> WaveRun:
    """Ask what failed once more: its answer ends the hold, as somebody may have mended it, or that it is taken out.

    Nothing else does: not that it is stopped, nor that it cannot be looked at or asked.
    """
    failed = wave_run.in_state(AppRestartState.FAILED)
    return wave_run.record(wave_run.run.pool.map(partial(_held, wave_run), failed))


def _held(wave_run: WaveRun, app: AppRestart) -> AppRestart:
    """Return an app that failed as it is now."""
    run = wave_run.run
    fleet, site = look(run, app.site)
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
    looks = {app.site: look(run, app.site) for app in wave_run.in_state(AppRestartState.STARTED)}
    while started := wave_run.in_state(AppRestartState.STARTED):
        judged = tuple(run.pool.map(partial(_judged, wave_run, looks), started))
        decided = tuple(app for app in judged if app.state is not AppRestartState.STARTED)
        wave_run = wave_run.record(decided)
        for app in decided:
            count_no_longer(wave_run.run, wave_run.environment, app)
        if len(decided) < len(started):
            run.check_time()
            run.ports.clock.sleep(ASK_AGAIN_SECONDS)
    return wave_run


def _judged(wave_run: WaveRun, looks: Mapping[SiteRef, Look], app: AppRestart) -> AppRestart:
    """Return the app with what its probe says, as it is where that is to be asked again."""
    run, now = wave_run.run, wave_run.run.now()
    fleet, site = looks[app.site]
    if site is None or not site.running:
        return app.now(AppRestartState.UNPROVEN, now, STOPPED_AGAIN)
    probe = _probe(wave_run, fleet, site)
    failure = NO_PROBE if probe is None else _failure(wave_run, site, probe)
    if not failure:
        return _through(wave_run, app, AppRestartState.ANSWERED)
    if now < app.at + (UP_PATIENCE if app.answered else run.intent.probe_settle):
        return app
    _, site = look(run, app.site)
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


def _answers(wave_run: WaveRun, fleet: Fleet, site: Site) -> bool | None:
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
