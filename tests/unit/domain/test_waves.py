"""Certroll stops and starts apps of an environment in waves, within the limits of environment, plans and groups."""

from datetime import timedelta

import pytest

from shared.domain.environments.apps import WaveApp, parse_groups, wave_apps
from shared.domain.environments.waves import Waves, all_waves, last_of_group, next_wave
from shared.domain.fleet.fleet import Fleet
from shared.domain.names import SiteRef
from shared.domain.rollout.budget import MaxUnavailable
from tests.build import ASE, NOW, OTHER_ASE, site, site_ref

BAD_LIMIT = "write how many apps may be down at once as a number from 1, or as a percentage: 1% to 100%"
A, B, C, D = (site_ref(name) for name in "abcd")
SLOT = site_ref("c", "staging")


def app(site: SiteRef, *groups: str, plan: str = "p", runs: bool = True) -> WaveApp:
    """Return an app, by default an app that runs on the plan `p`."""
    return WaveApp(site, plan, frozenset(groups), runs)


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        pytest.param("3", MaxUnavailable(3), "3", id="a number"),
        pytest.param(" 12 ", MaxUnavailable(12), "12", id="blanks around it"),
        pytest.param("99999", MaxUnavailable(99999), "99999", id="the largest number"),
        pytest.param("25%", MaxUnavailable(25, percent=True), "25%", id="a share"),
        pytest.param(" 25 % ", MaxUnavailable(25, percent=True), "25%", id="a share with blanks"),
        pytest.param("1%", MaxUnavailable(1, percent=True), "1%", id="the smallest share"),
        pytest.param("100%", MaxUnavailable(100, percent=True), "100%", id="all of them"),
        pytest.param("101", MaxUnavailable(101), "101", id="a number may be more than a hundred"),
    ],
)
def test_limit_is_a_number_or_a_share(text: str, most: MaxUnavailable, shown: str) -> None:
    """Certroll reads the limit of apps that may be down as a number or a percentage, and shows the same form again."""
    assert MaxUnavailable.parse(text) == most
    assert str(most) == shown


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("%", id="a share of nothing"),
        pytest.param("0", id="none at all"),
        pytest.param("0%", id="a share of none"),
        pytest.param("101%", id="more than all"),
        pytest.param("-1", id="less than none"),
        pytest.param("+1", id="a sign"),
        pytest.param("1.5", id="a fraction"),
        pytest.param("25%%", id="two signs"),
        pytest.param("%25", id="the sign in front"),
        pytest.param("three", id="a word"),
        pytest.param("\u0663", id="a digit of another script"),
        pytest.param("\u00b2", id="a digit that is raised"),
        pytest.param("100000", id="a number too large"),
        pytest.param("9" * 5000, id="a number that nobody can read"),
    ],
)
def test_what_is_no_limit_is_refused_with_the_cure(text: str) -> None:
    """Certroll refuses a malformed limit of apps that may be down, and the error shows how to write a limit."""
    with pytest.raises(ValueError, match="from 1, or as a percentage") as caught:
        MaxUnavailable.parse(text)
    assert str(caught.value) == BAD_LIMIT


@pytest.mark.parametrize(
    ("most", "apps", "down"),
    [
        pytest.param(MaxUnavailable(3), 12, 3, id="a number is itself"),
        pytest.param(MaxUnavailable(3), 2, 3, id="a number does not ask how many there are"),
        pytest.param(MaxUnavailable(25, percent=True), 12, 3, id="a share"),
        pytest.param(MaxUnavailable(25, percent=True), 11, 2, id="a share is rounded down"),
        pytest.param(MaxUnavailable(25, percent=True), 3, 1, id="a share that would be none is one"),
        pytest.param(MaxUnavailable(1, percent=True), 0, 1, id="a share of none is one"),
        pytest.param(MaxUnavailable(29, percent=True), 100, 29, id="a share is exact"),
        pytest.param(MaxUnavailable(100, percent=True), 7, 7, id="all of them"),
    ],
)
def test_share_is_of_what_there_is(most: MaxUnavailable, apps: int, down: int) -> None:
    """Certroll rounds a percentage limit of apps down to at least one app, and uses a numeric limit unchanged."""
    assert most.of(apps) == down


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        pytest.param(None, "", id="no tag"),
        pytest.param("", "", id="an empty tag"),
        pytest.param(" , ,", "", id="nothing between commas"),
        pytest.param("web", "web", id="one group"),
        pytest.param(" Web ,API,web, ", "web api", id="several, in any case, each once"),
        pytest.param("front end", "front-end", id="a name may have blanks"),
    ],
)
def test_groups_are_those_of_the_tag(value: str | None, groups: str) -> None:
    """The tag `certroll-group` names groups of apps, separated by commas, in any letter case."""
    assert parse_groups(value) == {name.replace("-", " ") for name in groups.split()}


