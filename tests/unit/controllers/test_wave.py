"""Certroll stops and starts apps of an App Service Environment in waves, so that the apps trust a new root."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.controllers.environment import answers, pending_starts
from shared.controllers.environment.all_waves import _finished, await_starts
from shared.controllers.environment.controller import (
    reconcile_environment,
    record_stop_start_by_hand,
    remind,
)
from shared.controllers.environment.pending_starts import STOP_MAY_COME, complete_pending_starts
from shared.controllers.environment.wave import carry_wave, next_apps
from shared.controllers.environment.wave_run import WaveRun
from shared.domain.deadline import TIME_BUDGET
from shared.domain.environments.apps import wave_app
from shared.domain.environments.record import AppRestart, AppRestartState, EnvironmentRecord, PendingStart
from shared.domain.errors import Denied, NotFound, OutcomeUnknown, OutOfTime, StopRefused, Throttled
from shared.domain.fleet.copies import RootCertificate
from shared.domain.fleet.fleet import Listing
from shared.domain.fleet.sites import Environment, ServerFarm, Site
from shared.domain.messages import MOST_WAITS, EnvironmentMessage
from shared.domain.missing import GONE_AFTER
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.outcome import Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MaxUnavailable
from shared.domain.tags import Tags
from shared.domain.traits import Severity
from shared.loop.backoff import BUSY_PAUSE, LONGEST_PAUSE
from shared.loop.connect_address import Inbound
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.build import (
    APPLY,
    ASE,
    HOUR,
    NEW,
    NOW,
    OTHER_ASE,
    REF,
    WEST,
    ManualClock,
    environment,
    root,
    site,
    site_ref,
)
from tests.small_storage import Died, SmallLeases, SmallStorage, ports_on

SECOND = timedelta(seconds=1)
A, B, C = (site_ref(name) for name in "abc")
FRONT, BACK = "front", "back"


@dataclass
class Estate:
    """This fake Azure has apps of App Service Environments.

    `fails` names for a request and an app the exception that the fake Azure raises.
    """

    sites: dict[SiteRef, Site]
    fails: dict[tuple[str, SiteRef], Exception] = field(default_factory=dict)
    asked: list[tuple[str, SiteRef]] = field(default_factory=list)
    sent: list[EnvironmentRef] = field(default_factory=list)
    there: tuple[RootCertificate, ...] = ()

    def site(self, ref: SiteRef) -> tuple[Site, tuple[()]]:
        """Return the app without bindings."""
        self._fail("look", ref)
        return self.sites[ref], ()

    def stop(self, ref: SiteRef) -> None:
        """Stop the app."""
        self._turn("stop", ref, running=False)

    def start(self, ref: SiteRef) -> None:
        """Start the app."""
        self._turn("start", ref, running=True)

    def slot_parents(self, _: str) -> Listing[SiteRef]:
        """Return an empty list, because no app has slots."""
        return Listing(())

    def slots(self, _: SiteRef) -> Listing[Site]:
        """Return an empty list of slots."""
        return Listing(())

    def plans(self, _: str) -> Listing[ServerFarm]:
        """Return the only App Service plan."""
        return Listing((ServerFarm(FRONT, WEST, environment=ASE),))

    def sites_of_plan(self, _: ServerFarm) -> Listing[SiteRef]:
        """Return the apps, which are all on the only App Service plan."""
        return Listing(tuple(self.sites))

    def environment(self, ref: EnvironmentRef) -> Environment:
        """Return the App Service Environment."""
        return environment(ref)

    def listed(self, ref: EnvironmentRef) -> Listing[Site]:
        """Return the apps of the App Service Environment."""
        return Listing(tuple(site for site in self.sites.values() if site.environment == ref))

    def roots(self, _: EnvironmentRef) -> Listing[RootCertificate]:
        """Return the roots of the App Service Environment."""
        return Listing(self.there)

    def send_environment(self, message: EnvironmentMessage) -> None:
        """Record the App Service Environment that Certroll's queue message names."""
        self.sent.append(message.environment)

    def _turn(self, verb: str, ref: SiteRef, *, running: bool) -> None:
        self.asked.append((verb, ref))
        self._fail(verb, ref)
        self.sites[ref] = replace(self.sites[ref], running=running)

    def _fail(self, verb: str, ref: SiteRef) -> None:
        if (verb, ref) in self.fails:
            raise self.fails[verb, ref]


