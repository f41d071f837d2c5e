"""No call over the network outlives its time, however slowly a server answers."""

import ast
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError as SdkError
from azure.core.exceptions import (
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline import Pipeline
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest

from local.listener import Connection, Listener
from shared.clients import credentials
from shared.clients.clouds import CLOUDS
from shared.clients.connect import Connections
from shared.clients.network import bounded as bounds
from shared.clients.network import tls_probe
from shared.clients.network.app_probe import AppProbe
from shared.clients.network.bounded import Line, bounded, limited
from shared.clients.retrying import Retrying
from shared.clients.storage import accounts
from shared.clients.storage.leases import BlobLeases
from shared.clients.storage.queues import StorageQueue
from shared.clients.storage.tables import StorageTables
from shared.clients.transport import BoundedTransport
from shared.domain.deadline import Deadline
from shared.domain.endpoints import CloudName, StorageAddress
from shared.domain.errors import OutcomeUnknown, OutOfTime, StorageFailed, Unavailable
from shared.domain.fleet.handshake import Handshake
from shared.domain.fleet.probe import Probe
from shared.domain.messages import Cause, CertificateMessage
from shared.domain.names import HostName
from shared.domain.rollout.site_record import SiteState
from tests.build import NEW, NOW, REF, SUBSCRIPTION, ManualClock
from tests.unit.clients.drip import HALF_BODY, NOTHING, PACE, SOON, STAGES, WHOLE, Drip, dripping, ends, never_accepting

ROOT = Path(__file__).resolve().parents[3]
LONG = 1000.0
"""The seconds of each time-out that must not be what ends a call."""
SHORT = {"CONNECT_SECONDS": LONG, "READ_SECONDS": LONG, "REQUEST_SECONDS": SOON, "REPEAT_AFTER_SECONDS": PACE}
GREETING = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0\x03\x03\x00"
"""The beginning of a TLS record of 16 KB with the greeting of a server."""
MINUTE = timedelta(minutes=1)
HOST = HostName("shop.azurewebsites.net")
MESSAGE = CertificateMessage(REF, Cause.EVENT)
NOBODY = cast("TokenCredential", None)
TRANSPORT_INIT = RequestsTransport.__init__
Made = Callable[[int], Callable[[], object]]


@pytest.fixture(params=STAGES.values(), ids=STAGES)
def drip(request: pytest.FixtureRequest) -> Iterator[Drip]:
    """Yield a server that answers drop by drop."""
    with dripping(request.param) as server:
        yield server


def transport(total: float = SOON, wait: float = 0.0) -> BoundedTransport:
    """Return a transport whose requests take a short time in total, while a pause in an answer may be long."""
    return BoundedTransport(LONG, LONG, total, wait)


def storage_error(call: Callable[[], object]) -> BaseException | None:
    """Return the error of an SDK behind the StorageFailed with which a call to storage ends."""
    failed = ends(call)
    assert isinstance(failed, StorageFailed)
    return failed.__cause__


def get(port: int, by: BoundedTransport, method: str = "GET") -> object:
    """Send a request of an SDK to a server on loopback, without the retries of the SDK."""
    return Pipeline(by).run(HttpRequest(method, f"http://127.0.0.1:{port}/"))


# ----------------------------------------------------------------------------------------- requests of the Azure SDKs


def test_drip_ends_after_the_total_time(drip: Drip) -> None:
    """If a server answers drop by drop, Certroll hangs up after the total time of a request."""
    error = ends(lambda: get(drip.port, transport()))
    assert isinstance(error, ServiceResponseTimeoutError)
    assert str(error) == f"no complete answer came within {SOON} s"
    assert drip.gone.wait(LONG)
    assert len(drip.requests) == 1
    assert drip.sent <= len(drip.drop) * 10 * SOON / PACE


def test_connection_that_never_opens_ends_as_well() -> None:
    """If a server does not accept a connection, Certroll gives up after the total time of a request."""
    with never_accepting() as port:
        assert isinstance(ends(lambda: get(port, transport())), ServiceResponseTimeoutError)


def test_name_that_is_never_found_ends_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the resolution of a host name hangs, Certroll gives up after the total time of a request."""
    hang = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: hang.wait(LONG))
    error = ends(lambda: get(80, transport()))
    hang.set()
    assert isinstance(error, ServiceResponseTimeoutError)


def test_connections_are_used_again_and_stay_bounded() -> None:
    """A second request on an open connection is bounded, too, and the end of the first request does not disturb it."""
    heads: list[bytes] = []

    def serve(connection: Connection) -> None:
        for answer in (WHOLE, HALF_BODY):
            heads.append(connection.socket.recv(65_536))
            connection.socket.sendall(answer)
        while connection.socket.recv(65_536):
            pass

    with closing(Listener(serve, "two answers")) as listener:
        port, by = listener.listen(), transport()
        assert ends(lambda: get(port, by)) is None
        assert isinstance(ends(lambda: get(port, by)), ServiceResponseTimeoutError)
    assert len(heads) == 2


def test_call_that_was_given_up_sends_nothing_later() -> None:
    """If Certroll gives a call up before the connection opens, the call can no longer send its request."""
    line, (here, there) = Line(), socket.socketpair()
    with here, there:
        line.cut()
        line.keep(here)
        with pytest.raises(OSError, match="Broken pipe"):
            here.sendall(b"PUT / HTTP/1.1\r\n\r\n")
        assert there.recv(1) == b""


class OnlyFileno:
    """What urllib3 passes as a socket behind a proxy that itself speaks TLS."""

    def __init__(self, inner: socket.socket) -> None:
        self.fileno = inner.fileno


def test_connection_through_a_proxy_with_tls_can_be_cut() -> None:
    """Certroll can cut a connection of which urllib3 passes nothing but the file number."""
    line, (here, there) = Line(), socket.socketpair()
    with here, there:
        line.keep(OnlyFileno(here))
        line.cut()
        assert there.recv(1) == b""


def test_answer_that_stops_after_its_headers_leaves_a_write_unknown() -> None:
    """If Azure's answer to a write stops after the headers, Certroll does not know whether Azure made the write."""
    by = BoundedTransport(LONG, SOON, LONG)
    with closing(Listener(_half_an_answer, "half")) as listener:
        error = ends(lambda: Retrying(ManualClock()).write("it", partial(get, listener.listen(), by, "PUT")))
    assert isinstance(error, OutcomeUnknown)


def test_write_that_found_no_connection_was_not_made() -> None:
    """If no server listens, Certroll knows that Azure did not make the write."""
    error = ends(
        lambda: Retrying(ManualClock()).write("it", partial(get, 9, BoundedTransport(LONG, LONG, LONG), "PUT"))
    )
    assert isinstance(error, Unavailable)


def _half_an_answer(connection: Connection) -> None:
    connection.socket.recv(65_536)
    connection.socket.sendall(HALF_BODY)
    while connection.socket.recv(65_536):
        pass


# -------------------------------------------------------------------------------------------- the deadline of the run


def test_call_under_way_at_the_deadline_ends(drip: Drip) -> None:
    """If a read is under way when the time of the run ends, Certroll cuts the read and repeats nothing."""
    clock = ManualClock()
    retrying = Retrying(clock, deadline=deadline(SOON))
    error = ends(lambda: retrying.read("it", lambda: _later(clock, drip)))
    assert isinstance(error, OutOfTime)
    assert (len(drip.requests), clock.slept) == (1, [])


def test_write_under_way_at_the_deadline_is_unknown() -> None:
    """If a write is under way when the time of the run ends, Certroll reads before it makes the write again."""
    clock = ManualClock()
    with dripping(HALF_BODY) as drip:
        retrying = Retrying(clock, deadline=deadline(SOON))
        error = ends(lambda: retrying.retry(lambda: retrying.write("it", lambda: _later(clock, drip, "PUT"))))
    assert isinstance(error, OutcomeUnknown)
    assert (len(drip.requests), clock.slept) == (1, [])


def _later(clock: ManualClock, drip: Drip, method: str = "GET") -> object:
    """Ask the server, and let the simulated clock move as far as the request takes."""
    try:
        return get(drip.port, transport(LONG), method)
    finally:
        clock.time += timedelta(seconds=SOON)


def deadline(seconds: float) -> Deadline:
    """Return the deadline of a run that has the given seconds left for everything."""
    end = NOW + timedelta(seconds=seconds)
    return Deadline(end, end, end)


def test_no_retry_begins_after_the_deadline() -> None:
    """Certroll retries a failed read only until the run may begin no new work, although its patience lasts longer."""
    clock = ManualClock()
    work = NOW + timedelta(seconds=20)
    retrying = Retrying(clock, deadline=Deadline(work, work + MINUTE, work + MINUTE))
    asked: list[datetime] = []

    def ask() -> None:
        asked.append(clock.now())
        raise ServiceRequestError("refused")

    with pytest.raises(OutOfTime, match="no time is left to repeat a call: it: no connection: refused"):
        retrying.read("it", ask)
    assert len(asked) > 1
    assert max(asked) <= work


def test_no_call_begins_when_no_time_is_left() -> None:
    """After the last minute of a run, Certroll sends neither a read nor a write."""
    retrying = Retrying(ManualClock(), deadline=deadline(0))
    asked: list[str] = []
    for call in (retrying.read, retrying.write):
        with pytest.raises(OutOfTime):
            call("it", lambda: asked.append("asked"))
    assert asked == []


def test_patience_ends_a_call_as_before() -> None:
    """If the run has much time left, a read that fails until `patience` is over raises Azure's error."""
    retrying = Retrying(ManualClock(), deadline=Deadline.of_run(NOW))
    with pytest.raises(Unavailable):
        retrying.read("it", _refused)


def _refused() -> None:
    raise ServiceRequestError("refused")


# --------------------------------------------------------------------------------------- storage, tokens, other calls


def tables(port: int) -> Callable[[], object]:
    """Return a function that reads a table."""
    return partial(StorageTables(accounts.table_service(storage(port), NOBODY)).rows, "certrolljournal", "p")


def queues(port: int) -> Callable[[], object]:
    """Return a function that sends a message to a queue."""
    return partial(StorageQueue(accounts.queue_service(storage(port), NOBODY)).send_certificate, MESSAGE)


def leases(port: int) -> Callable[[], object]:
    """Return a function that takes a lease."""
    return BlobLeases(accounts.blob_service(storage(port), NOBODY)).hold("site").__enter__


def storage(port: int) -> StorageAddress:
    """Return the address of a storage account on loopback."""
    base = f"http://127.0.0.1:{port}/account"
    parts = (f"{kind}Endpoint={base}" for kind in ("Blob", "Queue", "Table"))
    return StorageAddress(";".join(("AccountName=account", "AccountKey=a2V5", *parts)))


@pytest.mark.parametrize(("made", "requests"), [(tables, 2), (queues, 1), (leases, 2)])
def test_calls_of_storage_end(monkeypatch: pytest.MonkeyPatch, made: Made, requests: int, drip: Drip) -> None:
    """If the storage account answers drop by drop, each call ends, after one retry unless the call may add twice."""
    _hurry(monkeypatch, accounts)
    assert isinstance(storage_error(made(drip.port)), ServiceResponseTimeoutError)
    assert len(drip.requests) == requests


def _status(line: str, headers: bytes = b"") -> bytes:
    """Return an answer without a body."""
    return b"HTTP/1.1 " + line.encode() + b"\r\n" + headers + b"Content-Length: 0\r\n\r\n"


@pytest.mark.parametrize("made", [tables, queues, leases])
def test_storage_that_asks_for_a_long_wait_is_not_waited_for(made: Made) -> None:
    """If the storage account asks for a wait of an hour, the call fails at once instead of waiting."""
    busy, heads = b"HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n", list[bytes]()
    with closing(Listener(partial(_answers, heads, busy), "busy")) as listener:
        assert isinstance(storage_error(made(listener.listen())), SdkError)
    assert len(heads) == 1


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"], ids=["no answer", "busy"])
def test_storage_that_fails_once_is_asked_again(monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    """If the storage account fails once, Certroll sends the request once more, and the call succeeds."""
    _hurry(monkeypatch, accounts)
    monkeypatch.setattr(accounts, "REQUEST_SECONDS", LONG)
    answers, sent = [first, b"HTTP/1.1 204 Gone\r\nContent-Length: 0\r\n\r\n"], list[bytes]()

    def serve(connection: Connection) -> None:
        while answers and (head := connection.socket.recv(65_536)):
            sent.append(head)
            answer = answers.pop(0)
            connection.socket.sendall(answer)
            if not answer:
                return

    with closing(Listener(serve, "once")) as listener:
        client = accounts.table_service(storage(listener.listen()), NOBODY).get_table_client("t")
        assert ends(client.delete_table) is None
    assert len(sent) == 2


@pytest.mark.parametrize("revision", [None, "an etag"], ids=["insert", "replace a revision"])
@pytest.mark.parametrize("first", [b"", _status("500 Timed out"), _status("504 Late")], ids=["no answer", "500", "504"])
def test_row_that_may_be_written_is_not_written_again(
    monkeypatch: pytest.MonkeyPatch, first: bytes, revision: str | None
) -> None:
    """If the answer to a write of a row is lost, the row of the run never reads as written by another run."""
    _hurry(monkeypatch, accounts)
    monkeypatch.setattr(accounts, "REQUEST_SECONDS", LONG)
    error, sent = _put_row([first, _status("412 Changed" if revision else "409 Exists")], revision)
    assert isinstance(error, StorageFailed)
    assert isinstance(error.__cause__, SdkError)
    assert sent == 1


@pytest.mark.parametrize("revision", [None, "an etag"], ids=["insert", "replace a revision"])
@pytest.mark.parametrize("first", ["429 Slow", "503 Busy"])
def test_row_that_storage_refused_is_written_again(
    monkeypatch: pytest.MonkeyPatch, first: str, revision: str | None
) -> None:
    """If the storage account is too busy for a write of a row, Certroll sends the write once more."""
    _hurry(monkeypatch, accounts)
    monkeypatch.setattr(accounts, "REQUEST_SECONDS", LONG)
    assert _put_row([_status(first), _status("204 Written", b"ETag: new\r\n")], revision) == (None, 2)


def test_row_whose_connection_failed_is_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the storage account cannot be reached, Certroll tries once more to insert the row."""
    monkeypatch.setattr(accounts, "REPEAT_AFTER_SECONDS", PACE)
    tried: list[object] = []

    def refuse(*address: object, **_: object) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError("nobody listens")

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)
    assert isinstance(storage_error(partial(_insert, 9)), ServiceRequestError)
    assert len(tried) == 2


def _put_row(answers: list[bytes], revision: str | None) -> tuple[BaseException | None, int]:
    """Write a row to a storage account that gives these answers, and return the error and the number of requests.

    The storage account hangs up instead of an empty answer.
    """
    sent: list[bytes] = []

    def serve(connection: Connection) -> None:
        while received := connection.socket.recv(65_536):
            if b" HTTP/1.1" not in received:  # the body of a request may come in a part of its own
                continue
            sent.append(received)
            answer = answers[len(sent) - 1]
            connection.socket.sendall(answer)
            if not answer:
                return

    with closing(Listener(serve, "rows")) as listener:
        error = ends(partial(_insert, listener.listen(), revision))
    return error, len(sent)


def _insert(port: int, revision: str | None = None) -> None:
    row = {"PartitionKey": "p", "RowKey": "r"}
    StorageTables(accounts.table_service(storage(port), NOBODY)).put(row, revision, "the record")


def _answers(heads: list[bytes], answer: bytes, connection: Connection) -> None:
    while received := connection.socket.recv(65_536):
        if b" HTTP/1.1" in received:  # the body of a request may come in a part of its own
            heads.append(received)
            connection.socket.sendall(answer)


@pytest.mark.parametrize("name", ["table", "queue", "lease"])
def test_storage_is_left_alone_when_no_time_is_left(name: str) -> None:
    """After the time for records, a run makes no call to the storage account."""
    with dripping(NOTHING) as drip:
        address, left = storage(drip.port), partial(deadline(0).record_seconds, NOW)
        calls = {
            "table": lambda: StorageTables(accounts.table_service(address, NOBODY)).until(left).rows("t", "p"),
            "queue": lambda: (
                StorageQueue(accounts.queue_service(address, NOBODY)).until(left).send_certificate(MESSAGE)
            ),
            "lease": lambda: BlobLeases(accounts.blob_service(address, NOBODY)).until(left).hold("site").__enter__(),
        }
        with pytest.raises(OutOfTime):
            calls[name]()
    assert drip.requests == []


def test_token_that_drips_ends_the_call(monkeypatch: pytest.MonkeyPatch, drip: Drip) -> None:
    """If the managed identity answers drop by drop, the request for a token ends after two retries."""
    _hurry(monkeypatch, credentials)
    monkeypatch.setattr(credentials, "LONGEST_WAIT_SECONDS", 0.0)
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{drip.port}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "x")
    credential = credentials.make_credential(CLOUDS[CloudName.PUBLIC], None)
    error = ends(lambda: credential.get_token("https://management.azure.com/.default"))
    assert isinstance(error, ServiceResponseError | ClientAuthenticationError)
    assert 1 <= len(drip.requests) <= 1 + credentials.RETRIES


def _hurry(monkeypatch: pytest.MonkeyPatch, module: object) -> None:
    """Let each request of a module end soon, but not because of the time-outs of its socket."""
    for name, seconds in SHORT.items():
        monkeypatch.setattr(module, name, seconds, raising=False)


@pytest.mark.parametrize(("start", "drop"), [(b"", b""), (GREETING, b"\x00")], ids=["silent", "drop by drop"])
def test_handshake_that_does_not_end_proves_nothing(monkeypatch: pytest.MonkeyPatch, start: bytes, drop: bytes) -> None:
    """If a front end does not complete a handshake, Certroll hangs up, and the host name counts as unproven."""
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with dripping(NOTHING) as drip:
        drip.start, drip.drop, drip.reads_head = start, drop, False
        monkeypatch.setattr(tls_probe, "PORT", drip.port)
        probe = tls_probe.TlsProbe(ManualClock(), lambda: LONG, SOON)
        monkeypatch.setattr(tls_probe, "_certificate", _without_time_out(tls_probe._certificate))
        found: list[Handshake] = []
        assert ends(lambda: found.append(probe.shows(HOST, "127.0.0.1", NEW, NOW + MINUTE))) is None
    assert found[0].state is SiteState.UNPROVEN
    assert found[0].detail == f"127.0.0.1: TookTooLong: no complete answer came within {SOON} s"


def _without_time_out(handshake: Callable[[str, str, float], bytes]) -> Callable[[str, str, float], bytes]:
    """Return the handshake with a time-out of its socket that is not what ends the handshake."""
    return lambda name, address, _: handshake(name, address, LONG)


@pytest.mark.parametrize("start", [b"", GREETING], ids=["silent", "drop by drop"])
@pytest.mark.parametrize("asked", ["shows", "served"])
def test_handshake_that_the_run_cuts_says_nothing_about_the_server(
    monkeypatch: pytest.MonkeyPatch, start: bytes, asked: str
) -> None:
    """If the run ends during a handshake, the host name does not count as unreachable."""
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with dripping(NOTHING) as drip:
        drip.start, drip.drop, drip.reads_head = start, start[-1:], False
        monkeypatch.setattr(tls_probe, "PORT", drip.port)
        probe = tls_probe.TlsProbe(ManualClock(), lambda: SOON, LONG)
        calls: dict[str, Callable[[], object]] = {
            "shows": lambda: probe.shows(HOST, "127.0.0.1", NEW, NOW + MINUTE),
            "served": lambda: probe.served(HOST, "127.0.0.1", NOW + MINUTE),
        }
        error = ends(calls[asked])
    assert isinstance(error, OutOfTime)
    assert str(error) == f"the time of this run ended during a handshake with {HOST}"


@pytest.mark.parametrize("start", [b"", GREETING], ids=["silent", "drop by drop"])
def test_probe_that_the_run_cuts_says_nothing_about_the_app(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    """If the run ends during a probe, the app does not count as failed, and Certroll restores no settings."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with dripping(NOTHING) as drip:
        drip.start, drip.drop, drip.reads_head = start, start[-1:], False
        probe = AppProbe(LONG, lambda: SOON)
        error = ends(lambda: probe.ask(HOST, Probe("/", 200, ""), NEW, frozenset(), f"127.0.0.1:{drip.port}"))
    assert isinstance(error, OutOfTime)


def test_error_of_a_call_reaches_its_caller() -> None:
    """The result and the error of a bounded call are those of the call."""
    assert bounded(LONG, lambda: 7) == 7
    with pytest.raises(KeyError, match="bug"):
        bounded(LONG, partial({}.__getitem__, "bug"))


def test_limits_of_nested_calls_add_up() -> None:
    """A call within a call has no more time than the outer call, and the limit ends with its call."""
    with limited(SOON):
        with limited(LONG):
            assert bounds.seconds_left(LONG) <= SOON
        assert bounds.seconds_left(LONG) <= SOON
    assert bounds.seconds_left(LONG) == LONG


# ----------------------------------------------------------------------------------------------- every place of a call

BOUNDED = {
    "shared/clients/network/app_probe.py",
    "shared/clients/network/bounded.py",
    "shared/clients/network/dns.py",
    "shared/clients/network/tls_probe.py",
    "shared/clients/transport.py",
}
"""The modules that may open connections by themselves. The tests of this file and of the probes hold their bounds."""
NETWORK = {
    "socket",
    "ssl",
    "http.client",
    "urllib.request",
    "requests",
    "urllib3",
    "dns.resolver",
    "subprocess",
    "ftplib",
}


def test_connections_are_opened_where_they_are_bounded() -> None:
    """Only modules whose calls are bounded import what opens a connection."""
    found = {
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "shared").rglob("*.py"))
        if NETWORK & set(_imports(path))
    }
    assert found == BOUNDED


