"""What holds of every wave, whatever the apps of an environment, their plans, groups and limits are."""

from collections.abc import Collection
from itertools import product
from random import Random

from hypothesis import find, given
from hypothesis import strategies as st

from shared.domain.names import SiteRef
from shared.domain.waves import MostDown, WaveApp, all_waves, next_wave
from tests.build import site_ref

SITES = tuple(site_ref(name, slot) for name, slot in product("abcde", (None, "s", "t")))
PLANS = ("p", "p", "q", "r")
GROUPS = tuple(map(frozenset, ("", "", "", "x", "x", "y", "z", "xy", "yz", "xyz")))
Fleet = tuple[WaveApp, ...]
Case = tuple[Fleet, frozenset[SiteRef], MostDown]

limits = st.integers(1, 6).map(MostDown) | st.integers(1, 100).map(lambda percent: MostDown(percent, percent=True))
made_apps = st.sampled_from(
    [
        (plan, groups, runs, waits)
        for plan, groups, runs, waits in product(PLANS, GROUPS, (True, True, True, False), (True, True, False))
    ]
)


some_sites = st.lists(st.sampled_from(SITES), min_size=1, max_size=12, unique=True)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return the apps of an environment in any order, which of them wait, and how many may be down."""
    sites = draw(some_sites)
    drawn = [(site, *draw(made_apps)) for site in sites]
    apps = tuple(WaveApp(site, plan, groups, runs) for site, plan, groups, runs, _ in drawn)
    return apps, frozenset(site for site, *_, waits in drawn if waits), draw(limits)


any_cases = cases()


@st.composite
def cases_under_way(draw: st.DrawFn) -> tuple[Case, frozenset[SiteRef]]:
    """Return such apps of which some are down already, whether they wait or not, and one that is not among them."""
    case = draw(any_cases)
    some = draw(st.sets(st.sampled_from([app.site for app in case[0]])))
    return case, frozenset({*some, site_ref("elsewhere")})


def allowed(most: MostDown, apps: int) -> int:
    """Return the largest number that is not more than the share of so many apps; one app in any case."""
    if not most.percent:
        return most.number
    return max(number for number in range(apps + 2) if number == 1 or number * 100 <= most.number * apps)


def too_many(apps: Fleet, down: Collection[SiteRef], most: MostDown) -> set[str]:
    """Return the plans on which more apps that run would be down than allowed; an empty name is for all together."""
    running = [app for app in apps if app.runs]
    places = {"": running, **{plan: [app for app in running if app.plan == plan] for plan in PLANS}}
    going = {plan: [app for app in found if app.site in down] for plan, found in places.items()}
    return {plan for plan, found in going.items() if len(found) > allowed(most, len(places[plan]))}


def darkened(apps: Fleet, down: Collection[SiteRef]) -> set[str]:
    """Return the groups of several members that would have none that runs, and had one before."""
    members = {name: [app for app in apps if name in app.groups] for app in apps for name in app.groups}
    return {
        name
        for name, found in members.items()
        if len(found) > 1
        and any(app.runs for app in found)
        and not any(app.runs and app.site not in down for app in found)
    }


def fits(apps: Fleet, down: Collection[SiteRef], most: MostDown) -> bool:
    """Say whether all of these may be down at once."""
    return not too_many(apps, down, most) and not darkened(apps, down)


@given(cases())
def test_every_app_goes_once_or_is_named(case: Case) -> None:
    """What waits and runs is in exactly one wave, or is kept with a group that has it alone left; nothing else goes."""
    apps, waiting, most = case
    waves = all_waves(apps, waiting, most)
    going = [site for wave in waves.waves for site in wave]
    assert sorted([*going, *(site for site, _ in waves.kept)]) == sorted(
        app.site for app in apps if app.site in waiting and app.runs
    )
    for site, group in waves.kept:
        members = [app for app in apps if group in app.groups]
        assert len(members) > 1
        assert [app.site for app in members if app.runs] == [site]
    assert all(waves.waves)


@given(cases())
def test_no_wave_takes_too_much_down(case: Case) -> None:
    """A wave is within the limit in all and on each plan, and leaves one of every group that has several members."""
    apps, waiting, most = case
    for wave in all_waves(apps, waiting, most).waves:
        assert too_many(apps, wave, most) == set()
        assert darkened(apps, wave) == set()


@given(cases())
def test_no_wave_is_smaller_than_it_has_to_be(case: Case) -> None:
    """What waits for a later wave would not have been allowed in an earlier one beside the others."""
    apps, waiting, most = case
    waves = all_waves(apps, waiting, most).waves
    for number, wave in enumerate(waves):
        for later in (site for other in waves[number + 1 :] for site in other):
            assert not fits(apps, {*wave, later}, most)


@given(cases())
def test_slots_go_first(case: Case) -> None:
    """No slot stays out of the first wave to make room for a site in production."""
    apps, waiting, most = case
    waves = all_waves(apps, waiting, most).waves
    early = [site for site in (waves[0] if waves else ()) if site.slot is not None]
    late = [site for wave in waves[1:] for site in wave if site.slot is not None]
    assert not [slot for slot in late if fits(apps, {*early, slot}, most)]


@given(cases(), st.randoms())
def test_order_of_the_apps_means_nothing(case: Case, chance: Random) -> None:
    """The same apps give the same waves however they are listed."""
    apps, waiting, most = case
    others = sorted(apps, key=lambda _: chance.random())
    some = sorted(waiting, key=lambda _: chance.random())
    assert all_waves(others, some, most) == all_waves(apps, waiting, most)
    assert next_wave(others, some, most) == next_wave(apps, waiting, most)


@given(cases_under_way())
def test_what_is_down_already_counts(found: tuple[Case, frozenset[SiteRef]]) -> None:
    """Beside apps that are down, no wave brings any number over its limit, nor takes the last one of a group."""
    (apps, waiting, most), down = found
    wave = next_wave(apps, waiting, most, down)
    by_site = {app.site: app for app in apps}
    assert down.isdisjoint(wave)
    assert all(by_site[site].runs and site in waiting for site in wave)
    assert len(set(wave)) == len(wave)
    after = too_many(apps, {*down, *wave}, most)
    assert not after & {"", *(by_site[site].plan for site in wave)} or not wave
    assert darkened(apps, {*down, *wave}) <= darkened(apps, down)


@given(cases_under_way())
def test_what_is_not_down_may_go(found: tuple[Case, frozenset[SiteRef]]) -> None:
    """Where nothing goes, every app that waits would have been one too many, or the last of its group."""
    (apps, waiting, most), down = found
    if next_wave(apps, waiting, most, down) or not fits(apps, down, most):
        return
    left = (app.site for app in apps if app.site in waiting and app.runs and app.site not in down)
    assert not [site for site in left if fits(apps, {*down, site}, most)]


def test_fleets_are_worth_trying() -> None:
    """The fleets above hold some that need many waves, some with an app that is kept, and some that wait for others."""
    assert find(cases(), lambda case: len(all_waves(*case).waves) > 2)
    assert find(cases(), lambda case: bool(all_waves(*case).kept))
    assert find(cases(), lambda case: any(len(wave) > 2 for wave in all_waves(*case).waves) and case[2].percent)
    assert find(cases_under_way(), lambda found: bool(next_wave(*found[0])) and not next_wave(*found[0], found[1]))
