"""Decide how long Certroll delays a queue message, and how often a run builds its plan again after a conflict."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from shared.domain.errors import AzureError, CertrollError, Conflict, LeaseBusy, OutcomeUnknown, Transient
from shared.domain.outcome import Waiting
from shared.domain.reason import Reason
from shared.loop.run import Run
from shared.telemetry import event

BUSY_PAUSE = timedelta(seconds=30)
"""The longest pause before a run asks again for a lease that another run holds. A dead run's lease ends after 60 s."""


FIRST_PAUSE = timedelta(seconds=1)
"""How soon a message comes back after its first waits. Azure does most of what Certroll waits for within seconds."""


SHORT_PAUSES = 4
"""How many pauses after the first one are equally short. Each later pause is twice as long as the pause before it."""


LONGEST_PAUSE = timedelta(minutes=15)
"""The longest pause of a message. A message waits at most 20 times in a row, which bridges hours. After these waits
the hourly sweep takes over."""


FIRST_PAUSE_UNANSWERED = timedelta(minutes=2)
"""How soon a message comes back whose run Azure did not answer. The run may read the whole fleet again."""


WINDOW_AHEAD = timedelta(hours=4)
"""How long before CERTROLL_RESTART_WINDOW opens a message begins to come back every `LONGEST_PAUSE`. Because of these
messages, Certroll meets every window even if an operator lets the sweep run only every four hours."""
ROUNDS = 3
"""How often a run observes and plans before Certroll gives up on a fleet that changes under each plan."""


UNANSWERED: tuple[type[AzureError], ...] = (Transient, OutcomeUnknown, Conflict)
"""The errors after which the same run may succeed later. The message of a thing that is sick for good becomes no dead
letter: it comes back `MOST_WAITS` times, and then the hourly sweep continues the work."""


Result = TypeVar("Result")


def pause(waits: int) -> timedelta:
    """Return how long Certroll delays a queue message after `waits` earlier delays.

    Each of the first five delays of a queue message takes one second.
    """
    return min(FIRST_PAUSE * (1 << min(max(waits - SHORT_PAUSES, 0), 16)), LONGEST_PAUSE)


def until_open(run: Run) -> datetime:
    """Return when Certroll handles a message that waits for CERTROLL_RESTART_WINDOW again.

    In the four hours before the restart window opens, the waiting message comes back at least every quarter of an hour.
    An hourly sweep alone could miss a short restart window.
    """
    now, window = run.now(), run.intent.restart_window
    opens = window.opens_at(now) if window else now
    return min(opens, now + LONGEST_PAUSE) if opens - now <= WINDOW_AHEAD else opens


def until_thawed(run: Run) -> datetime:
    """Return when the freeze (CERTROLL_FREEZE) ends that lasts now, or the present time without a freeze."""
    return run.intent.frozen_until(run.now()) or run.now()


def until_free(run: Run, busy: LeaseBusy, waits: int) -> Waiting:
    """Return a short wait for a lease (an exclusive lock) that another run holds.

    Another run usually releases its lease within seconds.
    """
    return Waiting(run.now() + min(pause(waits), BUSY_PAUSE), Reason.BUSY, str(busy))


def until_answered(run: Run, error: CertrollError, waits: int) -> Waiting:
    """Return a wait for Azure to answer a request, which doubles with each earlier wait up to `LONGEST_PAUSE`."""
    again = min(FIRST_PAUSE_UNANSWERED * (1 << min(waits, 16)), LONGEST_PAUSE)
    return Waiting(run.now() + again, Reason.UNANSWERED, str(error))


def planning_again(attempt: Callable[[], Result]) -> Result:
    """Call `attempt`, which plans and writes, and return its result.

    If Azure's state changes while Certroll plans and writes, call `attempt` up to twice more.
    """
    for _ in range(ROUNDS - 1):
        try:
            return attempt()
        except Conflict as conflict:
            event("plan.outdated", detail=str(conflict))
    return attempt()
