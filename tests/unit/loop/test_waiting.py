"""Certroll sends a delayed message after a run that has to continue later."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from shared.controllers.intake.queues import _come_back
from shared.domain.errors import OutOfTime
from shared.domain.intent import Intent
from shared.domain.messages import MOST_WAITS, Cause, CertificateMessage
from shared.domain.outcome import Converged, Deferred, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.restart_window import RestartWindow
from shared.loop.backoff import LONGEST_PAUSE, pause, until_open
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.build import NOW, REF, ManualClock, ports

SECOND = timedelta(seconds=1)


def sent(outcome: Outcome, waits: int = 0) -> list[tuple[CertificateMessage, timedelta]]:
    """Return the messages that Certroll sends after the outcome of a message that has waited `waits` times."""
    messages: list[tuple[CertificateMessage, timedelta]] = []
    with Pool(1, "reader") as pool:
        run = Run.start(ports(clock=ManualClock()), Intent(), pool)
        message = CertificateMessage(REF, Cause.EVENT, waits)
        _come_back(run, outcome, message, lambda again, delay: messages.append((again, delay)))
    return messages


def waiting(delay: timedelta) -> Waiting:
    """Return an outcome that asks for another run after the delay."""
    return Waiting(NOW + delay, Reason.DISPATCHED)


@pytest.mark.parametrize(
    ("asked", "delay"),
    [
        pytest.param(30 * SECOND, 30 * SECOND, id="half a minute"),
        pytest.param(LONGEST_PAUSE, LONGEST_PAUSE, id="a quarter of an hour, the longest"),
        pytest.param(-SECOND, timedelta(0), id="a moment that is over: at once"),
    ],
)
def test_wait_sends_a_new_message(asked: timedelta, delay: timedelta) -> None:
    """A run that has to wait sends a message that becomes visible when it is due and counts another wait."""
    assert sent(waiting(asked), 4) == [(CertificateMessage(REF, Cause.WAIT, 5), delay)]


def test_long_wait_is_left_to_the_sweep() -> None:
    """A run that has to wait more than 15 minutes sends no message, because the sweep continues the work."""
    assert sent(waiting(LONGEST_PAUSE + SECOND)) == []


def test_twentieth_wait_is_the_last() -> None:
    """A run sends no message after twenty waits in a row, because the sweep continues the work."""
    assert len(sent(waiting(SECOND), MOST_WAITS - 1)) == 1
    assert sent(waiting(SECOND), MOST_WAITS) == []


@pytest.mark.parametrize("waits", [0, MOST_WAITS], ids=["the first", "the last"])
def test_progress_is_waited_for_anew(waits: int) -> None:
    """A run that made progress sends a message whose count of waits starts again at zero."""
    outcome = replace(waiting(SECOND), progress=True)
    assert sent(outcome, waits) == [(CertificateMessage(REF, Cause.WAIT, 0), SECOND)]
    assert sent(replace(outcome, until=NOW + LONGEST_PAUSE + SECOND), waits) == []


@pytest.mark.parametrize(
    "outcome",
    [Converged(Reason.ROLLED_OUT), Stalled(Reason.NOT_COVERED, "x"), Deferred(Reason.NOT_ADMITTED, "x")],
    ids=["converged", "stalled", "deferred"],
)
def test_what_does_not_wait_sends_nothing(outcome: Outcome) -> None:
    """A run that converged, stalled or was deferred sends no message for another run."""
    assert sent(outcome) == []


def test_pauses_grow_up_to_the_longest_wait() -> None:
    """The pauses between the runs for a message grow from one second to a quarter of an hour."""
    pauses = [pause(waits) for waits in range(MOST_WAITS + 1)]
    assert pauses[:8] == [SECOND] * 5 + [2 * SECOND, 4 * SECOND, 8 * SECOND]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("window", "look"),
    [
        pytest.param(None, NOW, id="there is no window: now"),
        pytest.param("Sat 11:00-13:00", NOW, id="it is open: now"),
        pytest.param("Sat 12:10-13:00", NOW + 600 * SECOND, id="it opens within a quarter of an hour: then"),
        pytest.param("Sat 13:00-14:00", NOW + LONGEST_PAUSE, id="it opens within hours: in a quarter of an hour"),
        pytest.param("Sat 16:00-17:00", NOW + LONGEST_PAUSE, id="it opens in four hours: in a quarter of an hour"),
        pytest.param("Sat 16:01-17:00", NOW + 241 * 60 * SECOND, id="it opens later: the sweep finds it"),
    ],
)
def test_window_is_not_missed(window: str | None, look: datetime) -> None:
    """In the four hours before the restart window opens, Certroll repeats a waiting run every quarter of an hour.

    Certroll's sweeps alone could miss a short restart window.
    """
    intent = Intent(restart_window=RestartWindow.parse(window) if window else None)
    with Pool(1, "reader") as pool:
        assert until_open(Run.start(ports(clock=ManualClock()), intent, pool)) == look


def test_run_ends_well_inside_the_functions_time() -> None:
    """A run of Certroll starts no new step once eight of the function's ten minutes are over."""
    clock = ManualClock()
    with Pool(1, "reader") as pool:
        run = Run.start(ports(clock=clock), Intent(), pool)
        clock.time += timedelta(minutes=8) - SECOND
        run.check_time()
        clock.time += SECOND
        with pytest.raises(OutOfTime, match="the time of this run is over"):
            run.check_time()
