"""These tests cover the storage account that takes no key: its front door, its roles, and Azurite behind it."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.azure.entra.tokens import CERTROLL, OPERATOR, Principal, token
from local.azure.rights.grants import Refusal
from local.azure.storage.account import SERVICES, StorageAccount
from local.azure.wire import Drop, Request, Response
from local.azure.world import World
from local.azurite import Azurite
from local.emulator import Emulator
from local.installed import storage_account
from local.stand import Stand
from local.variants import DEFAULT, grants

ID = storage_account(DEFAULT)
NAME = ID.rpartition("/")[2]
STORAGE = "https://storage.azure.com"
ROLES = {
    "blob": "Storage Blob Data Owner",
    "queue": "Storage Queue Data Contributor",
    "table": "Storage Table Data Contributor",
}
ASKED = {"blob": "/certroll-leases/site", "queue": "/sites/messages", "table": "/certrolljournal()"}
LACKED = {
    "blob": ("blobServices/containers/blobs/read", "/blobServices/default/containers/certroll-leases"),
    "queue": ("queueServices/queues/messages/process/action", "/queueServices/default/queues/sites"),
    "table": ("tableServices/tables/entities/read", "/tableServices/default/tables/certrolljournal"),
}
"""The operation that the request of ASKED stands for, and the scope below the account."""


def host_of(service: str) -> str:
    """Return the host name of a service of the account."""
    return f"{NAME}.{service}.core.windows.net"


def request(service: str, path: str, method: str = "GET", *, by: str = "", body: bytes = b"") -> Request:
    """Return a request to a service of the account; `by` is the header Authorization."""
    headers = {"authorization": by} if by else {}
    return Request(method, host_of(service), path, {}, headers, body)


def bearer(principal: Principal, audience: str = STORAGE) -> str:
    """Return the header Authorization with a token of the principal."""
    return f"Bearer {token('tenant', principal, audience, int(time.time()))}"


@pytest.fixture
def sent() -> list[tuple[str, str]]:
    """Return the list of the requests that reach the emulator, by service and path."""
    return []


@pytest.fixture
def account(sent: list[tuple[str, str]]) -> StorageAccount:
    """Return the account of the templates, in front of an emulator that answers 200."""

    def send(service: str, asked: Request) -> Response:
        sent.append((service, asked.path))
        return Response(200)

    return StorageAccount(ID, send)


@pytest.fixture
def world() -> World:
    """Return an empty simulated Azure in which Certroll has the rights of its templates."""
    world = World()
    world.grants.give(CERTROLL.object_id, grants())
    return world


@pytest.mark.parametrize("service", SERVICES)
def test_request_passes_with_the_role_of_its_service(
    account: StorageAccount, world: World, sent: list[tuple[str, str]], service: str
) -> None:
    """The storage account answers a request that a role of the templates allows, and notes the right as used."""
    answer = account.handle(request(service, ASKED[service], by=bearer(CERTROLL)), world)
    assert (answer.status, sent) == (200, [(service, ASKED[service])])
    assert world.grants.used[CERTROLL.object_id] == {f"microsoft.storage/storageaccounts/{LACKED[service][0]}".lower()}


@pytest.mark.parametrize("service", SERVICES)
def test_request_without_the_role_of_its_service_is_refused(
    account: StorageAccount, world: World, sent: list[tuple[str, str]], service: str
) -> None:
    """Without one of the three roles, the storage account refuses each request to that service, and remembers why."""
    world.grants.give(CERTROLL.object_id, [grant for grant in grants() if grant.role != ROLES[service]])
    answer = account.handle(request(service, ASKED[service], by=bearer(CERTROLL)), world)
    assert (answer.status, sent) == (403, [])
    assert answer.headers["x-ms-error-code"] == "AuthorizationPermissionMismatch"
    operation, scope = LACKED[service]
    wanted = Refusal(CERTROLL.object_id, f"Microsoft.Storage/storageAccounts/{operation}", ID + scope)
    assert list(world.grants.refused) == [wanted]


def test_role_at_one_container_reaches_no_other(account: StorageAccount, world: World) -> None:
    """A role for blobs that is assigned at one container allows no request to another container."""
    (blobs,) = (grant for grant in grants() if grant.role == ROLES["blob"])
    world.grants.give(CERTROLL.object_id, [replace(blobs, scope=f"{ID}/blobServices/default/containers/certroll-one")])
    answers = [
        account.handle(request("blob", path, by=bearer(CERTROLL)), world).status
        for path in ("/certroll-one/a", "/certroll-two/a", "/certroll-one-more/a")
    ]
    assert answers == [200, 403, 403]


def batch(*lines: str) -> bytes:
    """Return the body of a batch whose parts have these first lines, as azure-data-tables writes it."""
    parts = (f"--changeset_1\r\nContent-Type: application/http\r\n\r\n{line} HTTP/1.1\r\n\r\n" for line in lines)
    return "".join(parts).encode()


@pytest.mark.parametrize(
    ("operation", "method"), [("delete", "DELETE"), ("write", "PATCH"), ("write", "PUT"), ("write", "POST")]
)
def test_batch_is_judged_by_its_parts(account: StorageAccount, world: World, operation: str, method: str) -> None:
    """A batch of a table needs the right of each part, at the table of the part."""
    (role,) = (grant for grant in grants() if grant.role == ROLES["table"])
    lacking = replace(role.permissions, not_data_actions=(f"*/entities/{operation}", "*/action"))
    url = f"https://{host_of('table')}/certrolljournal"
    reading, asked = f"GET {url}(PartitionKey='a',RowKey='b')", f"{method} {url}(PartitionKey='a',RowKey='c')"
    body = request("table", "/$batch", "POST", by=bearer(CERTROLL), body=batch(reading, asked))
    assert account.handle(body, world).status == 200
    world.grants.give(CERTROLL.object_id, [replace(role, permissions=lacking)])
    assert account.handle(body, world).status == 403
    (refused,) = world.grants.refused
    assert refused.operation.startswith("Microsoft.Storage/storageAccounts/tableServices/tables/entities/")
    assert refused.scope == f"{ID}/tableServices/default/tables/certrolljournal"


def test_batch_without_a_part_is_no_leave(account: StorageAccount, world: World, sent: list[tuple[str, str]]) -> None:
    """A batch in which no part can be read is an error, and never counts as allowed."""
    asked = request("table", "/$batch", "POST", by=bearer(CERTROLL), body=b"--batch_1\r\n\r\n")
    assert (account.handle(asked, world).status, sent) == (501, [])


def test_unknown_request_is_an_error_for_certroll(
    account: StorageAccount, world: World, sent: list[tuple[str, str]]
) -> None:
    """A request that no row names is an error for Certroll, and passes for a person, who may do everything."""
    assert account.handle(request("blob", "/", by=bearer(CERTROLL)), world).status == 501
    assert sent == []
    assert account.handle(request("blob", "/", by=bearer(OPERATOR)), world).status == 200


@pytest.mark.parametrize("service", SERVICES)
def test_storage_account_takes_no_key(
    account: StorageAccount, world: World, sent: list[tuple[str, str]], service: str
) -> None:
    """The storage account refuses a request with its key, and asks a request without a token for one."""
    keyed = account.handle(request(service, ASKED[service], by=f"SharedKey {NAME}:c2VjcmV0"), world)
    assert (keyed.status, keyed.headers["x-ms-error-code"]) == (403, "KeyBasedAuthenticationNotPermitted")
    bare = account.handle(request(service, ASKED[service]), world)
    assert bare.status == 401
    assert f"resource_id={STORAGE}" in bare.headers["WWW-Authenticate"]
    assert sent == []


@pytest.mark.parametrize(
    ("host", "known"),
    [
        (f"{NAME}.blob.core.windows.net", True),
        (f"{NAME}.file.core.windows.net", False),
        ("other.blob.core.windows.net", False),
        (f"{NAME}.blob.core.windows.net.evil.example", False),
        (NAME, False),
    ],
)
def test_account_has_its_three_host_names(account: StorageAccount, host: str, known: bool) -> None:  # noqa: FBT001
    """The local Azure serves the host names of the account's three services, and no other."""
    assert account.knows(host) is known


