"""Run Certroll's pools of threads on simulated time.

The code of `shared/loop/pool.py` does the work. Only its two ways to wait are replaced: for a free thread, and for the
next result.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from bench.scheduler import Scheduler, Signal
from shared.domain.errors import OutOfTime
from shared.loop.pool import LATE, Pool, _Batch, _Task, _task_of

Subject = TypeVar("Subject")
Result = TypeVar("Result")


class SharedPool(Pool):
    """A pool of Certroll whose threads, and whose waiting callers, let simulated time pass."""

    def __init__(self, most: int, scheduler: Scheduler) -> None:
        """Begin without threads. At most `most` threads work at the same time."""
        super().__init__(most, "bench")
        self._scheduler = scheduler
        self._threads = _Crew(most, scheduler)

    @contextmanager
    def _begun(self, work: Callable[[Subject], Result], subjects: Iterable[Subject]) -> Iterator[_Batch[Result]]:
        tasks = [_task_of(work, subject) for subject in subjects]
        batch, waiting = _SharedBatch(self._scheduler, self._end(), tasks), deque(tasks)
        for _ in tasks[: self._most]:
            self._threads.submit(self._do_next, waiting)
        try:
            yield batch
        finally:
            waiting.clear()
            begun = [task for task in tasks if not task.future.cancel()]
            while not all(task.future.done() for task in begun):
                self._scheduler.wait(batch.ended)
            for task in begun:
                task.log_lines()

    def _end(self) -> float:
        try:
            return self._scheduler.seconds + self._seconds_left()
        except OutOfTime:
            return self._scheduler.seconds


class _SharedBatch(_Batch[Result]):
    """The work of a pool for several subjects, for whose results a caller waits on simulated time."""

    def __init__(self, scheduler: Scheduler, end: float, tasks: list[_Task[Result]]) -> None:
        self.ended = Signal(scheduler)
        self._scheduler = scheduler
        super().__init__(end, tasks)

    def _note_end(self, task: _Task[Result], future: Future[Result]) -> None:
        super()._note_end(task, future)
        self.ended.send()

    def _next_ended(self) -> _Task[Result]:
        if self._ended.empty():
            left = self._end - self._scheduler.seconds
            if left <= 0 or not self._scheduler.wait(self.ended, None if left == float("inf") else left):
                raise OutOfTime(LATE)
        return self._ended.get_nowait()


class _Crew(ThreadPoolExecutor):
    """The threads of a pool. A thread ends as soon as it finds no work."""

    def __init__(self, most: int, scheduler: Scheduler) -> None:
        super().__init__(most)
        self._most = most
        self._scheduler = scheduler
        self._at_work = 0
        self._waiting: deque[Callable[[], object]] = deque()

    def submit(self, work: Callable[..., Result], /, *arguments: Any, **named: Any) -> Future[Result]:  # noqa: ANN401 - as the base class
        """Begin the work when a thread is free. A pool of Certroll never asks for this future."""
        self._waiting.append(partial(work, *arguments, **named))
        if self._at_work < self._most:
            self._at_work += 1
            self._scheduler.spawn(self._work)
        return Future()

    def _work(self) -> None:
        while self._waiting:
            self._waiting.popleft()()
        self._at_work -= 1
