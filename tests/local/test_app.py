import threading
import time
from pathlib import Path

import pytest
import requests

from local.app import Events, LocalApp
from local.azure.eventgrid.event import Schema
from local.patience import HANG


def _ended(local: LocalApp, function: str) -> bool:
    assert local.host is not None
    status = local.host.status()
    return any(entry["function"] == function and entry["succeeded"] for entry in status["ended"])


@pytest.mark.parametrize(
    ("events", "schema", "function"),
    [("queue", "EventGrid", "events_queue"), ("webhook", "CloudEvents", "vault_event")],
)
def test_event_of_the_world_reaches_the_app(tmp_path: Path, events: Events, schema: Schema, function: str) -> None:
    """A renewal in a vault runs the app's function for the way of the event, and its message runs the next function."""
    with LocalApp("contoso", logs=tmp_path, events=events, schema=schema) as local:
        assert local.host is not None
        assert local.host.ready.errors == {}
        vault, name = local.stand.world.renewing[-1]
        renewal = f"{local.stand.control.url}/vaults/{vault}/certificates/{name}/renew"
        assert requests.post(renewal, json={}, timeout=HANG).status_code == 200
        end = time.monotonic() + HANG
        while not (_ended(local, function) and _ended(local, "certificates_queue")):
            assert time.monotonic() < end, local.host.log.read_text()
            threading.Event().wait(0.1)


def test_another_host_gets_the_settings(tmp_path: Path) -> None:
    """With `host_app=False`, `LocalApp` hosts no app, and returns the app settings for another host.

    Settings passed to `LocalApp` override the default settings.
    """
    with LocalApp("empty", {"CERTROLL_MODE": "observe"}, logs=tmp_path, host_app=False) as local:
        environment = local.environment_of_app()
        assert environment["AzureWebJobsStorage__accountName"] == environment["AZURE_STORAGE_ACCOUNT"]
        assert environment["CERTROLL_MODE"] == "observe"
        assert environment["HTTPS_PROXY"]
