"""Waiting until Azure shows what was written."""

from datetime import timedelta

import pytest

from shared.actions.settle import settle
from shared.domain.errors import NotSettled
from tests.build import NOW, ManualClock


def test_what_is_shown_at_once_needs_no_wait() -> None:
    """The first sight that is accepted is returned without waiting."""
    clock = ManualClock()
    assert settle(clock, lambda: 7, lambda seen: seen == 7, "it") == 7
    assert clock.slept == []


def test_looks_become_rarer() -> None:
    """Each wait is twice the one before, up to eight seconds."""
    clock = ManualClock()
    sights = iter(range(8))
    assert settle(clock, lambda: next(sights), lambda seen: seen == 6, "it") == 6
    assert clock.slept == [1, 2, 4, 8, 8, 8]


def test_patience_is_a_minute() -> None:
    """What is not shown within a minute is given up, not a moment later, and named."""
    clock = ManualClock()
    with pytest.raises(NotSettled, match=r"^site shop still shows the old state after 60 s$"):
        settle(clock, lambda: None, lambda _: False, "site shop")
    assert timedelta(seconds=50) < clock.now() - NOW <= timedelta(seconds=60)


def test_last_moment_counts() -> None:
    """A wait that ends exactly with the minute is still made."""
    clock = ManualClock()

    def look() -> bool:
        clock.time = max(clock.time, NOW + timedelta(seconds=59))
        return clock.now() >= NOW + timedelta(seconds=60)

    assert settle(clock, look, bool, "it")
    assert clock.slept == [1]
