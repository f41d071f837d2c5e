"""Check which apps Certroll stops together (a wave), with random apps, plans and limits."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import product
from random import Random

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from shared.domain.environments.apps import WaveApp
from shared.domain.environments.waves import Waves, all_waves, next_wave
from shared.domain.names import SiteRef
from shared.domain.rollout.budget import MaxUnavailable
from tests.build import site_ref
from tests.properties.promises import Broken, Promise, keep, times

SITES = tuple(site_ref(name, slot) for name, slot in product("abcde", (None, "s", "t")))
PLANS = ("p", "p", "q", "r")
GROUPS = tuple(map(frozenset, ("", "", "", "x", "x", "y", "z", "xy", "yz", "xyz")))
ELSEWHERE = site_ref("elsewhere")
Fleet = tuple[WaveApp, ...]
AllWaves = Callable[[Fleet, Collection[SiteRef], MaxUnavailable], Waves]
NextWave = Callable[[Fleet, Collection[SiteRef], MaxUnavailable, Collection[SiteRef]], tuple[SiteRef, ...]]

limits = st.integers(1, 6).map(MaxUnavailable) | st.integers(1, 100).map(
    lambda percent: MaxUnavailable(percent, percent=True)
)
# Each draw gives an app's plan and groups, and whether the app runs, waits for a restart and is already down.
made_apps = st.sampled_from(
    list(product(PLANS, GROUPS, (True, True, True, False), (True, True, False), (True, False, False)))
)


@dataclass(frozen=True)
class Case:
    """An environment's apps (some wait, some are down), the limit on down apps, and the tested wave functions."""

    apps: Fleet
    waiting: frozenset[SiteRef]
    down: frozenset[SiteRef]
    most: MaxUnavailable
    seed: int = 0
    makes_all: AllWaves = all_waves
    makes_next: NextWave = next_wave

    @property
    def all(self) -> Waves:
        """Return all waves (apps to stop together), wrongly computed as if no app were down."""
        return self.makes_all(self.apps, self.waiting, self.most)

    @property
    def next(self) -> tuple[SiteRef, ...]:
        """Return the next wave (apps to stop together) in a test case where some apps are down."""
        return self.makes_next(self.apps, self.waiting, self.most, self.down)


