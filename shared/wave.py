"""One wave: apps that are stopped and started together, and asked until each has answered or had its time.

Each is looked at once more right before its stop; that it comes up again is the matter of shared/owed_starts.py.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from shared.cycle_plan import why_spared
from shared.domain.cycle import Cycle, CycleApp, CycleState
from shared.domain.errors import Denied, LeaseBusy, NotFound, StopRefused
from shared.domain.model import Fleet, Site
from shared.domain.names import EnvironmentRef, SiteRef, Thumbprint
from shared.domain.ports import Lease
from shared.domain.probe import Probe, ProbeInvalid, ProbeSight, Verdict
from shared.domain.reason import Reason
from shared.domain.record import Finding, HistoryEntry
from shared.domain.waves import MostDown, next_wave, wave_app
from shared.guards.roll_stages import probe_of
from shared.observe import observe_tags
from shared.owed_starts import stop_and_start
from shared.prove import BETWEEN_WAVE_PASSES_SECONDS, PASSES, Inbound, ask_in_a_row
from shared.restarts import claimed, give_back
from shared.run import Run
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
        return tuple(one for one in self.apps if one.state in states)

    def recorded(self, changed: Iterable[CycleApp]) -> "Cycling":
        """Return it with these apps, which are in the journal, in place of what was known of them."""
        renewed = {one.site: one for one in changed}
        return replace(self, apps=tuple(renewed.get(one.site, one) for one in self.apps))

    def record(self, changed: Iterable[CycleApp]) -> "Cycling":
        """Record the apps, and return it with them."""
        changed = tuple(changed)
        self.run.ports.cycles.put_apps(self.environment, changed)
        return self.recorded(changed)


def next_apps(cycling: Cycling) -> tuple[CycleApp, ...]:
    """Return the pending apps that go now; what rolls of settings restart just now counts as down."""
    journal, most = cycling.run.ports.journal, cycling.run.intent.ase_max_unavailable
    if most is None:
        return ()
    apps = [one.app for one in cycling.apps]
    out = {*cycling.busy, *cycling.refused}
    pending = tuple(one for one in cycling.in_state(CycleState.PENDING) if one.site not in out)
    plans = sorted({app.plan for app in apps})
    busy = frozenset(site for plan in plans for site in journal.restarting(plan, cycling.environment))
    wave = next_wave(apps, frozenset(one.site for one in pending), most, busy)
    return tuple(one for one in pending if one.site in wave and _claimed(cycling, one, most))


def _claimed(cycling: Cycling, one: CycleApp, most: MostDown) -> bool:
    """Count the app among those that restart, so that no roll of settings restarts too many beside it."""
    running = [app.app for app in cycling.apps if app.app.runs]
    on_plan = sum(app.plan == one.app.plan for app in running)
    limits = (most.of(on_plan), most.of(len(running)))
    counted = tuple(zip(places(cycling.environment, one), limits, strict=True))
    try:
        return claimed(cycling.run, counted, one.site, cycling.environment)
    except LeaseBusy:
        return False


def places(environment: EnvironmentRef, one: CycleApp) -> tuple[str, str]:
    """Return where an app counts while it may be down."""
    return one.app.plan, environment.resource_id


def carry_wave(cycling: Cycling, wave: tuple[CycleApp, ...]) -> Cycling:
    """Stop and start the apps of one wave, and return when each has answered, or did not."""
    began = cycling.run.now()
    event("wave.started", environment=str(cycling.environment), sites=[str(one.site) for one in wave])
    with ThreadPoolExecutor(min(len(wave), MOST_THREADS), "wave") as pool:  # that of the run is for reads, and shared
        results = tuple(pool.map(partial(_guarded, cycling), wave))
    cycling = cycling.recorded(one for one in results if isinstance(one, CycleApp))
    busy = {one.site for one, result in zip(wave, results, strict=True) if isinstance(result, LeaseBusy)}
    refused = {one.site: result for one, result in zip(wave, results, strict=True) if isinstance(result, StopRefused)}
    cycling = replace(cycling, busy=cycling.busy | busy, refused={**cycling.refused, **refused})
    _give_back_unused(cycling, wave, busy)
    cycling = ask_started(cycling)
    if errors := [
        one for one in results if isinstance(one, Exception) and not isinstance(one, LeaseBusy | StopRefused)
    ]:
        raise errors[0]
    _tell(cycling, wave, began)
    return cycling


def _give_back_unused(cycling: Cycling, wave: tuple[CycleApp, ...], busy: set[SiteRef]) -> None:
    """Give back the places of apps that were not stopped: not of those that others are at work on, or that are down."""
    started = {one.site for one in cycling.in_state(CycleState.STARTED)}
    unused = [one for one in wave if one.site not in started | busy]
    owed = {one.site for one in cycling.run.ports.cycles.owed()} if unused else set()
    for one in unused:
        if one.site not in owed:
            _give_back(cycling, one)


def _tell(cycling: Cycling, wave: tuple[CycleApp, ...], began: datetime) -> None:
    run, sites = cycling.run, {one.site for one in wave}
    states = {str(one.site): str(one.state) for one in cycling.apps if one.site in sites}
    seconds = round((run.now() - began).total_seconds(), 1)
    event("wave.completed", environment=str(cycling.environment), sites=states, seconds=seconds)
    detail = ", ".join(f"{site} {state}" for site, state in states.items())[:1000]
    entry = HistoryEntry(run.now(), "wave.completed", f"environment {cycling.environment}", Reason.CYCLED, detail)
    run.ports.journal.add_history(str(cycling.environment), (entry,))


def _guarded(cycling: Cycling, one: CycleApp) -> CycleApp | Exception:
    """Return what became of the app, or what went wrong: the others of the wave are finished in any case."""
    try:
        return _cycled(cycling, one)
    except Exception as error:  # noqa: BLE001 - raised above, once every app of the wave runs again
        event("app.not_cycled", site=str(one.site), environment=str(cycling.environment), detail=str(error))
        return error


def _cycled(cycling: Cycling, one: CycleApp) -> CycleApp:
    """Look at the app once more, and stop and start it if it still runs and may be."""
    run, environment = cycling.run, cycling.environment
    with run.ports.leases.hold(f"site {one.site.resource_id}") as lease:
        try:
            fleet, site = look(run, one.site)
        except Denied as refusal:
            raise StopRefused(str(refusal), Reason.DENIED_BY_AZURE) from refusal
        if site is None:
            return _put(run, environment, one.now(CycleState.SPARED, run.now(), "it is gone"))
        if spared := why_spared(fleet, site, run.intent):
            report_spared(run, environment, ((site.ref, *spared),))
            return _put(run, environment, one.now(CycleState.SPARED, run.now(), spared[1]))
        if wave_app(site) != one.app:  # it was moved or tagged anew: other waves may be right now
            return _put(run, environment, replace(one, app=wave_app(site)))
        answers = _answers(cycling, fleet, site)
        if one.answered and not answers:  # a run that died may have stopped it, and it has not come up since
            before = cycling.cycle.since or one.at  # so that it still waits for its stop when it answers
            return _put(run, environment, replace(one, state=CycleState.FAILED, at=before, detail=DIED))
        return stop_and_start(run, (cycling.lease, lease), environment, replace(one, answered=answers))


def report_spared(run: Run, environment: EnvironmentRef, spared: Iterable[tuple[SiteRef, Reason, str]]) -> None:
    """Tell people of what they have to stop and start by hand; an app that is stopped needs nobody."""
    findings = (Finding(run.now(), str(environment), f"site {site}", reason, detail) for site, reason, detail in spared)
    run.ports.journal.report(tuple(finding for finding in findings if finding.reason.makes_finding))


def _put(run: Run, environment: EnvironmentRef, one: CycleApp) -> CycleApp:
    run.ports.cycles.put_apps(environment, (one,))
    return one


def look(run: Run, ref: SiteRef) -> Look:
    """Return a site or slot as it is now, with its tags; None where it is gone."""
    try:
        fleet = observe_tags(run.ports.app_service, ref, (), run.now())
    except NotFound:
        return Fleet(run.now()), None
    return fleet, fleet.site(ref)


def _give_back(cycling: Cycling, one: CycleApp) -> None:
    give_back(cycling.run, places(cycling.environment, one), one.site, cycling.environment)


# ------------------------------------------------------------------------------------------------------- its answer


def ask_failed(cycling: Cycling) -> Cycling:
    """Ask what failed once more: its answer ends the hold, as somebody may have mended it, or that it is taken out.

    Nothing else does: not that it is stopped, nor that it cannot be looked at or asked.
    """
    failed = cycling.in_state(CycleState.FAILED)
    return cycling.record(cycling.run.pool.map(partial(_held, cycling), failed))


def _held(cycling: Cycling, one: CycleApp) -> CycleApp:
    """Return an app that failed as it is now."""
    run = cycling.run
    fleet, site = look(run, one.site)
    if site is not None and fleet.opted_out(site.ref) and (why := why_spared(fleet, site, run.intent)):
        report_spared(run, cycling.environment, ((site.ref, *why),))
        return one.now(CycleState.SPARED, run.now(), why[1])
    probe = _probe(cycling, fleet, site)
    if site is None or not site.running or probe is None or _failure(cycling, site, probe):
        return one
    return _through(cycling, one, CycleState.ANSWERED)


def ask_started(cycling: Cycling) -> Cycling:
    """Ask every app that was started until it passes its probe or had its time; return with all of them decided."""
    run = cycling.run
    looks = {one.site: look(run, one.site) for one in cycling.in_state(CycleState.STARTED)}
    while started := cycling.in_state(CycleState.STARTED):
        judged = tuple(run.pool.map(partial(_judged, cycling, looks), started))
        decided = tuple(one for one in judged if one.state is not CycleState.STARTED)
        cycling = cycling.record(decided)
        for one in decided:
            _give_back(cycling, one)
        if len(decided) < len(started):
            run.check_time()
            run.ports.clock.sleep(ASK_AGAIN_SECONDS)
    return cycling


def _judged(cycling: Cycling, looks: Mapping[SiteRef, Look], one: CycleApp) -> CycleApp:
    """Return the app with what its probe says, as it is where that is to be asked again."""
    run, now = cycling.run, cycling.run.now()
    fleet, site = looks[one.site]
    if site is None or not site.running:
        return one.now(CycleState.UNPROVEN, now, STOPPED_AGAIN)
    probe = _probe(cycling, fleet, site)
    failure = NO_PROBE if probe is None else _failure(cycling, site, probe)
    if not failure:
        return _through(cycling, one, CycleState.ANSWERED)
    if now < one.at + (UP_PATIENCE if one.answered else run.intent.probe_settle):
        return one
    _, site = look(run, one.site)
    if site is None or not site.running:
        return one.now(CycleState.UNPROVEN, now, STOPPED_AGAIN)
    if one.answered:  # what cannot be asked any more is not well for that
        detail = f"{failure}; it passed its probe before the stop"
        return replace(one, state=CycleState.FAILED, detail=detail[:1000])
    detail = failure if probe is None else f"{failure}; it did not pass its probe before the stop either"
    return _through(cycling, one, CycleState.UNPROVEN, detail)


def _through(cycling: Cycling, one: CycleApp, state: CycleState, detail: str = "") -> CycleApp:
    """Return an app that holds up nobody; one not started since the apps were listed is to be stopped and started."""
    since, now = cycling.cycle.since, cycling.run.now()
    early = since is not None and one.at <= since
    return one.now(CycleState.PENDING, now) if early else one.now(state, now, detail)


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
