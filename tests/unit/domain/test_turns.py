"""What failed goes last, and everything has its turn within a bounded number of runs."""

from datetime import timedelta
from random import Random

import pytest

from shared.domain.turns import Turn, in_turn, to_remember
from tests.build import HOUR, NOW

SECOND = timedelta(seconds=1)


def good(hours_ago: int) -> Turn:
    """Return a good turn some hours ago."""
    return Turn(NOW - hours_ago * HOUR, failed=False)


def bad(hours_ago: int) -> Turn:
    """Return a turn that failed some hours ago."""
    return Turn(NOW - hours_ago * HOUR, failed=True)


@pytest.mark.parametrize(
    ("turns", "order"),
    [
        pytest.param({}, "abcd", id="nothing had a turn"),
        pytest.param({"a": bad(1)}, "bcda", id="what failed goes last"),
        pytest.param({"a": bad(1), "b": bad(2)}, "cdba", id="of what failed, the oldest turn is first"),
        pytest.param({"a": good(1), "b": good(2), "c": good(3)}, "dcba", id="the oldest turn is first"),
        pytest.param({"a": good(3), "b": good(3), "c": bad(2), "d": bad(2)}, "abcd", id="equal turns keep the order"),
        pytest.param({"a": bad(3), "b": good(2), "c": good(2), "d": good(2)}, "abcd", id="one that was not reached"),
        pytest.param({"a": bad(4), "b": bad(3), "c": good(2), "d": good(2)}, "acdb", id="two that were not reached"),
        pytest.param({"a": bad(4), "b": bad(1), "c": good(2), "d": good(2)}, "cdab", id="some were reached"),
        pytest.param({"a": bad(3), "b": good(2), "c": good(2)}, "dbca", id="one is new"),
        pytest.param({"a": bad(1), "b": bad(2), "c": bad(3), "d": bad(4)}, "dcba", id="all failed"),
        pytest.param({"x": bad(0)}, "abcd", id="a thing that is gone"),
    ],
)
def test_order(turns: dict[str, Turn], order: str) -> None:
    """The order of the next run follows from the last turns alone."""
    assert "".join(in_turn("abcd", turns)) == order


@pytest.mark.parametrize("seed", range(20))
def test_everything_has_its_turn_within_a_bounded_number_of_runs(seed: int) -> None:
    """Whatever fails, and however few turns a run has, each of N things has a turn in each 2 N runs."""
    chance = Random(seed)  # noqa: S311 - a seeded example, no secret
    things, now, turns = range(chance.randint(2, 9)), NOW, dict[int, Turn]()
    sick = {thing for thing in things if chance.random() < 0.6}
    since = dict.fromkeys(things, 0)
    for _ in range(100):
        since = {thing: runs + 1 for thing, runs in since.items()}
        for thing in in_turn(things, turns)[: chance.randint(1, 3)]:
            now += SECOND
            since[thing] = 0
            turns[thing] = Turn(now, failed=thing in sick)
        assert max(since.values()) < 2 * len(things)


@pytest.mark.parametrize("reached", [1, 2, 3])
def test_healthy_ones_share_the_runs_with_any_number_of_sick_ones(reached: int) -> None:
    """However many sick things there are, the only healthy one has its turn in every second run, or more often."""
    now, turns, healthy = NOW, dict[int, Turn](), list[bool]()
    for _ in range(60):
        order = in_turn(range(13), turns)[:reached]
        for thing in order:
            now += SECOND
            turns[thing] = Turn(now, failed=thing != 12)
        healthy.append(12 in order)
    first = healthy.index(True)
    assert first <= 13
    assert all(any(healthy[run : run + 2]) for run in range(first, len(healthy) - 1))


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        pytest.param({"a": good(0), "b": good(0)}, "", id="all went well"),
        pytest.param({"a": good(0), "b": bad(0)}, "ab", id="one failed"),
        pytest.param({"a": good(0)}, "a", id="one was not reached"),
        pytest.param({"a": good(0), "b": good(1)}, "ab", id="one was not reached in this run"),
        pytest.param({"a": bad(0), "b": good(0), "x": good(0)}, "ab", id="one is gone"),
        pytest.param({}, "", id="none was reached, ever"),
    ],
)
def test_only_turns_that_matter_are_remembered(turns: dict[str, Turn], kept: str) -> None:
    """After a run in which all went well, the journal keeps no turns."""
    assert "".join(to_remember("ab", turns, NOW)) == kept
