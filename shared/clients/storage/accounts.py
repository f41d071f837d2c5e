"""The storage account of the Function App, by its connection string or by the identity."""

from typing import Any

from azure.core.credentials import TokenCredential
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from shared.domain.endpoints import StorageAddress

PROMPT: dict[str, Any] = {"retry_total": 1, "initial_backoff": 1, "connection_timeout": 5, "read_timeout": 10}


def blob_service(address: StorageAddress, credential: TokenCredential) -> BlobServiceClient:
    """Return the blob service, which holds leases: it answers within seconds, or the lease is as good as lost."""
    if address.connection_string:
        return BlobServiceClient.from_connection_string(address.connection_string, **PROMPT)
    return BlobServiceClient(address.blob_uri, credential, **PROMPT)


def queue_service(address: StorageAddress, credential: TokenCredential) -> QueueServiceClient:
    """Return the queue service."""
    if address.connection_string:
        return QueueServiceClient.from_connection_string(address.connection_string)
    return QueueServiceClient(address.queue_uri, credential)


def table_service(address: StorageAddress, credential: TokenCredential) -> TableServiceClient:
    """Return the table service."""
    if address.connection_string:
        return TableServiceClient.from_connection_string(address.connection_string)
    return TableServiceClient(endpoint=address.table_uri, credential=credential)
