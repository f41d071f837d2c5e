"""Each query of an alert and of the workbook names only what exists, and passes Microsoft's own analyser."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import duckdb_kql
import pytest

from local.kusto import Analysis, analyse
from shared.domain.reason import Reason
from shared.domain.traits import Severity
from tests.kusto_log import ALERTS, ROOT, RULES, TABLES, WINDOWS, Log, query_of
from tests.pages import code_in, part_of, rows_of, text_of
from tests.unit.test_reference_pages import IN_ALL_EVENTS, _logged

NAMES = sorted(RULES["logs"])
METRICS = json.loads((ROOT / "tests" / "infra" / "kept" / "metrics.json").read_text(encoding="utf-8"))["namespaces"]
CAPPED = "Data collection stopped due to daily limit of free data reached. Ingestion status = OverQuota"
"""What Log Analytics writes at the daily cap (Azure docs, "Troubleshoot Change Tracking and Inventory issues")."""
REFUSED_BY_RULES = ("bag_unpack", "pivot", "narrow", "externaldata", "union", "search", "ago(", "take ", "limit ")
"""What Azure refuses in the query of an alert, or what makes its window another one than the rule's (Azure
docs, "Create a log search alert rule")."""
MOST_DIMENSIONS, MOST_BYTES = 6, 64_000
EVENT, FIELD = re.compile(r'"([a-z_]+\.[a-z_]*)"'), re.compile(r'\bline(?:\.(\w+)|\["(\w+)"\])')
BEGINNING = re.compile(r"startswith '\{\"event\": \"([a-z_.]*)(\"?)")
FUNCTION = re.compile(r'"(\w+_(?:timer|queue))"')


@cache
def workbook() -> dict[str, str]:
    """Return the queries of the workbook by the titles of their tiles."""
    items = json.loads((ROOT / "infra" / "workbook.json").read_text(encoding="utf-8"))["items"]
    return {item["content"]["title"]: item["content"]["query"] for item in items if "query" in item["content"]}


@cache
def queries() -> dict[str, str]:
    """Return every query: those of the alerts, and those of the workbook."""
    return {name: query_of(name) for name in NAMES} | workbook()


@cache
def analyses() -> dict[str, Analysis]:
    """Return what Microsoft's analyser says about each query."""
    found = queries()
    return dict(zip(found, analyse(TABLES, list(found.values())), strict=True))


@cache
def events() -> dict[str, set[str]]:
    """Return every event that Certroll logs, with its fields."""
    return _logged()


def unknown(query: str) -> Iterator[str]:
    """Yield each event, field, reason, severity and timer that a query names and that does not exist."""
    known = events()
    begun = {name + end for name, end in BEGINNING.findall(query)}
    named = {name for name in EVENT.findall(query) if not name.endswith(".")} | {n[:-1] for n in begun if n[-1] == '"'}
    yield from (f"no event is called {name}" for name in sorted(named - known.keys()))
    prefixes = {name for name in begun if name[-1] != '"'}
    yield from (f"no event begins with {name}" for name in prefixes if not any(e.startswith(name) for e in known))
    fields = set().union(*(known.get(name, set()) for name in named)) | IN_ALL_EVENTS
    read = {plain or quoted for plain, quoted in FIELD.findall(query)}
    yield from (f"{field} is a field of none of {sorted(named)}" for field in sorted(read - fields))
    texts = set(re.findall(r'(?:reason\)|severity\)) (?:==|!=|in) \(?((?:"\w+"(?:, )?)+)', query))
    words = {word for text in texts for word in re.findall(r'"(\w+)"', text)}
    yield from (f"{word} is no reason" for word in sorted(words - set(Reason) - set(Severity)))
    index = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "functions").glob("*.py")))
    yield from (f"no function is called {name}" for name in FUNCTION.findall(query) if f"def {name}(" not in index)


@pytest.mark.parametrize("name", [*NAMES, *sorted(workbook())])
def test_query_passes_microsofts_analyser(name: str) -> None:
    """Microsoft's analyser finds nothing wrong: each column exists, and each comparison is one of fitting types."""
    assert analyses()[name].problems == ()


@pytest.mark.parametrize("name", [*NAMES, *sorted(workbook())])
def test_query_names_only_what_exists(name: str) -> None:
    """Each event, field, reason, severity and timer in a query exists in the code."""
    assert list(unknown(queries()[name])) == []


@pytest.mark.parametrize("name", [*NAMES, *sorted(workbook())])
def test_query_is_within_what_the_engine_runs(name: str) -> None:
    """The engine of the tests can run each query, so that a test can."""
    assert duckdb_kql.to_sql(queries()[name])


def test_every_alert_is_run() -> None:
    """Each alert has a test that runs its query."""
    texts = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py")))
    assert [name for name in NAMES if f'"{name}"' not in texts] == []


def operation(category: str, detail: str) -> dict[str, str]:
    """Return a row of `_LogOperation`, which Log Analytics itself writes."""
    known = {"table": "_LogOperation", "TimeGenerated": "2026-11-20T12:00:00", "Level": "Warning"}
    return {**known, "Category": category, "Operation": "Data collection Status", "Detail": detail}


