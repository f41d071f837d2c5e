"""Visit sites with real TLS handshakes through the proxy, once or all the time."""

import http.client
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

from local.azure.web.held_certificates import thumbprint_of
from local.azure.web.resources import dns_name
from local.patience import HANG
from local.tls import client_context

HTTPS = 443


class HandshakeFailed(Exception):
    """The visitor got no certificate that it trusts and that covers the host name."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client that reaches the simulated sites through the proxy.

    The visitor trusts only the local authority.
    """

    proxy: tuple[str, int]
    _context: ssl.SSLContext = field(default_factory=client_context, repr=False, compare=False)

    def handshake(self, host_name: str, connect_to: str | None = None) -> str:
        """Return the thumbprint of the certificate that the site serves for the host name.

        The visitor connects to `connect_to` if it is given, and otherwise to the address of the host name. Raise
        HandshakeFailed if the visitor gets no trusted certificate that covers the host name.
        """
        try:
            with (
                socket.create_connection(self.proxy, timeout=HANG) as tunnel,
                self._secure(tunnel, host_name, connect_to or host_name) as secure,
            ):
                certificate = secure.getpeercert(binary_form=True) or b""
        except (OSError, http.client.HTTPException) as failure:
            raise HandshakeFailed(f"{host_name} at {connect_to or host_name}: {failure}") from failure
        return thumbprint_of(certificate)

    def fetch(self, host_name: str, path: str = "/", connect_to: str | None = None) -> int:
        """Return the HTTP status of the site's answer to a GET of the path."""
        return self.ask(host_name, path, connect_to)[0]

    def ask(self, host_name: str, path: str = "/", connect_to: str | None = None) -> tuple[int, str]:
        """Return HTTP status and body of the site's answer to a GET on a new connection."""
        with (
            socket.create_connection(self.proxy, timeout=HANG) as tunnel,
            self._secure(tunnel, host_name, connect_to or host_name) as secure,
        ):
            host = dns_name(host_name)
            secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            with http.client.HTTPResponse(secure) as answer:
                answer.begin()
                return answer.status, answer.read().decode()

    def _secure(self, tunnel: socket.socket, host_name: str, connect_to: str) -> ssl.SSLSocket:
        """Open TLS through the proxy. Like a browser, the visitor sends international names in their ASCII form."""
        target = f"{dns_name(connect_to)}:{HTTPS}"
        tunnel.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        _expect_tunnel(tunnel)
        return self._context.wrap_socket(tunnel, server_hostname=dns_name(host_name))


def _expect_tunnel(tunnel: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        if not (received := tunnel.recv(1024)):
            raise ConnectionResetError("the proxy hung up")
        head += received
    status = head.split(None, 2)[1]
    if status != b"200":
        raise ConnectionRefusedError(f"the proxy answered {status.decode()}")


@dataclass(slots=True)
class Canary:
    """Visit every host name in turn while the context is open, and count handshakes and failures.

    The canary (a visitor of all host names) waits `pause` real seconds between two visits, to save processor time.
    """

    visitor: Visitor
    hosts: Callable[[], Iterable[str]]
    pause: float = 0.005
    handshakes: int = 0
    failures: list[str] = field(default_factory=list)
    visits: Counter[str] = field(default_factory=Counter)
    served: dict[str, list[str]] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start the canary."""
        self._thread = threading.Thread(target=self._fly, name="canary", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the canary (the repeated visits), after the visit that is in progress."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def round(self) -> None:
        """Visit every host name once, and return early if the repeated visits are stopped."""
        for host_name in tuple(self.hosts()):
            if self._stopped.wait(self.pause):
                return
            self._visit(host_name)

    def _fly(self) -> None:
        while not self._stopped.is_set():
            self.round()
            self._stopped.wait(self.pause)

    def _visit(self, host_name: str) -> None:
        self.handshakes += 1
        self.visits[host_name] += 1
        try:
            thumbprint = self.visitor.handshake(host_name)
        except HandshakeFailed as failure:
            self.failures.append(str(failure))
            return
        seen = self.served.setdefault(host_name, [])
        if not seen or seen[-1] != thumbprint:
            seen.append(thumbprint)
