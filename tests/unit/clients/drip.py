"""Servers on loopback that answer drop by drop, and never end."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from local.listener import Connection, Listener
from local.patience import HANG

PACE = 0.01
SOON = 0.3
"""The seconds that the tested client may take: many times the pace, so that no pause is too long for its socket."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
NOTHING, HALF_HEAD, HALF_BODY = b"", HEAD, HEAD + b"Content-Length: 1000000\r\n\r\n{"
WHOLE = HEAD + b"Content-Length: 2\r\n\r\n{}"
STAGES = {"before the status line": NOTHING, "in the headers": HALF_HEAD, "in the body": HALF_BODY}
DROPS = {NOTHING: b"H", HALF_HEAD: b"X-Drop: 1\r\n", HALF_BODY: b" "}


class Drip:
    """A server that sends a beginning, and then a drop after each pause until the client hangs up."""

    def __init__(self, start: bytes) -> None:
        self.start, self.drop = start, DROPS[start]
        self.reads_head = True
        """False for a server of TLS, whose clients send no head in plain text."""
        self.requests: list[bytes] = []
        self.sent = 0
        self.gone = threading.Event()
        """Set when a client has hung up."""
        self.over = threading.Event()
        """Set when the test is over."""
        self.port = 0

    def serve(self, connection: Connection) -> None:
        """Read the head of a request, and answer it drop by drop."""
        there = connection.socket
        if self.reads_head:
            self.requests.append(_head(there))
        try:
            there.sendall(self.start)
            while not self.over.wait(PACE):
                there.sendall(self.drop)
                self.sent += len(self.drop)
        finally:
            self.gone.set()


def _head(there: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        received = there.recv(65_536)
        if not received:
            break
        head += received
    return head


@contextmanager
def dripping(start: bytes) -> Iterator[Drip]:
    """Run a server that answers drop by drop."""
    drip = Drip(start)
    with closing(Listener(drip.serve, "drip")) as listener:
        drip.port = listener.listen()
        yield drip
        drip.over.set()


@contextmanager
def never_accepting() -> Iterator[int]:
    """Yield the port of a server whose queue of connections is full, so that a new connection never opens."""
    with ExitStack() as open_:
        full = open_.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        open_.enter_context(socket.create_connection(full.getsockname()))
        waiting = open_.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(full.getsockname())
        yield int(full.getsockname()[1])


def ends(call: Callable[[], object]) -> BaseException | None:
    """Return the error of a call, and fail if the call does not end."""
    errors: list[BaseException | None] = []

    def make() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - the test judges every error
            errors.append(error)
        else:
            errors.append(None)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    thread.join(HANG)
    assert errors, "the call goes on"
    return errors[0]
