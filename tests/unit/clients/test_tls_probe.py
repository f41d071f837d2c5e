"""The TLS probe makes a real handshake through a real proxy tunnel and judges the certificate of the server."""

import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtensionOID, NameOID

from shared.clients.network.tls_probe import TlsProbe
from shared.domain.names import HostName, Thumbprint
from shared.domain.rollout.site_record import SiteState
from tests.build import DAY, FOREIGN, HOST, NOW, ManualClock

ADDRESS = "shop.azurewebsites.net"
END = NOW + timedelta(seconds=90)
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
Answer = Callable[[socket.socket], None]


class Leaf:
    """A certificate of a private authority that no client trusts, with a TLS server context that serves it."""

    def __init__(self, authority: trustme.CA, host_name: str = "anything.example", end: datetime = NOW + DAY) -> None:
        issued = authority.issue_cert(host_name, not_before=NOW - DAY, not_after=end)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(self.context)
        der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
        self.thumbprint = Thumbprint(hashlib.sha1(der, usedforsecurity=False).hexdigest().upper())


@pytest.fixture(scope="module")
def ours() -> tuple[Leaf, Leaf, Leaf]:
    """Return three certificates: for the host name, a wildcard for its domain, and an expired certificate."""
    authority = trustme.CA()
    return Leaf(authority, HOST), Leaf(authority, "*.contoso.com"), Leaf(authority, HOST, NOW)


class Proxy:
    """This CONNECT proxy leads to a TLS server, and records each address that a client asked the proxy for.

    The proxy gives the next of its answers on each connection, and repeats the last answer for ever.
    """

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.targets: list[str] = []
        self.server_names: list[str | None] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def url(self) -> str:
        """This property is the URL on which the fake proxy listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serves(self, leaf: Leaf) -> Answer:
        """Return a proxy answer that opens the tunnel, serves a certificate and records the requested server name."""

        def answer(connection: socket.socket) -> None:
            connection.sendall(TUNNEL)
            leaf.context.sni_callback = lambda _, name, __: self.server_names.append(name)
            with leaf.context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)

        return answer

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                head = b""
                while not head.endswith(b"\r\n\r\n") and (more := connection.recv(1024)):
                    head += more
                self.targets.append(head.split()[1].decode())
                answer, self.answers = self.answers[0], self.answers[1:] or self.answers
                answer(connection)


@pytest.fixture(scope="module")
def leaves() -> tuple[Leaf, Leaf]:
    """Return a new and an old certificate from a certificate authority that no client trusts."""
    authority = trustme.CA()
    return Leaf(authority), Leaf(authority)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Yield a proxy that the environment variable `HTTPS_PROXY` names."""
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        yield proxy


def closes(_: socket.socket) -> None:
    """Close the client's connection to the proxy at once, as a broken proxy does."""


def refuses(connection: socket.socket) -> None:
    """Answer the client with an error, because the proxy cannot reach the host."""
    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")


def babbles(connection: socket.socket) -> None:
    """Open the proxy's tunnel to a server that speaks SMTP instead of TLS."""
    connection.sendall(TUNNEL + b"220 mail.contoso.com ESMTP\r\n")


def test_expected_certificate_is_proof(proxy: Proxy, leaves: tuple[Leaf, Leaf]) -> None:
    """The TLS probe recognises the new certificate by its thumbprint, even if the client does not trust its issuer."""
    new, _ = leaves
    clock = ManualClock()
    proxy.answers = [proxy.serves(new)]
    handshake = TlsProbe(clock).shows(HOST, ADDRESS, new.thumbprint, END)
    assert (handshake.state, handshake.thumbprint) == (SiteState.PROVEN, new.thumbprint)
    assert clock.slept == []


def test_app_service_itself_is_asked_for_the_host_name(proxy: Proxy, leaves: tuple[Leaf, Leaf]) -> None:
    """The TLS probe connects to the given App Service address and sends the host name as server name (SNI)."""
    new, _ = leaves
    proxy.answers = [proxy.serves(new)]
    TlsProbe(ManualClock()).shows(HOST, ADDRESS, new.thumbprint, END)
    assert (proxy.targets, proxy.server_names) == ([f"{ADDRESS}:443"], [HOST])


def test_wildcard_is_asked_for_by_a_name_that_it_stands_for(proxy: Proxy, leaves: tuple[Leaf, Leaf]) -> None:
    """The TLS probe proves a wildcard host name by a handshake for a name that the wildcard covers."""
    new, _ = leaves
    proxy.answers = [proxy.serves(new)]
    TlsProbe(ManualClock()).shows(HostName("*.contoso.com"), ADDRESS, new.thumbprint, END)
    assert proxy.server_names == ["certroll-probe.contoso.com"]


