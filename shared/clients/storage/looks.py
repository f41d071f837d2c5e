"""Number the looks at the fleet for each vault certificate, in the partition `looks` of the table `certrolljournal`.

The RowKey is the key of the vault certificate. A message says which look was the last to begin when Certroll asked for
another. Every inspection with a higher number began after the question, so it answers the question as well.
"""

from contextlib import suppress

from shared.clients.storage.rows import Entity, lineage_key, revision_of
from shared.clients.storage.tables import JOURNAL, Tables
from shared.clients.storage.unreadable import Rows
from shared.domain.errors import Conflict
from shared.domain.looks import Look
from shared.domain.names import VaultCertificateRef

LOOKS = "looks"


class TableLooks:
    """The numbers of looks, as rows of the journal."""

    def __init__(self, tables: Tables, rows: Rows) -> None:
        self._tables = tables
        self._rows = rows

    def last(self, ref: VaultCertificateRef) -> Look:
        """Return the last inspection that began, or number 0. Raise RecordUnreadable if the row is unreadable."""
        row = self._tables.row(JOURNAL, LOOKS, lineage_key(ref))
        return Look() if row is None else self._rows.one(JOURNAL, look_of, row)

    def begin(self, ref: VaultCertificateRef, last: Look) -> Look:
        """Number the next inspection, and return it. Raise Conflict if another run has begun one since `last`."""
        return self._put(ref, last.next())

    def end(self, ref: VaultCertificateRef, ended: Look) -> None:
        """Record that an inspection ended well, unless another run has begun one since, or the row is lost."""
        with suppress(Conflict):
            self._put(ref, ended)

    def _put(self, ref: VaultCertificateRef, look: Look) -> Look:
        keys = {"PartitionKey": LOOKS, "RowKey": lineage_key(ref), "certificate": str(ref)}
        numbers = {"begun": look.number, "whole": look.whole, "partial": look.partial}
        return look.stored(self._tables.put({**keys, **numbers}, look.revision, f"the number of looks for {ref}"))


def look_of(row: Entity) -> Look:
    """Return the inspection that a row records. Raise an error for a row without numbers."""
    begun, whole, partial = (row[name] for name in ("begun", "whole", "partial"))
    if not all(isinstance(number, int) for number in (begun, whole, partial)):
        raise TypeError("the row has no numbers")
    return Look(begun, whole, partial, revision_of(row))
