"""What Certroll asked Azure for, in the table `certrolljournal`.

Actions on orders: PartitionKey: `order-` and the hash of the order. RowKey: hash of action and certificate.
Managed certificates: PartitionKey: `managed`. RowKey: hash of site and host name.
"""

from dataclasses import replace

from shared.clients.storage.rows import CHUNK, asked_record, asked_row, digest, moment, order_key
from shared.clients.storage.tables import JOURNAL, Tables
from shared.domain.managed.prerequisites import Issuance
from shared.domain.names import HostName, SiteRef
from shared.domain.orders.action import OrderRecord
from shared.domain.orders.order import OrderRef

MANAGED = "managed"


class TableRequests:
    """What Certroll asked Azure for: actions on orders, and managed certificates."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def asked(self, order: OrderRef) -> tuple[OrderRecord, ...]:
        """Return every request about an order, for whatever certificate of it, the oldest first."""
        found = (asked_record(row) for row in self._tables.rows(JOURNAL, order_key(order)))
        return tuple(sorted(found, key=lambda record: (record.at, record.action)))

    def put_asked(self, record: OrderRecord) -> OrderRecord:
        """Replace the revision that the record was made from; return the record with its new revision.

        Raises Conflict if that revision is no longer there: another run asks.
        """
        what = f"what was asked of order {record.order}"
        return replace(record, revision=self._tables.put(asked_row(record), record.revision, what))

    def issuance(self, site: SiteRef, host_name: HostName) -> Issuance | None:
        """Return the request for a managed certificate of a host name, None if there is none."""
        row = self._tables.row(JOURNAL, MANAGED, _issuance_key(site, host_name))
        if row is None:
            return None
        return Issuance(site, host_name, moment(row["at"]), str(row["operation"]), str(row["refused"]))

    def put_issuance(self, issuance: Issuance) -> None:
        """Record the request for a managed certificate."""
        keys = {"PartitionKey": MANAGED, "RowKey": _issuance_key(issuance.site, issuance.host_name)}
        about = {"managed_site": issuance.site.resource_id, "host_name": issuance.host_name, "at": issuance.asked_at}
        said = {"operation": issuance.operation, "refused": issuance.refused[:CHUNK]}
        self._tables.write(JOURNAL, [{**keys, **about, **said}])

    def forget_issuance(self, site: SiteRef, host_name: HostName) -> None:
        """Forget the request for a managed certificate of a host name."""
        self._tables.delete(JOURNAL, MANAGED, _issuance_key(site, host_name))


def _issuance_key(site: SiteRef, host_name: HostName) -> str:
    return digest(f"{site.resource_id} {host_name}")
