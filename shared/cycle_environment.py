"""Every app of an App Service Environment stopped and started once, in waves, after a root certificate came.

    is a noted root there? ──▶ list the apps, in the journal ──▶ settle ──▶ wave: stop, start, ask ──▶ next wave … done
                                                                              └── one does not come up: stop, report

One run at a time does it for an environment, and every run goes on from the journal. How many may be down at once is
decided in shared/domain/waves.py; that each comes up again, in shared/owed_starts.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from shared.cycle_plan import apps_of, wave_app, why_spared
from shared.domain.cycle import Cycle, CycleApp, CycleState
from shared.domain.errors import Denied, LeaseBusy, NotFound, OutOfTime, Rejected
from shared.domain.messages import EnvironmentMessage
from shared.domain.model import Fleet, Site
from shared.domain.names import EnvironmentRef, Thumbprint
from shared.domain.outcome import Converged, Outcome, Stalled, Waiting
from shared.domain.plan import Mode
from shared.domain.ports import Lease
from shared.domain.probe import Probe, ProbeInvalid, Verdict
from shared.domain.reason import Reason
from shared.domain.record import Finding, HistoryEntry
from shared.domain.waves import MostDown, last_of_group, next_wave
from shared.guards.roll_stages import probe_of
from shared.observe import observe_environment, observe_tags
from shared.owed_starts import stop_and_start
from shared.report import report_blind_spots
from shared.run import BUSY_PAUSE, Run, pause, planning_again, until_open
from shared.telemetry import event

WAVE_TIME = timedelta(minutes=4)
"""What must be left of a run for a wave to begin: a stop and a start may each take more than a minute to be seen."""
UP_PATIENCE = timedelta(minutes=5)
"""How long an app may take after its start until its probe passes, if it passed before."""
PASSES = 3
BETWEEN_PASSES = 1.0
ASK_AGAIN = 5.0
NOBODY = Thumbprint("")


@dataclass(frozen=True, slots=True)
class Cycling:
    """A run at work on one environment: its lease, and what the journal knows."""

    run: Run
    lease: Lease
    cycle: Cycle
    apps: tuple[CycleApp, ...]

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


def reconcile_environment(run: Run, message: EnvironmentMessage) -> Outcome:
    """Carry the apps of an environment through as many waves as the time allows."""
    environment = message.environment
    try:
        with run.ports.leases.hold(f"environment {environment.resource_id}") as lease:
            outcome = planning_again(lambda: _reconcile(run, lease, message))
    except LeaseBusy as busy:
        outcome = Waiting(run.now() + min(pause(message.waits), BUSY_PAUSE), Reason.BUSY, str(busy))
    except OutOfTime as late:
        outcome = Waiting(run.now(), Reason.OUT_OF_TIME, str(late), progress=True)
    except (Denied, NotFound, Rejected) as error:
        outcome = Stalled(Reason.DENIED_BY_AZURE if isinstance(error, Denied) else Reason.REJECTED_BY_AZURE, str(error))
    if isinstance(outcome, Stalled):
        finding = Finding(run.now(), str(environment), f"environment {environment}", outcome.reason, outcome.detail)
        run.ports.journal.report((finding,))
    event(
        "environment.reconciled",
        environment=str(environment),
        outcome=type(outcome).__name__,
        reason=outcome.reason,
        detail=outcome.detail,
    )
    return outcome


def remind(run: Run) -> tuple[EnvironmentRef, ...]:
    """Return the environments whose apps are not all done, after putting each on the queue."""
    left = tuple(cycle.environment for cycle in run.ports.cycles.all() if cycle.is_open)
    for environment in left:
        run.ports.queue.send_environment(EnvironmentMessage(environment))
    event("environments.reminded", environments=[str(one) for one in left])
    return left


# ------------------------------------------------------------------------------------------------------- what is left


def _reconcile(run: Run, lease: Lease, message: EnvironmentMessage) -> Outcome:
    cycle = run.ports.cycles.of(message.environment)
    if not cycle.is_open:
        return Converged(Reason.NOTHING_TO_CYCLE, f"no app of {message.environment} waits for a stop and a start")
    listed = run.ports.environments.roots(message.environment)
    there = frozenset(root.thumbprint for root in listed.found if root.is_root)
    if not cycle.has_news(there) and (cycle.since is None or cycle.done_at is not None):
        return _not_there_yet(run, cycle, message.waits)
    cycling = _seen(run, lease, cycle, there)
    return _not_allowed(cycling) or _go_on(cycling, message.waits)


def _not_there_yet(run: Run, cycle: Cycle, waits: int) -> Outcome:
    """Come back for what was to be put and is not there: the vault object's own run puts it, or says why not."""
    missing = ", ".join(root.thumbprint for root in cycle.roots if root.seen_at is None)
    detail = f"{missing} was to be put into {cycle.environment} and is not there yet"
    return Waiting(run.now() + max(pause(waits), BUSY_PAUSE), Reason.ROOT_NOT_THERE, detail)


