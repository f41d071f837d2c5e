"""These tests cover the operations of Azure that requests to storage stand for, and the storage roles."""

import pytest

from local.azure.rights.built_in import role
from local.azure.rights.lists import listed
from local.azure.rights.storage import UnknownRequest, operation_of, scope_of

OWNER, QUEUE, TABLE, SENDER = (
    "Storage Blob Data Owner",
    "Storage Queue Data Contributor",
    "Storage Table Data Contributor",
    "Storage Queue Data Message Sender",
)
REQUESTS = {
    ("blob", "PUT", "/certroll-leases", "restype=container"): OWNER,
    ("blob", "PUT", "/certroll-leases/site", ""): OWNER,
    ("blob", "PUT", "/certroll-leases/site", "comp=lease"): OWNER,
    ("blob", "GET", "/azure-webjobs-hosts/timers/state", ""): OWNER,
    ("blob", "GET", "/", "comp=list"): OWNER,
    ("queue", "GET", "/", "comp=list"): QUEUE,
    ("queue", "PUT", "/events", ""): QUEUE,
    ("queue", "HEAD", "/sites", "comp=metadata"): QUEUE,
    ("queue", "POST", "/sites/messages", "visibilitytimeout=0"): QUEUE,
    ("queue", "GET", "/sites/messages", "numofmessages=16"): QUEUE,
    ("queue", "PUT", "/sites/messages/1", "popreceipt=a"): QUEUE,
    ("queue", "DELETE", "/sites/messages/1", "popreceipt=a"): QUEUE,
    ("table", "POST", "/Tables", ""): TABLE,
    ("table", "GET", "/certrolljournal()", ""): TABLE,
    ("table", "POST", "/certrolljournal", ""): TABLE,
    ("table", "PATCH", "/certrolljournal(PartitionKey='a',RowKey='b')", ""): TABLE,
    ("table", "DELETE", "/certrolljournal(PartitionKey='a',RowKey='b')", ""): TABLE,
}
"""Requests to storage, and the only one of the three roles that allows each."""


def allowed(name: str, service: str, method: str, path: str, query: str) -> bool:
    """Return True if a built-in role allows a request to storage."""
    given = dict(part.split("=") for part in query.split("&") if part)
    permissions = role(name).permissions
    asked = operation_of(service, method, path, given)
    return asked.allowed(lambda operation, data: permissions.allows(operation, data=data))


@pytest.mark.parametrize(("request_", "needed"), REQUESTS.items())
def test_each_storage_role_allows_its_own_requests(request_: tuple[str, str, str, str], needed: str) -> None:
    """Of the three storage roles, only that of the service allows a request."""
    assert [name for name in (OWNER, QUEUE, TABLE) if allowed(name, *request_)] == [needed]


def test_sender_may_send_and_nothing_else() -> None:
    """The role of a system topic lets it put a message into a queue, and read or delete none."""
    assert allowed(SENDER, "queue", "POST", "/events/messages", "")
    assert not allowed(SENDER, "queue", "GET", "/events/messages", "")
    assert not allowed(SENDER, "queue", "DELETE", "/events/messages/1", "")


def test_storage_operations_are_those_of_microsofts_list() -> None:
    """Each operation that a request to storage stands for is in Microsoft's list of storage operations."""
    for service, method, path, query in REQUESTS:
        given = dict(part.split("=") for part in query.split("&") if part)
        asked = operation_of(service, method, path, given)
        names = {name.lower() for group in asked.alternatives for name in group}
        assert names <= listed("dataActions" if asked.data else "actions")


def test_unknown_request_is_an_error() -> None:
    """A request to storage that the table lacks is an error, and never counts as allowed."""
    with pytest.raises(UnknownRequest, match="blob: POST /a"):
        operation_of("blob", "POST", "/a", {"restype": "container"})


@pytest.mark.parametrize(
    ("service", "path", "scope"),
    [
        ("blob", "/certroll-leases/site%2Fa", "/blobServices/default/containers/certroll-leases"),
        ("queue", "/sites/messages/1", "/queueServices/default/queues/sites"),
        ("table", "/certrolljournal(PartitionKey='a%2Fb',RowKey='c')", "/tableServices/default/tables/certrolljournal"),
        ("table", "/certrolljournal%28%29", "/tableServices/default/tables/certrolljournal"),
        ("table", "/Tables", "/tableServices/default"),
        ("table", "/Tables('certrolljournal')", "/tableServices/default"),
        ("blob", "/", "/blobServices/default"),
    ],
)
def test_right_is_needed_at_the_container_queue_or_table(service: str, path: str, scope: str) -> None:
    """A request needs its right at the container, queue or table that its path names, or else for the service."""
    assert scope_of(service, path) == scope


def test_slash_in_the_key_of_a_row_is_no_part_of_the_path() -> None:
    """A row whose key has a slash is judged as every other row."""
    path = "/certrolljournal(PartitionKey='kv%2Fa',RowKey='b%2Fc')"
    assert operation_of("table", "GET", path, {}) == operation_of("table", "GET", "/certrolljournal()", {})
