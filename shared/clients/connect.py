"""Build the client behind each port (interface) of Certroll's core."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import uuid4

from azure.core.pipeline.transport import HttpTransport

from shared.clients.arm.app_service import AppService
from shared.clients.arm.environments import Environments
from shared.clients.arm.managed_certificates import ManagedCertificates
from shared.clients.arm.orders import OrderClients, Orders
from shared.clients.arm.site_requests import AppServiceClients
from shared.clients.arm.vault_rights import VaultRights
from shared.clients.clouds import CLOUDS
from shared.clients.credentials import make_credential
from shared.clients.fleet_reads import ProcessReads
from shared.clients.network.app_probe import AppProbe
from shared.clients.network.dns import Dns
from shared.clients.network.tls_probe import TlsProbe
from shared.clients.pace import Pace
from shared.clients.retrying import CONNECT_SECONDS, READ_SECONDS, REQUEST_SECONDS, SDK_OPTIONS, Retrying
from shared.clients.storage.accounts import blob_service, queue_service, table_service
from shared.clients.storage.journal import journal_ports
from shared.clients.storage.leases import BlobLeases
from shared.clients.storage.queues import StorageQueue
from shared.clients.storage.reports import BlobReports
from shared.clients.storage.tables import StorageTables
from shared.clients.tracing import RunTrace
from shared.clients.transport import BoundedTransport
from shared.clients.vault.certificates import Facts, KeyVault, KeyVaults
from shared.clients.vault.events import read_vault_events
from shared.clients.vault.secrets import Leaves
from shared.clients.vault.version_keys import Known
from shared.domain.certificates.pfx import PfxEncryption
from shared.domain.deadline import NEVER, Deadline
from shared.domain.endpoints import CloudName, DnsServer, StorageAddress
from shared.ports import Ports
from shared.ports.clock import Clock


class Connections:
    """The SDK clients of the process, which all runs share; they share one credential.

    The clients reuse their connections as long as the process lives.
    """

    def __init__(
        self,
        cloud: CloudName,
        client_id: str | None,
        storage: StorageAddress,
        clock: Clock,
        encryption: PfxEncryption = PfxEncryption.TRIPLE_DES,
        dns_servers: tuple[DnsServer, ...] = (),
        transport: HttpTransport[Any, Any] | None = None,
    ) -> None:
        """Make the clients, and send no request to Azure.

        `transport`, if given, carries the requests to ARM and Key Vault instead of `BoundedTransport`.
        """
        names = CLOUDS[cloud]
        credential = make_credential(names, client_id)
        options = {
            **SDK_OPTIONS,
            "transport": transport or BoundedTransport(CONNECT_SECONDS, READ_SECONDS, REQUEST_SECONDS),
        }
        sold_here = cloud is CloudName.PUBLIC  # Azure docs: national clouds sell no App Service certificates
        self._clock = clock
        self._pace = Pace()
        self._arm = AppServiceClients(credential, names, options)
        self._vaults = KeyVaults(credential, names, options)
        self._leaves: Leaves = {}
        self._version_keys: Known = {}
        self._facts: Facts = {}
        self._fleet_reads = ProcessReads(clock)
        self._orders = OrderClients(credential, names, options) if sold_here else None
        self._tables = StorageTables(table_service(storage, credential))
        blobs = blob_service(storage, credential)
        self._leases, self._reports = BlobLeases(blobs), BlobReports(blobs)
        self._queue = StorageQueue(queue_service(storage, credential))
        self._dns = Dns(dns_servers)
        self._encryption = encryption

    def ports(self, deadline: Deadline = NEVER, *, sparing: bool = False) -> Ports:
        """Return the ports (interfaces of Certroll's core) of a run, which make no call after the run's deadline.

        The reads of a run with `sparing` leave a third of each of Azure's request limits to other runs.
        """
        clock, until = self._clock, deadline
        trace = RunTrace(str(uuid4()))
        retrying = Retrying(clock, deadline=until, trace=trace, pace=self._pace, sparing=sparing)
        request_left = partial(_left, clock, until.request_seconds)
        record_left = partial(_left, clock, until.record_seconds)
        return Ports(
            app_service=AppService(self._arm, retrying),
            environments=Environments(self._arm, retrying),
            managed=ManagedCertificates(self._arm, retrying),
            dns=self._dns.until(request_left),
            vault=KeyVault(self._vaults, retrying, self._encryption, self._leaves, self._version_keys, self._facts),
            orders=Orders(self._orders, retrying),
            vault_rights=VaultRights(self._arm, retrying),
            tls_probe=TlsProbe(clock, request_left),
            app_probe=AppProbe(seconds_left=request_left),
            **journal_ports(self._tables.until(record_left), clock, trace.run),
            fleet_reads=self._fleet_reads,
            reports=self._reports.until(record_left),
            leases=self._leases.until(record_left),
            queue=self._queue.until(record_left),
            clock=clock,
            retrying=retrying,
            trace=trace,
            read_events=read_vault_events,
        )


def _left(clock: Clock, seconds: Callable[[datetime], float]) -> float:
    return seconds(clock.now())
