"""Read the facts of single things once a day: configurations, DNS, handshakes, vaults.

What a run has read is stored at once, so that the next run goes on where the time was over. The oldest facts come
first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from shared.domain.errors import AzureError, Denied, OutOfTime, Throttled
from shared.domain.shown import Gap, Shown, Source
from shared.loop.pool import Pool
from shared.loop.run import Run

Thing = TypeVar("Thing")
FRESH = timedelta(hours=12)
"""How old a fact may be that a daily sweep does not read again."""
TRIED = timedelta(hours=1)
"""How long a failed read counts, so that the runs of one sweep do not repeat it."""
TOO_OLD = timedelta(hours=48)
"""How old a fact may be that a rule judges."""
BATCH = 50
"""How many facts a run stores at once, which is one transaction of Table storage."""
MOST_FORGOTTEN = 100
"""How many facts about things that are gone a run deletes. Later runs delete more."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts from one source."""

    shown: Mapping[str, Shown]
    """What is known of each thing, by its name."""
    read: int
    """How many things this run has read."""
    left: int
    """How many things this run had no time to read."""


def gather(
    run: Run,
    pool: Pool,
    source: Source,
    things: Mapping[str, Thing],
    read: Callable[[Thing], Mapping[str, object]],
    leaving: timedelta,
    *,
    complete: bool,
) -> Gathered:
    """Read what is not fresh of the things, while more time than `leaving` is left, and return what is known of all.

    With `complete`, the function forgets what is stored of things that are gone.
    """
    memory = run.ports.shown_memory
    known = dict(memory.of(source))
    due = sorted((name for name in things if _is_due(run, known.get(name))), key=lambda name: _age(known.get(name)))

    def shown(name: str) -> Shown | None:
        try:
            run.check_time(leaving)
            return Shown(source, run.now(), read(things[name]))
        except (OutOfTime, Throttled):
            return None
        except AzureError as error:
            return Shown.missing(source, run.now(), _gap(error), str(error))

    done = 0
    for start in range(0, len(due), BATCH):
        batch = due[start : start + BATCH]
        results = zip(batch, pool.each(shown, batch), strict=True)
        found = {name: result for name, result in results if isinstance(result, Shown)}
        memory.put(source, found)
        known.update(found)
        done += len(found)
        if len(found) < len(batch):
            break
    if complete:
        memory.forget(source, sorted(known.keys() - things.keys())[:MOST_FORGOTTEN])
    usable = {name: _usable(run, known[name]) for name in things if name in known}
    return Gathered(usable, done, len(due) - done)


def _is_due(run: Run, fact: Shown | None) -> bool:
    return fact is None or run.now() - fact.read_at >= (FRESH if fact.gap is None else TRIED)


def _age(fact: Shown | None) -> str:
    """Return a key that sorts what was never read first, and then the oldest."""
    return "" if fact is None else fact.read_at.isoformat()


def _usable(run: Run, fact: Shown) -> Shown:
    """Return the fact, or in place of a fact that is too old that it is."""
    if run.now() - fact.read_at < TOO_OLD:
        return fact
    detail = f"it was last read on {fact.read_at:%Y-%m-%d %H:%M} UTC"
    return Shown.missing(fact.source, fact.read_at, Gap.TOO_OLD, detail)


def _gap(error: AzureError) -> Gap:
    return Gap.DENIED if isinstance(error, Denied) else Gap.UNREACHABLE
