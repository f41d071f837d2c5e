"""Lead requests for Azure's host names to the simulated Azure, by a loopback proxy.

A client needs only environment variables to use the proxy. The proxy answers `CONNECT` to a simulated service itself,
in TLS with a certificate of the local authority. The proxy tunnels `CONNECT` to a site's host name or inbound address
to the front ends. The proxy refuses a request for any other host, so that no request leaves the machine.
"""

import functools
import selectors
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

from local.azure.vault.authority import authority, server_leaf
from local.azure.wire import Request, Response
from local.http_wire import Head, converse, read_head, to_bytes
from local.listener import IDLE, Connection, Listener
from local.outside import no_proxy
from local.tls import public_roots, server_context

CHUNK = 65_536
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Simulation(Protocol):
    """The parts of a simulated Azure that the proxy uses."""

    def knows(self, host: str) -> bool:
        """Return True if the host name is a service of the simulated Azure."""

    def handle(self, request: Request) -> Response:
        """Return the answer of the simulated Azure to a request."""


Resolve = Callable[[str], tuple[str, int] | None]
"""Return the local address for a host name or address of the outside world, or None if nobody listens."""


class Proxy:
    """The proxy, running from construction until `close`."""

    def __init__(self, azure: Simulation, resolve: Resolve = lambda _: None) -> None:
        """Let the proxy listen on a free port. `azure` and `resolve` may be replaced while the proxy runs."""
        self.azure = azure
        self.resolve = resolve
        self._folder = tempfile.TemporaryDirectory(prefix="certroll-proxy-")
        self.ca_path = Path(self._folder.name, "ca.pem")
        self.ca_path.write_bytes(authority().root_pem)
        self.person_ca_path = Path(self._folder.name, "ca-of-person.pem")
        self._listener = Listener(self._serve, "proxy")
        self.port = self._listener.listen()

    def __enter__(self) -> Self:
        """Return the running proxy."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the proxy."""
        self.close()

    @property
    def address(self) -> tuple[str, int]:
        """The address and the port of the proxy."""
        return "127.0.0.1", self.port

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make a client use the proxy."""
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self.port}",
            "https_proxy": f"http://127.0.0.1:{self.port}",
            **_past_the_proxy(no_proxy(())),
            **_trusting(self.ca_path),
        }

    def environment_of_person(self) -> dict[str, str]:
        """Return the environment variables of `environment` for a person, whose `git` and `pip` also have to work.

        `git` and `pip` reach the hosts of local/outside.py without the proxy, and trust public authorities too.
        """
        self.person_ca_path.write_bytes(authority().root_pem + public_roots())
        return self.environment() | _past_the_proxy(no_proxy()) | _trusting(self.person_ca_path)

    def close(self) -> None:
        """End every connection of the proxy, and free its port."""
        self._listener.close()
        self._folder.cleanup()

    def _serve(self, connection: Connection) -> None:
        with connection.socket.makefile("rb") as stream:
            head = read_head(stream)
        if head is None:
            return
        host = head.target.rpartition(":")[0].strip("[]").lower()
        if head.method != "CONNECT":
            connection.socket.sendall(_refusal(head, 405, "This proxy takes CONNECT only."))
        elif self.azure.knows(host):
            self._simulate(connection, host)
        else:
            self._tunnel(connection, head, host)

    def _simulate(self, connection: Connection, host: str) -> None:
        connection.socket.sendall(ESTABLISHED)
        secure = connection.secure(_context_for(host))
        with secure.makefile("rb") as stream:
            converse(stream, secure.sendall, self._handle, host, lambda: _acknowledge(secure))

    def _handle(self, request: Request) -> Response:
        return self.azure.handle(request)

    def _tunnel(self, connection: Connection, head: Head, host: str) -> None:
        target = self.resolve(host)
        try:
            there = socket.create_connection(target, timeout=IDLE) if target else None
        except OSError:
            there = None
        if there is None:
            connection.socket.sendall(_refusal(head, 502, f"The local Azure has no host {host}."))
            return
        with there:
            there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.socket.sendall(ESTABLISHED)
            _relay(connection.socket, there)


def _past_the_proxy(names: str) -> dict[str, str]:
    return {"NO_PROXY": names, "no_proxy": names}


def _trusting(bundle: Path) -> dict[str, str]:
    names = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return dict.fromkeys(names, str(bundle))


def _refusal(head: Head, status: int, message: str) -> bytes:
    refused = Head(head.method, head.target, {"connection": "close"})
    # curl shows the body of a refused CONNECT to nobody; most clients show the first line.
    return to_bytes(Response(status, {"Content-Type": "text/plain"}, message.encode()), refused, message)


def _relay(here: socket.socket, there: socket.socket) -> None:
    """Copy bytes in both directions until either socket is closed."""
    with selectors.DefaultSelector() as selector:
        selector.register(here, selectors.EVENT_READ, (here, there))
        selector.register(there, selectors.EVENT_READ, (there, here))
        while ready := selector.select(IDLE):
            for source, target in (key.data for key, _ in ready):
                if not (data := source.recv(CHUNK)):
                    return
                _acknowledge(source)
                target.sendall(data)


def _acknowledge(source: socket.socket) -> None:
    """Acknowledge received bytes at once.

    urllib3 leaves Nagle's algorithm on for a proxy. It sends the body of a request apart from the head, and would wait
    40 ms for the acknowledgement of the head.
    """
    # Only Linux has TCP_QUICKACK, and the kernel resets the option soon after it is set.
    if hasattr(socket, "TCP_QUICKACK"):
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


@functools.lru_cache(maxsize=256)
def _context_for(host: str) -> ssl.SSLContext:
    leaf = server_leaf(host)
    return server_context(leaf.certificate_pem + leaf.chain_pem, leaf.private_key_pem)
