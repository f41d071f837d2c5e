"""Do work for many subjects at the same time, in threads that log nothing themselves.

```text
caller's thread   begin the work ──▶ wait ──▶ log the lines of each finished subject ──▶ results in order
pool's threads       └── work, and collect the lines of the work ──┘
```

The Functions host drops what another thread than the invocation's own logs (shared/telemetry.py). So only this module
and shared/loop/own_threads.py start threads for work that may log. The import contracts in pyproject.toml keep other
modules from doing so.
"""

import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from math import inf
from types import TracebackType
from typing import Generic, Self, TypeVar

from shared.domain.errors import OutOfTime
from shared.telemetry import collecting, log, present_run, working_for

Subject = TypeVar("Subject")
Result = TypeVar("Result")

LONGEST_WAIT_SECONDS = 365 * 24 * 3600.0
"""How long a caller without a limit waits for the next result, because a queue of Python refuses waits of centuries."""
LATE = "the time of this run is over before every result came"


@dataclass(frozen=True, slots=True)
class _Task(Generic[Result]):
    """The work for one subject."""

    work: Callable[[], Result]
    lines: list[str]
    """What the work wants to log, until the caller's thread has logged it."""
    future: Future[Result] = field(default_factory=Future)
    """The result of the work, once a thread has done the work."""

    def do(self) -> None:
        """Do the work, unless the caller no longer wants the result."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.work()
        except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

    def log_lines(self) -> None:
        """Log the lines of the finished work, once."""
        for line in self.lines:
            log(line)
        self.lines.clear()


class Pool:
    """Threads that work for a run, while the run's own thread waits and logs what the work wants to log.

    All runs of a process share the threads. A run with hundreds of subjects asks for a thread again after each subject,
    so that the subjects of another run wait for one subject of the first run, and not for all of them.
    """

    def __init__(self, most: int, name: str) -> None:
        """Begin without threads. The pool starts at most `most` threads, and only when it needs them."""
        self._threads = ThreadPoolExecutor(most, name)
        self._most = most
        self._seconds_left: Callable[[], float] = lambda: inf

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

    def each(self, work: Callable[[Subject], Result], subjects: Iterable[Subject]) -> tuple[Result | OutOfTime, ...]:
        """Return for each subject its result, or OutOfTime if the time of the run ended before the result came.

        The function `map` loses all results if the time ends. Raise any other error of the first failed subject.
        """

        def result_of(subject: Subject) -> Result | OutOfTime:
            try:
                return work(subject)
            except OutOfTime as late:
                return late

        with self._begun(result_of, subjects) as batch, suppress(OutOfTime):
            deque(batch.results(), maxlen=0)
        futures = (task.future for task in batch.tasks)
        return tuple(OutOfTime(LATE) if future.cancelled() else future.result() for future in futures)

    @contextmanager
    def results(self, work: Callable[[Subject], Result], subjects: Iterable[Subject]) -> Iterator[Iterator[Result]]:
        """Yield an iterator over the results, in the order of the subjects, for a caller that may stop early.

        The iterator raises the error of a subject in place of the result, and OutOfTime if a limited pool has no time
        left. After the first error, or when the caller leaves the context, the pool begins no further work, waits for
        the work that has begun, and logs its lines.
        """
        with self._begun(work, subjects) as batch:
            yield batch.results()

    @contextmanager
    def _begun(self, work: Callable[[Subject], Result], subjects: Iterable[Subject]) -> Iterator["_Batch[Result]"]:
        """Begin the work for the subjects. At the end, begin no further work, and wait for the work that has begun."""
        batch = _Batch(self._end(), [_task_of(work, subject) for subject in subjects])
        waiting = deque(batch.tasks)
        for _ in batch.tasks[: self._most]:
            self._threads.submit(self._do_next, waiting)
        try:
            yield batch
        finally:
            waiting.clear()
            begun = [task for task in batch.tasks if not task.future.cancel()]
            wait([task.future for task in begun])
            for task in begun:
                task.log_lines()

    def _end(self) -> float:
        """Return the time of `time.monotonic` until which a caller waits for results."""
        try:
            return time.monotonic() + self._seconds_left()
        except OutOfTime:
            return time.monotonic()

    def _do_next(self, waiting: "deque[_Task[Result]]") -> None:
        """Do the first waiting task of a batch, and then queue for the next one behind the tasks of other runs."""
        try:
            task = waiting.popleft()
        except IndexError:  # the batch has ended, or other threads took its last task
            return
        task.do()
        if waiting:
            self._threads.submit(self._do_next, waiting)


def _task_of(work: Callable[[Subject], Result], subject: Subject) -> _Task[Result]:
    """Return the work for a subject in the name of the present run, with a place for what the work wants to log."""
    lines: list[str] = []
    run = present_run()

    def collected() -> Result:
        with working_for(run), collecting(lines):
            return work(subject)

    return _Task(collected, lines)


class _Batch(Generic[Result]):
    """The work for several subjects that a pool has begun, and the time until which the caller waits for results."""

    def __init__(self, end: float, tasks: list[_Task[Result]]) -> None:
        self.tasks = tasks
        self._end = end
        self._ended = queue.SimpleQueue[_Task[Result]]()
        for task in tasks:
            task.future.add_done_callback(partial(self._note_end, task))

    def results(self) -> Iterator[Result]:
        """Yield the result of each task in order. While one task runs, log the lines of other tasks that have ended."""
        for task in self.tasks:
            while not task.future.done():
                self._next_ended().log_lines()
            task.log_lines()
            yield task.future.result()

    def _note_end(self, task: _Task[Result], _: Future[Result]) -> None:
        self._ended.put(task)

    def _next_ended(self) -> _Task[Result]:
        left = max(self._end - time.monotonic(), 0.0)
        try:
            return self._ended.get(timeout=min(left, LONGEST_WAIT_SECONDS))
        except queue.Empty:
            raise OutOfTime(LATE) from None
