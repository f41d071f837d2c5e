"""Check the simulated time that the threads of the bench share."""

import time
from datetime import timedelta

import pytest

from bench.pool import SharedPool
from bench.scheduler import Lock, NothingCanRun, Scheduler, SharedClock, Signal
from shared.domain.errors import OutOfTime

FOREVER = 10_000.0


def test_a_parallel_wait_counts_once() -> None:
    """Eight threads of a pool that each wait for a second need one second together, and nine need two."""
    for number, seconds in ((8, 1.0), (9, 2.0)):
        scheduler = Scheduler()
        clock = SharedClock(scheduler)
        pool = SharedPool(8, scheduler)
        pool.map(lambda _, clock=clock: clock.sleep(1), range(number))
        assert scheduler.seconds == seconds


def test_the_results_of_a_pool_have_the_order_of_the_subjects() -> None:
    """A pool returns the results in the order of the subjects, although a later subject ends first."""
    scheduler = Scheduler()

    def work(seconds: int) -> int:
        scheduler.sleep(seconds)
        return seconds

    assert SharedPool(4, scheduler).map(work, (3, 1, 2)) == (3, 1, 2)
    assert scheduler.seconds == 3


def test_the_error_of_the_work_reaches_the_caller() -> None:
    """A pool raises the error of the first failed subject, and begins no further work."""
    scheduler, begun = Scheduler(), list[int]()

    def work(number: int) -> None:
        begun.append(number)
        scheduler.sleep(1)
        raise ValueError(str(number))

    with pytest.raises(ValueError, match="0"):
        SharedPool(2, scheduler).map(work, range(9))
    assert len(begun) < 9


def test_a_caller_waits_no_longer_than_its_run_lasts() -> None:
    """A limited pool raises OutOfTime at the end of the run's time, and waits for the work that has begun."""
    scheduler = Scheduler()
    pool = SharedPool(1, scheduler).within(lambda: 5.0 - scheduler.seconds)
    with pytest.raises(OutOfTime):
        pool.map(lambda _: scheduler.sleep(3), range(9))
    assert scheduler.seconds == 6


def test_a_thread_that_computes_stops_the_time() -> None:
    """While a thread computes or waits for something real, no simulated time passes for any thread."""
    scheduler, seen = Scheduler(), list[float]()

    def compute() -> None:
        time.sleep(0.01)  # noqa: TID251 - something real, such as a socket
        seen.append(scheduler.seconds)

    scheduler.spawn(compute)
    scheduler.sleep(7)
    assert seen == [0.0]
    assert scheduler.seconds == 7


def test_the_holder_of_a_lock_may_wait() -> None:
    """Two threads that wait for a second within one lock need two seconds."""
    scheduler = Scheduler()
    lock, pool = Lock(scheduler), SharedPool(2, scheduler)

    def work(_: int) -> None:
        with lock:
            scheduler.sleep(1)

    pool.map(work, range(2))
    assert scheduler.seconds == 2


def test_a_signal_ends_a_wait_and_an_old_one_does_not() -> None:
    """A thread learns whether a signal or the end of the pause ended its wait, and later signals are void."""
    scheduler = Scheduler()
    signal, other = Signal(scheduler), Signal(scheduler)

    def send() -> None:
        scheduler.sleep(5)
        signal.send()

    scheduler.spawn(send)
    assert scheduler.wait(signal, 2) is False
    assert scheduler.wait(signal, 20) is True
    assert scheduler.wait(other, 1) is False
    assert scheduler.seconds == 6


def test_the_bench_ends_where_no_thread_can_run() -> None:
    """A wait that no thread can end raises an error instead of hanging."""
    scheduler = Scheduler()
    scheduler.spawn(lambda: scheduler.sleep(3))
    with pytest.raises(NothingCanRun):
        scheduler.wait(Signal(scheduler))


def test_the_clock_adds_what_a_test_adds() -> None:
    """The clock of a fleet moves by the waits of the threads, and by the time that a builder adds."""
    scheduler = Scheduler()
    clock = SharedClock(scheduler)
    began = clock.now()
    clock.sleep(1.5)
    clock.advance(timedelta(days=2))
    assert clock.now() - began == timedelta(days=2, seconds=1.5)
