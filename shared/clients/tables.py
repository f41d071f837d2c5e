"""Table storage, as the journal uses it: tables that are made when first written to, and rows with revisions."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableErrorCode, TableServiceClient, UpdateMode

from shared.clients.journal_rows import Entity
from shared.domain.errors import Conflict

JOURNAL = "certrolljournal"
MOST_RACES = 5
"""How often a row is read and written again that others write at the same time."""
Result = TypeVar("Result")
TRANSACTION = 50  # Azure takes 100 rows and 4 MB; a site with many host names fills 60 KB


class Tables:
    """The tables of one storage account."""

    def __init__(self, service: TableServiceClient) -> None:
        self._service = service

    def table(self, name: str) -> TableClient:
        """Return the client of a table, which may not be there."""
        return self._service.get_table_client(name)

    def rows(self, table: str, partition: str) -> tuple[Entity, ...]:
        """Return the rows of a partition; none where there is no table."""
        query = "PartitionKey eq @partition"
        try:
            return tuple(self.table(table).query_entities(query, parameters={"partition": partition}))
        except ResourceNotFoundError:
            return ()

    def row(self, table: str, partition: str, row: str) -> Entity | None:
        """Return one row, None where it is not there."""
        try:
            return self.table(table).get_entity(partition, row)
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
        """Upsert rows of one partition, fifty at a time, in order."""
        remaining = iter(rows)
        while batch := list(islice(remaining, TRANSACTION)):
            self._creating(table, partial(_upsert, batch))

    def delete(self, table: str, partition: str, row: str) -> None:
        """Delete a row, if it is there: the SDK takes one that is not for deleted."""
        self.table(table).delete_entity(partition, row)

    def delete_revision(self, partition: str, row: str, revision: str | None, what: str) -> None:
        """Delete a row of the journal, if it is there. Raises Conflict where it has another revision."""
        try:
            self.table(JOURNAL).delete_entity(
                partition, row, etag=revision, match_condition=MatchConditions.IfNotModified
            )
        except ResourceModifiedError as error:
            raise Conflict(f"{what} was written by another run") from error

    def _creating(self, table: str, write: Callable[[TableClient], Result]) -> Result:
        """Return what the write returns; the table is made where it is missing."""
        client = self.table(table)
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
    table.submit_transaction([("upsert", row) for row in rows])
