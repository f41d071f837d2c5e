"""Store in the table `certrolljournal` when each thing of a kind had its last turn, in one row for each kind.

The row names a thing by the first digits of its hash. Two things with the same digits share a turn, which costs one of
them its place in the order, and nothing else.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from shared.clients.storage.rows import Entity, chunked, digest, fitting, joined
from shared.clients.storage.tables import JOURNAL, Tables
from shared.domain.turns import Turn

TURNS = "turns"
"""The PartitionKey of the rows."""
DIGITS = 10
MOST = 20_000
"""The most things of one kind, so that the row stays below the limit of 1 MiB. Twice the largest known fleet."""
_ENTRY = re.compile(rf"([0-9a-f]{{{DIGITS}}})([+-])([0-9a-f]{{8}})")


class TableTurns:
    """The last turns of things, as rows of the journal."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of(self, kind: str, things: Iterable[str]) -> dict[str, Turn]:
        """Return the last turn of each thing that had one. A thing whose turn cannot be read counts as one without."""
        row = self._tables.row(JOURNAL, TURNS, digest(kind))
        known = {} if row is None else _read(row)
        return {thing: known[key] for thing in things if (key := _key(thing)) in known}

    def put(self, kind: str, turns: Mapping[str, Turn]) -> None:
        """Replace the turns of a kind. Of more than `MOST` things, the oldest turns that did not fail are forgotten."""
        if not turns:
            self._tables.delete(JOURNAL, TURNS, digest(kind))
            return
        latest = sorted(turns.items(), key=lambda pair: (pair[1].failed, pair[1].at))[-MOST:]
        text = "".join(f"{_key(thing)}{'-' if turn.failed else '+'}{_seconds(turn.at):08x}" for thing, turn in latest)
        row = {"PartitionKey": TURNS, "RowKey": digest(kind), "kind": fitting(kind), **chunked("turns", text)}
        self._tables.write(JOURNAL, [row])


def _read(row: Entity) -> dict[str, Turn]:
    """Return the turns of a row by the hashes of their things. A row of another form has none."""
    try:
        text = joined("turns", row)
    except (LookupError, TypeError, ValueError):
        return {}
    return {key: Turn(datetime.fromtimestamp(int(at, 16), UTC), sign == "-") for key, sign, at in _ENTRY.findall(text)}


def _key(thing: str) -> str:
    return digest(thing)[:DIGITS]


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