some_sites = st.integers(1, 2 ** len(SITES) - 1).map(
    lambda bits: tuple(site for number, site in enumerate(SITES) if bits >> number & 1)
)
seeds = st.integers(0, 99)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return a case with the apps of an environment in any order, and a down app outside of the environment."""
    seed = draw(seeds)
    drawn = [(site, *draw(made_apps)) for site in draw(some_sites)]
    apps = [WaveApp(site, plan, groups, runs) for site, plan, groups, runs, *_ in drawn]
    Random(seed).shuffle(apps)  # noqa: S311 - it shuffles
    waiting = frozenset(site for site, *_, waits, _ in drawn if waits)
    down = frozenset(site for site, *_, is_down in drawn if is_down)
    return Case(tuple(apps), waiting, down | {ELSEWHERE}, draw(limits), seed)


def allowed(most: MaxUnavailable, apps: int) -> int:
    """Return how many apps may be down at once: a percentage of all apps, rounded down, but at least one."""
    if not most.percent:
        return most.number
    return max(number for number in range(apps + 2) if number == 1 or number * 100 <= most.number * apps)


def too_many(apps: Fleet, down: Collection[SiteRef], most: MaxUnavailable) -> set[str]:
    """Return the App Service plans on which more running apps would be down than allowed.

    An empty plan name stands for all App Service plans together.
    """
    running = [app for app in apps if app.runs]
    places = {"": running, **{plan: [app for app in running if app.plan == plan] for plan in PLANS}}
    going = {plan: [app for app in found if app.site in down] for plan, found in places.items()}
    return {plan for plan, found in going.items() if len(found) > allowed(most, len(places[plan]))}


def darkened(apps: Fleet, down: Collection[SiteRef]) -> set[str]:
    """Return the groups of several apps (tag certroll-group) of which some run now, and none would run."""
    members = {name: [app for app in apps if name in app.groups] for app in apps for name in app.groups}
    return {
        name
        for name, found in members.items()
        if len(found) > 1
        and any(app.runs for app in found)
        and not any(app.runs and app.site not in down for app in found)
    }


def fits(apps: Fleet, down: Collection[SiteRef], most: MaxUnavailable) -> bool:
    """Return True if all of the given apps may be down at once."""
    return not too_many(apps, down, most) and not darkened(apps, down)


def every_app_goes_once_or_is_named(case: Case) -> None:
    """Certroll stops each running app that needs a restart once, or reports it as the last running app of a group."""
    waves = case.all
    going = [site for wave in waves.waves for site in wave]
    wanted = sorted(app.site for app in case.apps if app.site in case.waiting and app.runs)
    assert sorted([*going, *(site for site, _ in waves.excluded)]) == wanted
    for site, group in waves.excluded:
        members = [app for app in case.apps if group in app.groups]
        assert len(members) > 1
        assert [app.site for app in members if app.runs] == [site]
    assert all(waves.waves)


def no_wave_takes_too_much_down(case: Case) -> None:
    """Certroll never stops too many apps of a plan or environment together, and keeps an app of each group running."""
    for wave in case.all.waves:
        assert too_many(case.apps, wave, case.most) == set()
        assert darkened(case.apps, wave) == set()


def no_wave_is_smaller_than_it_has_to_be(case: Case) -> None:
    """Certroll stops an app later only if stopping the app together with the earlier apps would break a limit."""
    waves = case.all.waves
    for number, wave in enumerate(waves):
        for later in (site for other in waves[number + 1 :] for site in other):
            assert not fits(case.apps, {*wave, later}, case.most)


def slots_go_first(case: Case) -> None:
    """The first apps that Certroll restarts include every slot that may be down together with the other slots."""
    waves = case.all.waves
    early = [site for site in (waves[0] if waves else ()) if site.slot is not None]
    late = [site for wave in waves[1:] for site in wave if site.slot is not None]
    assert not [slot for slot in late if fits(case.apps, {*early, slot}, case.most)]


def order_of_the_apps_means_nothing(case: Case) -> None:
    """Which apps Certroll stops together does not depend on the order in which Azure lists the apps."""
    chance = Random(case.seed + 1)  # noqa: S311 - it shuffles
    apps, waiting = list(case.apps), sorted(case.waiting)
    chance.shuffle(apps)
    chance.shuffle(waiting)
    assert case.makes_all(tuple(apps), waiting, case.most) == case.all
    assert case.makes_next(tuple(apps), waiting, case.most, case.down) == case.next


def what_is_down_already_counts(case: Case) -> None:
    """The next apps to stop and the down apps together break no limit, and leave an app of each group running."""
    wave, by_site = case.next, {app.site: app for app in case.apps}
    assert case.down.isdisjoint(wave)
    assert all(by_site[site].runs and site in case.waiting for site in wave)
    assert len(set(wave)) == len(wave)
    after = too_many(case.apps, {*case.down, *wave}, case.most)
    assert not after & {"", *(by_site[site].plan for site in wave)} or not wave
    assert darkened(case.apps, {*case.down, *wave}) <= darkened(case.apps, case.down)


def what_is_not_down_may_go(case: Case) -> None:
    """Certroll stops no app only if stopping any waiting app would break a limit or leave a group without an app."""
    if case.next or not fits(case.apps, case.down, case.most):
        return
    left = (app.site for app in case.apps if app.site in case.waiting and app.runs and app.site not in case.down)
    assert not [site for site in left if fits(case.apps, {*case.down, site}, case.most)]


PROMISES: tuple[Promise[Case], ...] = (
    every_app_goes_once_or_is_named,
    no_wave_takes_too_much_down,
    no_wave_is_smaller_than_it_has_to_be,
    slots_go_first,
    order_of_the_apps_means_nothing,
    what_is_down_already_counts,
    what_is_not_down_may_go,
)


@times(0.6, soak=1.5)
@given(cases())
def test_promises_about_waves_are_kept(case: Case) -> None:
    """Certroll's waves (apps to stop together) keep every promise, whatever the apps, plans, groups and limits are."""
    keep(case, PROMISES)


MOST = 2000
"""The number of cases that the test draws, which does not depend on the Hypothesis profile in use."""


@pytest.mark.parametrize(
    "worth",
    [
        pytest.param(lambda case: len(case.all.waves) > 2, id="many waves"),
        pytest.param(lambda case: bool(case.all.excluded), id="an app that is excluded"),
        pytest.param(lambda case: case.most.percent and any(len(wave) > 2 for wave in case.all.waves), id="large"),
        pytest.param(lambda case: not case.next and next_wave(case.apps, case.waiting, case.most), id="some wait"),
    ],
)
def test_fleets_are_worth_trying(worth: Callable[[Case], object]) -> None:
    """The strategy `cases` draws many waves (apps to stop together), last apps of groups, and waiting apps."""
    assert find(cases(), lambda case: bool(worth(case)), settings=settings(max_examples=MOST, phases=[Phase.generate]))