class Token:
    """A credential that always gives the same token."""

    def __init__(self, principal: Principal, audience: str = STORAGE) -> None:
        self._token = bearer(principal, audience).removeprefix("Bearer ")

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Return the token."""
        return AccessToken(self._token, int(time.time()) + 3600)


@pytest.fixture(scope="module")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Yield an Azurite that takes tokens."""
    with Azurite(tmp_path_factory.mktemp("tokens") / "azurite.log", account=NAME, tokens=True) as running:
        yield running


@pytest.fixture(scope="module")
def stand(azurite: Azurite) -> Iterator[Stand]:
    """Yield a local Azure with the account, in which Certroll has the rights of its templates."""
    emulator = Emulator(azurite)
    with Stand(rights=grants()) as stand:
        stand.add_storage(StorageAccount(ID, emulator.send))
        yield stand
    emulator.close()


def options(stand: Stand) -> dict[str, object]:
    """Return the options by which a client of this process reaches the account through the proxy."""
    proxy = stand.proxy.environment()
    trusted = proxy["REQUESTS_CA_BUNDLE"]
    return {"proxies": {"https": proxy["HTTPS_PROXY"]}, "connection_verify": trusted, "retry_total": 0}


def test_clients_with_a_token_use_blobs_and_queues(stand: Stand) -> None:
    """The SDKs with Certroll's token store and lease blobs, and send and take messages, at the real host names."""
    with BlobServiceClient(f"https://{host_of('blob')}", Token(CERTROLL), **options(stand)) as blobs:
        blobs.create_container("certroll-leases")
        blob = blobs.get_blob_client("certroll-leases", "site/a b")
        blob.upload_blob(b"content")
        blob.acquire_lease(15).release()
        assert (blob.download_blob().readall(), blob.get_blob_properties().size) == (b"content", 7)
    with QueueServiceClient(f"https://{host_of('queue')}", Token(CERTROLL), **options(stand)) as queues:
        queues.create_queue("sites")
        queue = queues.get_queue_client("sites")
        queue.send_message("grüße")
        (message,) = queue.receive_messages()
        queue.delete_message(message)
        assert message.content == "grüße"


