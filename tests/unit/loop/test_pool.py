"""Work in threads logs through the thread that waits for the work, which is the invocation's own thread."""

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import Any

import pytest

from shared.domain.errors import OutOfTime
from shared.loop import pool as pool_module
from shared.loop.pool import Pool
from shared.telemetry import event
from tests.build import NOW

TIME_OUT = 30.0


class Heard(logging.Handler):
    """A log handler that records which thread logged which event."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int | None, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Record the line with its thread."""
        self.lines.append((record.thread, json.loads(record.getMessage())))

    @property
    def said(self) -> list[Any]:
        """The subjects of the events, after a check that this test's thread logged every event."""
        assert {thread for thread, _ in self.lines} <= {threading.get_ident()}
        return [line["subject"] for _, line in self.lines]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Yield a handler that hears each line of Certroll."""
    logger, handler = logging.getLogger("certroll"), Heard()
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)


@pytest.fixture(name="pool")
def _pool() -> Iterator[Pool]:
    with Pool(3, "test") as pool:
        yield pool


def twice(number: int) -> int:
    """Log the number and return its double."""
    event("number.doubled", subject=number)
    return number * 2


def test_lines_of_a_pool_arrive(pool: Pool, heard: Heard) -> None:
    """Each line of the work is logged once, by the caller's thread, and the results keep the order of the subjects."""
    assert pool.map(twice, range(20)) == tuple(range(0, 40, 2))
    assert sorted(heard.said) == list(range(20))


def test_thread_logs_for_itself_after_the_pool(pool: Pool, heard: Heard) -> None:
    """The caller's thread logs its own lines at once, before, between and after the work of a pool."""
    event("before", subject="before")
    assert heard.said == ["before"]
    pool.map(twice, [1])
    event("after", subject="after")
    assert heard.said == ["before", 1, "after"]


def test_nothing_is_lost_when_work_raises(pool: Pool, heard: Heard) -> None:
    """If the work for one subject raises, the pool logs the lines of this work and of all other begun work."""
    begun = threading.Barrier(3)

    def work(subject: str) -> None:
        begun.wait(TIME_OUT)
        event("said", subject=f"{subject} before")
        if subject == "bad":
            raise ValueError(subject)
        event("said", subject=f"{subject} after")

    with pytest.raises(ValueError, match="bad"):
        pool.map(work, ["bad", "slow", "slower"])
    assert sorted(heard.said) == ["bad before", "slow after", "slow before", "slower after", "slower before"]


def test_death_loses_nothing_that_was_said(pool: Pool, heard: Heard) -> None:
    """Even an error that no code of Certroll catches does not lose the lines of the work that raised it."""

    def die(subject: int) -> None:
        event("said", subject=subject)
        raise SystemExit(subject)

    with pytest.raises(SystemExit):
        pool.map(die, [1])
    assert heard.said == [1]


