"""Simulate Table storage and leases in memory, on the clock of the test.

The simulated storage is below the journal, so that Certroll's own code for rows always runs. The tests in
tests/scenarios/test_storage_contract.py run for this simulation and for the real clients on Azurite.
"""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from azure.data.tables import TableEntity

from shared.clients.storage.leases import LEASE_SECONDS, SAFE_SECONDS
from shared.clients.storage.reports import KEPT, REPORT
from shared.clients.storage.rows import Entity
from shared.clients.storage.tables import JOURNAL, batches, batches_of_pairs
from shared.domain.errors import Conflict, LeaseBusy, LeaseLost, StorageFailed
from shared.ports.clock import Clock

LONGEST_TEXT = 32 * 1024
"""The most characters of a string property in Table storage, which stores UTF-16."""
LARGEST_ROW = 1024 * 1024
"""The most bytes of a row in Table storage, which stores UTF-16."""
LARGEST_BATCH = 4 * 1024 * 1024
"""The most bytes of a transaction, which the SDK sends as JSON in ASCII."""
LONGEST_KEY = 512
"""The most characters of a key in Table storage."""
INT_32 = range(-(2**31), 2**31)
BAD_KEY = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")

Key = tuple[str, str]


class MemoryTables:
    """The tables of one simulated storage account, as long as the object exists."""

    def __init__(self) -> None:
        """Begin with a simulated storage account that has no table."""
        self._tables: defaultdict[str, defaultdict[str, dict[str, TableEntity]]] = defaultdict(_no_partitions)
        self._revisions = count(1)
        self._lock = threading.Lock()

    def rows(self, table: str, partition: str) -> tuple[Entity, ...]:
        """Return the rows of a partition in the order of their keys.

        The returned list is empty if the table is missing.
        """
        with self._lock:
            return tuple(_copied(row) for _, row in sorted(self._tables[table][partition].items()))

    def having(self, table: str, name: str, texts: Iterable[str]) -> tuple[Entity, ...]:
        """Return the rows of all partitions whose property has one of the texts."""
        wanted = set(texts)
        return tuple(row for row in self.all(table) if row.get(name) in wanted)

    def all(self, table: str) -> tuple[Entity, ...]:
        """Return the rows of a table in the order of their keys.

        The returned list is empty if the table is missing.
        """
        with self._lock:
            partitions = sorted(self._tables[table].items())
            return tuple(_copied(row) for _, rows in partitions for _, row in sorted(rows.items()))

    def row(self, table: str, partition: str, row: str) -> Entity | None:
        """Return the row of the given keys, or None if the row is missing."""
        with self._lock:
            found = self._tables[table][partition].get(row)
            return None if found is None else _copied(found)

    def put(self, row: Entity, revision: str | None, what: str) -> str:
        """Write a row of the journal in place of `revision`, and return the row's new revision.

        The argument `revision` is None for a row that does not exist yet. Raise Conflict if the stored row has another
        revision.
        """
        stored = _stored(row)
        with self._lock:
            found = self._found(JOURNAL, row)
            if _revision(found) != revision:
                raise Conflict(f"{what} was written by another run")
            return self._keep(JOURNAL, stored)

    def put_all(self, rows: Iterable[tuple[Entity, str | None]], what: str) -> tuple[str, ...]:
        """Replace rows of the journal in batches of fifty, each in place of its revision, if it has one.

        Raise Conflict if a stored row has another revision, and write no row of its batch and of later batches.
        """
        revisions = list[str]()
        for batch in batches_of_pairs(rows):
            revisions += self.put_batch(batch, what)
        return tuple(revisions)

    def write(self, table: str, rows: Iterable[Entity]) -> None:
        """Insert or update rows of one partition, in the batches of the real tables.

        The storage client writes the batches in order. Each batch writes all of its rows or fails.
        """
        for batch in batches(rows):
            self.write_batch(table, batch)

    def delete(self, table: str, partition: str, row: str) -> None:
        """Delete a row of a table, if the row exists."""
        with self._lock:
            self._tables[table][partition].pop(row, None)

    def delete_revision(self, partition: str, row: str, revision: str | None, what: str) -> None:
        """Delete a row of the journal, if the row exists.

        Raise Conflict if the stored row has another revision.
        """
        with self._lock:
            found = self._tables[JOURNAL][partition].get(row)
            if found is not None and _revision(found) != revision:
                raise Conflict(f"{what} was written by another run")
            self._tables[JOURNAL][partition].pop(row, None)

    def drop(self, table: str) -> None:
        """Drop a table with all its rows, as a loss of storage does."""
        with self._lock:
            self._tables.pop(table, None)

    def put_batch(self, batch: list[tuple[Entity, str | None]], what: str) -> list[str]:
        """Replace all rows of one batch, or raise Conflict and replace none of the rows."""
        stored = _stored_batch([row for row, _ in batch])
        with self._lock:
            found = (self._found(JOURNAL, row) for row in stored)
            pairs = zip(found, batch, strict=True)
            if any(revision is not None and _revision(known) != revision for known, (_, revision) in pairs):
                raise Conflict(f"{what} was written by another run")
            return [self._keep(JOURNAL, row) for row in stored]

    def write_batch(self, table: str, batch: list[Entity]) -> None:
        """Insert or update all rows of one batch, or fail and write none of the rows."""
        stored = _stored_batch(batch)
        with self._lock:
            for row in stored:
                self._keep(table, {**(self._found(table, row) or {}), **row})

    def _found(self, table: str, row: Entity) -> TableEntity | None:
        partition, key = _key(row)
        return self._tables[table][partition].get(key)

    def _keep(self, table: str, row: Entity) -> str:
        kept = TableEntity(row)
        kept._metadata = {"etag": f'W/"{next(self._revisions)}"', "timestamp": None}
        partition, key = _key(row)
        self._tables[table][partition][key] = kept
        return str(kept.metadata["etag"])


