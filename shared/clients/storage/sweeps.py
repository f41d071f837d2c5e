"""Store the sweeps that have not ended in one row of the table `certrolljournal`, which all their parts change."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from shared.clients.storage.rows import Entity, chunked, items_of, joined, listed, revision_of
from shared.clients.storage.tables import JOURNAL, Tables
from shared.domain.errors import Conflict
from shared.domain.sweeps import Part, Sweep, Sweeps, Unseen
from shared.telemetry import event

SWEEPS = "sweeps"
"""The PartitionKey and the RowKey of the row."""
TARGETS = "targets"
"""The RowKey of the row with what slices need to know."""
MOST_CHARACTERS = 400_000
"""The most characters of that row, which takes 1 MiB at two bytes each (Azure docs, "Understanding the Table service
data model")."""
MOST_RACES = 20
"""How often Certroll reads and writes the row again if other parts write it at the same time. The slices of many
subscriptions may end within a second."""


class TableSweeps:
    """The sweeps that have not ended, as a row of the journal."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def change(self, change: Callable[[Sweeps], Sweeps]) -> tuple[Sweeps, Sweeps]:
        """Change the record of the sweeps, and return it as it was before the change and after it.

        Raise Conflict if other runs write the record each time between the read and the write.
        """
        for _ in range(MOST_RACES):
            before = self._read()
            after = change(before)
            if after == before:
                return before, after
            try:
                self._tables.put(_row(after), before.revision, "the record of sweeps")
            except Conflict:
                continue
            return before, after
        raise Conflict(f"the record of sweeps changed {MOST_RACES} times while it was written")

    def keep(self, began: datetime, targets: str) -> None:
        """Store what the slices of a sweep need to know, in place of what an earlier sweep stored.

        A text of more than `MOST_CHARACTERS` is not stored, so that the row stays below the limit of Table storage.
        """
        if len(targets) > MOST_CHARACTERS:
            event("sweep.targets_too_long", characters=len(targets))
            return
        row = {"PartitionKey": SWEEPS, "RowKey": TARGETS, "sweep": began.isoformat(), **chunked("targets", targets)}
        self._tables.write(JOURNAL, [row])

    def kept(self, began: datetime) -> str | None:
        """Return what `keep` stored for a sweep, or None if the journal has it not, or that of another sweep."""
        row = self._tables.row(JOURNAL, SWEEPS, TARGETS)
        if row is None or row.get("sweep") != began.isoformat():
            return None
        try:
            return joined("targets", row)
        except (LookupError, TypeError):
            return None

    def _read(self) -> Sweeps:
        """Return the stored record. A row that Certroll cannot read counts as one without a sweep, and is replaced.

        What a lost record names is done again by the next sweep.
        """
        row = self._tables.row(JOURNAL, SWEEPS, SWEEPS)
        if row is None:
            return Sweeps()
        try:
            return Sweeps(tuple(map(_sweep, items_of("sweeps", row))), revision_of(row))
        except (LookupError, TypeError, ValueError) as error:
            event("sweep.record_unread", detail=f"{type(error).__name__}: {error}")
            return Sweeps(revision=revision_of(row))


def _row(sweeps: Sweeps) -> Entity:
    return {"PartitionKey": SWEEPS, "RowKey": SWEEPS, **listed("sweeps", map(_plain, sweeps.sweeps))}


def _plain(sweep: Sweep) -> dict[str, Any]:
    """Return a sweep as JSON takes it."""
    parts = [{**asdict(part), "at": part.at and part.at.isoformat()} for part in sweep.parts]
    return {**asdict(sweep), "began": sweep.began.isoformat(), "parts": parts}


def _sweep(stored: Any) -> Sweep:  # noqa: ANN401 - JSON; what has another form raises
    """Return the sweep that `_plain` made. Raise an error for a value of another form."""
    unseen, parts = stored["unseen"], [_part(part) for part in stored["parts"]]
    return Sweep(
        began=_moment(stored["began"]),
        parts=tuple(parts),
        judged=bool(stored["judged"]),
        unseen=Unseen(tuple(map(str, unseen["names"])), int(unseen["number"])),
        failed=tuple(map(str, stored["failed"])),
        left=tuple(map(str, stored["left"])),
    )


def _part(stored: Any) -> Part:  # noqa: ANN401 - JSON; what has another form raises
    at, runs, left_by = stored["at"], int(stored["runs"]), int(stored["left_by"])
    running, early = bool(stored["running"]), bool(stored["early"])
    return Part(str(stored["name"]), runs, running, at and _moment(at), early, left_by)


def _moment(text: str) -> datetime:
    """Return a time with its zone. Raise ValueError for a time without one, which compares with no other."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("the time has no zone")
    return moment