def test_work_that_has_not_begun_ends_with_the_first_error(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error the pool begins no further work, and waits for the work that has begun."""
    held, done = threading.Event(), list[int]()

    def work(number: int) -> None:
        if number == 0:
            raise ValueError
        held.wait(TIME_OUT)
        done.append(number)
        event("said", subject=number)

    def waits(begun: list[Future[None]]) -> object:
        held.set()
        return wait(begun)

    monkeypatch.setattr(pool_module, "wait", waits)
    with Pool(1, "test") as pool, pytest.raises(ValueError, match=r"^$"), pool.results(work, range(100)) as results:
        next(results)
    assert len(done) <= 1
    assert heard.said == done


def test_caller_that_stops_early_hears_what_has_begun(pool: Pool, heard: Heard) -> None:
    """A caller that leaves after the first result gets the lines of all work that has begun, before it goes on."""
    with pool.results(twice, range(50)) as results:
        assert next(results) == 0
    assert 0 in heard.said
    left = list(heard.said)
    assert pool.map(twice, [99]) == (198,)
    assert heard.said == [*left, 99]


def test_lines_of_quick_work_do_not_wait_for_slow_work(pool: Pool, heard: Heard) -> None:
    """Lines of work that has ended are logged while the work for an earlier subject still runs."""
    logged = threading.Event()

    def tell(_: logging.LogRecord) -> bool:
        logged.set()
        return True

    heard.addFilter(tell)

    def work(subject: str) -> bool:
        if subject == "slow":
            return logged.wait(TIME_OUT)
        event("said", subject=subject)
        return True

    assert pool.map(work, ["slow", "quick"]) == (True, True)
    assert heard.said == ["quick"]


def test_pool_within_a_pool_says_everything_once(pool: Pool, heard: Heard) -> None:
    """Work that uses a pool of its own hands the lines up, and the outermost caller's thread logs them once."""

    def outer(number: int) -> int:
        event("said", subject=f"outer {number}")
        with Pool(2, "inner") as inner:
            return sum(inner.map(twice, range(number)))

    assert pool.map(outer, [1, 2, 3]) == (0, 2, 6)
    assert sorted(map(str, heard.said)) == ["0", "0", "0", "1", "1", "2", "outer 1", "outer 2", "outer 3"]


def test_threads_carry_the_given_name(pool: Pool) -> None:
    """A thread of a pool has the name of the pool, so that a stack dump shows what the thread works for."""
    (name,) = pool.map(lambda _: threading.current_thread().name, [NOW])
    assert name.startswith("test")


@pytest.fixture(name="held")
def _held() -> Iterator[Pool]:
    """Yield a pool whose only thread another run occupies until the test ends."""
    with Pool(1, "held") as pool:
        busy, over = threading.Event(), threading.Event()
        other = threading.Thread(target=pool.map, args=(lambda _: busy.set() or over.wait(TIME_OUT), [0]))
        other.start()
        busy.wait(TIME_OUT)
        yield pool
        over.set()
        other.join()


def test_time_of_a_run_counts_from_the_beginning_of_the_work(held: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that reads the first result late waits only until the end of the run, not for the whole time again."""
    moment = [0.0]
    monkeypatch.setattr(pool_module.time, "monotonic", lambda: moment[0])
    with held.within(lambda: 3600.0).results(twice, [1]) as results:
        moment[0] = 3600.0
        with pytest.raises(OutOfTime, match="before every result came"):
            next(results)


def test_results_that_came_in_time_stay(pool: Pool, held: Pool) -> None:
    """If the time of a run ends before some results, `each` returns the other results, and OutOfTime for these."""

    def work(number: int) -> int:
        if number == 1:
            raise OutOfTime("the server had no time")
        return number

    zero, late, two = pool.each(work, range(3))
    assert (zero, str(late), two) == (0, "the server had no time", 2)
    none = held.within(lambda: 0.0).each(work, range(3))
    assert [type(result) for result in none] == [OutOfTime] * 3
    with pytest.raises(ZeroDivisionError):
        pool.each(lambda number: 1 // number, range(3))


def test_run_that_is_over_begins_no_wait(held: Pool) -> None:
    """A run whose time is over gets no result, and does not wait for a thread."""

    def over() -> float:
        raise OutOfTime("the time of this run is over")

    assert [type(result) for result in held.within(over).each(twice, [1])] == [OutOfTime]
    with pytest.raises(OutOfTime):
        held.within(over).map(twice, [1])


def test_many_subjects_of_a_run_delay_another_run_by_one_of_them() -> None:
    """A run with one subject waits for one subject of a run with a hundred subjects, and not for all of them."""
    order = list[str]()
    begun, go = threading.Event(), threading.Event()

    def work(name: str) -> None:
        order.append(name)
        begun.set()
        go.wait(TIME_OUT)

    with Pool(1, "test") as pool, pool.results(work, [f"first {number}" for number in range(100)]) as many:
        assert begun.wait(TIME_OUT)
        with pool.results(work, ["second"]) as few:
            go.set()
            assert list(few) == [None]
        assert len(list(many)) == 100
    assert order.index("second") == 1
    assert [name for name in order if name != "second"] == [f"first {number}" for number in range(100)]
