"""What one look has read of the fleet serves only those who asked before, and only for a minute."""

import threading
from datetime import timedelta

import pytest

from shared.clients.fleet_reads import POLL_SECONDS, YOUNG, ProcessReads
from shared.domain.errors import Transient
from tests.build import ManualClock


def test_reads_serve_who_asked_before_they_began() -> None:
    """Reads that began after a question serve it, and reads that began before do not."""
    fleet = ProcessReads(ManualClock())
    before = fleet.mark()
    reads = fleet.begin()
    assert fleet.since(before) is reads
    assert fleet.since(fleet.mark()) is None


def test_reads_serve_no_question_of_another_process() -> None:
    """Marks of different processes do not compare, so nobody gets reads from before the question."""
    fleet = ProcessReads(ManualClock())
    fleet.begin()
    assert fleet.since(ProcessReads(ManualClock()).mark()) is None


def test_reads_serve_for_a_minute() -> None:
    """Reads are no longer used a minute after they began."""
    clock = ManualClock()
    fleet = ProcessReads(clock)
    mark = fleet.mark()
    reads = fleet.begin()
    clock.sleep((YOUNG - timedelta(seconds=1)).total_seconds())
    assert fleet.since(mark) is reads
    clock.sleep(1)
    assert fleet.since(mark) is None


def test_each_list_is_read_once() -> None:
    """A list that one run has read is not read again, and a list of another place is."""
    reads, asked = ProcessReads(ManualClock()).begin(), list[str]()
    for place in ("a", "b", "a"):
        assert reads.once("sites", place, lambda place=place: asked.append(place) or place) == place  # type: ignore[misc]
    assert asked == ["a", "b"]


def test_failed_read_serves_nobody_else() -> None:
    """The error of a read reaches its own run alone; the next run reads for itself."""
    reads = ProcessReads(ManualClock()).begin()

    def fail() -> str:
        raise Transient("no answer")

    with pytest.raises(Transient):
        reads.once("sites", "a", fail)
    assert reads.once("sites", "a", lambda: "found") == "found"


@pytest.mark.parametrize("fails", [False, True], ids=["it succeeds", "it fails"])
def test_read_under_way_is_waited_for(fails: bool) -> None:  # noqa: FBT001
    """A run waits for the read of another run; if that read fails, the run reads for itself."""
    asked, may_end = threading.Event(), threading.Event()

    class EndingClock(ManualClock):
        """A clock on which the other run's read ends while this run waits."""

        def sleep(self, seconds: float) -> None:
            assert seconds == POLL_SECONDS
            may_end.set()
            other.join()

    def slow() -> str:
        asked.set()
        may_end.wait()
        if fails:
            raise Transient("no answer")
        return "of the other run"

    def work() -> None:
        try:
            reads.once("sites", "a", slow)
        except Transient:
            failed.append(True)

    failed = list[bool]()
    reads = ProcessReads(EndingClock()).begin()
    other = threading.Thread(target=work)
    other.start()
    asked.wait()
    assert reads.once("sites", "a", lambda: "own") == ("own" if fails else "of the other run")
    assert failed == ([True] if fails else [])


def test_read_that_does_not_end_keeps_nobody_waiting() -> None:
    """Who waits for the read of another run reads for itself after a minute, because that run may repeat for long."""
    clock = ManualClock()
    reads, began = ProcessReads(clock).begin(), clock.now()

    def waits_for_itself() -> str:
        return reads.once("sites", "a", lambda: "found")

    assert reads.once("sites", "a", waits_for_itself) == "found"
    assert YOUNG <= clock.now() - began < YOUNG + timedelta(seconds=2 * POLL_SECONDS)
