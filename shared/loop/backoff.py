"""How long a run waits before it comes back, and how often it plans again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from shared.domain.errors import Conflict, LeaseBusy
from shared.domain.outcome import Waiting
from shared.domain.reason import Reason
from shared.loop.run import Run
from shared.telemetry import event

BUSY_PAUSE = timedelta(seconds=30)
"""The longest pause before a run asks again for a lease that another run holds. A dead run's lease ends after 60 s."""


FIRST_PAUSE = timedelta(seconds=1)
"""How soon a message comes back the first times. Most of what Certroll waits for is done within seconds."""


SHORT_PAUSES = 4
"""How many pauses are as short as the first one; each further one is twice the one before."""


LONGEST_PAUSE = timedelta(minutes=15)
"""The longest pause of a message. Messages wait 20 times in a row at most, so that they bridge hours; after them the
hourly sweep looks."""


WINDOW_AHEAD = timedelta(hours=4)
"""How long before CERTROLL_RESTART_WINDOW opens messages begin to look every `LONGEST_PAUSE`, so that a sweep that runs
every four hours misses no window."""


ROUNDS = 3


Result = TypeVar("Result")


def pause(waits: int) -> timedelta:
    """Return how long to wait after so many waits: a second for the first five, in which most things are done."""
    return min(FIRST_PAUSE * (1 << min(max(waits - SHORT_PAUSES, 0), 16)), LONGEST_PAUSE)


def until_open(run: Run) -> datetime:
    """Return when to look again at what waits for CERTROLL_RESTART_WINDOW.

    Near its opening somebody looks every quarter of an hour: a sweep may well miss a short window.
    """
    now, window = run.now(), run.intent.restart_window
    opens = window.opens_at(now) if window else now
    return min(opens, now + LONGEST_PAUSE) if opens - now <= WINDOW_AHEAD else opens


def until_free(run: Run, busy: LeaseBusy, waits: int) -> Waiting:
    """Come back soon: another instance is usually done with a site within seconds."""
    return Waiting(run.now() + min(pause(waits), BUSY_PAUSE), Reason.BUSY, str(busy))


def planning_again(attempt: Callable[[], Result]) -> Result:
    """Return what the attempt returns; where the world moved under it, it observes and plans again."""
    for _ in range(ROUNDS - 1):
        try:
            return attempt()
        except Conflict as conflict:
            event("plan.outdated", detail=str(conflict))
    return attempt()
