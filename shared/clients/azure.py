"""Everything of Azure, connected: the one place where ports are filled."""

from typing import Any

from azure.core.pipeline.transport import HttpTransport

from shared.clients.app_probe import AppProbe
from shared.clients.app_service import AppService
from shared.clients.app_service_requests import AppServiceClients
from shared.clients.clouds import CLOUDS
from shared.clients.credentials import make_credential
from shared.clients.dns import Dns
from shared.clients.environments import Environments
from shared.clients.journal_table import journal_ports
from shared.clients.key_vault import KeyVault, KeyVaults
from shared.clients.lease import BlobLeases
from shared.clients.managed_certificates import ManagedCertificates
from shared.clients.orders import OrderClients, Orders
from shared.clients.queue import StorageQueue
from shared.clients.retrying import SDK_OPTIONS, Retrying
from shared.clients.storage import blob_service, queue_service, table_service
from shared.clients.tables import StorageTables
from shared.clients.tls_probe import TlsProbe
from shared.clients.vault_events import read_vault_event
from shared.clients.vault_rights import VaultRights
from shared.domain.secret import PfxEncryption
from shared.domain.where import CloudName, DnsServer, StorageAddress
from shared.ports import Ports
from shared.ports.clock import Clock


def connect(
    cloud: CloudName,
    client_id: str | None,
    storage: StorageAddress,
    clock: Clock,
    encryption: PfxEncryption = PfxEncryption.TRIPLE_DES,
    dns_servers: tuple[DnsServer, ...] = (),
    transport: HttpTransport[Any, Any] | None = None,
) -> Ports:
    """Return the ports over one credential. Nothing is asked of Azure yet; connections are kept for the process.

    `transport` carries the requests to ARM and Key Vault in place of the SDKs' own.
    """
    names = CLOUDS[cloud]
    credential = make_credential(names, client_id)
    retrying = Retrying(clock)
    options = SDK_OPTIONS if transport is None else {**SDK_OPTIONS, "transport": transport}
    arm = AppServiceClients(credential, names, options)
    tables = StorageTables(table_service(storage, credential))
    sold_here = cloud is CloudName.PUBLIC  # Azure docs: purchased certificates are not in the national clouds
    return Ports(
        app_service=AppService(arm, retrying),
        environments=Environments(arm, retrying),
        managed=ManagedCertificates(arm, retrying),
        dns=Dns(dns_servers),
        vault=KeyVault(KeyVaults(credential, names, options), retrying, encryption),
        orders=Orders(OrderClients(credential, names, options) if sold_here else None, retrying),
        vault_rights=VaultRights(arm, retrying),
        tls_probe=TlsProbe(clock),
        app_probe=AppProbe(),
        **journal_ports(tables, clock),
        leases=BlobLeases(blob_service(storage, credential)),
        queue=StorageQueue(queue_service(storage, credential)),
        clock=clock,
        retrying=retrying,
        read_event=read_vault_event,
    )
