"""The timers of the local Functions host catch up on missed runs as Azure's timers do."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from local.host import FunctionHost
from local.host import timers as timers_module
from local.host.functions import FunctionMetadata, Outcome, TriggerInput
from local.host.timers import UNSET, Schedule, Status, TimerListener, first_status
from tests.local.host.hosted import APPS, Storage, eventually

HOURLY = Schedule("0 0 * * * *")
EVERY_MINUTE = "0 * * * * *"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def ended_at(last: datetime) -> Status:
    """Return the status after a run that began at the given time, with the hourly schedule."""
    return Status(last, HOURLY.after(last), last)


@pytest.mark.parametrize(
    ("stored", "now", "expected"),
    [
        pytest.param(None, NOON, Status(UNSET, NOON + HOUR, NOON), id="the first start waits for the next time"),
        pytest.param(ended_at(NOON), NOON + MINUTE, ended_at(NOON), id="a restart changes nothing"),
        pytest.param(ended_at(NOON), NOON + 3 * HOUR, ended_at(NOON), id="a missed run stays due"),
        pytest.param(
            Status(NOON, NOON + MINUTE, NOON),
            NOON + 3 * HOUR,
            Status(UNSET, NOON + 4 * HOUR, NOON + 3 * HOUR),
            id="another schedule starts again",
        ),
        pytest.param(
            Status(UNSET, NOON + HOUR, NOON),
            NOON + 3 * HOUR,
            Status(UNSET, NOON + HOUR, NOON),
            id="a first run that was missed stays due",
        ),
    ],
)
def test_status_at_the_start(stored: Status | None, now: datetime, expected: Status) -> None:
    """A timer goes on with its stored status, unless the schedule has changed."""
    assert first_status(stored, HOURLY, now) == expected


def test_status_is_stored_in_the_form_of_azure() -> None:
    """The status of a timer is the JSON that Azure's host writes."""
    status = Status(NOON, NOON + HOUR, NOON)
    assert status.fields == {
        "Last": "2026-03-04T12:00:00+00:00",
        "Next": "2026-03-04T13:00:00+00:00",
        "LastUpdated": "2026-03-04T12:00:00+00:00",
    }
    assert Status.parse(json.dumps(status.fields)) == status
    assert Status.parse(json.dumps(Status(UNSET, NOON, NOON).fields)).last == UNSET


def test_schedule_that_is_too_frequent_has_no_status() -> None:
    """Azure's host stores no status of a timer that fires more often than once a minute."""
    assert Schedule(EVERY_MINUTE).is_monitored(NOON)
    assert not Schedule("*/30 * * * * *").is_monitored(NOON)


@dataclass
class Host:
    """This fake host keeps statuses, and runs a timer function for a simulated time."""

    lasts: timedelta
    stored: dict[str, Status] = field(default_factory=dict)
    now: datetime = NOON
    begun: list[tuple[datetime, bool]] = field(default_factory=list)
    runs: int = 3
    listener: TimerListener | None = None

    def read(self, function: str) -> Status | None:
        """Return the stored status."""
        return self.stored.get(function)

    def write(self, function: str, status: Status) -> None:
        """Store the status."""
        self.stored[function] = status

    def start(self, _function: FunctionMetadata, trigger: TriggerInput) -> Future[Outcome]:
        """Note when the run begins, let its time pass, and stop the timer after the last run."""
        self.begun.append((self.now, json.loads(trigger.value.value)["IsPastDue"]))
        self.now += self.lasts
        if len(self.begun) == self.runs and self.listener is not None:
            self.listener.stop()
        done: Future[Outcome] = Future()
        done.set_result(Outcome(succeeded=True))
        return done


class Waits(threading.Event):
    """An event whose wait passes simulated time."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host

    def wait(self, timeout: float | None = None) -> bool:
        """Let the time pass."""
        self.host.now += timedelta(seconds=max(timeout or 0.0, 0.0))
        return self.is_set()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Host], list[tuple[datetime, bool]]]:
    """Return a function that runs a timer of every minute on a fake host, until the host has seen its runs."""

    def runs(host: Host, *, monitor: bool = True) -> list[tuple[datetime, bool]]:
        monkeypatch.setattr(timers_module, "utc_now", lambda: host.now)
        binding = {"type": "timerTrigger", "name": "timer", "useMonitor": monitor}
        function = FunctionMetadata("tick", "1", (binding,))
        host.listener = TimerListener(function, Schedule(EVERY_MINUTE), host.start, host)
        host.listener._stopping = Waits(host)
        host.listener._run()
        return host.begun

    return runs


def test_long_run_is_followed_at_once(run: Callable[[Host], list[tuple[datetime, bool]]]) -> None:
    """A run that lasts longer than its interval is followed by the next run at once, which is not past due."""
    begun = run(Host(lasts=90 * SECOND))
    assert begun == [(NOON + MINUTE + count * 90 * SECOND, False) for count in range(3)]


def test_missed_run_is_made_up_for_once(run: Callable[[Host], list[tuple[datetime, bool]]]) -> None:
    """A timer that missed runs, or died in a run, runs once at its start with past_due, and then by its schedule."""
    before = Status(NOON - HOUR, NOON - HOUR + MINUTE, NOON - HOUR)
    host = Host(lasts=SECOND, stored={"tick": before}, now=NOON + SECOND)
    assert run(host) == [(NOON + SECOND, True), (NOON + MINUTE, False), (NOON + 2 * MINUTE, False)]
    assert host.stored["tick"] == Status(NOON + 2 * MINUTE, NOON + 3 * MINUTE, NOON + 2 * MINUTE)


def test_timer_without_monitor_forgets(run: Callable[..., list[tuple[datetime, bool]]]) -> None:
    """A timer without `useMonitor` stores nothing and makes up for nothing."""
    before = Status(NOON - HOUR, NOON - HOUR + MINUTE, NOON - HOUR)
    host = Host(lasts=SECOND, stored={"tick": before}, now=NOON + SECOND, runs=1)
    assert run(host, monitor=False) == [(NOON + MINUTE, False)]
    assert host.stored["tick"] == before


def test_run_that_was_missed_is_past_due(storage: Storage, tmp_path: Path) -> None:
    """A host that starts after a missed time runs the timer function at once, with the status in its blob."""
    settings = {**storage.settings, "SAMPLE_SCHEDULE": "0 0 3 * * *", "WEBSITE_SITE_NAME": "Missed"}
    blobs = BlobServiceClient.from_connection_string(storage.connection_string)
    blob = blobs.get_blob_client("azure-webjobs-hosts", "timers/missed/Host.Functions.on_time/status")
    with FunctionHost(APPS / "sample", settings, log=tmp_path / "log"):
        first = eventually(lambda: blob.exists() and Status.parse(blob.download_blob().readall().decode()))
    assert first.last == UNSET
    last = first.next - timedelta(days=3)
    blob.upload_blob(json.dumps(Status(last, last + timedelta(days=1), last).fields), overwrite=True)
    with FunctionHost(APPS / "sample", settings, log=tmp_path / "log"):
        assert storage.take("ticks", lambda text: "past_due=True" in text)
        eventually(lambda: Status.parse(blob.download_blob().readall().decode()).next == first.next)
