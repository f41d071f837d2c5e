"""The app probe sends a real request to a real TLS server and judges the app's answer."""

import gzip
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pytest
from requests import Request
from requests.utils import get_netrc_auth

from local.azure.vault.authority import Leaf, authority, server_leaf
from local.azure.vault.authority import Request as Wanted
from local.azure.wire import Request as Asked
from local.azure.wire import Response
from local.listener import Connection, Listener
from local.patience import HANG
from local.proxy import Proxy
from local.tls import server_context
from shared.clients.network.app_probe import TIME_OUT_SECONDS, AppProbe
from shared.clients.network.bounded import Line
from shared.clients.tracing import AGENT
from shared.domain.fleet.probe import READ_AT_MOST, Probe, ProbeResult, Verdict
from shared.domain.names import HostName
from tests.build import FOREIGN, NEW, OLD

HOST = HostName("shop.azurewebsites.net")
PROVING = Probe("/health?key=1", 200, "shown: {thumbprint}")
SOON = 0.3
PACE = 0.01
HEAD = b"HTTP/1.1 200 OK\r\n"
PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
Answer = Callable[[socket.socket], object]


def says(body: bytes | str, status: str = "200 OK", *headers: str) -> Answer:
    """Return an HTTP answer with status, headers and body, as an app sends it."""
    raw = body.encode() if isinstance(body, str) else body
    lines = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(raw)}", *headers))
    return sends(lines.encode() + b"\r\n" + raw)


def sends(*parts: bytes) -> Answer:
    """Return a server's answer that consists of these bytes, and close the connection after the bytes."""
    return lambda there: [there.sendall(part) for part in parts]


def drips(start: bytes, drop: bytes) -> Answer:
    """Return an answer that repeats the bytes `drop` after `start` and never ends."""

    def answer(there: socket.socket) -> None:
        there.sendall(start)
        while not threading.Event().wait(PACE):
            there.sendall(drop)

    return answer


def keeps_silent(there: socket.socket) -> None:
    """Read the client's request and send no answer until the client closes the connection."""
    while there.recv(65_536):
        pass


class Nothing:
    """This simulated Azure knows no host name, so the test's proxy forwards every connection to the test's app."""

    def knows(self, _: str) -> bool:
        """Return False for every host name, so that the proxy forwards the connection."""
        return False

    def handle(self, request: Asked) -> Response:
        """Fail the test, because the proxy must not send any request to this simulated Azure."""
        raise AssertionError(request.host)


