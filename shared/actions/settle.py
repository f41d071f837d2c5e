"""Waiting until Azure shows what was written: its reads lag behind its writes by seconds."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from shared.domain.errors import NotSettled
from shared.domain.ports import Clock

Seen = TypeVar("Seen")

PATIENCE = timedelta(seconds=60)
UPLOAD_PATIENCE = timedelta(seconds=20)
"""For what is put under a name that is new: no older state of it has to go away first."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 8.0


def settle(
    clock: Clock,
    look: Callable[[], Seen],
    accept: Callable[[Seen], bool],
    what: str,
    patience: timedelta = PATIENCE,
) -> Seen:
    """Return the first sight that is accepted, looking again for up to a minute. Raises NotSettled naming `what`.

    Users of the az CLI report "imported, then not found" where this wait is missing (azure-cli issue 15950).
    """
    give_up = clock.now() + patience
    pause = FIRST_PAUSE
    while not accept(seen := look()):
        if clock.now() + timedelta(seconds=pause) > give_up:
            raise NotSettled(f"{what} still shows the old state after {patience.total_seconds():.0f} s")
        clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
    return seen
