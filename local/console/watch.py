"""Show the fleet of a running local Azure, live."""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.data.tables import TableServiceClient
from rich.console import Group
from rich.live import Live
from rich.text import Text

from local.console.client import ControlClient, NoAnswer, answers
from local.console.fleet_view import (
    EnvironmentState,
    FleetView,
    Reported,
    Row,
    Run,
    Served,
    fleet_view,
)
from local.console.last_runs import LastRuns
from local.console.log import Tail
from local.console.parts import Entry, Part, fitted, share_out
from local.layout import GAP, INDENT, Column, detailed, fold, lay_out
from local.running import Running
from local.screen import BAD, GOOD, QUIET, STRONG, Screen, width_of_reader

EVERY = 1.0
"""Seconds between two pictures."""
GOOD_WORDS = re.compile(r"\b(?:Converged|Proven|Validated|Retired|Answered)\b")
BAD_WORDS = re.compile(
    r"\b(?:Failed|Stalled|NewestRefused|VersionHeld|RolledBack|NoLastGood|Refused|Contested|no answer|has ended"
    r"|critical|high)\b"
)
ENDS = " Ctrl-C ends the watch."
TOO_LOW = "… The terminal is too low for the rest: enlarge the terminal."
HEAD = 2
"""The lines above each part: an empty line and the title."""


def watch(running: Running, screen: Screen) -> None:
    """Show the fleet until Ctrl-C. If the output is a pipe, a file or a dumb terminal, print one picture."""
    source = Source(running)
    if not screen.console.is_terminal or screen.console.is_dumb_terminal:
        width = width_of_reader() if screen.is_piped else screen.width
        for line in picture(source.view(), width or screen.width, None):
            screen.console.print(line, soft_wrap=True)
        return
    with Live(console=screen.console, screen=True, auto_refresh=False) as live:
        while True:
            size = screen.console.size
            live.update(Group(*picture(source.view(), size.width, size.height)), refresh=True)
            threading.Event().wait(EVERY)


class Source:
    """Where `watch` looks: the control port, the product's tables and the log of the Functions host."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._client = ControlClient(running)
        self._tail = Tail(Path(running.log))
        self._last_runs = LastRuns()

    def view(self) -> FleetView:
        """Return the fleet as it is now."""
        self._last_runs.follow(self._tail.new())
        state, sightings = self._client.get("/state"), self._client.get("/served")
        journal, findings = self._tables("certrolljournal", "certrollfindings")
        return fleet_view(state, sightings, journal, findings, self._last_runs.by_subject, self._app())

    def _app(self) -> str:
        url = self._running.environment.get("LOCAL_FUNCTIONS_URL")
        if url is None:
            return "is on another host"
        return "runs" if answers(url) else "has ended"

    def _tables(self, *names: str) -> list[list[Row]]:
        variables = self._running.environment
        connection, trusted = variables["AZURE_STORAGE_CONNECTION_STRING"], variables["REQUESTS_CA_BUNDLE"]
        options = {"connection_verify": trusted, "retry_total": 0}
        try:
            with TableServiceClient.from_connection_string(connection, **options) as service:
                return [_rows(service, name) for name in names]
        except AzureError as gone:
            raise NoAnswer("the storage of the local Azure does not answer: its terminal may say why") from gone


def _rows(service: TableServiceClient, table: str) -> list[Row]:
    """Return all rows of a table, or an empty list if Certroll has not yet made the table."""
    try:
        return [dict(row) for row in service.get_table_client(table).list_entities()]
    except ResourceNotFoundError:
        return []


def picture(view: FleetView, width: int, height: int | None) -> list[Text]:
    """Return the lines of one picture. In a terminal of `height` lines, the least important entries are left out."""
    top = [
        *fold(f"{view.now} UTC. The function app {view.app}.{'' if height is None else ENDS}", width),
        *_down(view.down, width),
    ]
    tables = (_served(view.served, width), _runs(view.runs, width), _environments(view.environments, width))
    parts = [*(table for table in tables if table.entries), _findings(view.reported, width)]
    needs = [part.needs for part in parts]
    shares = needs if height is None else share_out(needs, height - len(top) - len(parts) * HEAD - 1)
    lines = [Text(line) for line in top] + [
        line for part, most in zip(parts, shares, strict=True) for line in _titled(part, fitted(part, most))
    ]
    if height is None or len(lines) < height:
        return lines
    return [*lines[: max(height - 2, 0)], Text(_short(TOO_LOW, width), style=BAD)]


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}…"


def _titled(part: Part, lines: Sequence[str]) -> Iterator[Text]:
    yield Text()
    yield Text(part.title, style=STRONG)
    for line in lines:
        yield Text(line, style=QUIET) if line in part.head else _coloured(line)


def _coloured(line: str) -> Text:
    text = Text(line, style=QUIET if line.lstrip().startswith(("---", "…")) else "")
    text.highlight_regex(GOOD_WORDS, GOOD)
    text.highlight_regex(BAD_WORDS, BAD)
    return text


def _down(down: Sequence[str], width: int) -> list[str]:
    return fold(f"Stopped: {', '.join(down)}.", width) if down else []


def _served(served: Sequence[Served], width: int) -> Part:
    rows = [(host.host, host.site, host.thumbprint, _age(host), host.since) for host in served]
    part = _table("Host names", ("host name", Column("site", 1), "serves", "version", "since"), rows, width)
    marks = ["" if host.is_newest else "old" for host in served]
    entries = zip(part.entries, marks, strict=True)
    return replace(part, entries=tuple(replace(entry, mark=mark) for entry, mark in entries))


def _age(host: Served) -> str:
    return "newest" if host.is_newest else "old"


def _runs(runs: Sequence[Run], width: int) -> Part:
    rows = [(run.certificate, run.newest, run.outcome, run.states) for run in runs]
    columns = ("certificate", Column("newest", 1), "last run", Column("sites and apps", folds=True))
    return _table("Certificates", columns, rows, width)


def _environments(environments: Sequence[EnvironmentState], width: int) -> Part:
    rows = [(found.name, found.roots, found.outcome, found.apps) for found in environments]
    return _table("Environments", ("environment", "roots", "last run", Column("apps", folds=True)), rows, width)


def _table(title: str, columns: Sequence[Column | str], rows: Sequence[Sequence[str]], width: int) -> Part:
    laid = lay_out(columns, rows, width)
    return Part(title, (laid.head, laid.rule), tuple(Entry(lines) for lines in laid.rows))


def _findings(reported: Sequence[Reported], width: int) -> Part:
    none = (Entry((f"{INDENT}none",)),)
    return Part("Findings", (), tuple(_finding(finding, width) for finding in reported) or none)


def _finding(finding: Reported, width: int) -> Entry:
    words = GAP.join((finding.at, finding.severity, finding.reason, finding.subject))
    first, *others = fold(words, width - len(INDENT))
    deep = INDENT + INDENT
    brief = (f"{INDENT}{first}", *(f"{deep}{line}" for line in others))
    return Entry(brief, tuple(f"{deep}{line}" for line, _ in detailed(finding.detail, width - len(deep))))
