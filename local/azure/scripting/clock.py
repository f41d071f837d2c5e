"""The clock of a simulated Azure: a manual clock for tests, or a clock that follows real time."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""The default start of a simulated Azure's clock, which is a Monday morning."""


def _real_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - only this function reads real time for a world


class Clock:
    """A manual clock, which only `advance`, `set` and `sleep` move."""

    def __init__(self, start: datetime = START) -> None:
        """Start the simulated clock at the given moment."""
        self._moment = start
        self._lock = threading.Lock()

    @staticmethod
    def real(now: Callable[[], datetime] = _real_now, sleep: Callable[[float], None] | None = None) -> "Clock":
        """Return a clock that follows real time, plus the time that calls of `advance` or `set` add.

        The method `sleep` of a clock that follows real time waits in real time by default.
        """
        return _RealClock(now, sleep or time.sleep)  # noqa: TID251 - only this function sleeps for a world

    def now(self) -> datetime:
        """Return the current time of the simulated clock, in UTC."""
        with self._lock:
            return self._moment

    def advance(self, by: timedelta) -> None:
        """Move the simulated clock forward by the given duration."""
        with self._lock:
            self._moment += by

    def set(self, moment: datetime) -> None:
        """Move the simulated clock to the given moment."""
        self.advance(moment - self.now())

    def sleep(self, seconds: float) -> None:
        """Wait for the given seconds of simulated time; a manual clock moves forward immediately."""
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
