"""A visitor of the sites: real handshakes through the proxy, and a canary that never stops making them."""

import http.client
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Self

from local.azure.arm.resources import thumbprint_of
from local.patience import HANG
from local.tls import client_context

HTTPS = 443


class HandshakeFailed(Exception):
    """The visitor got no certificate that is trusted and covers the host name."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who reaches the simulated sites through the proxy and trusts the local authority alone."""

    proxy: tuple[str, int]
    _context: ssl.SSLContext = field(default_factory=client_context, repr=False, compare=False)

    def handshake(self, host_name: str, connect_to: str | None = None) -> str:
        """Return the thumbprint of the certificate served for that host name, or raise HandshakeFailed.

        `connect_to` is the address or name to connect to instead of where the host name leads.
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
        """Return the site's status to a GET of that path."""
        return self.ask(host_name, path, connect_to)[0]

    def ask(self, host_name: str, path: str = "/", connect_to: str | None = None) -> tuple[int, str]:
        """Return the site's status and body to a GET of that path on a new connection."""
        with (
            socket.create_connection(self.proxy, timeout=HANG) as tunnel,
            self._secure(tunnel, host_name, connect_to or host_name) as secure,
        ):
            secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {host_name}\r\nConnection: close\r\n\r\n".encode())
            with http.client.HTTPResponse(secure) as answer:
                answer.begin()
                return answer.status, answer.read().decode()

    def _secure(self, tunnel: socket.socket, host_name: str, connect_to: str) -> ssl.SSLSocket:
        target = f"{connect_to}:{HTTPS}"
        tunnel.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        _expect_tunnel(tunnel)
        return self._context.wrap_socket(tunnel, server_hostname=host_name)


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

    The canary pauses between two visits for `pause` real seconds, so that it does not use up the machine.
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
        """Stop the canary, after the visit that is under way."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def round(self) -> None:
        """Visit every host name once. Stop early when the canary is stopped."""
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
