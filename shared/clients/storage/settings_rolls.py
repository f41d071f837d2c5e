"""Store the record of each update of an app's settings in the table `certrolljournal`.

The record of an app's settings update says how far Certroll has brought a version of a vault certificate into one app's
settings. The PartitionKey of the record about an app's settings update is the hash of the vault certificate. The RowKey
of the record about an app's settings update is `roll-` and the hash of the site.
"""

from dataclasses import replace

from shared.clients.storage.records import roll_record, roll_row
from shared.clients.storage.rows import lineage_key, roll_key
from shared.clients.storage.tables import JOURNAL, Tables
from shared.clients.storage.unreadable import Rows
from shared.domain.errors import Conflict
from shared.domain.names import SiteRef, VaultCertificateRef
from shared.domain.rollout.settings_record import RollRecord


class TableSettingsRolls:
    """The records of Certroll's updates of app settings, as rows of the journal."""

    def __init__(self, tables: Tables, rows: Rows) -> None:
        self._tables = tables
        self._rows = rows

    def roll(self, ref: VaultCertificateRef, site: SiteRef) -> RollRecord | None:
        """Return the update of an app's settings for a vault certificate, or None if the journal has no update.

        Raise RecordUnreadable if the row is unreadable.
        """
        row = self._tables.row(JOURNAL, lineage_key(ref), roll_key(site))
        return None if row is None else self._rows.one(JOURNAL, roll_record, row)

    def put_roll(self, ref: VaultCertificateRef, record: RollRecord) -> RollRecord:
        """Write the record if no other run has written it since the read, and return the record with its new revision.

        Raise Conflict if another run has written or deleted the record in the meantime.
        """
        row = {"PartitionKey": lineage_key(ref), "certificate": str(ref), **roll_row(record)}
        return replace(
            record, revision=self._tables.put(row, record.revision, f"the record of {record.site} for {ref}")
        )

    def forget(self, ref: VaultCertificateRef, record: RollRecord) -> bool:
        """Delete the record of an app's settings update and return True.

        Return False if another run has written the record in the meantime.
        """
        keys = lineage_key(ref), roll_key(record.site)
        try:
            self._tables.delete_revision(*keys, record.revision, f"the record of {record.site}")
        except Conflict:
            return False
        return True