def _no_partitions() -> defaultdict[str, dict[str, TableEntity]]:
    return defaultdict(dict)


def _key(row: Entity) -> Key:
    return row["PartitionKey"], row["RowKey"]


def _revision(row: TableEntity | None) -> str | None:
    return None if row is None else str(row.metadata["etag"])


def _copied(row: TableEntity) -> TableEntity:
    copied = TableEntity(row)
    copied._metadata = row.metadata.copy()
    return copied


def _stored_batch(batch: list[Entity]) -> list[dict[str, Any]]:
    """Return the rows of one transaction as Table storage keeps them, or raise the error of a wrong transaction."""
    if len({row["PartitionKey"] for row in batch}) > 1:
        raise StorageFailed("a transaction is of one partition")
    if len({_key(row) for row in batch}) < len(batch):
        raise StorageFailed("InvalidDuplicateRow: a transaction names each row once")
    stored = [_stored(row) for row in batch]
    if sum(len(json.dumps(row, default=str)) for row in stored) > LARGEST_BATCH:
        raise StorageFailed("RequestBodyTooLarge: a transaction takes at most 4 MiB")
    return stored


def _stored(row: Entity) -> dict[str, Any]:
    """Return the properties of a row as Table storage keeps them.

    Table storage leaves out a property whose value is None. Raise StorageFailed if Table storage refuses the row,
    or if the SDK refuses the row.
    """
    for key in _key(row):
        if len(key) > LONGEST_KEY or BAD_KEY.search(key):
            raise StorageFailed(f"PropertyValueTooLarge or OutOfRangeInput: the key {key[:40]!r}")
    stored = {name: _value(name, value) for name, value in row.items() if value is not None}
    if sum(2 * len(name) + 2 * len(str(value)) for name, value in stored.items()) > LARGEST_ROW:
        raise StorageFailed("EntityTooLarge: the row is larger than 1 MiB")
    return stored


