"""Table storage, as the journal uses it: tables that are made when first written to, and rows with revisions."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from itertools import islice
from typing import Any, Protocol, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableErrorCode, TableServiceClient, UpdateMode

from shared.clients.storage.rows import Entity
from shared.domain.errors import Conflict

JOURNAL = "certrolljournal"
MOST_RACES = 5
"""How often a row is read and written again that others write at the same time."""
Result = TypeVar("Result")
TRANSACTION = 50  # Azure takes 100 rows and 4 MB; a site with many host names fills 60 KB


class Tables(Protocol):
    """Rows with revisions, in tables that are made when first written to.

    A key is a string without slashes, backslashes, `#` and `?`. A property is a string of at most 32 K characters, a
    bool, an int of 32 bits or an aware datetime, which comes back in UTC to the microsecond.
    """

    def rows(self, table: str, partition: str) -> tuple[Entity, ...]:
        """Return the rows of a partition in the order of their keys; none where there is no table."""

    def row(self, table: str, partition: str, row: str) -> Entity | None:
        """Return one row, None where it is not there."""

    def put(self, row: Entity, revision: str | None, what: str) -> str:
        """Write a row of the journal in place of a revision, None for a new row; return its new revision.

        Nothing is left of what the row held before. Raises Conflict where that revision is no longer there.
        """

    def write(self, table: str, rows: Iterable[Entity]) -> None:
        """Upsert rows of one partition, fifty at a time, in order; of each fifty all or none are written.

        Properties that a row does not name stay as they are.
        """

    def delete(self, table: str, partition: str, row: str) -> None:
        """Delete a row, if it is there."""

    def delete_revision(self, partition: str, row: str, revision: str | None, what: str) -> None:
        """Delete a row of the journal, if it is there. Raises Conflict where it has another revision."""


class StorageTables:
    """The tables of one storage account."""

    def __init__(self, service: TableServiceClient) -> None:
        # One client a table for the whole process; the SDK makes a pipeline for each client.
        self._table: Callable[[str], TableClient] = lru_cache(maxsize=None)(service.get_table_client)

    def rows(self, table: str, partition: str) -> tuple[Entity, ...]:
        """Return the rows of a partition; none where there is no table."""
        query = "PartitionKey eq @partition"
        try:
            return tuple(self._table(table).query_entities(query, parameters={"partition": partition}))
        except ResourceNotFoundError:
            return ()

    def row(self, table: str, partition: str, row: str) -> Entity | None:
        """Return one row, None where it is not there."""
        try:
            return self._table(table).get_entity(partition, row)
        except ResourceNotFoundError:
            return None

    def put(self, row: Entity, revision: str | None, what: str) -> str:
        """Write a row of the journal in place of a revision, None for a new row; return its new revision.

        Raises Conflict where that revision is no longer there.
        """
        try:
            written = self._creating(JOURNAL, partial(_put, row, revision))
        except (ResourceModifiedError, ResourceExistsError, ResourceNotFoundError) as error:
            raise Conflict(f"{what} was written by another run") from error
        return str(written["etag"])

    def write(self, table: str, rows: Iterable[Entity]) -> None:
        """Upsert rows of one partition, fifty at a time, in order; of each fifty all or none are written."""
        remaining = iter(rows)
        while batch := list(islice(remaining, TRANSACTION)):
            self._creating(table, partial(_upsert, batch))

    def delete(self, table: str, partition: str, row: str) -> None:
        """Delete a row, if it is there: the SDK takes one that is not for deleted."""
        self._table(table).delete_entity(partition, row)

    def delete_revision(self, partition: str, row: str, revision: str | None, what: str) -> None:
        """Delete a row of the journal, if it is there. Raises Conflict where it has another revision."""
        try:
            self._table(JOURNAL).delete_entity(
                partition, row, etag=revision, match_condition=MatchConditions.IfNotModified
            )
        except ResourceModifiedError as error:
            raise Conflict(f"{what} was written by another run") from error

    def _creating(self, table: str, write: Callable[[TableClient], Result]) -> Result:
        """Return what the write returns; the table is made where it is missing."""
        client = self._table(table)
        try:
            return write(client)
        except HttpResponseError as error:
            if not _is_table_missing(error):
                raise
            with suppress(ResourceExistsError):
                client.create_table()
            return write(client)


def _is_table_missing(error: HttpResponseError) -> bool:
    """Say whether the table is not there; the client names the code for a transaction, and only quotes it else."""
    missing = TableErrorCode.TABLE_NOT_FOUND.value
    return getattr(error, "error_code", None) == missing or f'"{missing}"' in str(error)


def _put(row: Entity, revision: str | None, table: TableClient) -> Mapping[str, Any]:
    if revision is None:
        return table.create_entity(row)
    return table.update_entity(row, UpdateMode.REPLACE, etag=revision, match_condition=MatchConditions.IfNotModified)


def _upsert(rows: list[Entity], table: TableClient) -> None:
    """Merge the rows into the table; a single row without the multipart request that a transaction is."""
    if len(rows) == 1:
        table.upsert_entity(rows[0], UpdateMode.MERGE)
    else:
        table.submit_transaction([("upsert", row, {"mode": UpdateMode.MERGE}) for row in rows])