@dataclass
class Environments:
    """This client lists the apps and the roots of the fake Azure's App Service Environments."""

    estate: Estate

    def environment(self, ref: EnvironmentRef) -> Environment:
        """Return the App Service Environment."""
        return self.estate.environment(ref)

    def sites(self, ref: EnvironmentRef) -> Listing[Site]:
        """Return the App Service Environment's apps."""
        return self.estate.listed(ref)

    def roots(self, ref: EnvironmentRef) -> Listing[RootCertificate]:
        """Return the App Service Environment's roots."""
        return self.estate.roots(ref)


@dataclass
class Desk:
    """This helper runs Certroll on the fake Azure.

    All runs of this helper use the same journal. The clock of the helper moves only while Certroll sleeps.
    """

    estate: Estate
    pool: Pool
    clock: ManualClock = field(default_factory=ManualClock)
    storage: SmallStorage = field(default_factory=SmallStorage)
    leases: SmallLeases = field(default_factory=SmallLeases)

    def run(self, most: MaxUnavailable | None = None) -> Run:
        """Return a run of Certroll that may have at most `most` apps down at the same time."""
        given: Any = {
            "app_service": self.estate,
            "environments": Environments(self.estate),
            "queue": self.estate,
            "leases": self.leases,
        }
        ports = ports_on(self.storage, self.clock, **given)
        return Run.start(ports, replace(APPLY, ase_max_unavailable=most), self.pool)

    def wave_run(self, most: int = 9, **others: Any) -> WaveRun:  # noqa: ANN401 - as the fields are
        """Return a run for the App Service Environment in which the records of all apps wait for the stop."""
        apps = tuple(pending(site) for site in self.estate.sites.values())
        self.run().ports.app_restarts.put(ASE, apps)
        return WaveRun(
            self.run(MaxUnavailable(most)),
            self.leases,
            EnvironmentRecord(ASE, since=NOW - HOUR),
            apps,
            Inbound(),
            **others,
        )

    def states(self) -> dict[SiteRef, AppRestartState]:
        """Return the recorded state of each app's stop and start."""
        return {app.site: app.state for app in self.run().ports.app_restarts.of(ASE)}


@pytest.fixture(name="pool")
def _pool() -> Iterator[Pool]:
    with Pool(2, "reader") as pool:
        yield pool


def hosted(name: str, *groups: str, plan: str = FRONT, running: bool = True, inside: EnvironmentRef = ASE) -> Site:
    """Return an app of the App Service Environment without a tag for a probe."""
    tags: Tags = (("certroll-group", ",".join(groups)),) if groups else ()
    return site(name, plan=plan, environment=inside, tags=tags, running=running)


def desk(pool: Pool, *sites: Site) -> Desk:
    """Return a helper that runs Certroll on a fake Azure with the given apps."""
    return Desk(Estate({site.ref: site for site in sites}), pool)


def pending(site: Site) -> AppRestart:
    """Return the record of an app that has waited for its stop for an hour."""
    return AppRestart(wave_app(site), AppRestartState.PENDING, NOW - HOUR)


def going(wave_run: WaveRun) -> list[SiteRef]:
    """Return the apps that Certroll stops in the next wave (apps stopped together)."""
    return [app.site for app in next_apps(wave_run)]


# ----------------------------------------------------------------------------------------- next to rolls of settings


@pytest.mark.parametrize("done", [False, True], ids=["that still waits for its stop", "that was stopped and started"])
@pytest.mark.parametrize("plan", [FRONT, BACK], ids=["of one plan", "of two plans"])
def test_app_that_a_roll_restarts_keeps_the_rest_of_its_group_up(pool: Pool, plan: str, *, done: bool) -> None:
    """Certroll stops no further app of a `certroll-group` while another app of the group restarts for an update."""
    street = desk(pool, hosted("a", "checkout"), hosted("b", "checkout", plan=plan), hosted("c"))
    restart_claims, wave_run = street.run().ports.restart_claims, street.wave_run()
    if done:
        wave_run = wave_run.record([wave_run.apps[1].now(AppRestartState.ANSWERED, NOW)])
    restart_claims.claim(plan, B, REF, 1)
    assert going(wave_run) == [C]
    restart_claims.give_back(plan, B, REF)
    assert going(wave_run) == [A, C]


