"""Show the fleet of a running local Azure, live."""

import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.data.tables import TableServiceClient
from rich.console import Group
from rich.live import Live
from rich.text import Text

from local.console.client import ControlClient, answers
from local.console.fleet_view import (
    EnvironmentState,
    FleetView,
    Reported,
    Row,
    Run,
    Served,
    fleet_view,
    newest_outcomes,
)
from local.console.log import Event, Tail
from local.layout import GAP, INDENT, Column, fold, lay_out
from local.running import NotRunning, Running
from local.screen import BAD, GOOD, QUIET, STRONG, Screen

EVERY = 1.0
"""Seconds between two pictures."""
GOOD_WORDS = re.compile(r"\b(?:Converged|Proven|Validated|Retired|Answered)\b")
BAD_WORDS = re.compile(
    r"\b(?:Failed|Stalled|RolledBack|NoLastGood|Refused|Contested|no answer|has ended|critical|high)\b"
)
LEAST = 4
"""How many lines each part gets in the lowest terminal: a table's head, its first row, and what is left out."""
HEAD = 2
"""The lines above each part: an empty line and the title."""


def watch(running: Running, screen: Screen) -> None:
    """Show the fleet until Ctrl-C. If the output is no terminal, print one picture."""
    source = Source(running)
    if not screen.console.is_terminal:
        for line in picture(source.view(), screen.width, None):
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
        self._outcomes: dict[str, Event] = {}

    def view(self) -> FleetView:
        """Return the fleet as it is now."""
        self._outcomes |= newest_outcomes(self._tail.new())
        state, sightings = self._client.get("/state"), self._client.get("/served")
        journal, findings = self._tables("certrolljournal", "certrollfindings")
        return fleet_view(state, sightings, journal, findings, self._outcomes, self._app())

    def _app(self) -> str:
        url = self._running.environment.get("LOCAL_FUNCTIONS_URL")
        if url is None:
            return "is on another host"
        return "runs" if answers(url) else "has ended"

    def _tables(self, *names: str) -> list[list[Row]]:
        connection = self._running.environment["AZURE_STORAGE_CONNECTION_STRING"]
        try:
            with TableServiceClient.from_connection_string(connection, retry_total=0) as service:
                return [_rows(service, name) for name in names]
        except AzureError as gone:
            raise NotRunning("the storage of the local Azure does not answer: has the local Azure ended?") from gone


def _rows(service: TableServiceClient, table: str) -> list[Row]:
    """Return all rows of a table, or an empty list if Certroll has not yet made the table."""
    try:
        return [dict(row) for row in service.get_table_client(table).list_entities()]
    except ResourceNotFoundError:
        return []


def picture(view: FleetView, width: int, height: int | None) -> list[Text]:
    """Return the lines of one picture. In a terminal of `height` lines, the least recent entries are left out."""
    top = [
        *fold(f"{view.now} UTC. The function app {view.app}. Ctrl-C ends the watch.", width),
        *_down(view.down, width),
    ]
    tables = (
        ("Host names", _served(view.served, width) if view.served else []),
        ("Certificates", _runs(view.runs, width)),
        ("Environments", _environments(view.environments, width) if view.environments else []),
        ("Findings", list(_findings(view.reported, width))),
    )
    parts = [(title, lines) for title, lines in tables if lines]
    needs = [len(lines) for _, lines in parts]
    shares = needs if height is None else share_out(needs, height - len(top) - len(parts) * HEAD - 1)
    return [Text(line) for line in top] + [
        line for (title, lines), most in zip(parts, shares, strict=True) for line in _titled(title, _cut(lines, most))
    ]


def share_out(needs: list[int], room: int) -> list[int]:
    """Return how many lines each part gets: what a part does not need goes to the other parts."""
    shares, left, waiting = [0] * len(needs), room, sorted(range(len(needs)), key=lambda part: needs[part])
    while waiting:
        part = waiting.pop(0)
        shares[part] = max(min(needs[part], left // (len(waiting) + 1)), LEAST)
        left -= shares[part]
    return shares


def _titled(title: str, lines: Sequence[str]) -> Iterator[Text]:
    yield Text()
    yield Text(title, style=STRONG)
    yield from map(_coloured, lines)


def _coloured(line: str) -> Text:
    text = Text(line, style=QUIET if line.lstrip().startswith(("---", "…")) else "")
    text.highlight_regex(GOOD_WORDS, GOOD)
    text.highlight_regex(BAD_WORDS, BAD)
    return text


def _down(down: Sequence[str], width: int) -> list[str]:
    return fold(f"Stopped: {', '.join(down)}.", width) if down else []


def _served(served: Sequence[Served], width: int) -> list[str]:
    rows = [(host.host, host.site, host.thumbprint, _age(host), host.since) for host in served]
    laid = lay_out(("host name", Column("site", 1), "serves", "version", "since"), rows, width)
    return [laid.head, laid.rule, *laid.rows]


def _age(host: Served) -> str:
    return "newest" if host.is_newest else "old"


def _runs(runs: Sequence[Run], width: int) -> list[str]:
    rows = [(run.certificate, run.newest, run.outcome, run.states) for run in runs]
    columns = ("certificate", Column("newest", 1), "last run", Column("sites and apps", folds=True))
    laid = lay_out(columns, rows, width)
    return [laid.head, laid.rule, *laid.rows]


def _environments(environments: Sequence[EnvironmentState], width: int) -> list[str]:
    rows = [(environment.name, environment.roots, environment.apps) for environment in environments]
    laid = lay_out(("environment", "roots", Column("apps", folds=True)), rows, width)
    return [laid.head, laid.rule, *laid.rows]


def _findings(reported: Sequence[Reported], width: int) -> Iterator[str]:
    for finding in reported:
        first, *others = fold(
            GAP.join((finding.at, finding.severity, finding.reason, finding.subject)), width - len(INDENT)
        )
        yield f"{INDENT}{first}"
        yield from (f"{INDENT}{INDENT}{line}" for line in [*others, *fold(finding.detail, width - 2 * len(INDENT))])
    if not reported:
        yield f"{INDENT}none"


def _cut(lines: list[str], room: int) -> list[str]:
    """Return at most `room` lines. If lines are left out, the last returned line says how many."""
    if len(lines) <= room:
        return lines
    kept = room - 1
    return [*lines[:kept], f"{INDENT}… and {len(lines) - kept} more lines: enlarge the terminal"]