def test_old_certificate_is_waited_out(proxy: Proxy, leaves: tuple[Leaf, Leaf]) -> None:
    """The TLS probe retries while App Service's front ends still serve the old certificate."""
    new, old = leaves
    clock = ManualClock()
    proxy.answers = [proxy.serves(old), proxy.serves(old), proxy.serves(old), proxy.serves(old), proxy.serves(new)]
    assert TlsProbe(clock).shows(HOST, ADDRESS, new.thumbprint, END).state is SiteState.PROVEN
    assert clock.slept == sorted(clock.slept)
    assert (len(clock.slept), clock.slept[0]) == (4, 0.5)


def test_other_certificate_after_the_deadline_is_failure(proxy: Proxy, leaves: tuple[Leaf, Leaf]) -> None:
    """The TLS probe fails if the host serves another certificate until the deadline, and names both thumbprints."""
    new, old = leaves
    clock = ManualClock()
    proxy.answers = [proxy.serves(old)]
    handshake = TlsProbe(clock).shows(HOST, ADDRESS, new.thumbprint, END)
    assert str(handshake) == f"{HOST} serves {old.thumbprint}, not {new.thumbprint}"
    assert handshake.state is SiteState.FAILED
    assert timedelta(seconds=80) < clock.now() - NOW <= timedelta(seconds=90)
    assert len(proxy.targets) > 3


@pytest.mark.parametrize("silence", [closes, refuses, babbles])
def test_silence_proves_nothing(proxy: Proxy, silence: Answer) -> None:
    """The TLS probe reports a host as unproven if the host does not answer three times.

    The result of the TLS probe names the address and the error.
    """
    clock = ManualClock()
    proxy.answers = [silence]
    handshake = TlsProbe(clock).shows(HOST, ADDRESS, FOREIGN, END)
    assert (handshake.state, handshake.thumbprint, len(proxy.targets)) == (SiteState.UNPROVEN, None, 3)
    assert str(handshake).startswith(f"{HOST} could not be reached: {ADDRESS}: ")
    assert clock.now() - NOW < timedelta(seconds=10)


def test_short_silence_is_waited_out(proxy: Proxy, leaves: tuple[Leaf, Leaf]) -> None:
    """The TLS probe proves a host that answers only at the third attempt."""
    new, _ = leaves
    proxy.answers = [refuses, closes, proxy.serves(new)]
    assert TlsProbe(ManualClock()).shows(HOST, ADDRESS, new.thumbprint, END).state is SiteState.PROVEN


def test_last_moment_is_kept_to(proxy: Proxy, leaves: tuple[Leaf, Leaf]) -> None:
    """The TLS probe stops at its deadline, even if only one second is left."""
    new, old = leaves
    clock = ManualClock()
    proxy.answers = [proxy.serves(old)]
    handshake = TlsProbe(clock).shows(HOST, ADDRESS, new.thumbprint, NOW + timedelta(seconds=1))
    assert (handshake.state, clock.slept) == (SiteState.FAILED, [0.5])


@pytest.mark.parametrize("late", [timedelta(0), timedelta(minutes=2)], ids=["at the deadline", "after it"])
def test_handshake_that_begins_late_counts(proxy: Proxy, leaves: tuple[Leaf, Leaf], late: timedelta) -> None:
    """If all threads were busy until the TLS probe's deadline, the probe makes one handshake, and its result counts."""
    new, old = leaves
    for served, state in ((new, SiteState.PROVEN), (old, SiteState.FAILED)):
        clock, proxy.answers = ManualClock(NOW + late), [proxy.serves(served)]
        assert TlsProbe(clock).shows(HOST, ADDRESS, new.thumbprint, NOW).state is state
        assert clock.slept == []


def test_silence_that_begins_late_is_asked_three_times(proxy: Proxy, leaves: tuple[Leaf, Leaf]) -> None:
    """If the TLS probe begins after its deadline, a host name that does not answer still gets three handshakes."""
    new, _ = leaves
    proxy.answers = [refuses, closes, proxy.serves(new)]
    assert TlsProbe(ManualClock()).shows(HOST, ADDRESS, new.thumbprint, NOW).state is SiteState.PROVEN
    proxy.answers, before = [refuses], len(proxy.targets)
    assert TlsProbe(ManualClock()).shows(HOST, ADDRESS, new.thumbprint, NOW).state is SiteState.UNPROVEN
    assert len(proxy.targets) - before == 3


@pytest.mark.parametrize("host", ["\u2603.example", f"{'a' * 64}.example", "a b.example", ""])
def test_name_that_nobody_can_ask_for_is_not_asked_for(proxy: Proxy, host: str) -> None:
    """Certroll makes no handshake for a host name that TLS cannot carry, and the name proves nothing."""
    clock = ManualClock()
    handshake = TlsProbe(clock).shows(HostName(host), ADDRESS, FOREIGN, END)
    served = TlsProbe(clock).served(HostName(host), ADDRESS, END)
    assert (handshake.state, served.not_after) == (SiteState.UNPROVEN, None)
    assert "no host name that a client can ask for" in handshake.detail
    assert (proxy.targets, clock.slept) == ([], [])


