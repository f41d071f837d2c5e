"""The storage of one installation: in memory on the world's clock, or Azurite."""

from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from shared.clients.journal_table import journal_ports
from shared.clients.lease import CONTAINER
from shared.ports import Ports
from shared.ports.clock import Clock
from tests.memory_storage import MemoryLeases, MemoryTables

TABLES = ("certrolljournal", "certrollhistory", "certrollfindings")


class Storage(Protocol):
    """Where an installation keeps its journal and its leases."""

    def under(self, ports: Ports) -> Ports:
        """Return the ports with their journal and leases in this storage."""

    def rows(self, table: str) -> list[dict[str, object]]:
        """Return every row of a table; none where there is no table."""

    def drop(self, table: str) -> None:
        """Lose a table."""

    def clear(self) -> None:
        """Leave no table and no lease of an earlier test."""

    def break_leases(self) -> None:
        """Let the leases of a dead process run out at once."""


class MemoryStorage:
    """Storage that is gone with the test, on the clock of its world."""

    def __init__(self, clock: Clock) -> None:
        """Begin empty."""
        self._clock = clock
        self._tables = MemoryTables()
        self._leases = MemoryLeases(clock)

    def under(self, ports: Ports) -> Ports:
        """Return the ports with their journal and leases in memory."""
        return replace(ports, **journal_ports(self._tables, self._clock), leases=self._leases)

    def rows(self, table: str) -> list[dict[str, object]]:
        """Return every row of a table; none where there is no table."""
        return [dict(row) for row in self._tables.all(table)]

    def drop(self, table: str) -> None:
        """Lose a table."""
        self._tables.drop(table)

    def clear(self) -> None:
        """Leave no table and no lease of an earlier test."""
        for table in TABLES:
            self.drop(table)
        self.break_leases()

    def break_leases(self) -> None:
        """Let the leases of a dead process run out at once."""
        self._leases.break_all()


class AzuriteStorage:
    """Real storage, which all tests of a process share one after the other; the ports are connected to it already."""

    def __init__(self, connection_string: str) -> None:
        """Use that Azurite."""
        self._connection_string = connection_string

    def under(self, ports: Ports) -> Ports:
        """Return the ports as they are."""
        return ports

    def rows(self, table: str) -> list[dict[str, object]]:
        """Return every row of a table; none where there is no table."""
        with TableServiceClient.from_connection_string(self._connection_string) as service:
            try:
                return [dict(row) for row in service.get_table_client(table).list_entities()]
            except ResourceNotFoundError:
                return []

    def drop(self, table: str) -> None:
        """Lose a table."""
        with TableServiceClient.from_connection_string(self._connection_string) as service:
            service.delete_table(table)

    def clear(self) -> None:
        """Leave no table and no lease of an earlier test."""
        for table in TABLES:
            self.drop(table)
        self.break_leases()

    def break_leases(self) -> None:
        """Let the leases of a dead process run out at once."""
        with BlobServiceClient.from_connection_string(self._connection_string) as service:
            container = service.get_container_client(CONTAINER)
            with suppress(ResourceNotFoundError):
                container.delete_container()
