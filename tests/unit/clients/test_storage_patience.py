"""No call of a client of the storage account outlasts a lease, or raises an error of an SDK.

The clients and their methods are found by themselves, so that a new client or method is in these tests.
"""

from collections.abc import Callable
from dataclasses import fields
from types import SimpleNamespace

import pytest
from azure.core.pipeline.transport import RequestsTransport

from shared.clients.network import bounded
from shared.clients.network.bounded import TookTooLong
from shared.clients.storage.edge import CALL_SECONDS
from shared.clients.storage.journal import JournalPorts
from shared.clients.storage.leases import SAFE_SECONDS
from shared.domain.deadline import RECORD_TIME, REQUEST_TIME
from shared.domain.errors import Conflict, NotFound, StorageFailed
from shared.ports import Ports
from tests.broken_answers import answering
from tests.client_calls import calls_of, ports

STORAGE = (*JournalPorts.__annotations__, "leases", "queue")
UNASKED = {("settings_rolls", "forget")}
"""The calls that ask nobody for the arguments of these tests: the record was never stored, so it has no revision."""
CALLS = [(client, name) for client in STORAGE for name, _ in calls_of(getattr(ports(), client))]
ASKING = [call for call in CALLS if call not in UNASKED]
ANSWERS = {
    "denied": (403, {"x-ms-error-code": "AuthorizationPermissionMismatch"}, b"{}"),
    "throttled": (429, {}, b""),
    "failed": (500, {}, b"{}"),
    "busy": (503, {"x-ms-error-code": "ServerBusy"}, b"{}"),
    "busy for an hour": (503, {"Retry-After": "3600"}, b""),
    "late": (504, {}, b"<html>"),
    "no table service": (200, {"Content-Type": "text/html"}, b"<html>sign in</html>"),
    "missing": (404, {"x-ms-error-code": "TableNotFound"}, b'{"odata.error": {"code": "TableNotFound"}}'),
}
MOST_REQUESTS = 13
"""The most requests of one call that Azure keeps refusing: three requests of the call, each with its repeats."""


class Time:
    """A clock that only requests and waits move."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        """Return the seconds since the start."""
        return self.seconds

    def pass_(self, seconds: float) -> None:
        """Let the seconds pass."""
        self.seconds += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Return the clock by which calls are limited, and by which waits before repeats pass."""
    passing = Time()
    monkeypatch.setattr(bounded, "time", SimpleNamespace(monotonic=passing.monotonic))
    monkeypatch.setattr(RequestsTransport, "sleep", lambda _, seconds: passing.pass_(seconds))
    return passing


def ends(client: str, name: str) -> Exception | None:
    """Call a method of a client, and return its error."""
    call = dict(calls_of(getattr(ports(), client)))[name]
    try:
        result = call()
        if hasattr(result, "__enter__"):
            with result:
                pass
    except Exception as error:  # noqa: BLE001 - the test is about its type
        return error
    return None


def test_call_of_storage_ends_before_a_lease() -> None:
    """One call of storage fits into the time of a lease without renewals, and into the last time of a run."""
    assert CALL_SECONDS < SAFE_SECONDS
    assert (RECORD_TIME - REQUEST_TIME).total_seconds() >= CALL_SECONDS


def test_every_client_of_storage_is_tested() -> None:
    """The clients of the storage account are the journal, the leases and the queues, and all of them are ports."""
    assert set(STORAGE) <= {port.name for port in fields(Ports)}
    assert {client for client, _ in CALLS} == set(STORAGE)


@pytest.mark.parametrize(("client", "name"), ASKING)
def test_silent_storage_costs_one_call_at_most(
    monkeypatch: pytest.MonkeyPatch, time: Time, client: str, name: str
) -> None:
    """If the storage account answers nothing, each call ends as StorageFailed within its time."""

    def silent(seconds: float, _: Callable[[], object]) -> object:
        time.pass_(seconds)
        raise TookTooLong("no complete answer came")

    monkeypatch.setattr("shared.clients.transport.bounded", silent)
    assert isinstance(ends(client, name), StorageFailed)
    assert 0 < time.seconds <= CALL_SECONDS


@pytest.mark.parametrize("said", ANSWERS)
@pytest.mark.parametrize(("client", "name"), ASKING)
def test_refusal_of_storage_is_an_error_of_certroll(time: Time, client: str, name: str, said: str) -> None:
    """Whatever the storage account refuses, each call ends in time, with few requests and no error of an SDK."""
    with answering(lambda _: ANSWERS[said]) as asked:
        error = ends(client, name)
    assert error is None or isinstance(error, StorageFailed | NotFound | Conflict)
    assert said == "missing" or isinstance(error, StorageFailed)
    assert 1 <= len(asked) <= MOST_REQUESTS
    assert time.seconds <= CALL_SECONDS


@pytest.mark.parametrize(("client", "name"), [call for call in CALLS if call[0] in {"queue", "leases"}])
def test_slow_storage_does_not_outlast_a_lease(
    monkeypatch: pytest.MonkeyPatch, time: Time, client: str, name: str
) -> None:
    """If each request takes fourteen seconds and misses something, the call with all its requests ends in its time."""

    def slow(seconds: float, call: Callable[[], object]) -> object:
        time.pass_(min(seconds, 14.0))
        if seconds < 14.0:
            raise TookTooLong("no complete answer came")
        return call()

    monkeypatch.setattr("shared.clients.transport.bounded", slow)
    with answering(lambda _: ANSWERS["missing"]) as asked:
        assert isinstance(ends(client, name), StorageFailed)
    assert len(asked) <= 2
    assert time.seconds <= CALL_SECONDS
