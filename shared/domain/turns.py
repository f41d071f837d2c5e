"""Decide in which order a run takes things that may use up its time, so that none of them starves the others.

```text
what did not fail ──▶ what failed              in each group, whose last turn was the longest ago comes first

the last run did not reach what failed: the one of it that waits longest comes first, before all others
```

A thing without a turn comes first, and equal things keep the order of the caller.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

Thing = TypeVar("Thing")

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Turn:
    """The last turn of a thing, such as a webspace, an order or a host name."""

    at: datetime
    """When the thing had its last turn."""
    failed: bool
    """True if the turn failed or did not end, so that the next turn may use up the time of its run."""


def in_turn(things: Iterable[Thing], turns: Mapping[Thing, Turn]) -> tuple[Thing, ...]:
    """Return the things in the order in which the next run takes them, which may not reach all of them.

    What failed goes last. If it waits longer than all others, and the last turn of all was a good one, one thing that
    failed comes first. So of any two runs in a row, one begins with what did not fail and waits longest, and the other
    one gives a turn to what failed and waits longest. If each run gives at least one turn, each of N things has its
    turn within 2 N runs.
    """

    def last(thing: Thing) -> datetime:
        return turns[thing].at if thing in turns else _NEVER

    waiting = sorted(things, key=last)
    sick = [thing for thing in waiting if thing in turns and turns[thing].failed]
    well = [thing for thing in waiting if thing not in turns or not turns[thing].failed]
    latest = max((turn.at for turn in turns.values()), default=_NEVER)
    unreached = all(not turn.failed for turn in turns.values() if turn.at == latest)
    overdue = 1 if sick and well and unreached and last(sick[0]) < last(well[0]) else 0
    return (*sick[:overdue], *well, *sick[overdue:])


def to_remember(things: Iterable[Thing], turns: Mapping[Thing, Turn], began: datetime) -> dict[Thing, Turn]:
    """Return the turns that the next run needs: none if each thing had a good turn since `began`.

    Turns of things that are not listed any more are forgotten.
    """
    known = {thing: turns[thing] for thing in things if thing in turns}
    missed = any(thing not in known or known[thing].failed or known[thing].at < began for thing in things)
    return known if missed else {}