def test_app_that_was_not_there_yet_takes_the_place_of_another(pool: Pool) -> None:
    """An app that joined the environment later also counts as down while Certroll restarts it for a settings update.

    A percentage limit on apps that are down counts only the apps that run.
    """
    street = desk(pool, hosted("a"), hosted("b"), hosted("c", running=False), hosted("d", running=False))
    restart_claims, half = street.run().ports.restart_claims, MaxUnavailable(50, percent=True)
    wave_run = replace(street.wave_run(), run=street.run(half))
    restart_claims.claim(ASE.resource_id, site_ref("later"), REF, 1)
    assert going(wave_run) == []
    restart_claims.give_back(ASE.resource_id, site_ref("later"), REF)
    assert going(wave_run) == [A]


def test_app_that_a_roll_restarts_takes_the_place_of_another(pool: Pool) -> None:
    """Stops for a root and restarts for app settings together stay within the limits of environment and plan."""
    street = desk(pool, hosted("a"), hosted("b"), hosted("c", plan=BACK))
    street.run().ports.restart_claims.claim(FRONT, A, REF, 1)
    assert going(street.wave_run(most=1)) == []
    assert going(street.wave_run(most=2)) == [B]


def test_what_a_dead_run_of_the_environment_counted_goes_on(pool: Pool) -> None:
    """After a crash of a run, the next run stops the apps for which the crashed run had claimed a restart."""
    street = desk(pool, hosted("a"), hosted("b"))
    assert going(street.wave_run(most=1)) == [A]
    assert going(street.wave_run(most=1)) == [A]


def test_app_that_others_are_at_work_on_waits_for_a_later_wave(pool: Pool) -> None:
    """Certroll leaves an app out of a wave of stops if another run has the app's lease or Azure refused the stop."""
    street = desk(pool, hosted("a"), hosted("b"), hosted("c"))
    refused = {B: StopRefused("no", Reason.DENIED_BY_AZURE)}
    assert going(street.wave_run(busy=frozenset({A}), refused=refused)) == [C]


@pytest.mark.parametrize("why", ["the last of its group", "not let be stopped"])
def test_app_that_cannot_go_is_no_reason_to_leave_the_others(pool: Pool, why: str) -> None:
    """A run sends a message to continue for apps that wait for their stop, even if another app cannot be stopped."""
    last = why == "the last of its group"
    groups = ("pair",) if last else ()
    street = desk(pool, hosted("a", *groups), hosted("b"), hosted("c", *groups, running=False))
    refused = {} if last else {A: StopRefused("no", Reason.DENIED_BY_AZURE)}
    wave_run = street.wave_run(refused=refused)
    left = replace(wave_run, apps=tuple(app for app in wave_run.apps if app.site != C or last))
    parted = left.recorded([left.apps[-1].now(AppRestartState.EXCLUDED, NOW)]) if last else left
    outcome = _finished(parted, 0)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.PLAN_BUSY
    alone = parted.recorded([parted.apps[1].now(AppRestartState.ANSWERED, NOW)])
    expected = Reason.LAST_OF_GROUP if last else Reason.DENIED_BY_AZURE
    assert _finished(alone, 0).reason is expected


def test_outcome_names_each_reason_for_which_apps_were_not_stopped(pool: Pool) -> None:
    """If Azure lets Certroll stop no app, the outcome has the most severe reason, and names all reasons and apps."""
    street = desk(pool, hosted("a"), hosted("b"), hosted("c"))
    severe = max(
        (Reason.DENIED_BY_AZURE, Reason.NO_SUCH_SITE), key=lambda reason: list(Severity).index(reason.severity)
    )
    mild = Reason.NO_SUCH_SITE if severe is Reason.DENIED_BY_AZURE else Reason.DENIED_BY_AZURE
    refused = {A: StopRefused("not there", mild), B: StopRefused("no right", severe), C: StopRefused("gone", mild)}
    outcome = _finished(street.wave_run(refused=refused), 0)
    assert outcome.reason is severe
    assert outcome.detail == f"1 with {severe}; 2 with {mild}; b: no right; a: not there; c: gone"