def _seen(run: Run, lease: Lease, cycle: Cycle, there: frozenset[Thumbprint | None]) -> Cycling:
    """Return the environment as it is now: with news all apps that run are pending, else those that were and still run.

    Apps are recorded before the environment is, so that a crash in between lists them again.
    """
    now, ref, news = run.now(), cycle.environment, cycle.has_news(there)
    fleet = observe_environment(run.ports, run.pool, ref, now)
    report_blind_spots(run.ports.journal, str(ref), fleet)
    before = {one.site: one for one in run.ports.cycles.apps(ref)}
    found = apps_of(fleet, ref, run.intent, now)
    apps = found if news else tuple(_known(before.get(one.site), one) for one in found)
    unseen = tuple(before[site] for site in sorted(before.keys() - {one.site for one in apps}))
    for one in () if fleet.blind_spots else unseen:
        run.ports.cycles.forget_app(ref, one.site)
    apps = (*apps, *(unseen if fleet.blind_spots else ()))
    run.ports.cycles.put_apps(ref, (one for one in apps if one != before.get(one.site)))
    if news:
        _report_spared(run, fleet, ref)
    return Cycling(run, lease, run.ports.cycles.put(cycle.listed(there, now)) if news else cycle, apps)


def _report_spared(run: Run, fleet: Fleet, ref: EnvironmentRef) -> None:
    """Tell people of what they have to stop and start by hand, and log all that is spared."""
    looks = [(site.ref, why_spared(fleet, site, run.intent)) for site in fleet.sites]
    spared = [(site, *why) for site, why in looks if why is not None]
    rows = [{"site": str(site), "reason": reason} for site, reason, _ in spared]
    event("environment.listed", environment=str(ref), apps=len(looks), spared=rows)
    findings = (Finding(run.now(), str(ref), f"site {site}", reason, detail) for site, reason, detail in spared)
    run.ports.journal.report(tuple(one for one in findings if one.reason is not Reason.SITE_STOPPED))


def _known(before: CycleApp | None, now: CycleApp) -> CycleApp:
    """Return an app as far as it came. What was not there when the apps were listed has started since."""
    if before is None:
        return now.now(CycleState.SPARED, now.at, now.detail or "it came after the root")
    spared = now.state is CycleState.SPARED
    if spared and (before.state is CycleState.PENDING or (before.state is CycleState.FAILED and now.app.runs)):
        return now  # who stops what failed has not mended it; who takes it out has seen it
    return replace(before, app=now.app)


def _not_allowed(cycling: Cycling) -> Outcome | None:
    """Return the outcome where operators allow no stop: the report is all there is then."""
    intent, pending = cycling.run.intent, cycling.in_state(CycleState.PENDING)
    named = ", ".join(str(one.site) for one in pending)
    if pending and intent.ase_max_unavailable is None:
        detail = f"these apps trust the new root only after a stop and a start: {named}. Do it by hand"
        return Stalled(Reason.CYCLE_BY_HAND, f"{detail}, or set CERTROLL_ASE_MAX_UNAVAILABLE to have it done in waves")
    if pending and intent.mode is not Mode.APPLY:
        return Converged(Reason.OBSERVE_ONLY, f"these apps would be stopped and started: {named}")
    return None


def _go_on(cycling: Cycling, waits: int) -> Outcome:
    """Do what is under way, and then wave after wave."""
    run = cycling.run
    cycling = _asked(cycling.record(_again(cycling)))
    while not (blocked := _blocked(cycling, waits)):
        if run.now() + WAVE_TIME > run.ends_at:
            raise OutOfTime(f"the next wave of {cycling.environment} goes in another run")
        wave = _next(cycling)
        if not wave:
            return _finished(cycling, waits)
        cycling = _waved(cycling, wave)
    return blocked


