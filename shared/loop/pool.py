"""Do work for many subjects at the same time, in threads that log nothing themselves.

```text
caller's thread   begin the work ──▶ wait ──▶ log the lines of each finished subject ──▶ results in order
pool's threads       └── work, and collect the lines of the work ──┘
```

The Functions host drops what another thread than the invocation's own logs (shared/telemetry.py). So only this module
and shared/loop/own_threads.py start threads for work that may log. The import contracts in pyproject.toml keep other
modules from doing so.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from shared.domain.errors import OutOfTime
from shared.telemetry import collecting, log

Subject = TypeVar("Subject")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Task(Generic[Result]):
    """The work for one subject."""

    future: Future[Result]
    lines: list[str]
    """What the work wants to log, until the caller's thread has logged it."""

    def log_lines(self) -> None:
        """Log the lines of the finished work, once."""
        for line in self.lines:
            log(line)
        self.lines.clear()


class Pool:
    """Threads that work for a run, while the run's own thread waits and logs what the work wants to log."""

    def __init__(self, most: int, name: str) -> None:
        """Begin without threads. The pool starts at most `most` threads, and only when it needs them."""
        self._threads = ThreadPoolExecutor(most, name)
        self._seconds_left: Callable[[], float | None] = lambda: None

    def within(self, seconds_left: Callable[[], float]) -> "Pool":
        """Return a pool on the same threads, whose results a caller waits for only while seconds are left.

        All runs of a process share the threads of a pool, so the reads of another run may occupy every thread.
        """
        limited = copy(self)
        limited._seconds_left = seconds_left  # noqa: SLF001 - it is a pool of this class
        return limited

    def __enter__(self) -> Self:
        """Return the pool."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the threads and end them."""
        self._threads.shutdown()

    def map(self, work: Callable[[Subject], Result], subjects: Iterable[Subject]) -> tuple[Result, ...]:
        """Return the results of the work in the order of the subjects. Raise the first failed subject's error."""
        with self.results(work, subjects) as results:
            return tuple(results)

    @contextmanager
    def results(self, work: Callable[[Subject], Result], subjects: Iterable[Subject]) -> Iterator[Iterator[Result]]:
        """Yield an iterator over the results, in the order of the subjects, for a caller that may stop early.

        The iterator raises the error of a subject in place of the result, and OutOfTime if a limited pool has no time
        left. After the first error, or when the caller
        leaves the context, the pool begins no further work, waits for the work that has begun, and logs its lines.
        """
        tasks = [self._begin(work, subject) for subject in subjects]
        try:
            yield _results(tasks, self._seconds_left())
        finally:
            begun = [task for task in tasks if not task.future.cancel()]
            wait([task.future for task in begun])
            for task in begun:
                task.log_lines()

    def _begin(self, work: Callable[[Subject], Result], subject: Subject) -> _Task[Result]:
        lines: list[str] = []

        def collected() -> Result:
            with collecting(lines):
                return work(subject)

        return _Task(self._threads.submit(collected), lines)


def _results(tasks: list[_Task[Result]], seconds: float | None) -> Iterator[Result]:
    """Yield the result of each task in order. While one task runs, log the lines of other tasks that have ended."""
    by_future = {task.future: task for task in tasks}
    ended = as_completed(by_future, seconds)
    for task in tasks:
        while not task.future.done():
            by_future[_next(ended)].log_lines()
        task.log_lines()
        yield task.future.result()


def _next(ended: Iterator[Future[Result]]) -> Future[Result]:
    try:
        return next(ended)
    except TimeoutError as late:
        raise OutOfTime("the time of this run is over before Azure answered all reads") from late
