"""The operations on Table storage that the journal needs, with a revision for each row."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy
from functools import lru_cache, partial
from math import inf
from typing import Any, Protocol, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableErrorCode, TableServiceClient, TableTransactionError, UpdateMode

from shared.clients.storage.edge import all_pages, code_of, storage_edge
from shared.clients.storage.rows import Entity
from shared.domain.errors import Conflict, StorageFailed

JOURNAL = "certrolljournal"
MOST_RACES = 5
"""How often Certroll reads and writes a row again if other runs write the row at the same time."""
MOVED = frozenset({404, 412})
"""The answers to a transaction that replaces a revision: the row is gone, or has another revision."""
Result = TypeVar("Result")
TRANSACTION = 50
"""The most rows of a batch. Azure takes 100 rows (Azure docs, "Performing entity group transactions")."""
TRANSACTION_BYTES = 3_000_000
"""The most bytes of a batch as JSON. Azure takes 4 MiB (Azure docs, "Performing entity group transactions")."""


class Tables(Protocol):
    """Tables whose rows have revisions. A write to a missing table creates the table.

    A row's key is a string without slashes, backslashes, `#` and `?`. A row's property is a string of at most 32 K
    characters, a bool, an int of 32 bits or an aware datetime. Table storage returns a stored datetime in UTC, exact to
    the microsecond.
    """

    def rows(self, table: str, partition: str) -> tuple[Entity, ...]:
        """Return the rows of a partition in the order of their keys, and no rows if the table does not exist."""

    def having(self, table: str, name: str, texts: Iterable[str]) -> tuple[Entity, ...]:
        """Return the rows of all partitions whose property has one of the texts.

        The result has no rows if the table does not exist.
        """

    def row(self, table: str, partition: str, row: str) -> Entity | None:
        """Return one row of a table, or None if the row does not exist."""

    def put(self, row: Entity, revision: str | None, what: str) -> str:
        """Replace a journal row that still has the given revision, and return the row's new revision.

        The argument `revision` is None for a new row. If Certroll replaces a table row, the row loses all properties
        that the new row does not name. Raise Conflict if the stored row of the journal has another revision.
        """

    def put_all(self, rows: Iterable[tuple[Entity, str | None]], what: str) -> tuple[str, ...]:
        """Replace journal rows of one partition in order, in batches, and return the new revisions.

        Each row replaces the given revision. A row with the revision None replaces whatever is stored. Raise Conflict
        if a stored row has another revision; Azure then writes no row of this batch and of later batches.
        """

    def write(self, table: str, rows: Iterable[Entity]) -> None:
        """Upsert rows of one partition in order, in batches. Azure writes each batch completely or not at all.

        A batch has at most fifty rows and three megabytes.

        An upsert of a table row leaves stored properties unchanged that the given row does not name.
        """

    def delete(self, table: str, partition: str, row: str) -> None:
        """Delete a row. Deleting a row that does not exist is no error."""

    def delete_revision(self, partition: str, row: str, revision: str | None, what: str) -> None:
        """Delete a row of the journal if the row exists.

        Raise Conflict if the stored row of the journal has another revision.
        """


class StorageTables:
    """The tables of one storage account in Azure."""

    def __init__(self, service: TableServiceClient) -> None:
        # The process uses one client per table, because the SDK builds a pipeline for each client.
        self._table: Callable[[str], TableClient] = lru_cache(maxsize=None)(service.get_table_client)
        self._seconds_left: Callable[[], float] = lambda: inf

    def until(self, seconds_left: Callable[[], float]) -> "StorageTables":
        """Return the same tables for a run, whose calls take no longer than `seconds_left` returns."""
        tables = copy(self)
        tables._seconds_left = seconds_left  # noqa: SLF001 - a copy of this object
        return tables

    @contextmanager
    def _asking(self, table: str) -> Iterator[None]:
        """Limit the time of a call to a table, and raise StorageFailed in place of the SDK's errors."""
        with storage_edge(f"table {table}", self._seconds_left()):
            yield

    def rows(self, table: str, partition: str) -> tuple[Entity, ...]:
        """Return the rows of a partition, and no rows if the table does not exist."""
        query = "PartitionKey eq @partition"
        with self._asking(table):
            try:
                rows = self._table(table).query_entities(query, parameters={"partition": partition})
                return tuple(_with_keys(table, row) for row in all_pages(f"table {table}", rows))
            except ResourceNotFoundError:
                return ()

    def having(self, table: str, name: str, texts: Iterable[str]) -> tuple[Entity, ...]:
        """Return the rows of all partitions whose property has one of the texts, and no rows without the table."""
        parameters = {f"text{number}": text for number, text in enumerate(texts)}
        query = " or ".join(f"{name} eq @{parameter}" for parameter in parameters)
        with self._asking(table):
            try:
                rows = self._table(table).query_entities(query, parameters=parameters)
                return tuple(_with_keys(table, row) for row in all_pages(f"table {table}", rows))
            except ResourceNotFoundError:
                return ()

    def row(self, table: str, partition: str, row: str) -> Entity | None:
        """Return one row of a table, or None if the row does not exist."""
        with self._asking(table):
            try:
                return _with_keys(table, self._table(table).get_entity(partition, row))
            except ResourceNotFoundError:
                return None

    def put(self, row: Entity, revision: str | None, what: str) -> str:
        """Replace the given revision of a journal row, and return the row's new revision.

        The argument `revision` is None for a new row. Raise Conflict if the stored row of the journal has another
        revision.
        """
        with self._asking(JOURNAL):
            try:
                written = self._creating(JOURNAL, partial(_put, row, revision))
            except (ResourceModifiedError, ResourceExistsError, ResourceNotFoundError) as error:
                raise Conflict(f"{what} was written by another run") from error
        return str(written["etag"])

    def put_all(self, rows: Iterable[tuple[Entity, str | None]], what: str) -> tuple[str, ...]:
        """Replace journal rows of one partition in order, and return their new revisions.

        Raise Conflict if a stored row has another revision than the given revision. The row of a site that was written
        with fewer properties must not keep the properties of the row before, so this function merges nothing.
        """
        revisions = list[str]()
        for batch in batches_of_pairs(rows):
            with self._asking(JOURNAL):
                try:
                    revisions += self._creating(JOURNAL, partial(_replace_all, batch))
                except TableTransactionError as error:
                    if error.status_code not in MOVED:
                        raise
                    raise Conflict(f"{what} was written by another run") from error
        return tuple(revisions)

    def write(self, table: str, rows: Iterable[Entity]) -> None:
        """Upsert rows of one partition in order. Azure writes each batch of rows completely or not at all."""
        for batch in batches(rows):
            with self._asking(table):
                self._creating(table, partial(_upsert, batch))

    def delete(self, table: str, partition: str, row: str) -> None:
        """Delete a row. The Azure SDK ignores the answer 404 to the deletion of a row that does not exist."""
        with self._asking(table):
            self._table(table).delete_entity(partition, row)

    def delete_revision(self, partition: str, row: str, revision: str | None, what: str) -> None:
        """Delete a row of the journal if the row exists.

        Raise Conflict if the stored row of the journal has another revision.
        """
        unchanged = MatchConditions.IfNotModified
        with self._asking(JOURNAL):
            try:
                self._table(JOURNAL).delete_entity(partition, row, etag=revision, match_condition=unchanged)
            except ResourceModifiedError as error:
                raise Conflict(f"{what} was written by another run") from error

    def _creating(self, table: str, write: Callable[[TableClient], Result]) -> Result:
        """Call the function `write`, which writes to a table, and return its result.

        Create the table first if Azure answers that the table is missing.
        """
        client = self._table(table)
        try:
            return write(client)
        except HttpResponseError as error:
            if not _is_table_missing(error):
                raise
            with suppress(ResourceExistsError):
                client.create_table()
            return write(client)


