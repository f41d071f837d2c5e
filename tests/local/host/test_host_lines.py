"""The local Functions host passes the log lines that Azure's host passes, and counts the lines that it drops."""

import contextvars
import importlib
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from local.host import FunctionHost
from local.host.lines import Dropped, Lines
from local.patience import HANG
from tests.local.host.hosted import APPS, Storage, eventually
from tests.pages import code_in, part_of, rows_of, text_of

BY_THREAD, BY_CONTEXT = (3, 11), (3, 13)
VERSIONS = pytest.mark.parametrize("version", [BY_THREAD, BY_CONTEXT], ids=["Python 3.11", "Python 3.13"])
KEEPS_COPIES = sys.version_info >= BY_CONTEXT


@pytest.fixture(scope="module")
def talkative(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionHost]:
    """Yield a running host of the app that logs in every way."""
    log = tmp_path_factory.mktemp("talkative") / "host.log"
    with FunctionHost(APPS / "talkative", storage.settings, log=log) as host:
        yield host


def call(host: FunctionHost, route: str) -> str:
    """Return the answer of a function of the app."""
    return requests.get(f"{host.url}/api/{route}", timeout=HANG).text


def heard(host: FunctionHost, line: str) -> str:
    """Wait until the host has logged the line, and return the log of the host."""
    return eventually(lambda: text if line in (text := host.log.read_text()) else None)


def dropped(host: FunctionHost) -> dict[str, int]:
    """Return how many lines of the app the host has dropped, for each thread."""
    return {row["thread"]: row["lines"] for row in host.status()["dropped"] if row["logger"] == "talkative"}


def test_only_the_invocation_itself_is_heard(talkative: FunctionHost) -> None:
    """The host passes what the function logs, and drops what its threads and its import log."""
    assert call(talkative, "talk") == "talked"
    said = heard(talkative, "talkative: at the end of the function")
    assert "talkative: from the function" in said
    assert "from a thread" not in said
    assert "at import" not in said
    assert ("with a copied context" in said) is KEEPS_COPIES
    lost = dropped(talkative)
    assert (lost["worker loop"], lost["plain"], lost.get("copied", 0)) == (1, 1, 0 if KEEPS_COPIES else 1)
    assert "Azure drops what the logger 'talkative' says in the thread 'plain'" in said


def test_nothing_is_heard_after_the_end(talkative: FunctionHost) -> None:
    """A thread with the id of its invocation is heard on Python 3.11 and not on 3.13, and never after the end."""
    assert call(talkative, "talk-late") == "talks on"
    said = heard(talkative, "Executed 'Functions.talk_late'")
    assert ("with the id of the invocation" in said) is not KEEPS_COPIES
    assert call(talkative, "end") == "ended"
    eventually(lambda: dropped(talkative).get("late") == (2 if KEEPS_COPIES else 1))
    assert "after the end" not in heard(talkative, "Executed 'Functions.end'")


def test_coroutine_is_heard_around_its_waits(talkative: FunctionHost) -> None:
    """The host passes what a coroutine logs before and after an await, and drops what its executor's thread logs."""
    assert call(talkative, "talk-async") == "talked"
    said = heard(talkative, "talkative: after the wait")
    assert "before the wait" in said
    assert "from an executor" not in said
    assert sum(lines for thread, lines in dropped(talkative).items() if thread.startswith("asyncio")) == 1


@pytest.mark.parametrize(("length", "stored"), [(32_768, 32_768), (32_769, 32_768), (90_000, 32_768)])
def test_line_is_cut_as_application_insights_cuts_it(talkative: FunctionHost, length: int, stored: int) -> None:
    """The host's log has the first 32,768 characters of a line of the app, and a warning if the line was longer."""
    requests.get(f"{talkative.url}/api/talk-long", data=str(length), timeout=HANG)
    said = heard(talkative, f"talkative: after a line of {length}")
    *_, line = [line for line in said.splitlines() if "☂" in line]
    assert line.count("☂") == stored
    warned = f"Application Insights cuts a line of the logger 'talkative', of {length} characters"
    assert (warned in said) is (length > stored)


