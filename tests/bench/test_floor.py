"""Check the floors that the bench computes, and the bars."""

from dataclasses import replace

import pytest

from bench.bars import BARS, judge, missing
from bench.catalogue import SCENARIOS
from bench.figures import COLD, CONTOSO, WARM, Figures
from bench.floor import Needed, floor
from bench.limits import SettingsPosts
from bench.report import bars_table, figures_table, kept_with, read
from bench.sizes import LARGE, MIDDLE, PLANNED

OWN, WRITES = SettingsPosts.OWN, SettingsPosts.WRITES


@pytest.mark.parametrize(
    ("needed", "posts", "left", "seconds"),
    [
        pytest.param(Needed(reads=250), OWN, 0, 250 * 0.15 / 36, id="a full bucket of reads admits 250"),
        pytest.param(Needed(reads=1_250), OWN, 0, 40, id="then 25 reads come back each second"),
        pytest.param(Needed(writes=1_200), OWN, 0, 100, id="10 writes come back each second"),
        pytest.param(Needed(posts=1_200), WRITES, 0, 100, id="settings may be taken from the writes"),
        pytest.param(Needed(posts=1_000, writes=200), WRITES, 0, 100, id="and are added to the writes"),
        pytest.param(Needed(posts=12_000), OWN, 0, 50, id="an own bucket admits 12,000, and the threads limit"),
        pytest.param(Needed(posts=13_000), OWN, 0, 300, id="and 12,000 come back each hour"),
        pytest.param(Needed(posts=10_000), OWN, 1 / 3, 600, id="a third of a bucket stays with other clients"),
    ],
)
def test_the_floor_follows_azures_buckets(needed: Needed, posts: SettingsPosts, left: float, seconds: float) -> None:
    """No work ends before Azure's slowest bucket has admitted its requests, or before its threads have waited."""
    assert floor([needed], posts, steps=1, left=left).seconds == pytest.approx(seconds)


def test_subscriptions_have_buckets_of_their_own() -> None:
    """Twenty subscriptions take no longer than the fullest of them, and their requests add up."""
    needs = [Needed(writes=300)] * 19 + [Needed(writes=400)]
    assert floor(needs, OWN, steps=1, instances=99).seconds == 20
    assert floor(needs, OWN, steps=1).requests == 6_100


def test_steps_in_a_row_take_their_time() -> None:
    """Requests that follow one another take the time of each answer, however few they are."""
    assert floor([Needed(reads=3)], OWN, steps=100).seconds == 15


GOOD = Figures(WARM, str(MIDDLE), "own", 9.0, reads=60, posts=62)


def test_a_bar_holds_up_to_its_value() -> None:
    """A bar holds for its own value, and does not hold for the next higher value."""
    assert [found.holds for found in judge([GOOD, replace(GOOD, seconds=10.1, posts=91)])] == [True, False, True, False]


def test_a_sweep_that_never_ends_breaks_a_bar() -> None:
    """A sweep without its event `sweep.completed` breaks a bar, however few its requests are."""
    never = Figures(COLD, str(LARGE), "own", 100.0, floor_seconds=99.0, more={"completed": 0})
    assert [found.holds for found in judge([never])] == [False, True]


def test_a_bar_without_a_figure_is_not_met() -> None:
    """A bar without a figure is named, so that the documentation shows whether each bar holds."""
    assert WARM not in {bar.figure for bar in missing([GOOD]) if bar.fleet == GOOD.fleet}
    assert {bar.figure for bar in missing([])} == {bar.figure for bar in BARS}


def test_each_scenario_with_a_bar_is_in_the_catalogue() -> None:
    """The fleets of all bars are fleets that a scenario of the catalogue builds."""
    sizes = {str(size) for scenario in SCENARIOS.values() for size in getattr(scenario.run, "args", ())[:1]}
    assert {bar.fleet for bar in BARS} - sizes == {CONTOSO, str(PLANNED)}


def test_each_figure_and_each_bar_has_a_row() -> None:
    """The tables have a row for each figure, and for each bar that one of the figures is about."""
    assert figures_table([GOOD]).count("\n") == 3
    table = bars_table([GOOD])
    assert table.count("\n") == 4
    assert "| sweep warm | 1,000 sites in 40 webspaces of one subscription | own | seconds | 10 | 9 | yes |" in table


def test_both_buckets_are_judged() -> None:
    """The bars about simulated counts fail `make bench`; those about this machine's memory and speed are only shown."""
    assert {bar.value for bar in BARS if not bar.counts} == {"MB", "yardsticks"}


def test_documentation_shows_every_bar() -> None:
    """Each bar has a figure in the documentation, and each bar on counts holds there."""
    assert missing(read()) == []
    assert [judged for judged in judge(read()) if judged.bar.counts and not judged.holds] == []


def test_new_figures_replace_those_of_their_scenario() -> None:
    """A run that keeps its figures replaces what it measured again, and leaves the other figures."""
    first, *others = read()
    measured = replace(first, seconds=first.seconds + 1)
    kept = kept_with([measured])
    assert kept == (measured, *others)