def test_address_that_is_no_name_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that Python cannot turn into a DNS name is silence, and ends no run."""
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    handshake = TlsProbe(ManualClock()).shows(HOST, f"{'a' * 64}.example", FOREIGN, END)
    assert handshake.state is SiteState.UNPROVEN
    assert "UnicodeError" in handshake.detail


def test_nobody_listening_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The TLS probe reports a host as unproven if it can connect neither directly nor through a proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "direct.invalid")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # While the test binds the port, no other process can listen on the port.
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{deaf.getsockname()[1]}")
        for address in (ADDRESS, "direct.invalid"):
            handshake = TlsProbe(ManualClock()).shows(HOST, address, FOREIGN, END)
            assert (handshake.state, handshake.detail.partition(":")[0]) == (SiteState.UNPROVEN, address)


# ------------------------------------------------------------------------------------- without a thumbprint to expect


@pytest.mark.parametrize("which", [0, 1], ids=["its own name", "a wildcard"])
def test_certificate_for_the_host_name_is_good(proxy: Proxy, ours: tuple[Leaf, Leaf, Leaf], which: int) -> None:
    """If no thumbprint is expected, the TLS probe counts a valid certificate that covers the host name as good."""
    clock = ManualClock()
    proxy.answers = [proxy.serves(ours[which])]
    served = TlsProbe(clock).served(HOST, ADDRESS, END)
    assert served.is_good(NOW)
    assert (served.not_after, clock.slept, proxy.server_names) == (NOW + DAY, [], [HOST])


def test_platforms_own_certificate_is_waited_out(
    proxy: Proxy, leaves: tuple[Leaf, Leaf], ours: tuple[Leaf, Leaf, Leaf]
) -> None:
    """The TLS probe retries while front ends serve an expired certificate or a certificate for another name."""
    proxy.answers = [proxy.serves(leaves[0]), proxy.serves(ours[2]), proxy.serves(ours[0])]
    assert TlsProbe(ManualClock()).served(HOST, ADDRESS, END).is_good(NOW)
    assert len(proxy.targets) == 3


def test_other_certificate_to_the_end_is_shown_as_it_is(proxy: Proxy, leaves: tuple[Leaf, Leaf]) -> None:
    """The TLS probe reports a host name without a matching certificate, and names the certificate that was served."""
    clock = ManualClock()
    proxy.answers = [proxy.serves(leaves[0])]
    served = TlsProbe(clock).served(HOST, ADDRESS, END)
    assert not served.covered
    assert str(served) == f"{HOST} serves a certificate for anything.example, which ends 2026-11-22 12:00 UTC"
    assert timedelta(seconds=80) < clock.now() - NOW <= timedelta(seconds=90)


def test_certificate_that_has_ended_is_not_good(proxy: Proxy, ours: tuple[Leaf, Leaf, Leaf]) -> None:
    """The TLS probe reports that an expired certificate covers the host name but is not good."""
    proxy.answers = [proxy.serves(ours[2])]
    served = TlsProbe(ManualClock()).served(HOST, ADDRESS, NOW)
    assert (served.covered, served.is_good(NOW), served.not_after) == (True, False, NOW)


@pytest.mark.parametrize("silence", [closes, refuses, babbles])
def test_end_of_what_is_not_served_is_not_known(proxy: Proxy, silence: Answer) -> None:
    """The TLS probe reports a host that does not answer three times as unreachable, with address and error."""
    proxy.answers = [silence]
    served = TlsProbe(ManualClock()).served(HOST, ADDRESS, END)
    assert (served.not_after, served.covered, len(proxy.targets)) == (None, False, 3)
    assert str(served).startswith(f"{HOST} could not be reached: {ADDRESS}: ")


def test_late_look_is_taken_once(proxy: Proxy, ours: tuple[Leaf, Leaf, Leaf]) -> None:
    """The TLS probe makes a single handshake even if its deadline has passed, if no thumbprint is expected."""
    proxy.answers = [proxy.serves(ours[0])]
    assert TlsProbe(ManualClock()).served(HOST, ADDRESS, NOW - DAY).is_good(NOW)


def test_certificate_that_makes_no_sense_is_not_known(proxy: Proxy, tmp_path: Path) -> None:
    """The TLS probe reports an unreadable server certificate as a result and raises no exception."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    odd = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes.fromhex("3002a301"))
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - DAY, NOW + DAY).add_extension(odd, False)
    pem = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "odd.pem").write_bytes(pem + private)
    leaf = Leaf(trustme.CA())
    leaf.context.load_cert_chain(tmp_path / "odd.pem")
    proxy.answers = [proxy.serves(leaf)]
    served = TlsProbe(ManualClock()).served(HOST, ADDRESS, NOW)
    assert (served.not_after, served.detail.startswith(f"{ADDRESS}: ValueError")) == (None, True)
