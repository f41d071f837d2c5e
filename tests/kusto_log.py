"""Run the queries of alerts on rows of Application Insights, and tell when an alert rule would tell people.

The package duckdb-kql runs the queries. Its author compares it with Microsoft's own engine.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb_kql

ROOT = Path(__file__).resolve().parents[1]
ALERTS = ROOT / "infra" / "alerts"
RULES: Mapping[str, Any] = json.loads((ALERTS / "rules.json").read_text(encoding="utf-8"))
TABLES: Mapping[str, Mapping[str, str]] = json.loads(
    (ROOT / "tests" / "infra" / "kept" / "application-insights.json").read_text(encoding="utf-8")
)["tables"]
TYPES = {"datetime": "TIMESTAMP", "string": "VARCHAR", "int": "INTEGER", "real": "DOUBLE", "dynamic": "JSON"}
WINDOWS = {
    **{f"PT{minutes}M": timedelta(minutes=minutes) for minutes in (1, 5, 10, 15, 30, 45)},
    **{f"PT{hours}H": timedelta(hours=hours) for hours in range(1, 7)},
    "P1D": timedelta(days=1),
    "P2D": timedelta(days=2),
}
"""The windows that Azure takes (terraform-provider-azurerm, monitor_scheduled_query_rules_alert_v2)."""
SWEEP_WINDOW = timedelta(hours=3)
QUIET_EVALUATIONS = 3
"""After so many evaluations without a row, an alert that ends by itself has ended (Azure docs, "Create or edit a log
search alert rule": three periods for frequencies of 5 to 15 minutes)."""
Dimensions = tuple[str, ...]


def query_of(name: str) -> str:
    """Return the query of an alert."""
    return (ALERTS / f"{name}.kql").read_text(encoding="utf-8")


@cache
def _sql(query: str) -> str:
    return str(duckdb_kql.to_sql(query))


class Log:
    """The tables of Application Insights, with the rows of a file."""

    def __init__(self, path: Path) -> None:
        """Fill the tables with the rows that a local host has written into a file, each with the name of its table."""
        self._database = duckdb_kql.connect()
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        strange = {(row["table"], column) for row in rows for column in row if column not in TABLES[row["table"]]}
        assert {column for _, column in strange} <= {"table"}, "Application Insights has no such column"
        for table, columns in TABLES.items():
            types = "{" + ", ".join(f"'{column}': '{TYPES[kind]}'" for column, kind in columns.items()) + "}"
            read = f"read_json('{path}', format='newline_delimited', columns={types[:-1]}, 'table': 'VARCHAR'}})"
            chosen = f'SELECT * EXCLUDE ("table") FROM {read} WHERE "table" = \'{table}\''  # noqa: S608
            self._database.execute(f'CREATE TABLE "all {table}" AS {chosen}')

    def rows(self, query: str, begin: datetime, end: datetime) -> list[dict[str, Any]]:
        """Return the result of a query on the rows after `begin` and up to `end`."""
        span = f"> '{begin:%Y-%m-%d %H:%M:%S.%f}' AND {{0}} <= '{end:%Y-%m-%d %H:%M:%S.%f}'"
        for table, columns in TABLES.items():
            time = f'"{next(column for column, kind in columns.items() if kind == "datetime")}"'
            chosen = f'SELECT * FROM "all {table}" WHERE {time} {span.format(time)}'  # noqa: S608
            self._database.execute(f'CREATE OR REPLACE VIEW "{table}" AS {chosen}')
        result = self._database.execute(_sql(query))
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def fires(self, name: str, at: datetime) -> set[Dimensions]:
        """Return the values of the dimensions for which an alert's condition is met at a time."""
        rule = RULES["logs"][name]
        found = self.rows(query_of(name), at - window_of(rule), at)
        if rule["operator"] == "LessThan":
            return {()} if len(found) < rule["threshold"] else set()
        counts = Counter(tuple(str(row[dimension]) for dimension in rule["dimensions"]) for row in found)
        return {values for values, count in counts.items() if count > rule["threshold"]}

    def told(self, name: str, begin: datetime, end: datetime) -> list[datetime]:
        """Return each time at which the alert tells people between two times, once for each of its dimensions."""
        rule = RULES["logs"][name]
        tell = _ending_by_itself() if rule["autoMitigate"] else lambda met: met
        return [at for at in _times(begin, end, WINDOWS[rule["frequency"]]) for _ in tell(self.fires(name, at))]


def window_of(rule: Mapping[str, Any]) -> timedelta:
    """Return the window of a rule, for sweeps each hour."""
    return SWEEP_WINDOW if rule["window"] == "sweep" else WINDOWS[rule["window"]]


def _times(begin: datetime, end: datetime, step: timedelta) -> Iterator[datetime]:
    at = begin + step
    while at <= end:
        yield at
        at += step


def _ending_by_itself() -> Callable[[set[Dimensions]], set[Dimensions]]:
    """Return a function that returns what is new among what is met: an alert that lasts tells nobody again."""
    quiet: dict[Dimensions, int] = {}

    def tell(met: set[Dimensions]) -> set[Dimensions]:
        new = met - quiet.keys()
        for values in {*quiet, *met}:
            quiet[values] = 0 if values in met else quiet[values] + 1
            if quiet[values] >= QUIET_EVALUATIONS:
                del quiet[values]
        return new

    return tell
