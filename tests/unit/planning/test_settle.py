"""Test how Certroll waits until Azure shows a write."""

from datetime import timedelta

import pytest

from shared.domain.errors import NotSettled
from shared.planning.acting.settle import settle
from tests.build import NOW, ManualClock


def test_what_is_shown_at_once_needs_no_wait() -> None:
    """Certroll does not wait if the first read already shows the expected state."""
    clock = ManualClock()
    assert settle(clock, lambda: 7, lambda seen: seen == 7, "it") == 7
    assert clock.slept == []


def test_looks_become_rarer() -> None:
    """Certroll doubles the wait between reads after a write, up to eight seconds."""
    clock = ManualClock()
    handshakes = iter(range(8))
    assert settle(clock, lambda: next(handshakes), lambda seen: seen == 6, "it") == 6
    assert clock.slept == [1, 2, 4, 8, 8, 8]


def test_patience_is_a_minute() -> None:
    """Certroll waits at most a minute until Azure shows a write, and then names the unchanged resource."""
    clock = ManualClock()
    with pytest.raises(NotSettled, match=r"^site shop still shows the old state after 60 s$"):
        settle(clock, lambda: None, lambda _: False, "site shop")
    assert timedelta(seconds=50) < clock.now() - NOW <= timedelta(seconds=60)


def test_last_moment_counts() -> None:
    """Certroll makes a last read exactly at the end of the minute after a write."""
    clock = ManualClock()

    def look() -> bool:
        clock.time = max(clock.time, NOW + timedelta(seconds=59))
        return clock.now() >= NOW + timedelta(seconds=60)

    assert settle(clock, look, bool, "it")
    assert clock.slept == [1]
