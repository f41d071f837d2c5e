"""An answer of Table storage that holds no rows of Certroll ends with the error of the storage account."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from azure.core.paging import ItemPaged

from shared.clients.storage.tables import JOURNAL, StorageTables
from shared.domain.errors import StorageFailed

ASKING: tuple[Callable[[StorageTables], object], ...] = (
    lambda tables: tables.row(JOURNAL, "p", "r"),
    lambda tables: tables.rows(JOURNAL, "p"),
    lambda tables: tables.having(JOURNAL, "site", ["shop"]),
)
WITHOUT_KEYS: tuple[dict[str, Any], ...] = (
    {"value": [5]},
    {"PartitionKey": "p"},
    {"RowKey": "r"},
    {"PartitionKey": "p", "RowKey": 5},
    {"PartitionKey": None, "RowKey": "r"},
)


def tables_with(row: dict[str, Any], link: str | None = None) -> StorageTables:
    """Return tables that answer each question with a row, and with a link to a next page, which has the same link."""
    client = SimpleNamespace(
        get_entity=lambda *_: row,
        query_entities=lambda *_, **__: ItemPaged(lambda _: (link, [row]), lambda page: page),
    )
    return StorageTables(cast("Any", SimpleNamespace(get_table_client=lambda _: client)))


@pytest.mark.parametrize("asking", ASKING)
@pytest.mark.parametrize("row", WITHOUT_KEYS)
def test_row_without_its_keys_is_a_broken_answer(
    asking: Callable[[StorageTables], object], row: dict[str, Any]
) -> None:
    """A row without its keys is a failure of the storage account, so no run reports or guards a row without a name."""
    with pytest.raises(StorageFailed, match=f"table {JOURNAL}: the answer cannot be read"):
        asking(tables_with(row))


@pytest.mark.parametrize("asking", ASKING)
def test_row_with_its_keys_is_returned(asking: Callable[[StorageTables], object]) -> None:
    """A row with both keys is returned as Azure sent it, whatever its other properties are."""
    row = {"PartitionKey": "p", "RowKey": "r", "odd": [5]}
    assert asking(tables_with(row)) in (row, (row,))


@pytest.mark.parametrize("asking", ASKING[1:])
def test_rows_whose_pages_lead_in_a_circle_end(asking: Callable[[StorageTables], object]) -> None:
    """Pages of rows that lead in a circle end with an error, whether Certroll reads a partition or searches a table."""
    with pytest.raises(StorageFailed, match="lead in a circle"):
        asking(tables_with({"PartitionKey": "p", "RowKey": "r"}, "again"))