@pytest.mark.parametrize(
    ("row", "fired"),
    [
        pytest.param(operation("Ingestion", CAPPED), {()}, id="the daily cap is reached"),
        pytest.param(operation("Ingestion", CAPPED.replace("OverQuota", "RespectQuota")), set(), id="a new day"),
        pytest.param(operation("Agent", CAPPED), set(), id="another category"),
    ],
)
def test_full_workspace_fires(tmp_path: Path, row: Mapping[str, str], fired: set[tuple[str, ...]]) -> None:
    """The daily cap of the workspace fires its alert, by the text that Azure documents for the cap."""
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{json.dumps(row)}\n", encoding="utf-8")
    at = datetime.fromisoformat(row["TimeGenerated"]).replace(tzinfo=UTC)
    assert Log(path).fires("logs-capped", at + timedelta(minutes=1)) == fired
    assert Log(path).fires("logs-capped", at + timedelta(minutes=16)) == set()


FAULTS = {
    "an event that does not exist": """traces | where message startswith '{"event": "sweep.finished"'""",
    "a beginning of no event": """traces | where message startswith '{"event": "massage.'""",
    "a field of another event": (
        """traces | where message startswith '{"event": "sweep.completed"' | extend line = parse_json(message)
        | where tobool(line.person)"""
    ),
    "a reason that does not exist": (
        """traces | where message startswith '{"event": "finding.reported"' | extend line = parse_json(message)
        | where tostring(line.reason) == "StartOwed" """
    ),
    "a timer that does not exist": 'requests | where name == "starting_timer"',
}


@pytest.mark.parametrize("query", FAULTS.values(), ids=FAULTS.keys())
def test_query_of_what_does_not_exist_is_found(query: str) -> None:
    """The check of names finds an alert that could never fire."""
    assert list(unknown(query))


def test_analyser_finds_what_azure_refuses() -> None:
    """Microsoft's analyser finds a dimension of the type dynamic, a misspelt column and a wrong comparison."""
    line = "traces | extend line = parse_json(message)"
    wrong = (
        f"{line} | summarize count() by line.subject",
        "traces | where mesage has 'a'",
        "requests | where name > 3",
        f"{line} | where line.person",
        "traces | where",
    )
    assert [found.problems != () for found in analyse(TABLES, wrong)] == [True] * len(wrong)


# ------------------------------------------------------------------------------------------------------------ the rules


def test_every_query_has_a_rule() -> None:
    """Each file with a query has a rule, which the module loads by its name, and each rule has a file."""
    assert sorted(path.stem for path in ALERTS.glob("*.kql")) == NAMES
    module = (ROOT / "infra" / "modules" / "alerts.bicep").read_text(encoding="utf-8")
    loaded = re.findall(r"^  '?([\w-]+)'?: loadTextContent\('\.\./alerts/([\w-]+)\.kql'\)$", module, re.MULTILINE)
    assert sorted(loaded) == [(name, name) for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_rule_is_one_that_azure_takes(name: str) -> None:
    """The window, frequency, severity, dimensions and query of a rule are within the limits of log search alerts."""
    rule, query = RULES["logs"][name], query_of(name)
    assert rule["frequency"] in WINDOWS
    assert rule["frequency"] not in {"PT1M", "P2D"}
    assert rule["window"] == "sweep" or WINDOWS[rule["window"]] >= WINDOWS[rule["frequency"]]
    assert rule["severity"] in range(5)
    assert len(rule["dimensions"]) <= MOST_DIMENSIONS
    assert {analyses()[name].columns[dimension] for dimension in rule["dimensions"]} <= {"string"}
    assert len(query.encode()) < MOST_BYTES
    assert [word for word in REFUSED_BY_RULES if word in query] == []


@pytest.mark.parametrize("name", NAMES)
def test_alert_on_a_line_tells_once(name: str) -> None:
    """An alert that does not end by itself looks at each line once; each other alert covers the time between two lines.

    With a window longer than the frequency, an alert that does not end by itself would tell people several times.
    """
    rule = RULES["logs"][name]
    if not rule["autoMitigate"]:
        assert rule["window"] == rule["frequency"]
    if name.startswith("finding-"):
        assert rule["autoMitigate"] is False


@pytest.mark.parametrize("name", sorted(RULES["metrics"]))
def test_metric_is_one_that_azure_has(name: str) -> None:
    """The metric and the aggregation of a rule are in Microsoft's list of the metrics of the resource's type."""
    rule = RULES["metrics"][name]
    assert rule["aggregation"] in METRICS[rule["namespace"]][rule["metric"]]
    assert {rule["frequency"], rule["window"]} <= WINDOWS.keys()


def test_every_alert_is_documented() -> None:
    """The page of alerts has one row for each alert, with its severity, and one section that says what to do."""
    page = text_of("docs/reference/alerts.md")
    rows = {code_in(row[0])[0]: row[1] for row in rows_of(page) if row[0].startswith("[`")}
    rules = RULES["logs"] | RULES["metrics"]
    assert rows == {name: str(rule["severity"]) for name, rule in rules.items()}
    assert [name for name in rules if not part_of(page, name).strip()] == []