def test_outcome_of_a_large_wave_stays_short(pool: Pool) -> None:
    """The outcome quotes Azure for a few apps of each reason, and counts the others."""
    street = desk(pool, *(hosted(f"app-{number}") for number in range(200)))
    reasons = (Reason.DENIED_BY_AZURE, Reason.NO_SUCH_SITE, Reason.UNANSWERED)
    refused = {ref: StopRefused("x" * 9000, reasons[number % 3]) for number, ref in enumerate(street.estate.sites)}
    detail = _finished(street.wave_run(refused=refused), 0).detail
    assert len(detail) < 8_000
    assert [detail.count(f"more apps with {reason}") for reason in reasons] == [1, 1, 1]


# ------------------------------------------------------------------------------------------ restart claims given up


def test_app_that_was_not_stopped_leaves_its_place_to_others(pool: Pool) -> None:
    """An app gives up its claim on the restart budget if it was already stopped or if Azure refused to stop it."""
    street = desk(pool, hosted("a"), hosted("b"))
    wave_run = street.wave_run()
    wave = next_apps(wave_run)
    street.estate.sites[A] = replace(street.estate.sites[A], running=False)
    street.estate.fails["stop", B] = Denied("no")
    carry_wave(wave_run, wave)
    assert street.estate.asked == [("stop", B)]
    assert street.states() == {A: AppRestartState.EXCLUDED, B: AppRestartState.PENDING}
    for place in (FRONT, ASE.resource_id):
        assert street.run().ports.restart_claims.restarting(place, OTHER_ASE) == ()


def test_app_that_others_are_at_work_on_keeps_its_place(pool: Pool) -> None:
    """An app whose lease another run has still counts as down for the limit of apps that Certroll may stop together."""
    street = desk(pool, hosted("a"))
    wave_run = street.wave_run()
    wave = next_apps(wave_run)
    street.leases.busy.add(f"site {A.resource_id}")
    assert carry_wave(wave_run, wave).busy == {A}
    assert street.run().ports.restart_claims.restarting(FRONT, OTHER_ASE) == (A,)


def test_app_that_could_not_be_started_keeps_its_place(pool: Pool) -> None:
    """An app that Azure refuses to start still counts as down, so that Certroll stops no other app of the plan."""
    street = desk(pool, hosted("a"), hosted("b"))
    street.estate.fails["start", A] = Denied("no")
    wave_run = street.wave_run(most=1)
    assert carry_wave(wave_run, next_apps(wave_run)).refused[A].reason is Reason.DENIED_BY_AZURE
    assert await_starts(street.run(), ASE, 0) is not None
    restart_claims = street.run().ports.restart_claims
    assert restart_claims.restarting(FRONT, OTHER_ASE) == (A,)
    assert not restart_claims.claim(FRONT, B, REF, 1)


def test_app_that_was_stopped_and_started_leaves_its_place_to_others(pool: Pool) -> None:
    """After its stop and start, an app gives up its claims on the restart budgets of its plan and environment."""
    street = desk(pool, hosted("a"))
    wave_run = street.wave_run()
    carry_wave(wave_run, next_apps(wave_run))
    assert street.estate.asked == [("stop", A), ("start", A)]
    assert street.states() == {A: AppRestartState.UNPROVEN}
    for place in (FRONT, ASE.resource_id):
        assert street.run().ports.restart_claims.restarting(place, OTHER_ASE) == ()


# --------------------------------------------------------------------------------------------------- the environment


def noted(street: Desk, inside: EnvironmentRef = ASE) -> None:
    """Record a root certificate that Certroll expects in the App Service Environment."""
    street.run().ports.environment_records.change(
        inside, lambda environment_record: environment_record.noting(NEW, NOW - HOUR)
    )


def test_start_that_another_environment_owes_holds_up_nobody(pool: Pool) -> None:
    """A pending start of an app in one App Service Environment does not delay the stops in another environment.

    A pending start is the start of an app that Certroll stopped and still has to start.
    """
    street = desk(pool, hosted("a"))
    noted(street)
    street.run().ports.pending_starts.record(PendingStart(A, OTHER_ASE, NOW))
    outcome = reconcile_environment(street.run(), EnvironmentMessage(ASE))
    assert isinstance(outcome, Waiting)
    assert outcome.reason is Reason.ROOT_NOT_THERE
    street.run().ports.pending_starts.record(PendingStart(A, ASE, NOW))
    outcome = reconcile_environment(street.run(), EnvironmentMessage(ASE))
    assert outcome.reason is Reason.START_PENDING


