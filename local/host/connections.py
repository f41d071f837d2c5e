"""The connections of bindings to storage accounts, by a connection string or by an identity.

Source: azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.Storage.Common, `StorageClientProvider`; and Azure docs,
"Guidance for developing Azure Functions", section "Configure an identity-based connection".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from azure.core.credentials import TokenCredential
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import LinearRetry, QueueServiceClient

from local.host.configuration import ConfigurationInvalid

DEFAULT_CONNECTION = "AzureWebJobsStorage"
MANAGED = "managedidentity"


@dataclass(frozen=True, slots=True)
class Connection:
    """How the Functions host reaches a storage account."""

    connection_string: str = field(default="", repr=False)
    """The connection string, which wins over the other fields."""
    blob_uri: str = ""
    queue_uri: str = ""
    credential: str = ""
    """`managedidentity`, or an empty text for the first identity that answers."""
    client_id: str = ""

    def queues(self) -> QueueServiceClient:
        """Return a client of the account's queues."""
        retry = LinearRetry(backoff=1, retry_total=2, random_jitter_range=0)
        if self.connection_string:
            return QueueServiceClient.from_connection_string(self.connection_string, retry_policy=retry)
        return QueueServiceClient(self.queue_uri, _identity(self.credential, self.client_id), retry_policy=retry)

    def blobs(self) -> BlobServiceClient:
        """Return a client of the account's blobs, which repeats no request."""
        if self.connection_string:
            return BlobServiceClient.from_connection_string(self.connection_string, retry_total=0)
        return BlobServiceClient(self.blob_uri, _identity(self.credential, self.client_id), retry_total=0)


def connection_of(settings: Mapping[str, str], name: str = DEFAULT_CONNECTION) -> Connection:
    """Return the connection of this name from the app settings.

    Raise ConfigurationInvalid if the app settings have neither a connection string nor an account or addresses.
    """
    for candidate in (f"AzureWebJobs{name}", name):
        if value := settings.get(candidate):
            return Connection(value)
        if found := _by_identity(settings, f"{candidate}__"):
            return found
    raise ConfigurationInvalid(
        f"the app setting {name!r} is missing: set it to a storage connection string, or set {name}__accountName"
    )


def _by_identity(settings: Mapping[str, str], prefix: str) -> Connection | None:
    account = settings.get(f"{prefix}accountName")
    host = f"https://{account}.{{}}.core.windows.net" if account else ""
    blobs = settings.get(f"{prefix}blobServiceUri") or host.format("blob")
    queues = settings.get(f"{prefix}queueServiceUri") or host.format("queue")
    if not blobs or not queues:
        return None
    credential, client_id = settings.get(f"{prefix}credential", ""), settings.get(f"{prefix}clientId", "")
    return Connection("", blobs, queues, credential, client_id)


@cache
def _identity(credential: str, client_id: str) -> TokenCredential:
    """Return the credential for connections by identity: the Functions host has one of its own, apart from the app's.

    Apps with a connection string need no import of azure-identity, which is slow.
    """
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential  # noqa: PLC0415, TID251

    if credential.lower() == MANAGED:
        return ManagedIdentityCredential(client_id=client_id or None)
    return DefaultAzureCredential(managed_identity_client_id=client_id or None)
