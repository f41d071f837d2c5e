"""Whatever Azure says about its limits, no wait of Certroll is longer than allowed, and no renewal stops."""

from datetime import datetime, timedelta

import pytest

from shared.clients.pace import MOST_BUCKETS, MOST_NAMES, Asked, Pace, Ticket
from shared.clients.retrying import PATIENCE
from shared.domain.deadline import Deadline
from shared.domain.errors import OutOfTime, Throttled, Transient
from tests.build import NOW
from tests.unit.clients.paced import OWN, READS, SECOND, SHOP, WEB, Wire, left, refusal

MICROSECOND = timedelta(microseconds=1)

# ------------------------------------------------------------------------------------- no wait is longer than allowed


def test_renewal_is_sent_although_azure_says_that_nothing_is_left() -> None:
    """A server that always says that nothing is left stops no renewal."""
    wire = Wire(left(0))
    assert [wire.wait() for _ in range(100)] == [0] * 100


def test_renewal_is_only_slowed_by_a_server_that_suddenly_says_nothing_is_left() -> None:
    """A renewal of 200 requests ends in four minutes although Azure says after the first that nothing is left."""
    wire = Wire(left(250), left(0))
    assert sum(wire.wait() for _ in range(200)) < 240


def test_too_long_wait_of_a_sweep_is_an_error_at_once() -> None:
    """A read of a sweep whose wait would be longer than the patience is not sent, and says so without waiting."""
    pace = Pace()
    renewal = Wire(left(11_999, OWN), left(3000, OWN), pace=pace)
    for _ in range(4):
        renewal.read()
        renewal.clock.time += SECOND * 3
    wire = Wire(left(3000, OWN), pace=pace, sparing=True)
    wire.clock.time = renewal.clock.time
    sent = len(wire.sent)
    with pytest.raises(Throttled, match="left to renewals"):
        wire.read()
    assert (len(wire.sent), wire.clock.slept) == (sent, [])


def test_same_wait_stops_no_renewal_and_no_write() -> None:
    """A renewal, and a write of a sweep, are sent at once if the wait would be longer than the patience."""
    pace = Pace()
    for _ in range(2):
        pace.answered(
            Ticket(Asked.of("GET", f"{WEB}/sites/shop"), sparing=False), 429, {READS: "0", "Retry-After": "99"}, NOW
        )
    assert Wire(left(1), pace=pace).wait() == 0
    sweep = Wire(left(1), pace=pace, sparing=True)
    sweep.retrying.write("it", sweep.ask)
    assert sweep.clock.slept == []


def test_sweep_at_the_end_of_its_time_says_so() -> None:
    """A read of a sweep whose wait would end after the time of its run raises OutOfTime, and waits for nothing."""
    work = NOW + timedelta(seconds=3)
    ends = Deadline(work, work + SECOND, work + SECOND)
    wire = Wire(left(240), left(10), left(10), deadline=ends, sparing=True)
    wire.read()
    wire.read()
    with pytest.raises(OutOfTime):
        wire.read()
    assert wire.clock.now() <= work


def test_what_a_sweep_has_begun_is_read_to_its_end() -> None:
    """After the time for new work, a read of a sweep waits for no bucket."""
    work = NOW - SECOND
    wire = Wire(left(240), left(10), left(10), deadline=Deadline(work, NOW + SECOND, NOW + SECOND), sparing=True)
    for _ in range(3):
        wire.read()
    assert wire.clock.slept == []


def test_waits_and_retries_together_end_with_the_patience() -> None:
    """Waits for a bucket and retries together last no longer than the patience of the retry layer."""
    wire = Wire(left(250), left(70), (503, {READS: "60"}), sparing=True)
    wire.read()
    wire.read()
    began = wire.clock.now()
    with pytest.raises(Transient):
        wire.read()
    assert wire.clock.now() - began <= PATIENCE


# ------------------------------------------------------------------------------------------------------ hostile answers


@pytest.mark.parametrize("value", ["-5", "1e9", "", "many", "99999999999999999999", "٣", "Microsoft.Compute/Get3Min;1"])
def test_number_that_is_none_says_nothing(value: str) -> None:
    """A header that is no plain number, or a number beyond reason, holds up nothing."""
    wire = Wire(left(240), left(value), sparing=True)
    assert [wire.wait() for _ in range(20)] == [0] * 20


def test_huge_number_is_forgotten_and_stops_no_renewal() -> None:
    """A number that was much too large slows a sweep for two hours at most, and a renewal never."""
    pace = Pace()
    Wire(left(9_999_999), pace=pace).read()
    assert Wire(left(240), pace=pace).wait() == 0
    assert Wire(left(240), pace=pace).wait() == 0
    for _ in range(13):
        wire = Wire(left(240), pace=pace)
        wire.clock.time += timedelta(minutes=10) * (_ + 1)
        wire.read()
    later = Wire(left(240), pace=pace, sparing=True)
    later.clock.time = wire.clock.time
    assert later.wait() == 0


def test_memory_is_bounded() -> None:
    """However many names, subscriptions and kinds answers have, the process remembers a bounded number of them."""
    pace = Pace()
    names = {f"x-ms-ratelimit-remaining-{chr(97 + number % 26)}{'x' * (number // 26)}": "5" for number in range(100)}
    for number in range(MOST_BUCKETS):
        pace.answered(Ticket(Asked(f"{number}", "k"), sparing=True), 200, names, NOW)
    assert len(pace._buckets) == MOST_BUCKETS
    assert len(pace._drawn[Asked(f"{MOST_BUCKETS - 1}", "k")]) == MOST_NAMES


def test_request_that_fails_without_an_answer_is_under_way_no_longer() -> None:
    """A request without an answer takes no place before later requests."""
    wire = Wire(left(2))
    wire.read()
    for _ in range(5):
        with pytest.raises(KeyError):
            wire.retrying.ask("it", lambda: _fail(wire))
    assert wire.wait() < 2


def _fail(wire: Wire) -> int:
    wire.ask()
    raise KeyError


# -------------------------------------------------------------------------------------- threads that overtake others


def refused(pace: Pace) -> datetime:
    """Let Azure refuse the requests of a bucket for four seconds, and return the time of the refusal."""
    moment = NOW + SECOND
    pace.answered(Ticket(SHOP, sparing=False), *left(40), NOW)
    pace.answered(Ticket(SHOP, sparing=False), *refusal(4, **{READS: "0"}), moment)
    return moment


def test_request_that_looked_at_the_clock_before_a_refusal_waits_for_it() -> None:
    """A thread that another thread overtakes between the clock and the lock sends nothing that Azure refuses."""
    pace = Pace()
    moment = refused(pace)
    assert pace.seconds(Ticket(SHOP, sparing=False), moment - MICROSECOND) >= 4


def test_answer_that_is_noted_late_opens_no_closed_bucket() -> None:
    """An answer that a thread notes after a later refusal leaves the bucket closed."""
    pace = Pace()
    moment = refused(pace)
    pace.answered(Ticket(SHOP, sparing=False), *left(1), moment - MICROSECOND)
    assert pace.seconds(Ticket(SHOP, sparing=False), moment) >= 4
