"""The small server under everything that listens."""

import socket
import threading

import pytest

from local.listener import Connection, Listener


def _echo(connection: Connection) -> None:
    while data := connection.socket.recv(100):
        connection.socket.sendall(data)


def test_two_addresses_are_served_until_one_is_left() -> None:
    """Each address is listened on by itself; one that was left refuses, the other goes on."""
    with Listener(_echo, "echo") as listener:
        here, there = listener.listen("127.0.0.1"), listener.listen("127.20.30.40")
        listener.leave("127.0.0.1")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", here), timeout=5)
        with socket.create_connection(("127.20.30.40", there), timeout=5) as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"


def test_standing_connection_outlives_its_address() -> None:
    """Who is connected when an address is left can go on talking."""
    with Listener(_echo, "echo") as listener, socket.socket() as client:
        client.connect(("127.0.0.1", listener.listen()))
        client.sendall(b"first")
        assert client.recv(100) == b"first"
        listener.leave("127.0.0.1")
        client.sendall(b"second")
        assert client.recv(100) == b"second"


def test_close_ends_connections_and_threads() -> None:
    """After closing, clients see the end and no thread is left."""
    listener = Listener(_echo, "short-lived")
    port = listener.listen()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"x")
        assert client.recv(100) == b"x"
        listener.close()
        assert client.recv(100) == b""
    assert "short-lived" not in {thread.name for thread in threading.enumerate()}
