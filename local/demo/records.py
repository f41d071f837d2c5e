"""Read the journal, the reported problems and the log of the hosted Function App, and start its sweep."""

import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient

from local.app import LocalApp
from local.console.client import HostClient
from local.console.log import events
from local.console.sweeps import run_sweep
from local.patience import HANG

LOOK_EVERY = 0.1
SLEEPING = re.compile(r"^(\S+Z) INFO host\.sleeps: Sleeping for (?!0\.050 )", re.MULTILINE)
"""A sleep of the hosted app, except those of 50 ms in which a run waits for the end of another run's read (ADR 67)."""


class Told(NamedTuple):
    """A reported problem or a skipped step of Certroll, with the reason."""

    subject: str
    reason: str
    detail: str


def await_recorded(local: LocalApp, of: Literal["site", "app"], ids: set[str], state: str) -> bool:
    """Return True as soon as Certroll's journal has every site, or the app of every site, in `state`.

    `ids` are lower-case resource ids. Return False after nine minutes.
    """
    give_up = time.monotonic() + HANG
    while time.monotonic() < give_up:
        rows = _rows(local, "certrolljournal")
        if ids <= {row[of].lower() for row in rows if of in row and row.get("state") == state}:
            return True
        time.sleep(LOOK_EVERY)  # noqa: TID251 - the demo runs on real time
    return False


def findings(local: LocalApp) -> tuple[Told, ...]:
    """Return Certroll's findings (reported problems) from the table of findings."""
    rows = _rows(local, "certrollfindings")
    return tuple(Told(str(row.get("subject")), row["reason"], row["detail"]) for row in rows if "reason" in row)


def _rows(local: LocalApp, table: str) -> list[Mapping[str, Any]]:
    """Return all rows of a table, or an empty list if Certroll has not yet made the table."""
    with TableServiceClient.from_connection_string(local.azurite.connection_string, **local.azurite.trust) as service:
        try:
            return list(service.get_table_client(table).list_entities())
        except ResourceNotFoundError:
            return []


def skips(local: LocalApp) -> tuple[Told, ...]:
    """Return every step that Certroll's log reports as skipped. Only some skips are findings."""
    return tuple(
        Told(skip["subject"], skip["reason"], skip["detail"])
        for entry in _logged(local)
        if entry["event"] == "plan.listed" and entry["list"] == "skips"
        for skip in entry["rows"]
    )


def logged(local: LocalApp, event: str) -> list[dict[str, Any]]:
    """Return every event of the given name in Certroll's log, oldest first."""
    return [entry for entry in _logged(local) if entry["event"] == event]


def _logged(local: LocalApp) -> Iterator[dict[str, Any]]:
    return events(local.host.log) if local.host else iter(())


def sleeps(local: LocalApp) -> tuple[datetime, ...]:
    """Return the times at which the hosted app began to sleep, from the log of its host."""
    text = local.host.log.read_text(encoding="utf-8") if local.host else ""
    return tuple(datetime.fromisoformat(at) for at in SLEEPING.findall(text))


def sweep(local: LocalApp, *, followed_by: str | None = None) -> bool:
    """Start a sweep (Certroll's check of all certificates), and return True if the sweep succeeded.

    If `followed_by` names a function, the next run of that function has to succeed after the sweep.
    """
    if local.host is None:
        raise RuntimeError("the demo hosts the function app itself")
    host = HostClient(local.host.url, local.host.ready.master_key)
    before = host.ended()
    swept = run_sweep(host, local.host.log) is not None
    return swept and (followed_by is None or host.await_end(followed_by, before))