def test_no_sdk_waits_by_itself_for_an_operation() -> None:
    """Certroll calls no SDK method that polls a long operation without a limit, such as `begin_create`."""
    pollers = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "shared").rglob("*.py"))
        if any(word in (text := path.read_text(encoding="utf-8")) for word in ("begin_", "wait_for", "poller"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and (node.attr.startswith("begin_") or node.attr in {"wait_for", "poller"})
    ]
    assert pollers == []


def test_every_client_of_azure_gets_the_bounded_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every SDK client that Certroll makes sends its requests by a transport with a total time."""
    made: list[str] = []

    def note(by: object, *args: object, **kwargs: object) -> None:
        made.append(type(by).__name__)
        TRANSPORT_INIT(by, *args, **kwargs)

    monkeypatch.setattr(RequestsTransport, "__init__", note)
    connections = Connections(CloudName.PUBLIC, None, storage(1), ManualClock())
    connections._arm.client(SUBSCRIPTION)  # type: ignore[operator]
    for call in (connections._vaults.client, connections._vaults.secrets):
        call("kv-shop")
    assert connections._orders is not None
    connections._orders.operations(SUBSCRIPTION)
    assert set(made) == {"BoundedTransport"}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (
                node.module,
                node.module.partition(".")[0],
                *(f"{node.module}.{name.name}" for name in node.names),
            )