def _again(cycling: Cycling) -> tuple[CycleApp, ...]:
    """Return what failed as started: only its answer lets the others go on, and somebody may have mended it."""
    failed = (one for one in cycling.in_state(CycleState.FAILED) if one.app.runs)
    return tuple(replace(one, state=CycleState.STARTED) for one in failed)


def _blocked(cycling: Cycling, waits: int) -> Outcome | None:
    """Return why no wave may begin now."""
    run = cycling.run
    if failed := cycling.in_state(CycleState.FAILED):
        detail = "; ".join(f"{one.site}: {one.detail}" for one in failed)
        cure = "no other app is stopped until it answers, or is tagged certroll: off"
        return Stalled(Reason.WAVE_FAILED, f"{detail}; {cure}")
    owed = tuple(str(one.site) for one in run.ports.cycles.owed() if one.environment == cycling.environment)
    if owed:
        return Waiting(
            run.now() + max(pause(waits), BUSY_PAUSE), Reason.START_OWED, f"{', '.join(owed)} is owed a start"
        )
    if not cycling.in_state(CycleState.PENDING):
        return None
    window = run.intent.restart_window
    if window is not None and not window.is_open(run.now()):
        opens = window.opens_at(run.now())
        return Waiting(until_open(run), Reason.OUTSIDE_WINDOW, f"the window opens at {opens:%Y-%m-%d %H:%M} UTC")
    settled = (cycling.cycle.since or run.now()) + run.intent.probe_settle
    if run.now() < settled:
        return Waiting(settled, Reason.SETTLING, "more roots may come, and one stop and start is enough for them all")
    return None


def _finished(cycling: Cycling, waits: int) -> Outcome:
    """Return the outcome where no wave can be made: all is done, or what is left is busy or the last of its group."""
    run, pending = cycling.run, cycling.in_state(CycleState.PENDING)
    apps = [one.app for one in cycling.apps]
    last = [(one.site, group) for one in pending if (group := last_of_group(apps, one.site))]
    if pending and len(last) == len(pending):
        detail = "; ".join(f"{site} is the last app of group {group} that runs" for site, group in last)
        return Stalled(Reason.LAST_OF_GROUP, f"{detail}: start another one of it, or take the tag certroll-group away")
    if pending:
        names = ", ".join(str(one.site) for one in pending)
        until = run.now() + max(pause(waits), BUSY_PAUSE)
        return Waiting(until, Reason.PLAN_BUSY, f"{names}: it, or enough others of its plan, are restarting")
    run.ports.cycles.put(replace(cycling.cycle, done_at=run.now()))
    done = cycling.in_state(CycleState.ANSWERED, CycleState.UNPROVEN)
    return Converged(Reason.CYCLED, f"{len(done)} apps were stopped and started")


# ----------------------------------------------------------------------------------------------------------- one wave


def _next(cycling: Cycling) -> tuple[CycleApp, ...]:
    """Return the pending apps that go now; what rolls of settings restart just now counts as down."""
    journal, most = cycling.run.ports.journal, cycling.run.intent.ase_max_unavailable
    if most is None:
        return ()
    apps, pending = [one.app for one in cycling.apps], cycling.in_state(CycleState.PENDING)
    plans = sorted({app.plan for app in apps})
    busy = frozenset(site for plan in plans for site in journal.restarting(plan, cycling.environment))
    wave = next_wave(apps, frozenset(one.site for one in pending), most, busy)
    return tuple(one for one in pending if one.site in wave and _claimed(cycling, one, most))


def _claimed(cycling: Cycling, one: CycleApp, most: MostDown) -> bool:
    """Count the app among those of its plan that restart, so that no roll of settings restarts another beside it."""
    run, plan = cycling.run, one.app.plan
    on_plan = sum(app.app.plan == plan and app.app.runs for app in cycling.apps)
    try:
        with run.ports.leases.hold(f"plan {plan}"):
            return run.ports.journal.claim_restart(plan, one.site, cycling.environment, most.of(on_plan))
    except LeaseBusy:
        return False


