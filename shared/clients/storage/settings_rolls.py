"""Store the settings record of each app in the table `certrolljournal`.

A settings record holds the progress of a certificate version in the app settings of one app. The PartitionKey is the
hash of the lineage. The RowKey is `roll-` and the hash of the site.
"""

from dataclasses import replace

from shared.clients.storage.rows import lineage_key, roll_key, roll_record, roll_row
from shared.clients.storage.tables import JOURNAL, Tables
from shared.domain.errors import Conflict
from shared.domain.names import SiteRef, VaultCertificateRef
from shared.domain.rollout.settings_record import RollRecord


class TableSettingsRolls:
    """The settings records of all apps, as rows of the journal."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def roll(self, ref: VaultCertificateRef, site: SiteRef) -> RollRecord | None:
        """Return the settings record of one app, whichever version it is about, or None if the journal has none."""
        row = self._tables.row(JOURNAL, lineage_key(ref), roll_key(site))
        return None if row is None else roll_record(row)

    def put_roll(self, ref: VaultCertificateRef, record: RollRecord) -> RollRecord:
        """Replace the revision that the record was made from; return the record with its new revision.

        Raise Conflict if another run has written or deleted the record in the meantime.
        """
        row = {"PartitionKey": lineage_key(ref), "certificate": str(ref), **roll_row(record)}
        return replace(
            record, revision=self._tables.put(row, record.revision, f"the record of {record.site} for {ref}")
        )

    def forget(self, ref: VaultCertificateRef, record: RollRecord) -> bool:
        """Delete the settings record of one app and return True. Return False if another run has written the record."""
        keys = lineage_key(ref), roll_key(record.site)
        try:
            self._tables.delete_revision(*keys, record.revision, f"the record of {record.site}")
        except Conflict:
            return False
        return True