class App:
    """This TLS server acts as an App Service site behind a proxy, and records each request.

    The test server gives the same `answer` on each connection. The test server calls `unsafe` on each connection before
    the TLS handshake. The test server sets the event `gone` when a client has closed the connection during the server's
    answer.
    """

    def __init__(self) -> None:
        self.answer: Answer = says("")
        self.unsafe: Answer = lambda _: None
        self.leaf: Leaf = server_leaf(HOST)
        self.requests: list[bytes] = []
        self.hosts: list[str] = []
        self.gone = threading.Event()
        with ExitStack() as stack:
            self._port = stack.enter_context(closing(Listener(self._serve, "app")))
            self._address = "127.0.0.1", self._port.listen()
            self.proxy = stack.enter_context(Proxy(Nothing(), self._resolve))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment variables that send every request through the proxy to this app."""
        return {name: value for name, value in self.proxy.environment().items() if name.lower() != "no_proxy"}

    def leave(self) -> None:
        """Stop listening, so that the proxy can no longer connect to this simulated app."""
        self._port.leave("127.0.0.1")

    def _resolve(self, host: str) -> tuple[str, int]:
        self.hosts.append(host)
        return self._address

    def _serve(self, connection: Connection) -> None:
        self.unsafe(connection.socket)
        chain = self.leaf.certificate_pem + self.leaf.chain_pem
        secure = connection.secure(server_context(chain, self.leaf.private_key_pem))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += secure.recv(65_536) or b"\r\n\r\n"
        self.requests.append(head)
        try:
            self.answer(secure)
        except OSError:
            self.gone.set()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """Yield an app to which the proxy variables of the process send a probe, whatever the host name is."""
    for name in (*PROXIES, *BUNDLES):
        monkeypatch.delenv(name, raising=False)
    with App() as app:
        for name, value in app.environment.items():
            monkeypatch.setenv(name, value)
        yield app
    _ended()


def _ended() -> None:
    """Fail if a thread of the app probe is still running after the test."""
    for thread in threading.enumerate():
        if thread.name == "app-probe":
            thread.join(HANG)
            assert not thread.is_alive()


def ask(
    probe: Probe = PROVING, time_out: float = HANG, host: HostName = HOST, address: str | None = None
) -> ProbeResult:
    """Return the app probe's result for a request in which the app should show the new certificate's thumbprint."""
    return AppProbe(time_out).ask(host, probe, NEW, frozenset({OLD}), address)


# ------------------------------------------------------------------------------------------------------- good answers


@pytest.mark.parametrize(
    ("body", "verdict", "detail"),
    [
        (f"shown: {NEW}", Verdict.PASSED, "answered 200 as expected"),
        (f"shown: {OLD}", Verdict.OLD, f"answered 200 as expected, but shows {OLD}, not {NEW}"),
        (f"shown: {FOREIGN}", Verdict.OTHER, f"answered 200 as expected, but shows another certificate than {NEW}"),
        ("shown: nothing", Verdict.FAILED, "answered 200 as expected, but without the text"),
    ],
)
def test_answer_is_judged(app: App, body: str, verdict: Verdict, detail: str) -> None:
    """The probe's result has the verdict on the app's answer, and names the host and the path."""
    app.answer = says(body)
    result = ask()
    assert result.verdict is verdict
    assert result.detail.startswith(f"{HOST}/health {detail}")


def test_one_plain_get_goes_out(app: App) -> None:
    """The app probe sends a single GET for the path and query of its tag, with only four plain headers."""
    ask()
    assert app.hosts == [HOST]
    (request,) = app.requests
    first, *headers = request.decode().strip().split("\r\n")
    assert first == "GET /health?key=1 HTTP/1.1"
    assert sorted(headers) == [
        "Accept-Encoding: identity",
        "Cache-Control: no-cache",
        f"Host: {HOST}",
        f"User-Agent: {AGENT} probe",
    ]


def test_app_is_asked_at_an_address(app: App) -> None:
    """The probe can send its request to a given IP address instead of the address that DNS names."""
    app.answer = says(f"shown: {NEW}")
    result = ask(address="10.0.0.4")
    assert (result.verdict, app.hosts) == (Verdict.PASSED, ["10.0.0.4"])
    assert result.detail.startswith(f"{HOST}/health ")
    (request,) = app.requests
    assert [line for line in request.split(b"\r\n") if line.startswith(b"Host:")] == [f"Host: {HOST}".encode()]


@pytest.mark.parametrize("of", ["evil.example", "10.0.0.4"])
def test_what_answers_at_an_address_has_to_be_the_host(app: App, of: str) -> None:
    """The probe sends a request to a given address only if that server's certificate is valid for the host name."""
    app.leaf = server_leaf(of)
    result = ask(address="10.0.0.4")
    assert (result.verdict, app.requests) == (Verdict.FAILED, [])
    assert "SSLCertVerificationError" in result.detail
    assert HOST in result.detail


@pytest.mark.parametrize(
    "path",
    [
        "/@evil.example/",
        "/:443@evil.example/",
        "/%0d%0aHost:%20evil.example",
        "/%2F%2Fevil.example/",
        "/%5Cevil.example/",
        "/..//evil.example/",
        "/.//evil.example/",
        "/a//evil.example/",
        "/https://evil.example/",
        "/?https://evil.example/",
        "/.evil.example",
        "/;@evil.example:443/",
        "/?@evil.example",
    ],
)
def test_no_path_leads_to_another_host(app: App, path: str) -> None:
    """A probe path that looks like a host name or a header is sent as a path of the given host."""
    app.answer = says(f"shown: {NEW}")
    assert ask(Probe(path)).verdict is Verdict.PASSED
    assert app.hosts == [HOST]
    ((first, *headers),) = [request.decode().strip().split("\r\n") for request in app.requests]
    assert first.startswith("GET /")
    assert [header for header in headers if header.lower().startswith("host:")] == [f"Host: {HOST}"]
    assert len(headers) == 4


def test_question_under_way_does_not_hold_up_the_end_of_the_process(app: App) -> None:
    """The Functions host can stop the process while the probe of an app is still running."""
    held: list[bool] = []
    app.answer = lambda _: held.extend(
        not thread.daemon for thread in threading.enumerate() if thread.name == "app-probe"
    )
    ask()
    assert held == [False]


