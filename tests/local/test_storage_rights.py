"""These tests cover the operations of Azure that requests to storage stand for, and the storage roles."""

import pytest

from local.azure.rights.built_in import role
from local.azure.rights.lists import listed
from local.azure.rights.storage import UnknownRequest, operation_of, service_of
from local.demo.rights import storage_requests

OWNER, QUEUE, TABLE, SENDER = (
    "Storage Blob Data Owner",
    "Storage Queue Data Contributor",
    "Storage Table Data Contributor",
    "Storage Queue Data Message Sender",
)
REQUESTS = {
    ("PUT", "/certroll-leases", "restype=container"): OWNER,
    ("PUT", "/certroll-leases/site", ""): OWNER,
    ("PUT", "/certroll-leases/site", "comp=lease"): OWNER,
    ("GET", "/azure-webjobs-hosts/timers/state", ""): OWNER,
    ("PUT", "/events", ""): QUEUE,
    ("HEAD", "/sites", "comp=metadata"): QUEUE,
    ("POST", "/sites/messages", "visibilitytimeout=0"): QUEUE,
    ("GET", "/sites/messages", "numofmessages=16"): QUEUE,
    ("PUT", "/sites/messages/1", "popreceipt=a"): QUEUE,
    ("DELETE", "/sites/messages/1", "popreceipt=a"): QUEUE,
    ("POST", "/Tables", ""): TABLE,
    ("GET", "/certrolljournal()", ""): TABLE,
    ("POST", "/certrolljournal", ""): TABLE,
    ("PATCH", "/certrolljournal(PartitionKey='a',RowKey='b')", ""): TABLE,
    ("DELETE", "/certrolljournal(PartitionKey='a',RowKey='b')", ""): TABLE,
    ("POST", "/$batch", ""): TABLE,
}
"""Requests to storage, and the only one of the three roles that allows each."""


def allowed(name: str, method: str, path: str, query: str) -> bool:
    """Return True if a built-in role allows a request to storage."""
    given = dict(part.split("=") for part in query.split("&") if part)
    permissions = role(name).permissions
    asked = operation_of(service_of(path, given), method, path, given)
    return asked.allowed(lambda operation, data: permissions.allows(operation, data=data))


@pytest.mark.parametrize(("request_", "needed"), REQUESTS.items())
def test_each_storage_role_allows_its_own_requests(request_: tuple[str, str, str], needed: str) -> None:
    """Of the three storage roles, only that of the service allows a request."""
    assert [name for name in (OWNER, QUEUE, TABLE) if allowed(name, *request_)] == [needed]


def test_sender_may_send_and_nothing_else() -> None:
    """The role of a system topic lets it put a message into a queue, and read or delete none."""
    assert allowed(SENDER, "POST", "/events/messages", "")
    assert not allowed(SENDER, "GET", "/events/messages", "")
    assert not allowed(SENDER, "DELETE", "/events/messages/1", "")


def test_storage_operations_are_those_of_microsofts_list() -> None:
    """Each operation that a request to storage stands for is in Microsoft's list of storage operations."""
    for method, path, query in REQUESTS:
        given = dict(part.split("=") for part in query.split("&") if part)
        asked = operation_of(service_of(path, given), method, path, given)
        names = {name.lower() for group in asked.alternatives for name in group}
        assert names <= listed("dataActions" if asked.data else "actions")


def test_unknown_request_is_an_error() -> None:
    """A request to storage that the table lacks is an error, and never counts as allowed."""
    with pytest.raises(UnknownRequest, match="blob: POST /a"):
        operation_of("blob", "POST", "/a", {"restype": "container"})


def test_requests_are_read_from_the_log_of_azurite() -> None:
    """The demo reads method, path and query of each request from Azurite's log, whatever the status."""
    line = (
        '127.0.0.1 - - [30/Nov/2026:12:00:00 +0000] "GET /devstoreaccount1/a%2Db/messages?peekonly=true HTTP/1.1" 404 -'
    )
    assert list(storage_requests(f"Azurite starts\n{line}\n")) == [("GET", "/a-b/messages", (("peekonly", "true"),))]
