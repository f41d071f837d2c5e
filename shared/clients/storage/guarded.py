"""Give each row its version, and let no write or deletion destroy a row that this release cannot read.

A write of a known revision destroys nothing, because its run has read the row. Before every other write to the journal
this module reads what is stored.
"""

from collections.abc import Callable, Iterable

from shared.clients.storage.edge import VERSION, record_of
from shared.clients.storage.rows import Entity
from shared.clients.storage.tables import JOURNAL, Tables
from shared.domain.errors import RecordUnreadable

Reader = Callable[[Entity], object]
Report = Callable[[str, Entity, RecordUnreadable], None]


class GuardedTables:
    """Tables whose rows carry a version, and whose unreadable rows stay as they are."""

    def __init__(self, tables: Tables, reader_of: Callable[[str, Entity], Reader], report: Report) -> None:
        self._tables = tables
        self._reader_of = reader_of
        self._report = report

    def rows(self, table: str, partition: str) -> tuple[Entity, ...]:
        """Return the rows of a partition in the order of their keys, and no rows if the table does not exist."""
        return self._tables.rows(table, partition)

    def having(self, table: str, name: str, texts: Iterable[str]) -> tuple[Entity, ...]:
        """Return the rows of all partitions whose property has one of the texts."""
        return self._tables.having(table, name, texts)

    def row(self, table: str, partition: str, row: str) -> Entity | None:
        """Return one row of a table, or None if the row does not exist."""
        return self._tables.row(table, partition, row)

    def put(self, row: Entity, revision: str | None, what: str) -> str:
        """Replace the given revision of a journal row, or insert the row, and return the row's new revision."""
        return self._tables.put(_versioned(row), revision, what)

    def put_all(self, rows: Iterable[tuple[Entity, str | None]], what: str) -> tuple[str, ...]:
        """Replace journal rows of one partition. Raise RecordUnreadable if a replaced row is unreadable."""
        pairs = [(_versioned(row), revision) for row, revision in rows]
        self._check(JOURNAL, [row for row, revision in pairs if revision is None])
        return self._tables.put_all(pairs, what)

    def write(self, table: str, rows: Iterable[Entity]) -> None:
        """Upsert rows of one partition. Raise RecordUnreadable if a stored row of the journal is unreadable."""
        versioned = [_versioned(row) for row in rows]
        if table == JOURNAL:
            self._check(table, versioned)
        self._tables.write(table, versioned)

    def delete(self, table: str, partition: str, row: str) -> None:
        """Delete a row that is readable. An unreadable row of the journal stays, and is reported."""
        if table == JOURNAL:
            stored = self._tables.row(table, partition, row)
            if stored is not None and not self._is_readable(table, stored):
                return
        self._tables.delete(table, partition, row)

    def delete_revision(self, partition: str, row: str, revision: str | None, what: str) -> None:
        """Delete the given revision of a journal row, which the caller has read."""
        self._tables.delete_revision(partition, row, revision, what)

    def _check(self, table: str, rows: list[Entity]) -> None:
        """Raise RecordUnreadable, which names the row, if one of the rows is stored and unreadable."""
        if not rows:
            return
        partition = rows[0]["PartitionKey"]
        if len(rows) == 1:
            found = [self._tables.row(table, partition, rows[0]["RowKey"])]
        else:
            found = list(self._tables.rows(table, partition))
        keys = {row["RowKey"] for row in rows}
        for stored in found:
            if stored is not None and stored["RowKey"] in keys:
                self._read(table, stored)

    def _is_readable(self, table: str, row: Entity) -> bool:
        try:
            self._read(table, row)
        except RecordUnreadable:
            return False
        return True

    def _read(self, table: str, row: Entity) -> None:
        try:
            record_of(self._reader_of(table, row), row)
        except RecordUnreadable as unreadable:
            self._report(table, row, unreadable)
            raise


def _versioned(row: Entity) -> Entity:
    return {**row, "v": VERSION}
