"""Connect to the Function App's storage account, by a connection string or by the managed identity."""

from typing import Any

from azure.core.credentials import TokenCredential
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from shared.clients.transport import BoundedTransport
from shared.domain.endpoints import StorageAddress

CONNECT_SECONDS = 5
"""How long a connection to the storage account may take; the account is in the region of the Function App."""
READ_SECONDS = 10
"""How long the storage account may send nothing during an answer."""
REQUEST_SECONDS = CONNECT_SECONDS + READ_SECONDS
"""How long one request to the storage account may take, from the look-up of the name to the last byte."""
LONGEST_WAIT_SECONDS = 4.0
"""The longest wait of a storage SDK before its only retry. If the storage account asks for a longer wait, the call
fails, and the queue delivers the message again after minutes. The backoff of the SDKs is shorter."""
RETRIES: dict[str, Any] = {
    "retry_total": 1,
    "initial_backoff": 1,  # of blobs and queues
    "retry_backoff_factor": 1,  # of tables
    "retry_backoff_max": LONGEST_WAIT_SECONDS,
}


def _options() -> dict[str, Any]:
    """Return the options of a storage client, whose calls all take a limited time.

    Certroll renews leases through the blob service, and a lease that is renewed too late is lost. Without options the
    SDKs wait up to 60 s for each part of an answer, and retry three times after up to 27 s.
    """
    return {
        **RETRIES,
        "transport": BoundedTransport(CONNECT_SECONDS, READ_SECONDS, REQUEST_SECONDS, LONGEST_WAIT_SECONDS),
    }


def blob_service(address: StorageAddress, credential: TokenCredential) -> BlobServiceClient:
    """Return the client of the storage account's blobs."""
    if address.connection_string:
        return BlobServiceClient.from_connection_string(address.connection_string, **_options())
    return BlobServiceClient(address.blob_uri, credential, **_options())


def queue_service(address: StorageAddress, credential: TokenCredential) -> QueueServiceClient:
    """Return the client of the storage account's queues."""
    if address.connection_string:
        return QueueServiceClient.from_connection_string(address.connection_string, **_options())
    return QueueServiceClient(address.queue_uri, credential, **_options())


def table_service(address: StorageAddress, credential: TokenCredential) -> TableServiceClient:
    """Return the client of the storage account's tables."""
    if address.connection_string:
        return TableServiceClient.from_connection_string(address.connection_string, **_options())
    return TableServiceClient(endpoint=address.table_uri, credential=credential, **_options())
