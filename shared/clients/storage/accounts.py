"""Connect to the Function App's storage account, by a connection string or by the managed identity."""

from typing import Any

from azure.core.credentials import TokenCredential
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from shared.domain.endpoints import StorageAddress

PROMPT: dict[str, Any] = {"retry_total": 1, "initial_backoff": 1, "connection_timeout": 5, "read_timeout": 10}


def blob_service(address: StorageAddress, credential: TokenCredential) -> BlobServiceClient:
    """Return the blob service, with short time-outs.

    Certroll renews leases through the blob service, and a lease that is renewed too late is lost.
    """
    if address.connection_string:
        return BlobServiceClient.from_connection_string(address.connection_string, **PROMPT)
    return BlobServiceClient(address.blob_uri, credential, **PROMPT)


def queue_service(address: StorageAddress, credential: TokenCredential) -> QueueServiceClient:
    """Return the client of the storage account's queues."""
    if address.connection_string:
        return QueueServiceClient.from_connection_string(address.connection_string)
    return QueueServiceClient(address.queue_uri, credential)


def table_service(address: StorageAddress, credential: TokenCredential) -> TableServiceClient:
    """Return the client of the storage account's tables."""
    if address.connection_string:
        return TableServiceClient.from_connection_string(address.connection_string)
    return TableServiceClient(endpoint=address.table_uri, credential=credential)
