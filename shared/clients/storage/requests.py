"""Store the records of Certroll's requests to Azure in the table `certrolljournal`.

| request | PartitionKey | RowKey |
|---|---|---|
| an action on a certificate order | `order-` and the hash of the order | hash of action and certificate |
| a managed certificate | `managed` | hash of site and host name |
"""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from shared.clients.network.bounded import limited
from shared.clients.storage.edge import CALL_SECONDS
from shared.clients.storage.records import asked_record, asked_row, order_key
from shared.clients.storage.rows import Entity, chunked, digest, fitting, joined, moment, revision_of
from shared.clients.storage.tables import JOURNAL, Tables
from shared.clients.storage.unreadable import Rows
from shared.domain.errors import Conflict, StorageFailed
from shared.domain.managed.issuance import Issuance
from shared.domain.names import HostName, SiteRef
from shared.domain.orders.action import OrderRecord
from shared.domain.orders.order import OrderRef

MANAGED = "managed"
WRITE = "write"
"""The property with the id of the write that wrote a row."""


class TableRequests:
    """The records of Certroll's requests for actions on orders and for managed certificates."""

    def __init__(self, tables: Tables, rows: Rows) -> None:
        self._tables = tables
        self._rows = rows

    def asked(self, order: OrderRef) -> tuple[OrderRecord, ...]:
        """Return all requests about an order and about every certificate of the order, the oldest first.

        Raise RecordUnreadable if one of the rows is unreadable, because an unknown request may cost money twice.
        """
        found = [self._rows.one(JOURNAL, asked_record, row) for row in self._tables.rows(JOURNAL, order_key(order))]
        return tuple(sorted(found, key=lambda record: (record.at, record.action)))

    def put_asked(self, record: OrderRecord) -> OrderRecord:
        """Write the record if no other run has written it since the read, and return the record with its new revision.

        Raise Conflict if another run has written the record in the meantime. The answer to a write may get lost, and
        a record without a request delays a paid renewal by 30 days. So each write has an id of its own in the row, by
        which this function finds out whether its write or the write of another run is there.
        """
        row = {**asked_row(record), WRITE: uuid4().hex}
        what = f"the record of a request about order {record.order}"
        with limited(CALL_SECONDS):
            return self._put_once(record, row, what)

    def _put_once(self, record: OrderRecord, row: dict[str, Any], what: str) -> OrderRecord:
        """Write the row, and return the record. After a failed write, find out whether the row was written."""
        try:
            revision = self._tables.put(row, record.revision, what)
        except (Conflict, StorageFailed):
            found = self._tables.row(JOURNAL, row["PartitionKey"], row["RowKey"])
            if found is None or found.get(WRITE) != row[WRITE]:
                raise
            return replace(record, revision=revision_of(found))
        return replace(record, revision=revision)

    def issuance(self, site: SiteRef, host_name: HostName) -> Issuance | None:
        """Return the request for the managed certificate of a host name, or None if Certroll made no request.

        Raise RecordUnreadable if the row is unreadable.
        """
        row = self._tables.row(JOURNAL, MANAGED, _issuance_key(site, host_name))
        known = None if row is None else self._rows.one(JOURNAL, issuance_of, row)
        return None if known is None else replace(known, site=site, host_name=host_name)

    def put_issuance(self, issuance: Issuance) -> None:
        """Record a request for a managed certificate."""
        keys = {"PartitionKey": MANAGED, "RowKey": _issuance_key(issuance.site, issuance.host_name)}
        about = {"managed_site": issuance.site.resource_id, "host_name": issuance.host_name, "at": issuance.asked_at}
        said = {**chunked("operation", issuance.operation), "refused": fitting(issuance.refused)}
        self._tables.write(JOURNAL, [{**keys, **about, **said}])

    def forget_issuance(self, site: SiteRef, host_name: HostName) -> None:
        """Delete the record of the request for a host name's managed certificate."""
        self._tables.delete(JOURNAL, MANAGED, _issuance_key(site, host_name))


def issuance_of(row: Entity) -> Issuance:
    """Return the request for a managed certificate that a row holds."""
    site, host_name = SiteRef.parse(row["managed_site"]), HostName(row["host_name"])
    return Issuance(site, host_name, moment(row["at"]), joined("operation", row), str(row["refused"]))


def _issuance_key(site: SiteRef, host_name: HostName) -> str:
    return digest(f"{site.resource_id} {host_name}")
