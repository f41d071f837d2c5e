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
from shared.domain.environments.record import Cycle, CycleApp, CycleState
from shared.domain.environments.waves import next_wave
from shared.domain.errors import Denied, LeaseBusy, NotFound, StopRefused
from shared.domain.findings import Finding, HistoryEntry
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.probe import Probe, ProbeInvalid, ProbeSight, Verdict, probe_of
from shared.domain.fleet.sites import Site
from shared.domain.names import EnvironmentRef, SiteRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MostDown, restart_budget
from shared.loop.ask_app import BETWEEN_WAVE_PASSES_SECONDS, PASSES, ask_in_a_row
from shared.loop.observe.site import observe_tags
from shared.loop.reach import Inbound
from shared.loop.restart_claims import claimed, give_back, places_of
from shared.loop.run import Run
from shared.planning.environment_plan import why_spared
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
class Cycling:
    """A run at work on one environment: its lease, and what the journal knows.

    `busy` are apps that others are at work on, `refused` why Azure does not let some of them be stopped. `inbound` says
    where an internal environment is reached, `is_off` that operators took the environment out.
    """

    run: Run
    lease: Lease
    cycle: Cycle
    apps: tuple[CycleApp, ...]
    inbound: Inbound
    busy: frozenset[SiteRef] = frozenset()
    refused: Mapping[SiteRef, StopRefused] = field(default_factory=dict)
    is_off: bool = False

    @property
    def environment(self) -> EnvironmentRef:
        """The environment."""
        return self.cycle.environment

    def in_state(self, *states: CycleState) -> tuple[CycleApp, ...]:
        """Return the apps that are so far."""
        return tuple(app for app in self.apps if app.state in states)

    def recorded(self, changed: Iterable[CycleApp]) -> "Cycling":
        """Return it with these apps, which are in the journal, in place of what was known of them."""
        renewed = {app.site: app for app in changed}
        return replace(self, apps=tuple(renewed.get(app.site, app) for app in self.apps))

    def record(self, changed: Iterable[CycleApp]) -> "Cycling":
        """Record the apps, and return it with them."""
        changed = tuple(changed)
        self.run.ports.app_restarts.put(self.environment, changed)
        return self.recorded(changed)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of one app of a wave."""

    app: CycleApp
    """The app as it is recorded now."""
    is_busy: bool = False
    """True if another run holds the lease of the site."""
    refusal: StopRefused | None = None
    """Why Azure does not let it be stopped."""
    error: Exception | None = None
    """The error that nobody foresaw."""

    @classmethod
    def not_done(cls, app: CycleApp, error: Exception) -> "Stopped":
        """Return an app that could not be stopped and started."""
        match error:
            case LeaseBusy():
                return cls(app, is_busy=True)
            case StopRefused():
                return cls(app, refusal=error)
            case _:
                return cls(app, error=error)


def next_apps(cycling: Cycling) -> tuple[CycleApp, ...]:
    """Return the pending apps that go now; what rolls of settings restart just now counts as down."""
    restart_claims, most = cycling.run.ports.restart_claims, cycling.run.intent.ase_max_unavailable
    if most is None:
        return ()
    apps = [app.app for app in cycling.apps]
    out = {*cycling.busy, *cycling.refused}
    pending = tuple(app for app in cycling.in_state(CycleState.PENDING) if app.site not in out)
    plans = sorted({app.plan for app in apps})
    busy = frozenset(site for plan in plans for site in restart_claims.restarting(plan, cycling.environment))
    wave = next_wave(apps, frozenset(app.site for app in pending), most, busy)
    return tuple(app for app in pending if app.site in wave and _may_restart(cycling, app, most))


def _may_restart(cycling: Cycling, app: CycleApp, most: MostDown) -> bool:
    """Count the app among those that restart, so that no roll of settings restarts too many at the same time."""
    plan, environment = app.app.plan, cycling.environment
    running = [other.app.plan for other in cycling.apps if other.app.runs]
    room = restart_budget(most, environment, plan, running)
    try:
        return claimed(cycling.run, places_of(plan, room), app.site, environment)
    except LeaseBusy:
        return False


def count_no_longer(run: Run, environment: EnvironmentRef, app: CycleApp) -> None:
    """Give back what the app took of the limits of its plan and environment."""
    give_back(run, (app.app.plan, environment.resource_id), app.site, environment)


def carry_wave(cycling: Cycling, wave: tuple[CycleApp, ...]) -> Cycling:
    """Stop and start the apps of one wave, and return when each has answered, or did not."""
    began = cycling.run.now()
    event("wave.started", environment=str(cycling.environment), sites=[str(app.site) for app in wave])
    with ThreadPoolExecutor(min(len(wave), MOST_THREADS), "wave") as pool:  # that of the run is for reads, and shared
        results = tuple(pool.map(partial(_guarded, cycling), wave))
    cycling = _after(cycling, results)
    _give_back_unused(cycling, wave)
    cycling = ask_started(cycling)
    if errors := [result.error for result in results if result.error]:
        raise errors[0]
    _tell(cycling, wave, began)
    return cycling


def _after(cycling: Cycling, results: tuple[Stopped, ...]) -> Cycling:
    """Return the run after its wave: with the apps as they are now, and those that could not be stopped."""
    busy = frozenset(result.app.site for result in results if result.is_busy)
    refused = {result.app.site: result.refusal for result in results if result.refusal}
    known = replace(cycling, busy=cycling.busy | busy, refused={**cycling.refused, **refused})
    return known.recorded(result.app for result in results)


def _give_back_unused(cycling: Cycling, wave: tuple[CycleApp, ...]) -> None:
    """Give back what the apps that were not stopped took of the limits.

    An app keeps its claim while another run is at work on it, or while it may be down.
    """
    kept = {app.site for app in cycling.in_state(CycleState.STARTED)} | cycling.busy
    unused = [app for app in wave if app.site not in kept]
    owed = {start.site for start in cycling.run.ports.pending_starts.all()} if unused else set()
    for app in unused:
        if app.site not in owed:
            count_no_longer(cycling.run, cycling.environment, app)


def _tell(cycling: Cycling, wave: tuple[CycleApp, ...], began: datetime) -> None:
    run, sites = cycling.run, {app.site for app in wave}
    states = {str(app.site): str(app.state) for app in cycling.apps if app.site in sites}
    seconds = round((run.now() - began).total_seconds(), 1)
    event("wave.completed", environment=str(cycling.environment), sites=states, seconds=seconds)
    detail = ", ".join(f"{site} {state}" for site, state in states.items())[:1000]
    entry = HistoryEntry(run.now(), "wave.completed", f"environment {cycling.environment}", Reason.CYCLED, detail)
    run.ports.history.add(str(cycling.environment), (entry,))


def _guarded(cycling: Cycling, app: CycleApp) -> Stopped:
    """Return what became of the app, or what went wrong: the others of the wave are finished in any case."""
    try:
        return Stopped(_cycled(cycling, app))
    except Exception as error:  # noqa: BLE001 - raised above, once every app of the wave runs again
        event("app.not_cycled", site=str(app.site), environment=str(cycling.environment), detail=str(error))
        return Stopped.not_done(app, error)


def _cycled(cycling: Cycling, app: CycleApp) -> CycleApp:
    """Look at the app once more, and stop and start it if it still runs and may be."""
    run, environment = cycling.run, cycling.environment
    with run.ports.leases.hold(f"site {app.site.resource_id}") as lease:
        try:
            fleet, site = look(run, app.site)
        except Denied as refusal:
            raise StopRefused(str(refusal), Reason.DENIED_BY_AZURE) from refusal
        if site is None:
            return _put(run, environment, app.now(CycleState.SPARED, run.now(), "it is gone"))
        if spared := why_spared(fleet, site, run.intent):
            report_spared(run, environment, ((site.ref, *spared),))
            return _put(run, environment, app.now(CycleState.SPARED, run.now(), spared[1]))
        if wave_app(site) != app.app:  # it was moved or tagged anew: other waves may be right now
            return _put(run, environment, replace(app, app=wave_app(site)))
        answers = _answers(cycling, fleet, site)
        if app.answered and not answers:  # a run that died may have stopped it, and it has not come up since
            before = cycling.cycle.since or app.at  # so that it still waits for its stop when it answers
            return _put(run, environment, replace(app, state=CycleState.FAILED, at=before, detail=DIED))
        return stop_and_start(run, (cycling.lease, lease), environment, replace(app, answered=answers))


def report_spared(run: Run, environment: EnvironmentRef, spared: Iterable[tuple[SiteRef, Reason, str]]) -> None:
    """Tell people of what they have to stop and start by hand; an app that is stopped needs nobody."""
    findings = (Finding(run.now(), str(environment), f"site {site}", reason, detail) for site, reason, detail in spared)
    run.ports.findings.report(tuple(finding for finding in findings if finding.reason.makes_finding))


def _put(run: Run, environment: EnvironmentRef, app: CycleApp) -> CycleApp:
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


def ask_failed(cycling: Cycling) -> Cycling:
    """Ask what failed once more: its answer ends the hold, as somebody may have mended it, or that it is taken out.

    Nothing else does: not that it is stopped, nor that it cannot be looked at or asked.
    """
    failed = cycling.in_state(CycleState.FAILED)
    return cycling.record(cycling.run.pool.map(partial(_held, cycling), failed))


def _held(cycling: Cycling, app: CycleApp) -> CycleApp:
    """Return an app that failed as it is now."""
    run = cycling.run
    fleet, site = look(run, app.site)
    if site is not None and fleet.opted_out(site.ref) and (why := why_spared(fleet, site, run.intent)):
        report_spared(run, cycling.environment, ((site.ref, *why),))
        return app.now(CycleState.SPARED, run.now(), why[1])
    probe = _probe(cycling, fleet, site)
    if site is None or not site.running or probe is None or _failure(cycling, site, probe):
        return app
    return _through(cycling, app, CycleState.ANSWERED)


def ask_started(cycling: Cycling) -> Cycling:
    """Ask every app that was started until it passes its probe or had its time; return with all of them decided."""
    run = cycling.run
    looks = {app.site: look(run, app.site) for app in cycling.in_state(CycleState.STARTED)}
    while started := cycling.in_state(CycleState.STARTED):
        judged = tuple(run.pool.map(partial(_judged, cycling, looks), started))
        decided = tuple(app for app in judged if app.state is not CycleState.STARTED)
        cycling = cycling.record(decided)
        for app in decided:
            count_no_longer(cycling.run, cycling.environment, app)
        if len(decided) < len(started):
            run.check_time()
            run.ports.clock.sleep(ASK_AGAIN_SECONDS)
    return cycling


def _judged(cycling: Cycling, looks: Mapping[SiteRef, Look], app: CycleApp) -> CycleApp:
    """Return the app with what its probe says, as it is where that is to be asked again."""
    run, now = cycling.run, cycling.run.now()
    fleet, site = looks[app.site]
    if site is None or not site.running:
        return app.now(CycleState.UNPROVEN, now, STOPPED_AGAIN)
    probe = _probe(cycling, fleet, site)
    failure = NO_PROBE if probe is None else _failure(cycling, site, probe)
    if not failure:
        return _through(cycling, app, CycleState.ANSWERED)
    if now < app.at + (UP_PATIENCE if app.answered else run.intent.probe_settle):
        return app
    _, site = look(run, app.site)
    if site is None or not site.running:
        return app.now(CycleState.UNPROVEN, now, STOPPED_AGAIN)
    if app.answered:  # what cannot be asked any more is not well for that
        detail = f"{failure}; it passed its probe before the stop"
        return replace(app, state=CycleState.FAILED, detail=detail[:1000])
    detail = failure if probe is None else f"{failure}; it did not pass its probe before the stop either"
    return _through(cycling, app, CycleState.UNPROVEN, detail)


def _through(cycling: Cycling, app: CycleApp, state: CycleState, detail: str = "") -> CycleApp:
    """Return an app that holds up nobody; one not started since the apps were listed is to be stopped and started."""
    since, now = cycling.cycle.since, cycling.run.now()
    early = since is not None and app.at <= since
    return app.now(CycleState.PENDING, now) if early else app.now(state, now, detail)


def _answers(cycling: Cycling, fleet: Fleet, site: Site) -> bool | None:
    """Say whether the app passes its probe now, once in three times; None where it has none."""
    probe = _probe(cycling, fleet, site)
    return None if probe is None else any(_ask(cycling, site, probe).verdict is Verdict.PASSED for _ in range(PASSES))


def _failure(cycling: Cycling, site: Site, probe: Probe) -> str:
    """Return why the probe did not pass so many times in a row, empty where it did."""
    sight = ask_in_a_row(cycling.run.ports.clock, partial(_ask, cycling, site, probe), BETWEEN_WAVE_PASSES_SECONDS)
    return "" if sight.verdict is Verdict.PASSED else sight.detail


def _ask(cycling: Cycling, site: Site, probe: Probe) -> ProbeSight:
    ask = cycling.run.ports.app_probe.ask
    return ask(site.default_host_name, probe, NOBODY, frozenset(), cycling.inbound.address)


def _probe(cycling: Cycling, fleet: Fleet, site: Site | None) -> Probe | None:
    """Return the app's probe, None where it cannot be asked, be it stopped or gone.

    It goes without its text where that names a certificate: a root is none that an app presents.
    """
    if site is None or not site.running or cycling.inbound.unknown:
        return None
    try:
        probe = probe_of(fleet, site.ref)
    except ProbeInvalid:
        return None
    return replace(probe, text="") if probe is not None and probe.proves else probe