# ------------------------------------------------------------------------------------------ each promise can fail

A, A_SLOT, B = site_ref("a"), site_ref("a", "s"), site_ref("b")
ONE = MaxUnavailable(1)
FREE = Case(
    (WaveApp(A, "p"), WaveApp(A_SLOT, "q"), WaveApp(B, "q")), frozenset({A, A_SLOT, B}), frozenset(), MaxUnavailable(3)
)
NARROW = replace(FREE, most=ONE)
PAIR = Case(
    (WaveApp(A, "p", frozenset("x")), WaveApp(B, "q", frozenset("x"))),
    frozenset({A, B}),
    frozenset(),
    MaxUnavailable(2),
)


def waves(*found: tuple[SiteRef, ...], excluded: tuple[tuple[SiteRef, str], ...] = ()) -> AllWaves:
    """Return a faulty function that always returns the given waves (apps to stop together)."""
    return lambda _apps, _waiting, _limit: Waves(found, excluded)


def wave(*found: SiteRef) -> NextWave:
    """Return a faulty function that always returns the given next wave (apps to stop together)."""
    return lambda _apps, _waiting, _most, _down: found


def unsorted(apps: Fleet, _waiting: object, _most: object, _down: object) -> tuple[SiteRef, ...]:
    """Return a wave (apps to stop together) in the order in which Azure lists the apps."""
    return tuple(app.site for app in apps)


def unsorted_waves(apps: Fleet, waiting: object, most: object) -> Waves:
    """Return all apps as one wave, in the order in which Azure lists the apps."""
    return Waves((unsorted(apps, waiting, most, ()),))


BROKEN = (
    Broken(every_app_goes_once_or_is_named, FREE, replace(FREE, makes_all=waves((A, B)))),
    Broken(every_app_goes_once_or_is_named, FREE, replace(FREE, makes_all=waves((A, A_SLOT, B), (A,)))),
    Broken(every_app_goes_once_or_is_named, FREE, replace(FREE, makes_all=waves((A, A_SLOT, B), ()))),
    Broken(every_app_goes_once_or_is_named, PAIR, replace(PAIR, makes_all=waves((A,), excluded=((B, "x"),)))),
    Broken(no_wave_takes_too_much_down, NARROW, replace(NARROW, makes_all=waves((A, B), (A_SLOT,)))),
    Broken(no_wave_takes_too_much_down, PAIR, replace(PAIR, makes_all=waves((A, B)))),
    Broken(no_wave_is_smaller_than_it_has_to_be, FREE, replace(FREE, makes_all=waves((A_SLOT,), (A, B)))),
    Broken(slots_go_first, NARROW, replace(NARROW, makes_all=waves((A,), (A_SLOT,), (B,)))),
    Broken(order_of_the_apps_means_nothing, FREE, replace(FREE, makes_all=unsorted_waves)),
    Broken(order_of_the_apps_means_nothing, FREE, replace(FREE, makes_next=unsorted)),
    Broken(what_is_down_already_counts, NARROW, replace(NARROW, down=frozenset({A}), makes_next=wave(B))),
    Broken(what_is_down_already_counts, FREE, replace(FREE, down=frozenset({A}), makes_next=wave(A))),
    Broken(what_is_down_already_counts, FREE, replace(FREE, waiting=frozenset({A}), makes_next=wave(B))),
    Broken(what_is_down_already_counts, FREE, replace(FREE, makes_next=wave(A, A))),
    Broken(what_is_down_already_counts, PAIR, replace(PAIR, down=frozenset({A}), makes_next=wave(B))),
    Broken(what_is_not_down_may_go, FREE, replace(FREE, makes_next=wave())),
)


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_each_promise_can_fail(broken: Broken[Case]) -> None:
    """The check of a promise about stopped apps fails for apps that break it, and passes for Certroll's choice."""
    broken.is_noticed()


def test_no_promise_is_left_out() -> None:
    """For each promise about waves (apps that Certroll stops together) a test has waves that break the promise."""
    assert {broken.promise for broken in BROKEN} == {*PROMISES}
