"""Provide the storage of one Certroll installation, in memory on the simulation's clock or on Azurite."""

from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from shared.clients.storage.journal import journal_ports
from shared.clients.storage.leases import CONTAINER
from shared.clients.storage.rows import Entity
from shared.ports import Ports
from shared.ports.clock import Clock
from tests.memory_storage import MemoryLeases, MemoryReports, MemoryTables

TABLES = ("certrolljournal", "certrollhistory", "certrollfindings", "certrollsettings", "certrollfacts")


class Storage(Protocol):
    """The storage in which a Certroll installation keeps its journal and its leases."""

    def under(self, ports: Ports) -> Ports:
        """Return Certroll's ports with their journal and leases in this storage."""

    def rows(self, table: str) -> list[dict[str, object]]:
        """Return every row of a table, or no row if the table does not exist."""

    def drop(self, table: str) -> None:
        """Delete a table with all its rows."""

    def clear(self) -> None:
        """Delete every table and every lease of earlier tests."""

    def break_leases(self) -> None:
        """Let the leases of a dead process expire at once."""


class MemoryStorage:
    """Certroll's tables and leases in memory, with the time of the simulated Azure; lost when the test ends."""

    def __init__(self, clock: Clock) -> None:
        """Build storage in memory without any table or lease."""
        self._clock = clock
        self._tables = MemoryTables()
        self._leases = MemoryLeases(clock)
        self.reports = MemoryReports()

    def under(self, ports: Ports) -> Ports:
        """Return Certroll's ports with their journal and leases in memory."""
        journal = journal_ports(self._tables, self._clock, ports.trace.run)
        return replace(ports, **journal, leases=self._leases, reports=self.reports)

    def rows(self, table: str) -> list[dict[str, object]]:
        """Return every row of a table, or no row if the table does not exist."""
        return [dict(row) for row in self._tables.all(table)]

    def put(self, table: str, row: Entity) -> None:
        """Put a row into a table, as an earlier release has left it there."""
        self._tables.write(table, [row])

    def drop(self, table: str) -> None:
        """Delete a table with all its rows."""
        self._tables.drop(table)

    def clear(self) -> None:
        """Delete every table and every lease of earlier tests."""
        for table in TABLES:
            self.drop(table)
        self.break_leases()

    def break_leases(self) -> None:
        """Let the leases of a dead process expire at once."""
        self._leases.break_all()


class AzuriteStorage:
    """The storage of a Certroll installation on Azurite, which the tests of a process use one after the other."""

    def __init__(self, connection_string: str) -> None:
        """Use the Azurite behind the connection string."""
        self._connection_string = connection_string

    def under(self, ports: Ports) -> Ports:
        """Return Certroll's ports unchanged, because they are already connected to Azurite."""
        return ports

    def rows(self, table: str) -> list[dict[str, object]]:
        """Return every row of a table, or no row if the table does not exist."""
        with TableServiceClient.from_connection_string(self._connection_string) as service:
            try:
                return [dict(row) for row in service.get_table_client(table).list_entities()]
            except ResourceNotFoundError:
                return []

    def drop(self, table: str) -> None:
        """Delete a table with all its rows."""
        with TableServiceClient.from_connection_string(self._connection_string) as service:
            service.delete_table(table)

    def clear(self) -> None:
        """Delete every table and every lease of earlier tests."""
        for table in TABLES:
            self.drop(table)
        self.break_leases()

    def break_leases(self) -> None:
        """Delete all leases, so that the leases of a dead process end at once."""
        with BlobServiceClient.from_connection_string(self._connection_string) as service:
            container = service.get_container_client(CONTAINER)
            with suppress(ResourceNotFoundError):
                container.delete_container()
