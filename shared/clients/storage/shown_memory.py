"""Store what the compliance sweep has read of single things in the table `certrollfacts`.

The PartitionKey is the source, and the RowKey the hash of the thing's name. A lost row costs one read of Azure, so an
unreadable row, also one of a later release, counts as none and is written again.
"""

import json
from collections.abc import Iterable, Mapping

from shared.clients.storage.edge import record_of
from shared.clients.storage.rows import Entity, chunked, digest, joined, moment
from shared.clients.storage.tables import Tables
from shared.domain.errors import RecordUnreadable
from shared.domain.shown import Gap, Shown, Source

FACTS = "certrollfacts"
MOST_DETAIL = 500
"""How many characters of an error a row keeps."""


class TableShownMemory:
    """What was read of single things, as rows of a table."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of(self, source: Source) -> Mapping[str, Shown]:
        """Return everything that was read from a source, by the name of the thing, with one query."""
        found: dict[str, Shown] = {}
        for row in self._tables.rows(FACTS, source.name.lower()):
            try:
                name, shown = record_of(shown_in, row)
            except RecordUnreadable:
                continue
            found[name] = shown
        return found

    def put(self, source: Source, shown: Mapping[str, Shown]) -> None:
        """Replace what was read of things from a source, in batches."""
        self._tables.write(FACTS, [_row(source, name, found) for name, found in shown.items()])

    def forget(self, source: Source, names: Iterable[str]) -> None:
        """Delete what was read of things that are gone, with one request each."""
        for name in names:
            self._tables.delete(FACTS, source.name.lower(), digest(name))


def shown_in(row: Entity) -> tuple[str, Shown]:
    """Return the name of the thing and what was read of it, as a row holds them."""
    gap = str(row["gap"])
    properties = json.loads(joined("properties", row))
    if not isinstance(properties, dict):
        raise TypeError("the properties are no object")
    source = Source[str(row["PartitionKey"]).upper()]
    return str(row["name"]), Shown(
        source, moment(row["read_at"]), properties, Gap(gap) if gap else None, str(row["detail"])
    )


def _row(source: Source, name: str, shown: Shown) -> Entity:
    keys = {"PartitionKey": source.name.lower(), "RowKey": digest(name), "name": name, "read_at": shown.read_at}
    said = {"gap": str(shown.gap or ""), "detail": shown.detail[:MOST_DETAIL]}
    return {**keys, **said, **chunked("properties", json.dumps(dict(shown.properties)))}
