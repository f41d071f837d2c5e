"""Serve TCP connections with one accepting thread, and one thread per connection."""

import contextlib
import logging
import selectors
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

IDLE = 3600.0
"""Seconds that a connection may be idle: longer than any test, so that no request meets a closed connection."""
BACKLOG = 128

log = logging.getLogger(__name__)


class Connection:
    """An accepted TCP connection.

    `secure` replaces the connection's socket by a TLS socket. `cut` ends the connection from any thread.
    """

    def __init__(self, accepted: socket.socket) -> None:
        """Keep a second descriptor of the connection, because TLS takes over the first descriptor."""
        accepted.settimeout(IDLE)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket: socket.socket | ssl.SSLSocket = accepted
        self.local_address: str = accepted.getsockname()[0]
        self._twin = accepted.dup()

    def secure(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Return the socket after a TLS handshake in the server's role."""
        self.socket = context.wrap_socket(self.socket, server_side=True, suppress_ragged_eofs=True)
        return self.socket

    def cut(self) -> None:
        """End the connection. After `cut`, a thread that reads from the connection gets the end of the stream."""
        with contextlib.suppress(OSError):
            self._twin.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close both file descriptors of the connection."""
        self.socket.close()
        self._twin.close()


class Listener:
    """Listen on any number of loopback addresses, and serve each connection in a thread of its own."""

    def __init__(self, serve: Callable[[Connection], None], name: str) -> None:
        """Start the accepting thread, which listens on no address yet."""
        self._serve = serve
        self._name = name
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._sockets: dict[str, socket.socket] = {}
        self._connections: dict[Connection, threading.Thread] = {}
        self._lock = threading.RLock()
        self._closing = False
        self._thread = threading.Thread(target=self._accept_all, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the running listener."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the listener."""
        self.close()

    @property
    def addresses(self) -> frozenset[str]:
        """The addresses that the listener has open now."""
        return frozenset(self._sockets)

    def listen(self, address: str = "127.0.0.1", port: int = 0) -> int:
        """Listen on the given loopback address, and return the port."""
        listening = socket.create_server((address, port), backlog=BACKLOG)
        listening.setblocking(False)
        with self._lock:
            self._sockets[address] = listening
            self._selector.register(listening, selectors.EVENT_READ)
        self._poke()
        return int(listening.getsockname()[1])

    def leave(self, address: str) -> None:
        """Stop listening on the address, so that new connections to the address are refused. Open connections go on."""
        with self._lock:
            listening = self._sockets.pop(address)
            self._selector.unregister(listening)
            listening.close()

    def close(self) -> None:
        """Stop listening, end every connection, and wait for every thread."""
        self._closing = True
        self._poke()
        self._thread.join()
        for address in tuple(self._sockets):
            self.leave(address)
        with self._lock:
            left = dict(self._connections)
            for connection in left:
                connection.cut()
        for thread in left.values():
            thread.join()
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _poke(self) -> None:
        with contextlib.suppress(OSError):
            self._wake.send(b"x")

    def _accept_all(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    self._woken.recv(1024)
                else:
                    self._accept(key.fileobj)

    def _accept(self, listening: object) -> None:
        # An OSError means that the client has hung up, or that the listener has closed the address.
        with self._lock, contextlib.suppress(OSError):
            if not isinstance(listening, socket.socket):
                return
            accepted, _ = listening.accept()
            accepted.setblocking(True)
            connection = Connection(accepted)
            thread = threading.Thread(target=self._run, args=(connection,), name=self._name, daemon=True)
            self._connections[connection] = thread
            thread.start()

    def _run(self, connection: Connection) -> None:
        try:
            self._serve(connection)
        except OSError as gone:  # OSError includes the TLS errors of a visitor that hangs up during the handshake.
            log.debug("connection.ended %s %s", self._name, gone)
        finally:
            connection.cut()
            with self._lock:
                connection.close()
                self._connections.pop(connection, None)