def test_clients_with_a_token_use_tables(stand: Stand) -> None:
    """The SDK with Certroll's token writes and reads rows, one by one, by a batch, and page by page."""
    endpoint = f"https://{host_of('table')}"
    with TableServiceClient(endpoint=endpoint, credential=Token(CERTROLL), **options(stand)) as tables:
        table = tables.create_table("certrolljournal")
        table.upsert_entity({"PartitionKey": "it's", "RowKey": "ü 1", "value": 1})
        assert table.get_entity("it's", "ü 1")["value"] == 1
        table.submit_transaction([("upsert", {"PartitionKey": "p", "RowKey": str(row)}) for row in range(5)])
        assert len(list(table.list_entities(results_per_page=2))) == 6


def test_missing_role_is_an_error_of_the_client(stand: Stand) -> None:
    """The SDK raises an error with Azure's code if a role is missing, and answers again with the role."""
    stand.world.grants.give(CERTROLL.object_id, [grant for grant in grants() if grant.role != ROLES["table"]])
    endpoint = f"https://{host_of('table')}"
    with TableServiceClient(endpoint=endpoint, credential=Token(CERTROLL), **options(stand)) as tables:
        with pytest.raises(HttpResponseError) as refused:
            tables.create_table("certrollrolls")
        assert (refused.value.status_code, "AuthorizationPermissionMismatch" in str(refused.value)) == (403, True)
        stand.world.grants.give(CERTROLL.object_id, grants())
        tables.create_table("certrollrolls")


def test_token_for_another_service_is_refused(stand: Stand) -> None:
    """Azurite refuses a token that was issued for Key Vault."""
    wrong = Token(CERTROLL, "https://vault.azure.net")
    queues = QueueServiceClient(f"https://{host_of('queue')}", wrong, **options(stand))
    with queues, pytest.raises(ClientAuthenticationError):
        queues.create_queue("wrong")


def test_lost_connection_to_azurite_is_opened_again(tmp_path: Path) -> None:
    """A connection that Azurite has closed is not used again, and a request without Azurite gets no answer."""
    asked = request("queue", "/sites", "PUT", by=bearer(CERTROLL))
    with Azurite(tmp_path / "azurite.log", account=NAME, tokens=True) as running:
        emulator = Emulator(running)
        assert emulator.send("queue", asked).status == 201
        for line in emulator._idle["queue"]:
            line._socket.shutdown(2)
        assert emulator.send("queue", asked).status == 204
    with pytest.raises(Drop):
        emulator.send("queue", asked)
    emulator.close()