def test_redirect_to_another_host_is_not_followed(app: App) -> None:
    """The probe fails if the app redirects.

    The app probe does not follow a redirect, and does not log the redirect's address.
    """
    app.answer = says("", "302 Found", "Location: https://evil.example/?token=pear")
    result = ask()
    assert (result.verdict, result.redirected) == (Verdict.FAILED, True)
    assert (app.hosts, len(app.requests)) == ([HOST], 1)
    assert "evil" not in repr(result)


def test_nothing_is_kept_between_two_questions(app: App) -> None:
    """Each app probe uses a new connection and sends no cookie, so that any instance of the app may answer."""
    app.answer = says("", "200 OK", "Set-Cookie: ARRAffinity=pear; Path=/; Secure")
    probe = AppProbe(HANG)
    for _ in range(2):
        probe.ask(HOST, PROVING, NEW, frozenset())
    assert len(app.hosts) == 2
    assert b"Cookie" not in b"".join(app.requests)


def test_no_credentials_are_sent(app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The probe sends no credentials, even if a netrc file on the machine has some for the host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login pear password plum")
    monkeypatch.setenv("NETRC", str(netrc))
    assert get_netrc_auth(f"https://{HOST}/") == ("pear", "plum")
    ask()
    assert b"Authorization" not in b"".join(app.requests)


# ------------------------------------------------------------------------------------------------------------ the body


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        pytest.param(says(b"\xff\xfe\x00 shown: " + NEW.encode()), Verdict.PASSED, id="bytes that are no text"),
        pytest.param(says(gzip.compress(f"shown: {NEW}".encode()), "200 OK", "Content-Encoding: gzip"), Verdict.PASSED,
            id="compressed without being asked"),
        pytest.param(says(gzip.compress(b"x" * 5_000_000 + b"shown: " + NEW.encode()), "200 OK",
            "Content-Encoding: gzip"), Verdict.FAILED, id="small only as long as it is compressed"),
        pytest.param(says(f"shown: {NEW}", "200 OK", "Content-Type: text/plain; charset=banana"), Verdict.PASSED,
            id="a character set that nobody knows"),
        pytest.param(sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nsho\r\n", b"30\r\nwn: " + NEW.encode()
            + b"....\r\n0\r\n\r\n"), Verdict.PASSED, id="in chunks"),
        pytest.param(sends(HEAD + b"\r\nshown: ", NEW.encode()), Verdict.PASSED, id="until the connection ends"),
        pytest.param(sends(b"HTTP/1.0 200 OK\r\n\r\nshown: ", NEW.encode()), Verdict.PASSED, id="an old server"),
        pytest.param(says("x" * (65_536 - 47) + f"shown: {NEW}"), Verdict.PASSED, id="the last bytes in view"),
        pytest.param(says("x" * (65_536 - 46) + f"shown: {NEW}"), Verdict.FAILED, id="a byte out of view"),
    ],
)  # fmt: skip
def test_beginning_of_the_answer_is_read(app: App, answer: Answer, verdict: Verdict) -> None:
    """The probe reads the first 64 KB of an app's answer, in whatever encoding or chunks the app sends the answer."""
    app.answer = answer
    assert ask().verdict is verdict


def test_answer_without_end_is_not_read_to_its_end(app: App) -> None:
    """The probe judges an endless answer by its first bytes and closes the connection."""
    app.answer = sends(HEAD + b"\r\nyyy", *[b"x" * READ_AT_MOST] * 1000)
    assert ask(Probe("/", 200, "yyy")).verdict is Verdict.PASSED
    assert app.gone.wait(HANG)


def test_answer_with_another_status_is_not_read(app: App) -> None:
    """The probe closes the connection without reading the body if the app answers with an unexpected status."""
    app.answer = drips(b"HTTP/1.1 500 Oops\r\nContent-Length: 9999999\r\n\r\n", b"x")
    assert ask().detail == f"{HOST}/health answered 500, not 200"
    assert app.gone.wait(HANG)


