"""How far a version came in the settings of each app, in the table `certrolljournal`.

PartitionKey: hash of the lineage. RowKey: `roll-` and the hash of the site.
"""

from dataclasses import replace

from shared.clients.storage.rows import lineage_key, roll_key, roll_record, roll_row
from shared.clients.storage.tables import JOURNAL, Tables
from shared.domain.errors import Conflict
from shared.domain.names import SiteRef, VaultCertificateRef
from shared.domain.rollout.settings_record import RollRecord


class TableSettingsRolls:
    """How far a version came in the settings of each app."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def roll(self, ref: VaultCertificateRef, site: SiteRef) -> RollRecord | None:
        """Return the record of one app's settings, of whatever version it is; None if there is none."""
        row = self._tables.row(JOURNAL, lineage_key(ref), roll_key(site))
        return None if row is None else roll_record(row)

    def put_roll(self, ref: VaultCertificateRef, record: RollRecord) -> RollRecord:
        """Replace the revision that the record was made from; return the record with its new revision.

        Raises Conflict if that revision is no longer there: another run wrote or deleted the record meanwhile.
        """
        row = {"PartitionKey": lineage_key(ref), "certificate": str(ref), **roll_row(record)}
        return replace(
            record, revision=self._tables.put(row, record.revision, f"the record of {record.site} for {ref}")
        )

    def forget(self, ref: VaultCertificateRef, record: RollRecord) -> bool:
        """Delete the record of one app and return True; return False if its revision is no longer there."""
        keys = lineage_key(ref), roll_key(record.site)
        try:
            self._tables.delete_revision(*keys, record.revision, f"the record of {record.site}")
        except Conflict:
            return False
        return True