def test_crash_while_apps_are_listed_lists_them_again(pool: Pool) -> None:
    """Certroll repeats a run that crashed while it recorded 60 apps.

    After a crash and a repeated run, each recorded app still waits for its stop.

    Certroll writes the records of 60 apps in two transactions, and afterwards the environment's record.
    """
    names = [f"app-{number:02}" for number in range(60)]
    for lasts in range(9):
        street = desk(pool, *(hosted(name) for name in names))
        noted(street)
        street.estate.there = (root("certroll", NEW),)
        street.storage.lasts = lasts
        try:
            reconcile_environment(street.run(), EnvironmentMessage(ASE))
        except Died:
            street.storage.lasts = None
        street.storage.lasts = None
        outcome = reconcile_environment(street.run(), EnvironmentMessage(ASE))
        assert isinstance(outcome, Stalled)
        assert outcome.reason is Reason.STOP_START_BY_HAND
        assert set(street.states().values()) == {AppRestartState.PENDING}, f"after {lasts} writes"


def test_who_says_that_it_is_done_frees_what_was_counted(pool: Pool) -> None:
    """When an operator reports the stop and start as done, started apps no longer count as restarting.

    An operator's report of a finished stop and start leaves apps that had answered unchanged, and excludes all other
    apps.
    """
    street = desk(pool, *(hosted(name) for name in "abc"))
    restart_claims, ports = street.run().ports.restart_claims, street.run().ports
    apps = [pending(street.estate.sites[ref]) for ref in (A, B, C)]
    states = (AppRestartState.STARTED, AppRestartState.ANSWERED, AppRestartState.PENDING)
    ports.app_restarts.put(ASE, [app.now(state, NOW) for app, state in zip(apps, states, strict=True)])
    for place in (FRONT, ASE.resource_id):
        assert restart_claims.claim(place, A, ASE, 1)
    record_stop_start_by_hand(street.run(), ASE)
    assert street.states() == {A: AppRestartState.EXCLUDED, B: AppRestartState.ANSWERED, C: AppRestartState.EXCLUDED}
    assert not ports.environment_records.of(ASE).is_open
    for place in (FRONT, ASE.resource_id):
        assert restart_claims.restarting(place, OTHER_ASE) == ()


def test_sweep_reminds_of_what_is_left_alone(pool: Pool) -> None:
    """The sweep sends a message for each environment in which apps wait for a stop, and for no finished environment."""
    street = desk(pool)
    noted(street)
    street.run().ports.environment_records.put(EnvironmentRecord(OTHER_ASE, since=NOW - HOUR, done_at=NOW))
    assert remind(street.run()) == (ASE,)
    assert street.estate.sent == [ASE]


# ------------------------------------------------------------------------------------------------------- pending starts


def record_start(street: Desk, ref: SiteRef, ago: timedelta = SECOND) -> None:
    """Record that the start of an app has been pending for the given time."""
    street.run().ports.pending_starts.record(PendingStart(ref, ASE, street.clock.now() - ago))


def left(street: Desk) -> list[SiteRef]:
    """Return the apps that Certroll stopped and still has to start."""
    return [start.site for start in street.run().ports.pending_starts.all()]


