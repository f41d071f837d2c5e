"""Wait until Azure shows a write of Certroll, because Azure's reads lag behind its writes by seconds."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from shared.domain.errors import NotSettled
from shared.ports.clock import Clock

Seen = TypeVar("Seen")

PATIENCE = timedelta(seconds=60)
"""How long Azure may go on to show the old state after a write; users of the az CLI saw it do so for seconds
(azure-cli issue 15950)."""
UPLOAD_PATIENCE = timedelta(seconds=20)
"""How long Azure may take to show an upload under a new name. This patience is short: a run may upload to many
webspaces one after the other, and the next run finds an upload that this run did not see."""
FIRST_PAUSE_SECONDS = 1.0
"""The first pause before Certroll reads again; each further pause is twice the one before."""
LONGEST_PAUSE_SECONDS = 8.0
"""The longest pause before Certroll reads again, so that a change is seen within seconds."""


def settle(
    clock: Clock,
    read: Callable[[], Seen],
    accept: Callable[[Seen], bool],
    what: str,
    patience: timedelta = PATIENCE,
) -> Seen:
    """Read a resource until `accept` returns True, and return the accepted state. Raises NotSettled after `patience`.

    `what` is the name of the resource for the message of the exception. Users of the az CLI, which does not wait for
    Azure, report "imported, then not found" (azure-cli issue 15950).
    """
    give_up = clock.now() + patience
    pause = FIRST_PAUSE_SECONDS
    while not accept(seen := read()):
        if clock.now() + timedelta(seconds=pause) > give_up:
            raise NotSettled(f"{what} still shows the old state after {patience.total_seconds():.0f} s")
        clock.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    return seen