@pytest.mark.parametrize(
    ("apps", "group"),
    [
        pytest.param([app(A)], None, id="it has no group"),
        pytest.param([app(A, "g")], None, id="it is its group's only member"),
        pytest.param([app(A, "g"), app(B, "g")], None, id="another one runs"),
        pytest.param([app(A, "g"), app(B, "g", runs=False), app(C, "g")], None, id="one of two others runs"),
        pytest.param([app(A, "g"), app(B, "g", runs=False)], "g", id="the other one is stopped"),
        pytest.param([app(A, "g"), app(B, "h", runs=False)], None, id="what is stopped is of another group"),
        pytest.param([app(A, "g", "h"), app(B, "g"), app(C, "h", runs=False)], "h", id="last of one of two groups"),
        pytest.param(
            [app(A, "h", "g"), app(B, "g", "h", runs=False)], "g", id="last of two groups, of which one is named"
        ),
        pytest.param([app(A, "g", runs=False), app(B, "g", runs=False)], None, id="it does not run itself"),
    ],
)
def test_last_of_a_group_is_known(apps: list[WaveApp], group: str | None) -> None:
    """A running app is the last of its `certroll-group` if all other apps of the group are stopped."""
    assert last_of_group(apps, A) == last_of_group(apps[::-1], A) == group


@pytest.mark.parametrize(
    ("apps", "most", "waves", "kept"),
    [
        pytest.param([], "1", [], [], id="no apps"),
        pytest.param([app(C), app(A), app(B)], "2", [[A, B], [C]], [], id="two at a time, in order"),
        pytest.param([app(A), app(B, plan="q")], "1", [[A], [B]], [], id="one at a time over two plans"),
        pytest.param([app(A), app(B), app(C)], "50%", [[A], [B], [C]], [], id="half of three is one"),
        pytest.param(
            [app(A), app(B), app(C, plan="q"), app(D, plan="q")], "50%", [[A, C], [B, D]], [], id="half of each plan"
        ),
        pytest.param([app(A), app(SLOT), app(B)], "1", [[SLOT], [A], [B]], [], id="slots first"),
        pytest.param([app(A, "g"), app(B, "g"), app(C)], "100%", [[A, C], [B]], [], id="one of a group stays up"),
        pytest.param(
            [app(A, "g"), app(B, "g", runs=False), app(C)], "3", [[C]], [(A, "g")], id="the last of a group is kept"
        ),
        pytest.param([app(A, "g"), app(B)], "2", [[A, B]], [], id="a group of one goes"),
    ],
)
def test_small_environments_go_as_expected(
    apps: list[WaveApp], most: str, waves: list[list[SiteRef]], kept: list[tuple[SiteRef, str]]
) -> None:
    """Certroll stops the apps of the example App Service Environments in the expected waves (apps stopped together)."""
    found = all_waves(apps, [member.site for member in apps], MaxUnavailable.parse(most))
    assert found == Waves(tuple(map(tuple, waves)), tuple(kept))


def test_what_is_kept_is_named_in_order() -> None:
    """Certroll names each app that it excludes as the last running app of a `certroll-group`, with the group."""
    apps = [app(B, "h"), app(A, "g"), app(C, "g", "h", runs=False)]
    assert all_waves(apps, [A, B], MaxUnavailable(2)) == Waves((), ((A, "g"), (B, "h")))


def test_what_is_down_takes_the_place_of_others() -> None:
    """An app that restarts for another reason counts towards the limit of apps that Certroll may stop together.

    An app that restarts for another reason keeps the other apps of its `certroll-group` running.
    """
    apps = [app(A, "g"), app(B, "g"), app(C)]
    assert next_wave(apps, [A, B, C], MaxUnavailable(2), [A]) == (C,)
    assert next_wave(apps, [A, B, C], MaxUnavailable(1), [A]) == ()
    assert next_wave([app(A), app(B, plan="q")], [A, B], MaxUnavailable(50, percent=True), [site_ref("gone")]) == (A,)


def test_app_that_is_stopped_is_in_no_wave() -> None:
    """A stopped app is in no wave of stops and does not count towards the limit of apps that may be down."""
    assert next_wave([app(A, runs=False), app(B), app(C)], [A, B, C], MaxUnavailable(1)) == (B,)


def test_apps_of_other_environments_are_not_counted() -> None:
    """Percentage limits and `certroll-group` tags count only the apps of the same App Service Environment."""
    inside = site("a", plan="p", environment=ASE)
    fleet = Fleet(NOW, (inside, site("b", environment=OTHER_ASE), site("c")))
    assert wave_apps(fleet, ASE) == (app(A),)


def test_waves_take_as_long_as_there_are_many() -> None:
    """The duration of several waves (apps stopped together) is the sum of the durations of the waves."""
    each = timedelta(seconds=90)
    assert Waves(((A, B), (C,))).takes(each) == timedelta(minutes=3)
    assert Waves(()).takes(each) == timedelta(0)
