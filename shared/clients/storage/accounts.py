"""Connect to the Function App's storage account, by a connection string or by the managed identity."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.credentials import TokenCredential
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from shared.clients import tracing
from shared.clients.transport import BoundedTransport
from shared.domain.endpoints import StorageAddress
from shared.domain.errors import SettingsInvalid

CONNECT_SECONDS = 5
"""How long a connection to the storage account may take; the account is in the region of the Function App."""
READ_SECONDS = 10
"""How long the storage account may send nothing during an answer."""
REQUEST_SECONDS = CONNECT_SECONDS + READ_SECONDS
"""How long one request to the storage account may take, from the resolution of the name to the last byte."""
REPEAT_AFTER_SECONDS = 1.0
"""How long Certroll waits before it repeats a request to the storage account. Certroll repeats a request once that got
no answer, unless the first request may have inserted a row or replaced a revision. If a server is busy, Certroll
repeats the request after 1, 2 and 4 seconds. If the last request fails too, the queue delivers the message again."""
LONGEST_WAIT_SECONDS = 4.0
"""The longest wait before a repeat, also if the storage account asks for a longer one. If the storage account asks for
more, the call fails at once, because the SDK of tables would otherwise wait for hours."""
RETRIES = {"retry_total": 0}
AGENT = {"user_agent": tracing.AGENT}


def _options() -> dict[str, Any]:
    """Return the options of a storage client, whose calls all take a limited time.

    Certroll renews leases through the blob service, and a lease that is renewed too late is lost. The SDKs' own retries
    are off: a client for one table or queue waits by a transport that passes no wait on to `BoundedTransport`.
    """
    total, waits = (CONNECT_SECONDS, READ_SECONDS, REQUEST_SECONDS), (LONGEST_WAIT_SECONDS, REPEAT_AFTER_SECONDS)
    return {**RETRIES, **AGENT, "transport": BoundedTransport(*total, *waits)}


@contextmanager
def _usable(address: StorageAddress) -> Iterator[None]:
    """Raise SettingsInvalid if the SDK cannot use the address. The SDK's own error may quote the connection string."""
    try:
        yield
    except ValueError:
        name = "AzureWebJobsStorage" if address.connection_string else "AzureWebJobsStorage__accountName, or an address"
        raise SettingsInvalid((f"{name}: the Azure SDK cannot read it as the address of a storage account",)) from None


def blob_service(address: StorageAddress, credential: TokenCredential) -> BlobServiceClient:
    """Return the client of the storage account's blobs."""
    with _usable(address):
        if address.connection_string:
            return BlobServiceClient.from_connection_string(address.connection_string, **_options())
        return BlobServiceClient(address.blob_uri, credential, **_options())


def queue_service(address: StorageAddress, credential: TokenCredential) -> QueueServiceClient:
    """Return the client of the storage account's queues."""
    with _usable(address):
        if address.connection_string:
            return QueueServiceClient.from_connection_string(address.connection_string, **_options())
        return QueueServiceClient(address.queue_uri, credential, **_options())


def table_service(address: StorageAddress, credential: TokenCredential) -> TableServiceClient:
    """Return the client of the storage account's tables."""
    with _usable(address):
        if address.connection_string:
            return TableServiceClient.from_connection_string(address.connection_string, **_options())
        return TableServiceClient(endpoint=address.table_uri, credential=credential, **_options())
