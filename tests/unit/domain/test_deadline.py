"""A run of Certroll ends by itself before the Functions host ends its process, however slowly servers answer."""

import re
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.clients import credentials, retrying
from shared.clients.network import app_probe, bounded, dns, tls_probe
from shared.clients.retrying import Retrying
from shared.clients.storage import accounts
from shared.domain.deadline import FUNCTION_TIME_OUT, RECORD_TIME, REQUEST_TIME, TIME_BUDGET, Deadline
from shared.domain.errors import OutOfTime
from shared.domain.intent import Intent
from shared.loop.pool import Pool
from shared.loop.prove import PATIENCE as PROOF
from shared.loop.run import Run
from tests.build import NOW, ManualClock
from tests.small_storage import SmallLeases, SmallStorage, ports_on

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/times.md").read_text(encoding="utf-8")
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
STORAGE_CALL = 2 * accounts.REQUEST_SECONDS + accounts.LONGEST_WAIT_SECONDS
TOKEN = (1 + credentials.RETRIES) * credentials.REQUEST_SECONDS + credentials.RETRIES * credentials.LONGEST_WAIT_SECONDS
READS = 1000


def test_times_of_a_run_leave_room_for_each_other() -> None:
    """A run ends its work, its requests and its records one after the other, and half a minute before the host acts."""
    assert TIME_BUDGET < REQUEST_TIME < RECORD_TIME < FUNCTION_TIME_OUT
    assert timedelta(seconds=30) <= FUNCTION_TIME_OUT - RECORD_TIME
    assert timedelta(seconds=2 * accounts.REQUEST_SECONDS) <= RECORD_TIME - REQUEST_TIME
    assert TIME_BUDGET > PROOF


@pytest.mark.parametrize(
    ("call", "seconds"),
    [
        ("request to ARM or Key Vault, or a page of a list", retrying.REQUEST_SECONDS),
        ("token of the identity", TOKEN),
        ("call to storage", STORAGE_CALL),
        ("TLS handshake", tls_probe.TIME_OUT_SECONDS),
        ("probe of an app", app_probe.TIME_OUT_SECONDS),
        ("DNS question", dns.LIFETIME_SECONDS),
    ],
)
def test_page_of_times_counts_as_the_code_does(call: str, seconds: float) -> None:
    """The page of times states the longest time of each kind of call as the code computes it."""
    assert re.findall(rf"^\| {re.escape(call)} \| (\d+) s \|", PAGE, re.MULTILINE) == [f"{seconds:g}"]


def test_run_with_endless_reads_ends_in_time() -> None:
    """If every read takes as long as a read may take, a run with a thousand reads still ends its requests in time."""
    clock, made = ManualClock(), 0
    reading = Retrying(clock, deadline=Deadline.of_run(NOW))

    def read() -> None:
        nonlocal made
        made += 1
        clock.sleep(max(bounded.seconds_left(retrying.REQUEST_SECONDS), SECOND.total_seconds() / 100))

    def read_all() -> None:
        for _ in range(READS):
            reading.read("it", read)

    with pytest.raises(OutOfTime):
        read_all()
    assert made < READS
    assert abs(clock.now() - NOW - REQUEST_TIME) < SECOND


def test_a_run_says_how_much_time_is_left() -> None:
    """A call may take the time that is left for its kind of call, and no call begins when no time is left."""
    deadline = Deadline.of_run(NOW)
    assert deadline.request_seconds(NOW) == REQUEST_TIME.total_seconds()
    assert deadline.record_seconds(NOW + REQUEST_TIME) == (RECORD_TIME - REQUEST_TIME).total_seconds()
    for seconds, end in ((deadline.request_seconds, REQUEST_TIME), (deadline.record_seconds, RECORD_TIME)):
        assert seconds(NOW + end - SECOND) == 1
        with pytest.raises(OutOfTime, match="the time of this run is over"):
            seconds(NOW + end)


def test_run_waits_for_no_thread_beyond_its_time() -> None:
    """If the reads of other runs occupy all threads, a run stops waiting at its deadline and cancels its own reads."""
    clock, blocked = ManualClock(), threading.Event()
    asked: list[int] = []
    deadline = replace(Deadline.of_run(NOW), requests=NOW + SECOND / 20)
    with Pool(1, "reader") as pool:
        busy = threading.Event()
        other = threading.Thread(target=pool.map, args=(lambda _: busy.set() or blocked.wait(), [0]))
        other.start()
        busy.wait()
        run = Run.start(ports_on(SmallStorage(), clock, leases=SmallLeases()), Intent(), pool, deadline)
        try:
            with pytest.raises(OutOfTime, match="before every result came"):
                list(run.pool.map(asked.append, range(3)))
        finally:
            blocked.set()
            other.join()
    assert asked == []


def test_work_that_needs_minutes_begins_only_if_they_are_left() -> None:
    """A run begins a wave or a proof only if all of the time is left that the work may need."""
    clock = ManualClock()
    with Pool(1, "reader") as pool:
        run = Run.start(ports_on(SmallStorage(), clock, leases=SmallLeases()), Intent(), pool)
        clock.time = NOW + TIME_BUDGET - MINUTE
        run.check_time(MINUTE)
        with pytest.raises(OutOfTime):
            run.check_time(MINUTE + SECOND)
