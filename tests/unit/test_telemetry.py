"""Certroll's events are JSON lines that Application Insights stores whole, and Azure's SDKs log only problems."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from shared.telemetry import MOST_CHARACTERS, event, quiet_sdks

SKIP = {"subject": "binding of shop.contoso.com", "reason": "ObserveOnly", "detail": "it would be rebound"}
NAMES = ("azure", "azure.functions", "azure.core", "azure.identity", "azure.data.tables")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the logged events, after a check that Application Insights cuts no line."""
    assert max(len(message) for message in caplog.messages) <= MOST_CHARACTERS
    return [json.loads(message) for message in caplog.messages]


@pytest.fixture(autouse=True)
def _told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="certroll")


def test_short_event_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """An event that fits into a line has exactly its own fields."""
    event("plan.computed", certificate="kv/web", steps=[], skips=[SKIP])
    assert lines(caplog) == [{"event": "plan.computed", "certificate": "kv/web", "steps": [], "skips": [SKIP]}]


@pytest.mark.parametrize("many", [300, 5_000])
def test_event_of_a_large_fleet_becomes_several_lines(caplog: pytest.LogCaptureFixture, many: int) -> None:
    """A plan for a large fleet loses no step and no skip: each line has a part of them, and the fields of the event."""
    steps = [{"subject": f"binding {number}", "reason": "StaleBinding"} for number in range(many)]
    skips = [{**SKIP, "subject": f"site {number}"} for number in range(many)]
    event("plan.computed", certificate="kv/web", steps=steps, skips=skips)
    found = lines(caplog)
    assert {(line["event"], line["certificate"], line["parts"]) for line in found} == {
        ("plan.computed", "kv/web", len(found))
    }
    assert [line["part"] for line in found] == list(range(1, len(found) + 1))
    assert [step for line in found for step in line["steps"]] == steps
    assert [skip for line in found for skip in line["skips"]] == skips
    assert len(found) <= 2 + sum(len(json.dumps(item)) + 2 for item in (*steps, *skips)) // (MOST_CHARACTERS // 2)


def test_states_of_a_large_wave_become_several_lines(caplog: pytest.LogCaptureFixture) -> None:
    """A field that maps sites to states loses no site when the event becomes several lines."""
    states = {f"site-{number}": "Answered" for number in range(3_000)}
    event("wave.completed", environment="rg/ase", sites=states, seconds=3.5)
    found = lines(caplog)
    assert len(found) > 1
    assert {site: state for line in found for site, state in line["sites"].items()} == states
    assert {line["seconds"] for line in found} == {3.5}


@pytest.mark.parametrize("letter", ["x", "é", "\N{HIGH VOLTAGE SIGN}", '"'])
def test_text_that_is_too_long_is_cut(caplog: pytest.LogCaptureFixture, letter: str) -> None:
    """A text that is longer than a line ends with an ellipsis, and the event keeps its other fields."""
    event("message.failed", queue="sites", error="ValueError", detail=letter * 100_000)
    (line,) = lines(caplog)
    assert (line["queue"], line["error"]) == ("sites", "ValueError")
    assert line["detail"].startswith(letter * 1_000)
    assert line["detail"].endswith(f"{letter}…")


def test_item_that_is_too_long_is_cut_alone(caplog: pytest.LogCaptureFixture) -> None:
    """One skip with an endless detail is cut, and the other skips of the plan are whole."""
    endless = {**SKIP, "detail": "y" * 200_000}
    event("plan.computed", certificate="kv/web", steps=[], skips=[SKIP, endless, SKIP])
    skips = [skip for line in lines(caplog) for skip in line["skips"]]
    assert [skip == SKIP for skip in skips] == [True, False, True]
    assert skips[1]["detail"].startswith("y" * 1_000)


@pytest.fixture
def levels() -> Iterator[None]:
    """Give all loggers of Azure the level of a fresh process, and restore their levels after the test."""
    before = {name: logging.getLogger(name).level for name in ("", *NAMES)}
    for name in NAMES:
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("levels")
@pytest.mark.parametrize("root", [logging.INFO, logging.DEBUG])
def test_sdks_log_no_request_and_the_worker_goes_on(root: int) -> None:
    """The SDKs' loggers pass warnings only, and `azure.functions` keeps the level that Microsoft's worker chose."""
    logging.getLogger().setLevel(root)
    quiet_sdks()
    quiet_sdks()
    for name in ("azure.core.pipeline.policies.http_logging_policy", "azure.identity._internal.decorators"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        assert logging.getLogger(name).isEnabledFor(logging.WARNING)
    assert logging.getLogger("azure.functions").getEffectiveLevel() == root
    assert logging.getLogger("azure.functions.AsgiMiddleware").isEnabledFor(logging.INFO)
