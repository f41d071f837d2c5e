import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.host.configuration import ConfigurationInvalid, read, resolve, time_span
from local.host.timers import Schedule

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
QUEUES = "AzureFunctionsJobHost__extensions__queues__"


def host_json(folder: Path, **content: object) -> Path:
    """Write a host.json into the folder, and return the folder."""
    (folder / "host.json").write_text(json.dumps({"version": "2.0", **content}))
    return folder


def test_defaults(tmp_path: Path) -> None:
    """The local Functions host uses the defaults of Azure's documentation for values that host.json omits."""
    settings = read(host_json(tmp_path), {})
    queues = settings.queues
    assert (queues.batch_size, queues.max_dequeue_count, queues.new_batch_threshold) == (16, 5, 8)
    assert (queues.visibility_timeout, queues.max_polling_interval) == (timedelta(), timedelta(minutes=1))
    assert (settings.function_timeout, settings.route_prefix) == (timedelta(minutes=5), "api")


def test_app_settings_override(tmp_path: Path) -> None:
    """An AzureFunctionsJobHost__ setting overrides host.json, in any letter case."""
    app = host_json(tmp_path, extensions={"queues": {"visibilityTimeout": "00:02:00", "batchSize": 4}})
    queues = read(app, {f"{QUEUES}VISIBILITYTIMEOUT": "00:00:03", f"{QUEUES}maxDequeueCount": "2"}).queues
    assert (queues.visibility_timeout, queues.batch_size) == (timedelta(seconds=3), 4)
    assert (queues.max_dequeue_count, queues.new_batch_threshold) == (2, 2)


@pytest.mark.parametrize(
    ("settings", "why"),
    [({f"{QUEUES}batchSize": "many"}, "batchSize"), ({f"{QUEUES}visibilityTimeout": "2 min"}, "visibilityTimeout")],
)
def test_impossible_setting(tmp_path: Path, settings: dict[str, str], why: str) -> None:
    """The local Functions host refuses an unreadable setting and names the setting."""
    with pytest.raises(ConfigurationInvalid, match=why):
        read(host_json(tmp_path), settings)


def test_missing_host_json(tmp_path: Path) -> None:
    """The local Functions host refuses a folder without host.json."""
    with pytest.raises(ConfigurationInvalid, match=r"host\.json is missing"):
        read(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:02:00", timedelta(minutes=2)),
        ("00:00:00.25", timedelta(milliseconds=250)),
        ("1.02:03:04", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("01:30", timedelta(hours=1, minutes=30)),
    ],
)
def test_time_span(text: str, expected: timedelta) -> None:
    """The local Functions host reads time spans in the format of .NET."""
    assert time_span(text, "x") == expected


def test_binding_expressions() -> None:
    """The local Functions host replaces every `%NAME%` by the setting of that name, and names a missing setting."""
    assert resolve("a-%X%-%Y%", {"X": "1", "Y": "2"}) == "a-1-2"
    with pytest.raises(ConfigurationInvalid, match="%Z%"):
        resolve("%Z%", {})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/10 * * * * *", datetime(2026, 3, 4, 5, 6, 10, tzinfo=UTC)),
        ("0 30 9 * * *", datetime(2026, 3, 4, 9, 30, tzinfo=UTC)),
        ("0 0 * * * Mon-Fri", datetime(2026, 3, 4, 6, tzinfo=UTC)),
        ("*/5 * * * *", datetime(2026, 3, 4, 5, 10, tzinfo=UTC)),
    ],
)
def test_schedule(expression: str, expected: datetime) -> None:
    """A timer schedule of six fields begins with seconds, and a schedule of five fields with minutes."""
    assert Schedule(expression).after(NOW) == expected


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "0 0 0 L * *", "0 0 0 ? * *", "@hourly", "0 99 * * * *", "0 0 0 1#2 * *"]
)
def test_refused_schedule(expression: str) -> None:
    """The local Functions host refuses a schedule that NCRONTAB does not support, even if croniter supports it."""
    with pytest.raises(ConfigurationInvalid):
        Schedule(expression)
