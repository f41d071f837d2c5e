"""Let threads share simulated time: one thread runs at a time, and time moves only when every thread waits.

```text
running thread ──sleeps, or waits for a signal──▶ the next ready thread runs
                                                  no thread is ready ──▶ time moves to the first sleeper's end
```

Threads take turns in a fixed order, so a program with the same seed does the same in each run. A thread that computes,
or that waits for something real such as a socket, keeps its turn, and simulated time stands still.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from types import TracebackType
from typing import Self

from local.azure.scripting.clock import START, Clock


class NothingCanRun(BaseException):
    """Every thread waits for a signal that no thread can give, which is an error of the program."""


@dataclass(eq=False, slots=True)
class Task:
    """A thread that takes turns with the other threads."""

    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    waits: int = 0
    """How often the thread has waited. A wake-up for an earlier wait is void."""
    signalled: bool = False
    """True if a signal, and not the end of a pause, ended the last wait."""


class Scheduler:
    """The simulated seconds since the start, and the threads that share them."""

    def __init__(self) -> None:
        """Begin at 0 seconds with the present thread alone."""
        self.seconds = 0.0
        self._ready: deque[Task] = deque()
        self._asleep: list[tuple[float, int, Task, int]] = []
        self._numbers = count()
        self._own = threading.local()
        self._stuck = False
        self._first = self._own.task = Task()

    def spawn(self, work: Callable[[], object]) -> None:
        """Start a thread that does the work when its turn comes. The work must handle its own errors."""
        task = Task()

        def run() -> None:
            self._own.task = task
            task.turn.acquire()
            try:
                work()
            finally:
                self._pass_on()

        threading.Thread(target=run, daemon=True, name="bench").start()
        self._ready.append(task)

    def sleep(self, seconds: float) -> None:
        """Let simulated seconds pass for the present thread, while other threads run."""
        self._wait(seconds)

    def wait(self, signal: "Signal", seconds: float | None = None) -> bool:
        """Wait for the signal, and return True. Return False if simulated seconds have passed without the signal."""
        task: Task = self._own.task
        signal.waiting.append((task, task.waits + 1))
        return self._wait(seconds)

    def wake(self, task: Task, number: int) -> None:
        """Let a thread run again that waits for a signal, unless the thread's wait has ended already."""
        if task.waits == number and not task.signalled:
            task.signalled = True
            self._ready.append(task)

    def _wait(self, seconds: float | None) -> bool:
        task: Task = self._own.task
        task.waits += 1
        task.signalled = False
        if seconds is not None:
            heappush(self._asleep, (self.seconds + max(seconds, 0.0), next(self._numbers), task, task.waits))
        following = self._next()
        if following is not task:
            if following is None:
                self._give_up()
            else:
                following.turn.release()
            task.turn.acquire()
        if self._stuck:
            raise NothingCanRun("every thread of the bench waits, and no signal can come")
        return task.signalled

    def _next(self) -> Task | None:
        if self._ready:
            return self._ready.popleft()
        while self._asleep:
            at, _, task, number = heappop(self._asleep)
            if task.waits == number and not task.signalled:
                self.seconds = max(self.seconds, at)
                task.waits += 1  # from now on, a signal for this wait is void
                return task
        return None

    def _pass_on(self) -> None:
        following = self._next()
        if following is None:
            self._give_up()
        else:
            following.turn.release()

    def _give_up(self) -> None:
        """Let the thread that made the scheduler raise NothingCanRun."""
        self._stuck = True
        self._first.turn.release()


class Signal:
    """A signal for which threads wait. Each call of `send` ends the present waits."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Make a signal among the threads of the scheduler."""
        self._scheduler = scheduler
        self.waiting: list[tuple[Task, int]] = []

    def send(self) -> None:
        """Let all threads run again that wait for the signal."""
        waiting, self.waiting = self.waiting, []
        for task, number in waiting:
            self._scheduler.wake(task, number)


class Lock:
    """A lock whose holder may let simulated time pass, while other threads wait for the lock."""

    def __init__(self, scheduler: Scheduler) -> None:
        """Make a free lock."""
        self._scheduler = scheduler
        self._freed = Signal(scheduler)
        self._held = False

    def __enter__(self) -> Self:
        """Take the lock as soon as it is free."""
        while self._held:
            self._scheduler.wait(self._freed)
        self._held = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the lock."""
        self._held = False
        self._freed.send()


class SharedClock(Clock):
    """The clock of a simulated Azure and of the programs that use it, whose time the scheduler moves."""

    def __init__(self, scheduler: Scheduler, start: datetime = START) -> None:
        """Begin at the given moment."""
        super().__init__(start)
        self._scheduler = scheduler

    def now(self) -> datetime:
        """Return the current simulated time, in UTC."""
        return super().now() + timedelta(seconds=self._scheduler.seconds)

    def sleep(self, seconds: float) -> None:
        """Let simulated seconds pass for the present thread alone."""
        self._scheduler.sleep(seconds)
