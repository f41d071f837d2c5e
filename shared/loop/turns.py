"""Let things that may use up the time of a run take turns over several runs (shared/domain/turns.py decides)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from shared.domain.errors import OutOfTime, StorageFailed
from shared.domain.turns import Turn, in_turn, to_remember
from shared.loop.run import Run
from shared.telemetry import event

Thing = TypeVar("Thing")


class Turns(Generic[Thing]):
    """The order in which a run takes the things of one kind, and what became of each of them.

    The threads of a pool may begin and end turns.
    """

    def __init__(self, run: Run, order: tuple[Thing, ...]) -> None:
        self._run = run
        self.order = order
        """The things, in the order in which this run takes them."""
        self.had: dict[Thing, Turn] = {}
        """The turns of this run."""

    def begin(self, thing: Thing) -> None:
        """Note that the thing has its turn. Until `end`, the turn counts as one that failed."""
        self.had[thing] = Turn(self._run.now(), failed=True)

    def end(self, thing: Thing, *, failed: bool = False) -> None:
        """Note that the turn of the thing is over."""
        self.had[thing] = Turn(self._run.now(), failed=failed)


@contextmanager
def taking_turns(
    run: Run, kind: str, things: Iterable[Thing], name: Callable[[Thing], str] = str
) -> Iterator[Turns[Thing]]:
    """Yield the things in turn, and at the end remember the turns for the next run, also after an error.

    `name` tells the things of the kind apart. Equal things keep the given order. A single thing costs no request.
    A storage account that fails costs the run only the order, so that a pending start waits for no turn.
    """
    things, began = tuple(things), run.now()
    known = last_turns(run, kind, things, name)
    turns = Turns(run, in_turn(things, known))
    try:
        yield turns
    finally:
        kept = to_remember(things, {**known, **turns.had}, began) if len(things) > 1 else {}
        _remember(run, kind, known, kept, name)


def last_turns(run: Run, kind: str, things: Iterable[Thing], name: Callable[[Thing], str] = str) -> dict[Thing, Turn]:
    """Return the last turns of the things, none for a single thing, which needs no order."""
    things = tuple(things)
    if len(things) <= 1:
        return {}
    try:
        known = run.ports.turns.of(kind, map(name, things))
    except (StorageFailed, OutOfTime) as error:
        event("turns.unread", kind=kind, detail=str(error))
        return {}
    return {thing: known[name(thing)] for thing in things if name(thing) in known}


def _remember(
    run: Run, kind: str, known: dict[Thing, Turn], turns: dict[Thing, Turn], name: Callable[[Thing], str]
) -> None:
    """Store the turns, unless neither the journal nor this run knows a turn worth remembering."""
    if turns == known:
        return
    try:
        run.ports.turns.put(kind, {name(thing): turn for thing, turn in turns.items()})
    except (StorageFailed, OutOfTime) as error:
        event("turns.not_stored", kind=kind, detail=str(error))
