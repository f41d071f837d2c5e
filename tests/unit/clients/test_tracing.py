"""Each request to Azure says that Certroll sends it, and which run."""

from typing import Any, NoReturn

import pytest
from azure.core.exceptions import ServiceRequestError

from shared.clients import credentials
from shared.clients.clouds import CLOUDS
from shared.clients.storage import accounts
from shared.clients.storage.leases import BlobLeases
from shared.clients.storage.queues import StorageQueue
from shared.clients.storage.tables import StorageTables
from shared.clients.tracing import AGENT, RunTrace, _of_thread
from shared.clients.transport import BoundedTransport
from shared.domain.endpoints import CloudName
from shared.domain.errors import StorageFailed
from tests.unit.clients.test_bounds import MESSAGE, NOBODY, storage


@pytest.fixture
def agents(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the User-Agent of each request, none of which is sent."""
    seen: list[str] = []

    def send(_: BoundedTransport, request: Any, **__: object) -> NoReturn:  # noqa: ANN401 - azure-core's own signature
        seen.append(request.headers["User-Agent"])
        raise ServiceRequestError("not sent")

    monkeypatch.setattr(BoundedTransport, "send", send)
    return seen


def test_storage_knows_who_asks(agents: list[str]) -> None:
    """Requests to tables, queues and leases begin their User-Agent with Certroll's name and version."""
    address = storage(1)
    calls = (
        lambda: StorageTables(accounts.table_service(address, NOBODY)).rows("certrolljournal", "p"),
        lambda: StorageQueue(accounts.queue_service(address, NOBODY)).send_certificate(MESSAGE),
        BlobLeases(accounts.blob_service(address, NOBODY)).hold("site").__enter__,
    )
    for call in calls:
        with pytest.raises((ServiceRequestError, StorageFailed)):
            call()
    assert [agent.split(" ")[0] for agent in agents] == [AGENT] * len(calls)


def test_token_endpoint_knows_who_asks(agents: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests for a token begin their User-Agent with Certroll's name and version."""
    monkeypatch.setattr(credentials, "RETRIES", 0)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "x")
    credential = credentials.make_credential(CLOUDS[CloudName.PUBLIC], None)
    with pytest.raises(Exception, match="not sent"):
        credential.get_token("https://management.azure.com/.default")
    assert {agent.split(" ")[0] for agent in agents} == {AGENT}


def test_call_of_one_run_does_not_mark_the_next() -> None:
    """After a call, the thread belongs to no run, so that another run's requests never get its id."""
    outer, inner = RunTrace("outer"), RunTrace("inner")
    with outer.calling(writing=True):
        with inner.calling(writing=False):
            assert (_of_thread.run, _of_thread.writing) == ("inner", False)
        assert (_of_thread.run, _of_thread.writing) == ("outer", True)
    assert (_of_thread.run, _of_thread.writing, _of_thread.writes) == ("", False, None)
