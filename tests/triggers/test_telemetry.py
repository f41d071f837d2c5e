"""The local host writes what Azure's host sends to Application Insights, and alerts read it as they would there."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.host import FunctionHost
from local.host.timers import utc_now
from local.process import StartFailed
from tests.kusto_log import Log
from tests.triggers.app import POLLING, ROOT, Storage, eventually

NEVER = "0 0 0 1 1 *"
SETTINGS = {"CERTROLL_VAULTS": "kv-shop", "CERTROLL_SWEEP_SCHEDULE": NEVER, **POLLING}


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows that the host has written."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def ended(path: Path, function: str) -> bool:
    """Return True if an invocation of the function has ended."""
    return any(row["table"] == "requests" and row["name"] == function for row in rows(path))


def fires(path: Path, name: str) -> bool:
    """Return True if the alert's condition is met now."""
    return bool(Log(path).fires(name, utc_now() + timedelta(seconds=1)))


def test_bad_setting_fires(storage: Storage, tmp_path: Path) -> None:
    """A bad setting fires the alert on settings, while the timer of pending starts runs as before.

    The rows have the columns of Application Insights, and belong to the invocation that wrote them.
    """
    path = tmp_path / "telemetry.jsonl"
    settings = {**SETTINGS, "AzureWebJobsStorage": storage.connection_string, "CERTROLL_MODE": "obsreve"}
    with FunctionHost(ROOT, settings, log=tmp_path / "host.log", telemetry=path) as host:
        for timer in ("sweep_timer", "starts_timer"):
            host.run(timer)
            eventually(lambda timer=timer: ended(path, timer), told=host.log.read_text)  # type: ignore[misc]
    assert fires(path, "settings-invalid")
    assert not fires(path, "no-heartbeat")
    requests = {row["operation_Id"]: row for row in rows(path) if row["table"] == "requests"}
    (failed,) = (row for row in rows(path) if row["table"] == "exceptions")
    assert requests[failed["operation_Id"]]["name"] == "sweep_timer"
    assert (requests[failed["operation_Id"]]["success"], failed["operation_Name"]) == ("False", "sweep_timer")
    assert "CERTROLL_MODE" in failed["innermostMessage"]
    assert path.stat().st_mode & 0o077 == 0


def test_app_that_cannot_be_loaded_fires(tmp_path: Path) -> None:
    """An app that cannot be indexed fires the alert on a host without functions, and the alert on the heartbeat."""
    (tmp_path / "function_app.py").write_text("import no_such_module\n")
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    path = tmp_path / "telemetry.jsonl"
    with pytest.raises(StartFailed):
        FunctionHost(tmp_path, {}, log=tmp_path / "host.log", telemetry=path).start()
    assert fires(path, "no-functions")
    assert fires(path, "no-heartbeat")
    assert not fires(path, "host-ends")


def test_storage_out_of_reach_fires(storage: Storage, tmp_path: Path) -> None:
    """A host that ends because it cannot reach the storage account fires the alert on that."""
    path = tmp_path / "telemetry.jsonl"
    refusing = storage.connection_string.replace("AccountKey=", "AccountKey=d3Jvbmc=;Was=")
    settings = {**SETTINGS, "AzureWebJobsStorage": refusing}
    host = FunctionHost(ROOT, settings, log=tmp_path / "host.log", telemetry=path)
    host.start()
    eventually(lambda: not host.running, told=host.log.read_text)
    host.stop()
    assert fires(path, "host-ends")
    assert not fires(path, "no-functions")


def test_no_row_is_written_unless_asked(tmp_path: Path) -> None:
    """Without the option, the host writes no file of rows."""
    (tmp_path / "function_app.py").write_text("import azure.functions as func\napp = func.FunctionApp()\n")
    with pytest.raises(StartFailed):
        FunctionHost(tmp_path, {}, log=tmp_path / "host.log").start()
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".jsonl") == []
