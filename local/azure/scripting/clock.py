"""The clock of a world: a manual one for tests, one that follows real time for everything a person watches."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""When a world begins that was given no clock: a Monday morning."""


def _real_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the one place that reads real time for a world


class Clock:
    """A manual clock: it moves only when told to, and sleeping moves it."""

    def __init__(self, start: datetime = START) -> None:
        """Begin at that moment."""
        self._moment = start
        self._lock = threading.Lock()

    @staticmethod
    def real(now: Callable[[], datetime] = _real_now, sleep: Callable[[float], None] | None = None) -> "Clock":
        """Return a clock that follows real time, plus what `advance` adds; its sleep really sleeps."""
        return _RealClock(now, sleep or time.sleep)  # noqa: TID251 - the one place that sleeps for a world

    def now(self) -> datetime:
        """Return the moment, in UTC."""
        with self._lock:
            return self._moment

    def advance(self, by: timedelta) -> None:
        """Move the clock by that much."""
        with self._lock:
            self._moment += by

    def set(self, moment: datetime) -> None:
        """Move the clock to that moment."""
        self.advance(moment - self.now())

    def sleep(self, seconds: float) -> None:
        """Return when that many seconds of this clock have gone by."""
        self.advance(timedelta(seconds=seconds))


class _RealClock(Clock):
    def __init__(self, now: Callable[[], datetime], sleep: Callable[[float], None]) -> None:
        super().__init__()
        self._now = now
        self._sleep = sleep
        self._offset = timedelta()

    def now(self) -> datetime:
        with self._lock:
            return self._now() + self._offset

    def advance(self, by: timedelta) -> None:
        with self._lock:
            self._offset += by

    def sleep(self, seconds: float) -> None:
        self._sleep(seconds)