def _waved(cycling: Cycling, wave: tuple[CycleApp, ...]) -> Cycling:
    """Stop and start the apps of one wave, and return when each has answered, or did not."""
    run, began = cycling.run, cycling.run.now()
    event("wave.started", environment=str(cycling.environment), sites=[str(one.site) for one in wave])
    results = tuple(run.pool.map(partial(_guarded, cycling), wave))
    cycling = cycling.recorded(one for one in results if isinstance(one, CycleApp))
    for one in cycling.in_state(CycleState.PENDING, CycleState.SPARED):
        if one.site in {app.site for app in wave}:
            _give_back(cycling, one)
    if errors := [one for one in results if isinstance(one, Exception) and not isinstance(one, LeaseBusy)]:
        raise errors[0]
    cycling = _asked(cycling)
    _tell(cycling, wave, began)
    return cycling


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
        fleet, site = _look(run, one)
        if site is None:
            return _put(run, environment, one.now(CycleState.SPARED, run.now(), "it is gone"))
        if spared := why_spared(fleet, site, run.intent):
            return _put(run, environment, one.now(CycleState.SPARED, run.now(), spared[1]))
        if wave_app(fleet, site) != one.app:  # it was moved or tagged anew: other waves may be right now
            return _put(run, environment, replace(one, app=wave_app(fleet, site)))
        cycling.lease.check()
        return stop_and_start(run, lease, environment, replace(one, answered=_answers(run, fleet, site)))


def _put(run: Run, environment: EnvironmentRef, one: CycleApp) -> CycleApp:
    run.ports.cycles.put_apps(environment, (one,))
    return one


def _look(run: Run, one: CycleApp) -> tuple[Fleet, Site | None]:
    try:
        fleet = observe_tags(run.ports.app_service, one.site, (), run.now())
    except NotFound:
        return Fleet(run.now()), None
    return fleet, fleet.site(one.site)


def _give_back(cycling: Cycling, one: CycleApp) -> None:
    cycling.run.ports.journal.restarted(one.app.plan, one.site, cycling.environment)


# ------------------------------------------------------------------------------------------------------- its answer


def _asked(cycling: Cycling) -> Cycling:
    """Ask every app that was started until it passes its probe or had its time; return with all of them decided."""
    run = cycling.run
    looks = {one.site: _look(run, one) for one in cycling.in_state(CycleState.STARTED)}
    while started := cycling.in_state(CycleState.STARTED):
        judged = tuple(run.pool.map(lambda one: _judged(run, *looks[one.site], one), started))
        decided = tuple(one for one in judged if one.state is not CycleState.STARTED)
        cycling = cycling.record(decided)
        for one in decided:
            _give_back(cycling, one)
        if len(decided) < len(started):
            run.check_time()
            run.ports.clock.sleep(ASK_AGAIN)
    return cycling


def _judged(run: Run, fleet: Fleet, site: Site | None, one: CycleApp) -> CycleApp:
    """Return the app with what its probe says, as it is where that is to be asked again."""
    now = run.now()
    if site is None or not site.running:
        return one.now(CycleState.UNPROVEN, now, "somebody stopped or deleted it after it was started")
    probe = _probe(fleet, site)
    if probe is None:
        settled = now >= one.at + run.intent.probe_settle
        return one.now(CycleState.UNPROVEN, now, "it has no probe that can be asked") if settled else one
    failure = _failure(run, site, probe)
    if not failure:
        return one.now(CycleState.ANSWERED, now)
    if now < one.at + UP_PATIENCE:
        return one
    state = CycleState.FAILED if one.answered else CycleState.UNPROVEN
    before = (
        "it passed its probe before the stop" if one.answered else "it did not pass its probe before the stop either"
    )
    return replace(one, state=state, detail=f"{failure}; {before}"[:1000])


def _answers(run: Run, fleet: Fleet, site: Site) -> bool | None:
    """Say whether the app passes its probe now, None where it has none."""
    probe = _probe(fleet, site)
    return None if probe is None else not _failure(run, site, probe, passes=1)


def _failure(run: Run, site: Site, probe: Probe, passes: int = PASSES) -> str:
    """Return why the probe did not pass so many times in a row, empty where it did."""
    for number in range(passes):
        if number:
            run.ports.clock.sleep(BETWEEN_PASSES)
        sight = run.ports.app_probe.ask(site.default_host_name, probe, NOBODY, frozenset())
        if sight.verdict is not Verdict.PASSED:
            return sight.detail
    return ""


def _probe(fleet: Fleet, site: Site) -> Probe | None:
    """Return the app's probe without its text where that names a certificate: a root is none that an app presents."""
    try:
        probe = probe_of(fleet, site.ref)
    except ProbeInvalid:
        return None
    return replace(probe, text="") if probe is not None and probe.proves else probe