# ---------------------------------------------------------------------------------------------------------- no answers


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(sends(), "RemoteDisconnected", id="no answer"),
        pytest.param(sends(b"pear\r\n\r\n"), "BadStatusLine", id="something else than HTTP"),
        pytest.param(sends(b"HTTP/1.1 pear OK\r\n\r\n"), "BadStatusLine", id="no status"),
        pytest.param(sends(HEAD + b"Pear: " + b"x" * 99_999), "LineTooLong", id="an endless header"),
        pytest.param(sends(HEAD + b"Content-Length: 99\r\n\r\npear"), "IncompleteRead", id="too short"),
        pytest.param(sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"pear\r\n"), "IncompleteRead",
            id="a chunk without length"),
        pytest.param(says("pear", "200 OK", "Content-Encoding: gzip"), "DecodeError", id="badly compressed"),
    ],
)  # fmt: skip
def test_what_is_no_answer_fails_and_is_not_quoted(
    app: App, caplog: pytest.LogCaptureFixture, answer: Answer, why: str
) -> None:
    """An unreadable answer of an app fails the probe, and the result names the cause in plain words.

    Neither the probe's result nor the log quotes the text of the app's answer.
    """
    caplog.set_level(logging.DEBUG)
    app.answer = answer
    assert ask() == ProbeResult(Verdict.FAILED, f"{HOST} gave no answer: {why}")
    assert "pear" not in caplog.text


def test_what_nobody_thought_of_fails_as_well(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """An unexpected exception inside a library fails the probe, and the result shows only the exception's class."""
    monkeypatch.setattr(Request, "prepare", lambda _: {}["pear"])
    assert ask() == ProbeResult(Verdict.FAILED, f"{HOST} gave no answer: KeyError")
    assert app.hosts == []
    assert "pear" not in caplog.text + "".join(capfd.readouterr())


def test_noise_is_an_answer_like_any_other(app: App) -> None:
    """The probe raises no exception for an answer with randomly changed bytes, and does not pass that answer."""
    good = HEAD + b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\nX: y\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    for seed in range(30):
        noise, spoilt = random.Random(seed), bytearray(good)  # noqa: S311 - nothing is to be secret
        for _ in range(noise.randrange(1, 9)):
            spoilt[noise.randrange(len(spoilt))] = noise.randrange(256)
        app.answer = sends(bytes(spoilt[: noise.randrange(len(spoilt) + 1)]))
        assert ask().verdict is Verdict.FAILED, seed


def test_headers_that_cannot_be_read_are_not_logged(app: App, caplog: pytest.LogCaptureFixture) -> None:
    """The probe ignores a malformed header of the app's answer, and later headers do not appear in the log."""
    caplog.set_level(logging.DEBUG)
    app.answer = sends(HEAD + b"banana\r\nSet-Cookie: session=pear\r\n\r\n", f"shown: {NEW}".encode())
    assert ask().verdict is Verdict.PASSED
    assert "pear" not in caplog.text
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_what_others_log_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The Azure SDKs also log through urllib3, and the app probe does not turn the log messages of the SDKs off."""
    AppProbe()
    logging.getLogger("urllib3.connection").warning("of a vault")
    assert caplog.messages == ["of a vault"]


def leaf_of_the_past() -> Leaf:
    """Return a certificate for the host that expired in 2020."""
    span = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC)
    return authority().issue(Wanted((HOST,), *span, key_type="EC", key_size=256))


@pytest.mark.parametrize(
    ("leaf", "why"),
    [
        (lambda: server_leaf("evil.example"), f"Hostname mismatch, certificate is not valid for '{HOST}'."),
        (leaf_of_the_past, "certificate has expired"),
    ],
)
def test_bad_certificate_fails(app: App, leaf: Callable[[], Leaf], why: str) -> None:
    """The probe fails and sends no request if the server's certificate is invalid for the host."""
    app.leaf = leaf()
    assert ask() == ProbeResult(Verdict.FAILED, f"{HOST} gave no answer: SSLCertVerificationError: {why}")
    assert app.requests == []


def test_only_the_roots_of_the_environment_are_trusted(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe trusts a private root certificate only if a variable such as `REQUESTS_CA_BUNDLE` names its file."""
    for name in BUNDLES:
        monkeypatch.delenv(name)
    result = ask()
    assert (result.verdict, app.requests) == (Verdict.FAILED, [])
    assert "SSLCertVerificationError" in result.detail


def test_missing_bundle_fails(app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The probe fails before any connection if `REQUESTS_CA_BUNDLE` names a missing file."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    assert ask() == ProbeResult(Verdict.FAILED, f"{HOST} gave no answer: OSError")
    assert app.hosts == []


def test_what_does_not_speak_tls_fails(app: App) -> None:
    """The probe sends no request over a connection on which the TLS handshake failed."""
    app.unsafe = lambda there: there.recv(1) and there.sendall(b"220 pear ESMTP\r\n")
    result = ask()
    assert (result.verdict, app.requests) == (Verdict.FAILED, [])
    assert result.detail.startswith(f"{HOST} gave no answer: SSL")
    assert "pear" not in result.detail


def test_nobody_behind_the_proxy_fails(app: App) -> None:
    """The probe reports the cause if the proxy cannot connect to the host."""
    app.leave()
    assert ask() == ProbeResult(Verdict.FAILED, f"{HOST} gave no answer: ProxyError: OSError")


def test_proxy_that_refuses_fails_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the proxy refuses connections, the probe's result names that error without the proxy's password."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # While the test binds the port, no other process can listen on the port.
        monkeypatch.setenv("HTTPS_PROXY", f"http://plum:pear@127.0.0.1:{deaf.getsockname()[1]}")
        result = ask()
    assert result == ProbeResult(
        Verdict.FAILED, f"{HOST} gave no answer: ProxyError: ConnectionRefusedError: Connection refused"
    )
    _ended()


def test_proxy_is_passed_by_where_the_environment_says_so(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe connects directly to a host that `NO_PROXY` names."""
    monkeypatch.setenv("NO_PROXY", "direct.invalid")
    result = ask(host=HostName("direct.invalid"))
    assert result.verdict is Verdict.FAILED
    assert result.detail.startswith("direct.invalid gave no answer: gaierror: ")
    assert app.hosts == []


# ----------------------------------------------------------------------------------------------------------- the clock


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(drips(HEAD + b"Content-Length: 9999999\r\n\r\n", b"x"), id="a body drop by drop"),
        pytest.param(drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), id="chunks drop by drop"),
        pytest.param(drips(HEAD + b"Pear: ", b"x"), id="a header drop by drop"),
        pytest.param(keeps_silent, id="silence"),
    ],
)
def test_slow_app_is_left_when_the_time_is_over(app: App, answer: Answer) -> None:
    """The probe closes the connection to an app whose whole answer takes longer than the probe's time-out."""
    app.answer = answer
    assert_left_in_time()
    assert len(app.requests) == 1


