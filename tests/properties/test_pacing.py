"""Whatever Azure's answers say about its limits, the waits of Certroll are bounded and its memory stays consistent."""

import math
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.clients.pace import Asked, Pace, Ticket
from shared.domain.pacing import Level
from tests.build import NOW

HEADER = "x-ms-ratelimit-remaining-subscription-reads"
COUNTS = st.integers(0, 9_999_999) | st.integers(0, 3)
STEPS = st.floats(-5000, 5000, allow_nan=False) | st.floats(0, 3)
WAITS = st.integers(0, 10**9)
ANSWERS = st.lists(st.tuples(COUNTS, STEPS, st.none() | WAITS), max_size=30)


@given(first=COUNTS, answers=ANSWERS, ahead=st.integers(0, 500), sparing=st.booleans())
def test_wait_is_a_plain_number_for_all_answers(
    first: int,
    answers: list[tuple[int, float, int | None]],
    ahead: int,
    sparing: bool,  # noqa: FBT001 - Hypothesis passes it
) -> None:
    """A wait is a finite number of seconds, and Azure's own Retry-After is never cut short."""
    level, now = Level.first(first, NOW), NOW
    for left, step, wait in answers:
        now += timedelta(seconds=step)
        level = level.shown(left, now, took=wait is None)
        if wait is not None:
            level = level.refused(timedelta(seconds=wait), now)
        seconds = level.seconds(ahead, now, sparing=sparing)
        assert math.isfinite(seconds)
        assert seconds >= (wait or 0) or wait is None
        assert level.size.most >= left


@given(first=COUNTS, answers=ANSWERS)
def test_bucket_that_azure_fills_holds_up_no_request_for_long(
    first: int, answers: list[tuple[int, float, int | None]]
) -> None:
    """Two hours after the last answer, whatever it said, a single request waits for nothing."""
    level, now = Level.first(first, NOW), NOW
    for left, step, _ in answers:
        now += timedelta(seconds=step)
        level = level.shown(left, now, took=True)
    assert level.is_forgotten(now + timedelta(hours=2))
    assert level.seconds(0, now + timedelta(hours=2), sparing=True) <= 0


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["ask", "answer", "refuse", "end"]), COUNTS, st.floats(0, 9)),
        max_size=60,
    )
)
def test_every_request_gives_its_place_back(steps: list[tuple[int, str, int, float]]) -> None:
    """Whatever becomes of requests, none of them waits or is under way after its end."""
    pace, now = Pace(), NOW
    tickets = [Ticket(Asked("s", f"kind {number % 2}"), sparing=number % 3 == 0) for number in range(6)]
    for number, what, left, step in steps:
        now, ticket = now + timedelta(seconds=step), tickets[number]
        if what == "ask" and not ticket.under_way:
            assert pace.seconds(ticket, now) < math.inf
        elif what == "end":
            pace.end(ticket)
        else:
            more = {"Retry-After": "3"} if what == "refuse" else {}
            pace.answered(ticket, 429 if more else 200, {HEADER: str(0 if more else left), **more}, now)
    for ticket in tickets:
        pace.end(ticket)
    assert [(bucket.under_way, bucket.waiting) for bucket in pace._buckets.values()] == [(0, [])] * len(pace._buckets)