def largest_events() -> list[tuple[str, dict[str, object]]]:
    """Return every event that the page of events lists, with fields that no fleet exceeds.

    Some fields are endless texts, some have hundreds of rows, and some map hundreds of sites to texts.
    """
    rows = [{"subject": f"site {number}", "detail": "d" * 80} for number in range(500)]
    values: tuple[object, ...] = ("x" * 50_000, rows, {row["subject"]: row["detail"] for row in rows}, "☂" * 20_000)
    page = part_of(text_of("docs/reference/events.md"), "Events").partition("\n### ")[0]
    named = [(code_in(row[0])[0], code_in(row[1])) for row in rows_of(page) if row[0].startswith("`")]
    return [
        (name, {field: values[(place + at) % len(values)] for at, field in enumerate(fields)})
        for place, (name, fields) in enumerate(named)
    ]


def test_largest_of_each_event_arrives_whole(talkative: FunctionHost) -> None:
    """Application Insights cuts no event of Certroll, even with more items than a fleet has and with endless texts."""
    largest, before = largest_events(), len(talkative.log.read_text())
    requests.get(f"{talkative.url}/api/talk-events", json=largest, timeout=HANG)
    said = heard(talkative, "talkative: after all events")[before:]
    assert "Application Insights cuts" not in said
    lines = [json.loads(line.partition(" certroll: ")[2]) for line in said.splitlines() if " certroll: " in line]
    assert len(largest) > 40
    for name, fields in largest:
        parts = [line for line in lines if line["event"] == name]
        assert [line.get("part", 1) for line in parts] == list(range(1, len(parts) + 1)), name
        for field, value in fields.items():
            if isinstance(value, list):
                assert [item for line in parts for item in line.get(field, ())] == value, (name, field)
            elif isinstance(value, str):
                assert {line[field][:100] for line in parts} == {value[:100]}, (name, field)


def in_thread(work: Callable[[], object]) -> None:
    """Do the work in a thread of its own, named `app`, to its end."""
    thread = threading.Thread(target=work, name="app")
    thread.start()
    thread.join()


def a_line(logger: str = "certroll") -> logging.LogRecord:
    """Return a log line of the present thread."""
    return logging.getLogger(logger).makeRecord(logger, logging.INFO, "", 1, "said", (), None)


class Invoking:
    """The two places in which Microsoft's worker keeps the id of an invocation."""

    def __init__(self) -> None:
        """Find the two places in the runtime."""
        self.variable: Any = importlib.import_module("azure_functions_runtime.utils.executor").invocation_id_cv
        self.local: Any = importlib.import_module("azure_functions_runtime.bindings.context")._invocation_id_local

    def by_context(self, lines: Lines) -> bool:
        """Return True if the filter passes a line of a thread that has only a copy of the invocation's context."""
        passed: list[bool] = []

        def work() -> None:
            self.variable.set("one")
            copied = contextvars.copy_context()
            in_thread(lambda: copied.run(lambda: passed.append(lines.filter(a_line()))))

        contextvars.copy_context().run(work)
        return passed == [True]

    def by_thread(self, lines: Lines) -> bool:
        """Return True if the filter passes a line of a thread that has only put the id into the thread's storage."""
        passed: list[bool] = []

        def work() -> None:
            self.local.invocation_id = "one"
            passed.append(lines.filter(a_line()))

        in_thread(work)
        return passed == [True]


@VERSIONS
def test_worker_of_each_python_looks_in_its_own_place(version: tuple[int, int]) -> None:
    """Python 3.11 takes the id of the invocation from the thread, and Python 3.13 from the context."""
    dropped: list[Dropped] = []
    lines, invoking = Lines(dropped.append, version), Invoking()
    with lines.of("one"):
        assert invoking.by_thread(lines) is (version == BY_THREAD)
        assert invoking.by_context(lines) is (version == BY_CONTEXT)
    assert not invoking.by_thread(lines)
    assert not invoking.by_context(lines)
    assert dropped == [Dropped("certroll", "app")] * 3


def test_host_itself_is_heard() -> None:
    """Lines of the host and of Microsoft's worker pass without an invocation, and lines of others do not."""
    dropped: list[Dropped] = []
    lines = Lines(dropped.append)
    names = ("host", "host.sleeps", "local.host.queues", "azure.functions", "azure_functions_runtime")
    assert [name for name in names if not lines.filter(a_line(name))] == []
    assert dropped == []
    assert [name for name in ("azure.core", "hostess") if lines.filter(a_line(name))] == []
    assert dropped == [Dropped("azure.core", "MainThread"), Dropped("hostess", "MainThread")]