def test_slow_handshake_is_left_when_the_time_is_over(app: App) -> None:
    """The probe gives up after the time-out if the server never answers the TLS handshake."""
    app.unsafe = keeps_silent
    assert_left_in_time()


def test_slow_proxy_is_left_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe gives up after the time-out if the proxy answers `CONNECT` too slowly."""
    slow = drips(b"HTTP/1.", b"1")
    with closing(Listener(lambda connection: slow(connection.socket), "proxy")) as proxy:
        through(monkeypatch, proxy.listen())
        assert_left_in_time()


def test_slow_connection_is_left_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe gives up after the time-out if the TCP connection to the proxy stays pending."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as waiting:
        through(monkeypatch, full.getsockname()[1])
        # Linux accepts one TCP connection more than the backlog of a listening socket.
        waiting.enter_context(socket.create_connection(full.getsockname()))
        assert_left_in_time()


def through(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Set the environment variables so that every request goes through the test's proxy."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")


def assert_left_in_time() -> None:
    """Fail if a probe takes longer than its time-out, or if the thread of the probe runs on afterwards."""
    before = time.monotonic()
    result = ask(time_out=SOON)
    assert SOON <= time.monotonic() - before < HANG
    assert result.verdict is Verdict.FAILED
    assert result.detail.startswith(f"{HOST} gave no answer: ")
    _ended()


def test_line_that_is_cut_too_early_is_cut_all_the_same() -> None:
    """If a connection is established only after the time-out, the probe closes the connection at once."""
    connection, (here, there) = Line(), socket.socketpair()
    with here, there:
        connection.cut()
        connection.keep(here)
        there.settimeout(HANG)
        assert there.recv(1) == b""


def test_real_apps_get_thirty_seconds() -> None:
    """By default, the app probe gives an app 30 seconds for its whole answer."""
    assert (AppProbe()._time_out, TIME_OUT_SECONDS) == (30.0, 30.0)
