"""Certroll learns the size and the rate of Azure's limits from what answers show, and assumes neither."""

from datetime import datetime, timedelta

import pytest

from shared.domain.pacing import FORGOTTEN, SIZE_FORGOTTEN, Level
from tests.build import NOW

SECOND = timedelta(seconds=1)


def after(seconds: float) -> datetime:
    """Return the time that many seconds after the start."""
    return NOW + seconds * SECOND


def level(*answers: tuple[float, int]) -> Level:
    """Return the level of a bucket after answers, each with its second and what it shows."""
    (_, first), *others = answers
    known = Level.first(first, NOW)
    for second, left in others:
        known = known.shown(left, after(second), took=True)
    return known


@pytest.mark.parametrize(("left", "sparing", "renewing"), [(200, 0, 0), (68, 0, 0), (67, 1, 0), (11, 1, 0), (10, 1, 1)])
def test_who_waits_at_which_level(left: int, sparing: int, renewing: int) -> None:
    """A run that spares the bucket waits at a third, and any other run at ten tokens."""
    known = level((0, 200), (1, left))
    waits = [known.seconds(0, after(1), sparing=sparing) > 0 for sparing in (True, False)]
    assert waits == [bool(sparing), bool(renewing)]


def test_requests_before_this_one_count() -> None:
    """A request waits for a token of its own, after the tokens of the requests before it."""
    known = level((0, 100), (1, 20))
    first, second = (known.seconds(ahead, after(1), sparing=True) for ahead in (0, 1))
    assert second - first == pytest.approx(1.0)


def test_rate_is_what_a_bucket_gained() -> None:
    """The rate is what the bucket gained, with what this process has taken meanwhile."""
    known = level((0, 200), (0.1, 60), (10, 100), (10.1, 99), (10.2, 98), (13, 121))
    assert known.measured == pytest.approx((121 - 100 + 3) / 3)


def test_lower_rate_is_believed_step_by_step() -> None:
    """If other clients take what Azure adds, the known rate falls by a fifth at a time."""
    known = level((0, 200), (0.1, 60), (3, 60), (5, 78), (7, 78), (9, 78))
    assert known.measured == pytest.approx(9.5 * 0.8 * 0.8)


def test_full_bucket_shows_no_rate() -> None:
    """A bucket that may have been full has gained nothing, which is no rate."""
    assert level((0, 200), (20, 199), (40, 199)).measured is None


def test_nearly_full_bucket_can_only_raise_the_rate() -> None:
    """A bucket that has gained more than the known rate has a higher rate, although it may have been full."""
    assert level((0, 200), (0.1, 60), (3, 60), (5, 190)).measured == pytest.approx((190 - 60 + 1) / 2)


def test_size_is_the_most_of_two_hours() -> None:
    """The largest number counts for one to two hours, so that a bucket that became smaller is known as smaller."""
    hour = SIZE_FORGOTTEN.total_seconds()
    assert level((0, 900), (1, 200)).size.most == 900
    assert level((0, 900), (hour, 200)).size.most == 900
    assert level((0, 900), (hour, 200), (2 * hour, 150)).size.most == 200
    assert level((0, 900), (2 * hour, 200)).size.most == 200


def test_refusal_teaches_size_rate_and_wait() -> None:
    """A bucket that has only refused requests has at least one token, and gains it in the time that Azure named."""
    known = Level.first(0, NOW).refused(4 * SECOND, NOW)
    assert known.seconds(0, NOW, sparing=False) == 4
    assert known.seconds(1, NOW, sparing=False) == 8
    assert (known.size.most, known.measured) == (1, 0.25)


def test_bucket_that_shows_nothing_and_refuses_nothing_is_no_limit() -> None:
    """A bucket that always shows zero, although Azure answers, holds up nothing."""
    assert level((0, 0), (1, 0), (9, 0)).seconds(99, after(9), sparing=True) == 0


def test_old_answer_counts_no_more() -> None:
    """After a quarter of an hour, or if the clock is set back, the tokens that are left are unknown again."""
    known = level((0, 200), (1, 20))
    assert known.is_forgotten(after(1) + FORGOTTEN)
    assert known.is_forgotten(NOW)
    assert not known.is_forgotten(after(1))
    again = known.shown(150, after(1) + FORGOTTEN, took=True)
    assert (again.left, again.size.most, again.taken) == (150, 200, 0)
