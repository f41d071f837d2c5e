"""Build the client behind each port (interface) of Certroll's core."""

from typing import Any

from azure.core.pipeline.transport import HttpTransport

from shared.clients.arm.app_service import AppService
from shared.clients.arm.environments import Environments
from shared.clients.arm.managed_certificates import ManagedCertificates
from shared.clients.arm.orders import OrderClients, Orders
from shared.clients.arm.site_requests import AppServiceClients
from shared.clients.arm.vault_rights import VaultRights
from shared.clients.clouds import CLOUDS
from shared.clients.credentials import make_credential
from shared.clients.network.app_probe import AppProbe
from shared.clients.network.dns import Dns
from shared.clients.network.tls_probe import TlsProbe
from shared.clients.retrying import SDK_OPTIONS, Retrying
from shared.clients.storage.accounts import blob_service, queue_service, table_service
from shared.clients.storage.journal import journal_ports
from shared.clients.storage.leases import BlobLeases
from shared.clients.storage.queues import StorageQueue
from shared.clients.storage.tables import StorageTables
from shared.clients.vault.certificates import KeyVault, KeyVaults
from shared.clients.vault.events import read_vault_event
from shared.domain.certificates.pfx import PfxEncryption
from shared.domain.endpoints import CloudName, DnsServer, StorageAddress
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
    """Return the ports (interfaces of Certroll's core); all clients of Azure share one credential.

    The function `connect` sends no request to Azure. The clients reuse their connections as long as the process lives.
    `transport`, if given, carries the requests to ARM and Key Vault instead of the SDKs' own transport.
    """
    names = CLOUDS[cloud]
    credential = make_credential(names, client_id)
    retrying = Retrying(clock)
    options = SDK_OPTIONS if transport is None else {**SDK_OPTIONS, "transport": transport}
    arm = AppServiceClients(credential, names, options)
    tables = StorageTables(table_service(storage, credential))
    sold_here = cloud is CloudName.PUBLIC  # Azure docs: national clouds sell no App Service certificates
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
