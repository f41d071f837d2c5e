"""Store what Certroll remembers of each app's settings in the table `certrollsettings`.

The PartitionKey is the subscription, and the RowKey the hash of the site or slot. A lost row costs one read of Azure,
so an unreadable row counts as none and is written again. A row of a later release stays as it is.
"""

from collections.abc import Iterable, Mapping

from shared.clients.storage.edge import VERSION, record_of
from shared.clients.storage.rows import Entity, chunked, digest, joined, moment
from shared.clients.storage.tables import Tables
from shared.domain.errors import RecordUnreadable
from shared.domain.fleet.settings_memory import Memory

SETTINGS = "certrollsettings"


class TableSettingsMemory:
    """The memories of app settings, as rows of a table."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._later = set[str]()
        """The RowKeys of rows that a later release wrote, which this run leaves alone."""

    def of(self, subscription: str) -> Mapping[str, Memory]:
        """Return what Certroll remembers of the sites and slots of a subscription, by resource id, with one query."""
        found: dict[str, Memory] = {}
        for row in self._tables.rows(SETTINGS, subscription):
            try:
                memory = record_of(memory_in, row)
            except RecordUnreadable:
                if _is_later(row):
                    self._later.add(str(row["RowKey"]))
                continue
            found[memory.resource_id] = memory
        return found

    def put(self, subscription: str, memories: Iterable[Memory]) -> None:
        """Write what Certroll remembers of sites and slots of one subscription, in batches."""
        rows = (_row(subscription, memory) for memory in memories)
        self._tables.write(SETTINGS, [row for row in rows if row["RowKey"] not in self._later])

    def forget(self, subscription: str, resource_ids: Iterable[str]) -> None:
        """Delete what Certroll remembers of sites and slots of one subscription."""
        for key in map(digest, resource_ids):
            row = self._tables.row(SETTINGS, subscription, key)
            if row is not None and not _is_later(row):
                self._tables.delete(SETTINGS, subscription, key)


def _is_later(row: Entity) -> bool:
    """Return True if a later release than this wrote the row. What an earlier one or a person wrote is replaced."""
    version = row.get("v")
    return isinstance(version, int) and version > VERSION


def memory_in(row: Entity) -> Memory:
    """Return the memory that a row holds."""
    return Memory(str(row["site"]), moment(row["modified"]), moment(row["read_at"]), joined("settings", row))


def _row(subscription: str, memory: Memory) -> Entity:
    keys = {"PartitionKey": subscription, "RowKey": digest(memory.resource_id), "site": memory.resource_id}
    times = {"modified": memory.modified, "read_at": memory.read_at}
    return {**keys, **times, **chunked("settings", memory.text)}