def _value(name: str, value: object) -> object:
    if isinstance(value, str):
        if len(value.encode("utf-16-le")) > 2 * LONGEST_TEXT:
            raise StorageFailed(f"PropertyValueTooLarge: {name} is longer than 32 K characters")
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, bool) or (isinstance(value, int) and value in INT_32):
        return value
    raise StorageFailed(f"{name} is neither text, bool, int of 32 bits nor datetime: {type(value)}")


class MemoryLeases:
    """Storage leases that last 60 s on the clock of the test.

    A simulated lease needs no renewal in the background: the simulation treats a living holder as one that renews.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin without any held lease."""
        self._clock = clock
        self._holders: dict[str, MemoryLease] = {}
        self._lock = threading.Lock()

    @contextmanager
    def hold(self, name: str) -> Iterator["MemoryLease"]:
        """Take the lease of a name, and keep the lease while the context lasts.

        Raise LeaseBusy if another holder has the lease.
        """
        lease = MemoryLease(self, self._clock, name)
        with self._lock:
            holder = self._holders.get(name)
            if holder is not None and not holder.ran_out:
                raise LeaseBusy(f"another instance is at work on {name}")
            self._holders[name] = lease
        try:
            yield lease
        finally:
            self.release(lease)

    def is_holder(self, lease: "MemoryLease") -> bool:
        """Return True if no other holder has taken the given lease."""
        return self._holders.get(lease.name) is lease

    def break_all(self) -> None:
        """Break all leases, so that every holder of a lease loses it."""
        with self._lock:
            self._holders.clear()

    def release(self, lease: "MemoryLease") -> None:
        """Let others take the lease, if the given holder still has it."""
        with self._lock:
            if self.is_holder(lease):
                del self._holders[lease.name]


class MemoryLease:
    """A lease that its holder renews until the holder stops renewing."""

    def __init__(self, leases: MemoryLeases, clock: Clock, name: str) -> None:
        """Create the lease with a holder who renews it."""
        self.name = name
        self._leases = leases
        self._clock = clock
        self._renewed_last: datetime | None = None
        self._lost = False

    @property
    def ran_out(self) -> bool:
        """True if the lease holder's last renewal was more than 60 s ago."""
        return self._silent_for > timedelta(seconds=LEASE_SECONDS)

    def check(self) -> None:
        """Return normally if the lease is held, and raise LeaseLost if the lease is lost."""
        if self._lost or self._silent_for > timedelta(seconds=SAFE_SECONDS):
            raise LeaseLost(f"the lease on {self.name} was lost")

    def renew(self) -> bool:
        """Renew the simulated lease and return True.

        Return False if another holder took the lease. Once another holder took the lease, `check` raises LeaseLost.
        """
        self._lost = self._lost or not self._leases.is_holder(self)
        return not self._lost

    def stop_renewing(self) -> None:
        """Stop renewing the lease, as a holder whose process died or whose connection to storage is gone."""
        self._renewed_last = self._clock.now()

    @property
    def _silent_for(self) -> timedelta:
        return timedelta(0) if self._renewed_last is None else self._clock.now() - self._renewed_last


class MemoryReports:
    """The reports of one installation in memory."""

    def __init__(self) -> None:
        """Begin without a report."""
        self.files: dict[str, bytes] = {}

    def latest(self) -> bytes | None:
        """Return the last report as JSON, or None without one."""
        return self.files.get(f"latest/{REPORT}")

    def put(self, at: datetime, files: Mapping[str, bytes]) -> None:
        """Store the files of a report in the history and as the last one."""
        for folder in (f"{at:%Y-%m-%d}", "latest"):
            self.files.update({f"{folder}/{name}": content for name, content in files.items()})
        oldest = f"{at - KEPT:%Y-%m-%d}"
        self.files = {name: content for name, content in self.files.items() if name[:1] == "l" or name >= oldest}

    def names(self) -> tuple[str, ...]:
        """Return the names of all stored files."""
        return tuple(self.files)