def test_every_minute_begins_with_another_app(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer for pending starts begins each run with another app, so that a slow app delays no app for ever."""
    monkeypatch.setattr(pending_starts, "MOST_THREADS", 1)
    street = desk(pool, *(hosted(name, running=False) for name in "abc"))
    for ref in (A, B, C):
        record_start(street, ref)
    tried = []
    for minute in range(3):
        street.clock.time = NOW + timedelta(minutes=minute)
        leases = Slow(clock=street.clock)
        run = street.run()
        complete_pending_starts(replace(run, ports=replace(run.ports, leases=leases)))
        tried += leases.tried
    assert sorted(tried) == [f"site {ref.resource_id}" for ref in (A, B, C)]


@dataclass
class Slow(SmallLeases):
    """This fake run uses up all its time while it waits for an app's lease, which another instance then takes."""

    clock: ManualClock = field(default_factory=ManualClock)
    tried: list[str] = field(default_factory=list)

    @contextmanager
    def hold(self, name: str) -> Iterator[SmallLeases]:
        """Move the clock on by the whole time of a run, and then report that another instance has the lease."""
        self.tried.append(name)
        self.clock.sleep(TIME_BUDGET.total_seconds())
        self.busy.add(name)
        with super().hold(name) as lease:
            yield lease


def test_app_that_somebody_is_at_work_on_is_not_started_twice(pool: Pool) -> None:
    """The timer for pending starts does not start an app while the run that stopped the app has the app's lease."""
    street = desk(pool, hosted("a", running=False))
    record_start(street, A)
    street.leases.busy.add(f"site {A.resource_id}")
    complete_pending_starts(street.run())
    assert street.estate.asked == []
    assert left(street) == [A]


def test_app_that_was_paid_while_its_lease_was_waited_for_stays_as_people_left_it(pool: Pool) -> None:
    """The timer leaves an app stopped if another run completed the app's start while the timer waited for the lease."""
    street = desk(pool, hosted("a", running=False))
    record_start(street, A)
    run = street.run()

    @contextmanager
    def paying(_: str) -> Iterator[SmallLeases]:
        run.ports.pending_starts.complete(A)
        yield street.leases

    leases: Any = street.leases
    leases.hold = paying
    complete_pending_starts(run)
    assert street.estate.asked == []


def test_start_stays_owed_while_the_stop_may_still_come(pool: Pool) -> None:
    """A start stays pending for five minutes if the app runs, because a crashed run's stop may still arrive."""
    street = desk(pool, hosted("a"))
    record_start(street, A, STOP_MAY_COME - SECOND)
    complete_pending_starts(street.run())
    assert left(street) == [A]
    street.clock.sleep(1)
    complete_pending_starts(street.run())
    assert left(street) == []
    assert street.estate.sent == [ASE]
    assert street.estate.asked == []


def test_app_that_azure_does_not_know_is_owed_its_start_for_an_hour(pool: Pool) -> None:
    """If Azure answers 404 for an app for an hour, Certroll drops the app's pending start.

    Azure sometimes answers 404 for an app that exists.
    """
    street = desk(pool, hosted("a", running=False))
    street.estate.fails["look", A] = NotFound("gone")
    record_start(street, A, GONE_AFTER - SECOND)
    complete_pending_starts(street.run())
    assert left(street) == [A]
    street.clock.sleep(1)
    complete_pending_starts(street.run())
    assert left(street) == []


def test_one_app_that_cannot_be_started_holds_up_no_other(pool: Pool) -> None:
    """If Azure fails to start an app, its start stays pending.

    Even after a failed start, the timer starts the other apps, and the timer's run fails at the end.
    """
    street = desk(pool, hosted("a", running=False), hosted("b", running=False))
    street.estate.fails["start", A] = Denied("no")
    for ref in (A, B):
        record_start(street, ref)
    with pytest.raises(ExceptionGroup):
        complete_pending_starts(street.run())
    assert street.estate.sites[B].running
    assert A in left(street)


@pytest.mark.parametrize(
    ("since", "state"),
    [
        pytest.param(NOW - HOUR, AppRestartState.STARTED, id="its stop came after the apps were listed"),
        pytest.param(NOW, AppRestartState.PENDING, id="its stop was for an earlier root"),
        pytest.param(None, AppRestartState.PENDING, id="the apps were never listed"),
    ],
)
def test_start_that_is_paid_counts_for_the_root_that_it_was_stopped_for(
    pool: Pool,
    since: datetime | None,
    state: AppRestartState,
) -> None:
    """If the timer starts an app, the start counts as a restart for each root that arrived before the app's stop."""
    street = desk(pool, hosted("a", running=False), hosted("b"))
    ports = street.run().ports
    ports.environment_records.put(EnvironmentRecord(ASE, since=since))
    ports.app_restarts.put(ASE, [pending(site) for site in street.estate.sites.values()])
    record_start(street, A)
    complete_pending_starts(street.run())
    assert street.estate.asked == [("start", A)]
    assert street.states() == {A: state, B: AppRestartState.PENDING}


def test_stop_of_which_nobody_knows_is_followed_by_a_start(pool: Pool) -> None:
    """Certroll starts an app at once if Azure gave no answer to its stop, and the start stays recorded as pending."""
    street = desk(pool, hosted("a"))
    street.estate.fails["stop", A] = OutcomeUnknown("504")
    wave_run = street.wave_run()
    assert carry_wave(wave_run, next_apps(wave_run)).refused[A].reason is Reason.UNANSWERED
    assert street.estate.asked == [("stop", A), ("start", A)]
    assert left(street) == [A]
    assert street.run().ports.restart_claims.restarting(FRONT, OTHER_ASE) == (A,)


# --------------------------------------------------------------------------------------------- runs without enough time


def out_of_time(street: Desk) -> Callable[[EnvironmentRef], Listing[Any]]:
    """Return a request for a list of the environment that takes the whole time of the run."""

    def request(_: EnvironmentRef) -> Listing[Any]:
        street.clock.sleep(TIME_BUDGET.total_seconds())
        raise OutOfTime("the time of this run is over before Azure answered all reads")

    return request


@pytest.mark.parametrize("list_name", ["roots", "listed"])
def test_environment_whose_reads_never_end_is_left_to_the_sweep(pool: Pool, list_name: str) -> None:
    """If no run has the time to read an environment, Certroll pauses longer and longer, and leaves it to the sweep."""
    street = desk(pool, hosted("a"))
    noted(street)
    street.estate.there = (root("certroll", NEW),)
    setattr(street.estate, list_name, out_of_time(street))
    message: EnvironmentMessage | None = EnvironmentMessage(ASE)
    pauses = []
    while message is not None:
        assert len(pauses) <= MOST_WAITS, "no end"
        outcome = reconcile_environment(street.run(), message)
        assert isinstance(outcome, Waiting)
        assert outcome.reason is Reason.OUT_OF_TIME
        pauses.append(outcome.until - street.clock.now())
        message = message.next_wait(progress=outcome.progress)
    assert pauses == sorted(pauses)
    assert pauses[0] == BUSY_PAUSE
    assert pauses[-1] == LONGEST_PAUSE


def test_app_that_answers_too_late_hides_no_other(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the run ends during the probe of one started app, Certroll records the other apps that have answered."""
    street = desk(pool, hosted("a"), hosted("b"))
    wave_run = street.wave_run()
    wave_run = wave_run.record([app.now(AppRestartState.STARTED, NOW) for app in wave_run.apps])

    def judged(_: WaveRun, __: object, app: AppRestart) -> AppRestart:
        if app.site == A:
            raise OutOfTime("the time of this run ended during the probe of a")
        return app.now(AppRestartState.ANSWERED, NOW)

    monkeypatch.setattr(answers, "_judged", judged)
    with pytest.raises(OutOfTime, match="during the probe of a"):
        answers.ask_started(wave_run)
    assert street.states() == {A: AppRestartState.STARTED, B: AppRestartState.ANSWERED}


def test_run_that_changed_an_app_goes_on_at_once(pool: Pool) -> None:
    """If a run changed the record of an app before its time was over, its message comes back at once, with no wait."""
    street = desk(pool, hosted("a"))
    street.run().ports.environment_records.put(EnvironmentRecord(ASE, since=NOW - HOUR))
    street.run().ports.app_restarts.put(ASE, [pending(site) for site in street.estate.sites.values()])
    wave = street.estate.stop

    def stop(ref: SiteRef) -> None:
        wave(ref)
        street.clock.sleep(TIME_BUDGET.total_seconds())

    street.estate.stop = stop  # type: ignore[method-assign]
    outcome = reconcile_environment(street.run(MaxUnavailable(9)), EnvironmentMessage(ASE, waits=7))
    assert outcome == Waiting(street.clock.now(), Reason.OUT_OF_TIME, outcome.detail, progress=True)


# ------------------------------------------------------------------------------------------------------------- turns


def test_apps_that_cannot_be_stopped_starve_no_app_behind_them(pool: Pool) -> None:
    """If Azure throttles the stop of an app for good, the run goes on, and the next run begins with another app."""
    street = desk(pool, hosted("a"), hosted("b"), hosted("c"))
    street.estate.fails = {("stop", A): Throttled("429"), ("stop", B): Throttled("429")}
    wave_run = street.wave_run(most=1)
    for sick in (A, B):
        assert going(wave_run) == [sick]
        after = carry_wave(wave_run, next_apps(wave_run))
        assert {site: refusal.reason for site, refusal in after.refused.items()} == {sick: Reason.UNANSWERED}
    carry_wave(wave_run, next_apps(wave_run))
    assert street.states()[C] is not AppRestartState.PENDING
