"""These tests cover how the local Functions host reaches storage: by a connection string or by an identity."""

import pytest
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential  # noqa: TID251 - the host makes them

from local.host.configuration import ConfigurationInvalid
from local.host.connections import Connection, connection_of
from local.host.statuses import NoStatuses, statuses

NAME = "AzureWebJobsStorage"
BLOBS, QUEUES = "https://a.blob.core.windows.net", "https://a.queue.core.windows.net"
KEYED = "DefaultEndpointsProtocol=https;AccountName=b;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"
ACCOUNT = {f"{NAME}__accountName": "a"}
ADDRESSES = {f"{NAME}__blobServiceUri": "https://x.example", f"{NAME}__queueServiceUri": "https://y.example"}
MANAGED = {f"{NAME}__credential": "managedidentity", f"{NAME}__clientId": "id"}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (ACCOUNT, Connection("", BLOBS, QUEUES)),
        (ACCOUNT | MANAGED, Connection("", BLOBS, QUEUES, "managedidentity", "id")),
        (ADDRESSES, Connection("", "https://x.example", "https://y.example")),
        (ACCOUNT | {f"{NAME}__queueServiceUri": "https://y.example"}, Connection("", BLOBS, "https://y.example")),
        (ACCOUNT | {NAME: KEYED}, Connection(KEYED)),
        (ACCOUNT | {NAME: ""}, Connection("", BLOBS, QUEUES)),
    ],
    ids=["account", "managed identity", "addresses", "account and an address", "connection string wins", "blank"],
)
def test_connection_is_found(settings: dict[str, str], wanted: Connection) -> None:
    """The host finds a connection string first, then addresses, then the name of an account."""
    assert connection_of(settings) == wanted


def test_connection_of_another_name_is_found() -> None:
    """A binding may name another connection, with or without the prefix AzureWebJobs."""
    for prefix in ("Other", "AzureWebJobsOther"):
        assert connection_of({f"{prefix}__accountName": "a"}, "Other") == Connection("", BLOBS, QUEUES)


@pytest.mark.parametrize("settings", [{}, MANAGED, {f"{NAME}__queueServiceUri": "https://y.example"}])
def test_missing_connection_names_its_settings(settings: dict[str, str]) -> None:
    """Without an account, the host names the two settings of which it needs one, and keeps no statuses of timers."""
    with pytest.raises(ConfigurationInvalid, match=f"'{NAME}' is missing.*{NAME}__accountName"):
        connection_of(settings)
    assert isinstance(statuses(settings, reach=None), NoStatuses)  # type: ignore[arg-type]  # it asks no storage


def test_identity_is_the_one_of_the_settings() -> None:
    """`__credential` chooses the managed identity; without it the host takes the first identity that answers."""
    managed = Connection("", BLOBS, QUEUES, "managedidentity", "id").queues()
    assert isinstance(managed.credential, ManagedIdentityCredential)
    assert isinstance(Connection("", BLOBS, QUEUES).blobs().credential, DefaultAzureCredential)
