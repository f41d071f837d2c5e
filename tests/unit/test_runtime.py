"""Test which clients and settings an Azure function of Certroll gets if settings are wrong."""

import json
import logging
import threading
from pathlib import Path
from typing import cast

import pytest

from shared.clients.arm.app_service import AppService
from shared.clients.retrying import Retrying
from shared.domain.errors import SettingsInvalid
from shared.domain.intent import Mode
from shared.runtime import Runtime
from shared.telemetry import event
from shared.version import VERSION

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
STORAGE = "DefaultEndpointsProtocol=https;AccountName=certroll;AccountKey=a2V5;EndpointSuffix=core.windows.net"


@pytest.fixture
def mistaken(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Return the runtime of a Function App with a storage account and a mistake in each of two settings."""
    monkeypatch.setenv("AzureWebJobsStorage", STORAGE)
    monkeypatch.setenv("CERTROLL_ASE_MAX_UNAVAILABLE", "half")
    monkeypatch.delenv("CERTROLL_VAULTS", raising=False)
    return Runtime()


def test_what_is_owed_is_paid_in_spite_of_a_mistake(mistaken: Runtime) -> None:
    """A mistake in a setting stops all work of Certroll except starting the apps that Certroll stopped."""
    with pytest.raises(SettingsInvalid, match="CERTROLL_ASE_MAX_UNAVAILABLE"):
        mistaken.run()
    with mistaken.bare_run() as run:
        assert run.intent.mode is Mode.OBSERVE


def test_nothing_goes_without_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a storage account, Certroll cannot know which apps it has to start.

    The error about missing storage names the setting that the operator has to add.
    """
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    with pytest.raises(SettingsInvalid, match="AzureWebJobsStorage: set it"):
        Runtime().bare_run()


def test_good_settings_share_their_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """All runs of a Function App with good settings share one set of clients."""
    monkeypatch.setenv("AzureWebJobsStorage", STORAGE)
    monkeypatch.setenv("CERTROLL_VAULTS", "kv-shop")
    runtime = Runtime()
    with runtime.run() as run, runtime.bare_run() as bare_run:
        clients = [cast("AppService", run.ports.app_service)._clients for run in (run, bare_run)]
    assert clients[0] is clients[1]


def test_sweep_reads_on_threads_of_its_own_and_spares_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that waits for Azure's limits occupies no thread of a renewal, and both follow the same limits."""
    monkeypatch.setenv("AzureWebJobsStorage", STORAGE)
    monkeypatch.setenv("CERTROLL_VAULTS", "kv-shop")
    runtime = Runtime()
    with runtime.run() as renewal, runtime.run(sparing=True) as sweep:
        names = [run.pool.map(lambda _: threading.current_thread().name, [0])[0] for run in (renewal, sweep)]
        pacing = [cast("Retrying", run.ports.retrying).pacing for run in (renewal, sweep)]
    assert [name.rpartition("_")[0] for name in names] == ["reader", "sparing-reader"]
    assert pacing[0].pace is pacing[1].pace
    assert [each._sparing for each in pacing] == [False, True]


def test_parts_of_a_sweep_spare_the_limits() -> None:
    """Among all triggers, only that of the queue `sweeps` starts runs that leave a third of Azure's limits."""
    code = "".join(path.read_text(encoding="utf-8") for path in FUNCTIONS.glob("*.py"))
    functions = [part for part in code.split("\ndef ") if "run(sparing=True)" in part]
    assert [function.partition("(")[0] for function in functions] == ["sweeps_queue"]


def test_each_event_of_a_run_has_its_id(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Each event of a run has the run's id, also from a thread of a pool, and an event outside of a run has none."""
    caplog.set_level(logging.INFO, logger="certroll")
    monkeypatch.setenv("AzureWebJobsStorage", STORAGE)
    monkeypatch.setenv("CERTROLL_VAULTS", "kv-shop")
    runtime = Runtime()
    with runtime.run() as run:
        event("sweep.started", past_due=False)
        run.pool.map(lambda hosts: event("managed.inspected", hosts=hosts), [1, 2])
        run.probes.map(lambda hosts: event("managed.inspected", hosts=hosts), [3])
    with runtime.run() as next_run:
        event("sweep.started", past_due=True)
    event("settings.unknown", settings=[])
    ids = [json.loads(line).get("run") for line in caplog.messages[1:]]  # the first line is the start of the process
    assert ids == [run.ports.trace.run] * 4 + [next_run.ports.trace.run, None]


def starts(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """Return the events that tell the start of a process."""
    return [line for line in map(json.loads, caplog.messages) if line["event"] == "process.started"]


def test_start_of_a_process_tells_version_and_mode_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first run of a process logs which version of Certroll runs and in which mode, and later runs do not."""
    caplog.set_level(logging.INFO, logger="certroll")
    for name, value in {"AzureWebJobsStorage": STORAGE, "CERTROLL_VAULTS": "kv-shop", "CERTROLL_MODE": "apply"}.items():
        monkeypatch.setenv(name, value)
    runtime = Runtime()
    for run in (runtime.bare_run, runtime.run, runtime.run):
        with run():
            pass
    assert starts(caplog) == [{"event": "process.started", "version": VERSION, "mode": "apply"}]


def test_start_with_a_mistake_tells_the_version(mistaken: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """The log names the version also if a setting is bad, and then no mode."""
    caplog.set_level(logging.INFO, logger="certroll")
    for _ in range(2):
        with pytest.raises(SettingsInvalid):
            mistaken.run()
    assert starts(caplog) == [{"event": "process.started", "version": VERSION, "mode": None}]
