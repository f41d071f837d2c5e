"""Read rows of which some are unreadable, report each of those once, and keep writes away from them.

A row is unreadable after a rollback of the app, because a later release wrote it, or after an edit by hand. The other
rows are read as always. Only the repair or deletion by a person, or the later release, changes an unreadable row.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from shared.clients.storage.edge import record_of
from shared.clients.storage.findings import ROWS_SCOPE
from shared.clients.storage.rows import Entity, row_subject
from shared.domain.errors import RecordUnreadable
from shared.domain.findings import Finding
from shared.domain.reason import Reason
from shared.ports.clock import Clock
from shared.ports.journal import Findings

Record = TypeVar("Record")
Read = Callable[[Entity], Record]


class Rows:
    """The rows of a run, of which each unreadable one becomes a finding (a reported problem) once."""

    def __init__(self, findings: Findings, clock: Clock) -> None:
        self._findings = findings
        self._clock = clock
        self._reported = set[str]()

    def one(self, table: str, read: Read[Record], row: Entity) -> Record:
        """Return the record that a row holds. Raise RecordUnreadable, after a report, if the row is unreadable."""
        try:
            return record_of(read, row)
        except RecordUnreadable as unreadable:
            self.report(table, row, unreadable)
            raise

    def all(self, table: str, read: Read[Record], rows: Iterable[Entity]) -> tuple[list[Record], frozenset[str]]:
        """Return the records of the readable rows, and the RowKeys of the others, which are reported."""
        found, hidden = list[Record](), set[str]()
        for row in rows:
            try:
                found.append(record_of(read, row))
            except RecordUnreadable as unreadable:
                self.report(table, row, unreadable)
                hidden.add(str(row["RowKey"]))
        return found, frozenset(hidden)

    def report(self, table: str, row: Entity, unreadable: RecordUnreadable) -> None:
        """Report an unreadable row, once for each run."""
        subject = row_subject(table, row)
        if subject in self._reported:
            return
        self._reported.add(subject)
        finding = Finding(self._clock.now(), ROWS_SCOPE, subject, Reason.RECORD_UNREADABLE, str(unreadable)[:1000])
        self._findings.report((finding,))
