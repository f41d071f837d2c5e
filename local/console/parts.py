"""Fit the parts of a picture into a terminal. What does not fit is counted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from local.layout import INDENT

LEAST = 4
"""How many lines each part gets in the lowest terminal: the titles of a table, two rows, and what is left out."""
ENLARGE = "enlarge the terminal"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of a table, or a finding."""

    brief: tuple[str, ...]
    """The lines that an entry needs at least."""
    detail: tuple[str, ...] = ()
    """Further lines, for which a low terminal may have no room."""
    mark: str = ""
    """A word such as `old` under which the entry is counted if the entry is left out."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a picture."""

    title: str
    """The plural of what the entries are, such as `Host names`."""
    head: tuple[str, ...]
    """The lines above the entries: the titles of the columns, and a rule. A finding has no columns."""
    entries: tuple[Entry, ...]
    """The entries, the most important entry first."""

    @property
    def needs(self) -> int:
        """The number of lines that show everything."""
        return len(self.head) + sum(len(entry.brief) + len(entry.detail) for entry in self.entries)


def share_out(needs: list[int], room: int) -> list[int]:
    """Return how many lines each part gets: what a part does not need goes to the other parts."""
    shares, left, waiting = [0] * len(needs), room, sorted(range(len(needs)), key=lambda part: needs[part])
    while waiting:
        part = waiting.pop(0)
        shares[part] = max(min(needs[part], left // (len(waiting) + 1)), LEAST)
        left -= shares[part]
    return shares


def fitted(part: Part, room: int) -> list[str]:
    """Return at most `room` lines of the part. If something is left out, the last line says how much.

    As many entries as possible come before any detail, so that a long detail hides no other entry. The rule below the
    titles gives its line to an entry.
    """
    if part.needs <= room:
        return [*part.head, *(line for entry in part.entries for line in (*entry.brief, *entry.detail))]
    head = part.head[:1]
    left = room - len(head) - 1
    shown = _that_fit(part.entries, left)
    left -= sum(len(entry.brief) for entry in shown)
    lines = list(head)
    for entry in shown:
        whole = len(entry.detail) <= left
        lines += (*entry.brief, *(entry.detail if whole else ()))
        left -= len(entry.detail) if whole else 0
    return [*lines[: room - 1], _left_out(part, len(shown))]


def _that_fit(entries: Sequence[Entry], room: int) -> list[Entry]:
    """Return the first entries that fit, and at least one."""
    return list(_fitting(entries, room)) or list(entries[:1])


def _fitting(entries: Sequence[Entry], room: int) -> Iterator[Entry]:
    for entry in entries:
        room -= len(entry.brief)
        if room < 0:
            return
        yield entry


def _left_out(part: Part, shown: int) -> str:
    hidden, details = len(part.entries) - shown, any(entry.detail for entry in part.entries)
    word = part.title.lower() if hidden > 1 else part.title.lower().removesuffix("s")
    marks = Counter(entry.mark for entry in part.entries[shown:] if entry.mark)
    marked = "".join(f", {count} of them {mark}" for mark, count in marks.items())
    what = [*([f"{hidden} more {word}{marked}"] if hidden else []), *(["details"] if details else [])]
    return f"{INDENT}… and {' and '.join(what)}: {ENLARGE}"
