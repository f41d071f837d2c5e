"""Table storage in one dictionary, below the product's own row code, which may die after so many writes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import count
from typing import Any, TypeVar, cast

from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import TableServiceClient

from shared.clients.cycle_table import TableCycles
from shared.clients.journal_table import TableJournal
from shared.domain.errors import LeaseBusy
from shared.domain.ports import Clock, Ports

Key = tuple[str, str, str]
Result = TypeVar("Result")


class Died(BaseException):
    """The process is gone. Not an Exception: nothing may catch it."""


class Row(dict[str, Any]):
    """A row as the SDK returns it: its ETag is beside its properties."""

    metadata: dict[str, str]


@dataclass
class SmallStorage:
    """A storage account. `lasts` is how many writes the process lives for, None for ever."""

    rows: dict[Key, Row] = field(default_factory=dict)
    lasts: int | None = None
    numbers: Iterator[int] = field(default_factory=count)

    def get_table_client(self, name: str) -> "SmallTable":
        """Return the client of a table."""
        return SmallTable(self, name)

    def write(self, table: str, rows: list[dict[str, Any]], *, merged: bool) -> dict[str, Any]:
        """Write the rows as one transaction, and return the last one's ETag. Raises Died when the time has come."""
        if self.lasts == 0:
            raise Died
        self.lasts = None if self.lasts is None else self.lasts - 1
        for row in rows:
            key = (table, row["PartitionKey"], row["RowKey"])
            written = Row((self.rows.get(key, {}) if merged else {}) | row)
            written.metadata = {"etag": str(next(self.numbers))}
            self.rows[key] = written
        return dict(written.metadata)


@dataclass(frozen=True)
class SmallTable:
    """One table, as far as the journal uses it."""

    storage: SmallStorage
    name: str

    def query_entities(self, _: str, *, parameters: dict[str, str]) -> list[Row]:
        """Return the rows of a partition, in the order of their keys."""
        found = sorted(key for key in self.storage.rows if key[:2] == (self.name, parameters["partition"]))
        return [self.storage.rows[key] for key in found]

    def get_entity(self, partition: str, row: str) -> Row:
        """Return one row."""
        try:
            return self.storage.rows[self.name, partition, row]
        except KeyError as error:
            raise ResourceNotFoundError from error

    def submit_transaction(self, operations: list[tuple[Any, ...]]) -> None:
        """Merge the rows, all of them or none."""
        self.storage.write(self.name, [operation[1] for operation in operations], merged=True)

    def upsert_entity(self, row: dict[str, Any], *_: object) -> None:
        """Merge one row."""
        self.storage.write(self.name, [row], merged=True)

    def create_entity(self, row: dict[str, Any]) -> dict[str, Any]:
        """Write a row that is not there."""
        if (self.name, row["PartitionKey"], row["RowKey"]) in self.storage.rows:
            raise ResourceExistsError
        return self.storage.write(self.name, [row], merged=False)

    def update_entity(self, row: dict[str, Any], *_: object, etag: str, **__: object) -> dict[str, Any]:
        """Write a row in place of a revision."""
        if self.get_entity(row["PartitionKey"], row["RowKey"]).metadata["etag"] != etag:
            raise ResourceModifiedError
        return self.storage.write(self.name, [row], merged=False)

    def delete_entity(self, partition: str, row: str, *, etag: str | None = None, **_: object) -> None:
        """Delete a row, of that revision where one is given."""
        found = self.storage.rows.get((self.name, partition, row))
        if found is not None and etag not in {None, found.metadata["etag"]}:
            raise ResourceModifiedError
        self.storage.rows.pop((self.name, partition, row), None)


@dataclass
class SmallLeases:
    """Leases, of which those named in `busy` are held by others."""

    busy: set[str] = field(default_factory=set)

    @contextmanager
    def hold(self, name: str) -> Iterator["SmallLeases"]:
        """Hold the lease of a name. Raises LeaseBusy."""
        if name in self.busy:
            raise LeaseBusy(f"another instance is at work on {name}")
        yield self

    def check(self) -> None:
        """Return: a lease is never lost."""


class OnceOnly:
    """A retry layer that does everything once."""

    def again(self, work: Callable[[], Result]) -> Result:
        """Return what the work returns."""
        return work()


def journal_on(storage: SmallStorage, clock: Clock) -> TableJournal:
    """Return the product's journal on that storage."""
    return TableJournal(cast("TableServiceClient", storage), clock)


def cycles_on(storage: SmallStorage) -> TableCycles:
    """Return what the product keeps of environments on that storage."""
    return TableCycles(cast("TableServiceClient", storage))


def ports_on(storage: SmallStorage, clock: Clock, **others: object) -> Ports:
    """Return ports with the journal on that storage; beside it only those given exist, and using another one fails."""
    given: dict[str, Any] = {
        "clock": clock,
        "journal": journal_on(storage, clock),
        "cycles": cycles_on(storage),
        "leases": SmallLeases(),
        "retrying": OnceOnly(),
    } | others
    return Ports(**{port.name: cast("Any", given.get(port.name)) for port in fields(Ports)})
