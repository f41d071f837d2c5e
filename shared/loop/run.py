"""Define a run: the ports and settings that a run works with, and the deadline of the run."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from shared.domain.deadline import Deadline
from shared.domain.errors import OutOfTime
from shared.domain.intent import Intent
from shared.ports import Ports

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Run:
    """The handling of one queue message, timer call or HTTP request."""

    ports: Ports
    intent: Intent
    """The settings of the operator."""
    pool: Executor
    """Threads for reads only."""
    ends_at: datetime
    """The time at which the run stops beginning new work."""

    @classmethod
    def start(cls, ports: Ports, intent: Intent, pool: Executor, deadline: Deadline | None = None) -> "Run":
        """Return a run that starts now and ends before the function time-out of ten minutes.

        `deadline` is the deadline that the ports respect already, if they respect one.
        """
        until = deadline or Deadline.of_run(ports.clock.now())
        in_time = _InTime(pool, lambda: until.request_seconds(ports.clock.now()))
        return cls(ports, intent, in_time, until.work)

    def now(self) -> datetime:
        """Return the current time."""
        return self.ports.clock.now()

    def check_time(self, needed: timedelta = timedelta(0)) -> None:
        """Raise OutOfTime if the run has no time left to begin new work, or not the time that the work needs."""
        now = self.now()
        if now >= self.ends_at or now + needed > self.ends_at:
            raise OutOfTime("the time of this run is over; another run continues the work")


class _InTime(Executor):
    """The threads of the process, for which a run waits no longer than its deadline allows.

    All runs of a process share the threads, so the reads of another run may occupy every thread.
    """

    def __init__(self, pool: Executor, seconds_left: Callable[[], float]) -> None:
        self._pool = pool
        self._seconds_left = seconds_left

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Hand a call to the threads of the process."""
        return self._pool.submit(fn, *args, **kwargs)

    def map(
        self, fn: Callable[..., Result], *iterables: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[Result]:
        """Return the results of the calls in order. Raise OutOfTime at the deadline, and cancel what has not begun."""
        left = self._seconds_left()
        most = left if timeout is None else min(left, timeout)
        return _in_time(self._pool.map(fn, *iterables, timeout=most, chunksize=chunksize))


def _in_time(results: Iterator[Result]) -> Iterator[Result]:
    try:
        yield from results
    except TimeoutError as late:
        raise OutOfTime("the time of this run is over before Azure answered all reads") from late
