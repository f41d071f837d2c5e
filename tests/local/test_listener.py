"""These tests cover `Listener`, the small TCP server that all parts of the local Azure use."""

import queue
import socket
import threading

import pytest

from local.listener import Connection, Listener
from local.patience import HANG


def _echo(connection: Connection) -> None:
    while data := connection.socket.recv(100):
        connection.socket.sendall(data)


def test_two_addresses_are_served_until_one_is_left() -> None:
    """A listener that has closed an address refuses connections there, and still serves its other addresses."""
    with Listener(_echo, "echo") as listener:
        here, there = listener.listen("127.0.0.1"), listener.listen("127.20.30.40")
        listener.leave("127.0.0.1")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", here), timeout=HANG)
        with socket.create_connection(("127.20.30.40", there), timeout=HANG) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"


def test_standing_connection_outlives_its_address() -> None:
    """An open connection keeps working after the listener has closed the connection's address."""
    with Listener(_echo, "echo") as listener, socket.socket() as client:
        client.connect(("127.0.0.1", listener.listen()))
        client.sendall(b"first")
        assert client.recv(100) == b"first"
        listener.leave("127.0.0.1")
        client.sendall(b"second")
        assert client.recv(100) == b"second"


def test_nobody_waits_for_an_acknowledgement() -> None:
    """The listener sets TCP_NODELAY, because Nagle's algorithm would delay small answers by 40 ms each."""
    told: queue.Queue[int] = queue.Queue()
    with Listener(
        lambda connection: told.put(connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)), "prompt"
    ) as listener:
        socket.create_connection(("127.0.0.1", listener.listen()), timeout=HANG).close()
        assert told.get(timeout=HANG) != 0


def test_close_ends_connections_and_threads() -> None:
    """Closing a listener closes its connections and ends its threads."""
    listener = Listener(_echo, "short-lived")
    port = listener.listen()
    with socket.create_connection(("127.0.0.1", port), timeout=HANG) as client:
        client.sendall(b"x")
        assert client.recv(100) == b"x"
        listener.close()
        assert client.recv(100) == b""
    assert "short-lived" not in {thread.name for thread in threading.enumerate()}