def batches(rows: Iterable[Entity]) -> Iterator[list[Entity]]:
    """Yield the rows in order, in batches that Azure takes as one transaction."""
    batch: list[Entity] = []
    size = 0
    for row in rows:
        more = len(json.dumps(row, default=str))  # like the SDK, json escapes letters beyond ASCII
        if batch and (len(batch) == TRANSACTION or size + more > TRANSACTION_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += more
    if batch:
        yield batch


def batches_of_pairs(pairs: Iterable[tuple[Entity, str | None]]) -> Iterator[list[tuple[Entity, str | None]]]:
    """Yield rows with their revisions in order, in batches that Azure takes as one transaction."""
    rows = list(pairs)
    for batch in batches([row for row, _ in rows]):
        yield rows[: len(batch)]
        del rows[: len(batch)]


def _with_keys(table: str, row: Entity) -> Entity:
    """Return the row. Raise StorageFailed if the row lacks a key, because Azure sends both keys with each row.

    Certroll reports an unreadable row by its keys (unreadable.py). A row without keys is no row but a broken answer.
    """
    if not all(isinstance(row.get(key), str) for key in ("PartitionKey", "RowKey")):
        raise StorageFailed(f"table {table}: the answer cannot be read: it has a row without its keys")
    return row


def _is_table_missing(error: HttpResponseError) -> bool:
    """Return True if the SDK's error says that the table does not exist.

    The SDK sets `error_code` only on the error of a transaction. For a single write only the answer has the code.
    """
    missing = TableErrorCode.TABLE_NOT_FOUND.value
    return getattr(error, "error_code", None) == missing or code_of(error) == missing


def _put(row: Entity, revision: str | None, table: TableClient) -> Mapping[str, Any]:
    if revision is None:
        return table.create_entity(row)
    return table.update_entity(row, UpdateMode.REPLACE, etag=revision, match_condition=MatchConditions.IfNotModified)


def _replace_all(rows: list[tuple[Entity, str | None]], table: TableClient) -> list[str]:
    """Replace rows in a transaction, and return the new revisions of the rows."""
    unchanged = {"mode": UpdateMode.REPLACE, "match_condition": MatchConditions.IfNotModified}
    written = table.submit_transaction(
        [
            ("upsert", row, {"mode": UpdateMode.REPLACE})
            if revision is None
            else ("update", row, {**unchanged, "etag": revision})
            for row, revision in rows
        ]
    )
    return [str(metadata["etag"]) for metadata in written]


def _upsert(rows: list[Entity], table: TableClient) -> None:
    """Merge rows into a table.

    Certroll writes a single row without a transaction, because a transaction is a multipart request.
    """
    if len(rows) == 1:
        table.upsert_entity(rows[0], UpdateMode.MERGE)
    else:
        table.submit_transaction([("upsert", row, {"mode": UpdateMode.MERGE}) for row in rows])
