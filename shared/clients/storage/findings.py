"""Store findings (reported problems) and Certroll's history in the tables `certrollfindings` and `certrollhistory`.

| table | PartitionKey | RowKey |
|---|---|---|
| `certrollfindings` | hash of the finding's scope | hash of the finding's subject with its full id, and reason |
| `certrollhistory` | hash of the lineage or another scope | time and hash of the entry |
| `certrolljournal` | `finding-scopes` | hash of a scope that has, or had, an open finding |

Certroll only adds rows to the table `certrollhistory`.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.clients.storage.edge import record_of
from shared.clients.storage.rows import Entity, digest, fitting, lineage_key, moment, row_subject
from shared.clients.storage.tables import JOURNAL, Tables
from shared.domain.despite_storage import despite_storage
from shared.domain.errors import RecordUnreadable
from shared.domain.findings import Finding, HistoryEntry, OpenFinding, SeenBy
from shared.domain.names import SiteRef, VaultCertificateRef, Webspace
from shared.domain.reason import Reason
from shared.domain.subject import identity
from shared.domain.writes import AzureWrite
from shared.telemetry import event

HISTORY = "certrollhistory"
FINDINGS = "certrollfindings"
SCOPES = "finding-scopes"
ROWS_SCOPE = "journal"
"""The scope of findings about unreadable rows."""
OPEN, CLOSED, NOTED = "open", "closed", "noted"
"""The states of a row: its cause lasts, its cause is gone, or it is about one event that nobody can inspect again."""
LOGGED_AGAIN = timedelta(hours=23)
"""How often the log has a finding that stays open. An hourly sweep so logs the finding once in each 24 hours."""
_PASSING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::[\d.]+)?(?:Z| UTC)?", re.IGNORECASE
)
"""The parts of a detail that say nothing about the cause: the ids of a request, and times."""
MOST_WRITES = 10
"""How many writes of an action its entry in the history names. An action sends one write, and repeats a refused one."""


class State(StrEnum):
    """What the log says about a finding."""

    OPENED = "opened"
    CHANGED = "changed"
    LASTS = "lasts"


class TableHistory:
    """The history of Certroll's work, as rows of the table `certrollhistory` in the order of time."""

    def __init__(self, tables: Tables, run: str) -> None:
        self._tables = tables
        self._run = run

    def add(self, ref: VaultCertificateRef | str, entries: tuple[HistoryEntry, ...]) -> None:
        """Append entries to the history of a vault certificate or of another scope."""
        self._tables.write(
            HISTORY,
            [
                {
                    "PartitionKey": digest(ref) if isinstance(ref, str) else lineage_key(ref),
                    "RowKey": f"{entry.at:%Y%m%dT%H%M%S%f}-{digest(repr(entry))[:16]}",
                    "certificate": fitting(str(ref)),
                    "run": self._run,
                    "at": entry.at,
                    **_plain(event=entry.event, subject=entry.subject, reason=entry.reason, detail=entry.detail),
                    **_ids(entry.writes),
                }
                for entry in entries
            ],
        )


class TableFindings:
    """The findings (reported problems) for operators, as rows of the table `certrollfindings`."""

    def __init__(self, tables: Tables, is_unreadable: Callable[[str], bool] = lambda _: True) -> None:
        """Store findings in the tables. `is_unreadable` reads the row that the subject of a finding names."""
        self._tables = tables
        self._is_unreadable = is_unreadable

    def close_mended(self, at: datetime) -> None:
        """Close the findings about unreadable rows that are gone, or that this release can read."""
        self.close(ROWS_SCOPE, at, lambda found: not self._is_unreadable(found.subject))

    def report(self, findings: tuple[Finding, ...]) -> None:
        """Record findings (reported problems), and log each finding that opens, changes, or was not logged for a day.

        A repeated finding overwrites the date and detail of its row.
        """
        despite_storage(
            sorted({finding.scope for finding in findings}),
            lambda scope: self._report(scope, {_key(known): known for known in findings if known.scope == scope}),
        )

    def _report(self, scope: str, findings: Mapping[str, Finding]) -> None:
        known = {row["RowKey"]: row for row in self._known(scope, max(finding.at for finding in findings.values()))}
        states = {key: _state(known.get(key), finding) for key, finding in findings.items()}
        for key, finding in findings.items():
            if states[key] is not None:
                _log(finding, states[key])
        self._tables.write(FINDINGS, [_row(key, known.get(key), found, states[key]) for key, found in findings.items()])
        if State.OPENED in states.values():
            with suppress(RecordUnreadable):  # the row is there, and says all that its keys say
                self._tables.write(
                    JOURNAL, [{"PartitionKey": SCOPES, "RowKey": digest(scope), "scope": fitting(scope)}]
                )

    def _known(self, scope: str, at: datetime) -> list[Entity]:
        """Return the rows of a scope that this release can read, and report each of the others once."""
        known, unreadable = list[Entity](), list[Finding]()
        for row in self._tables.rows(FINDINGS, digest(scope)):
            try:
                record_of(known_finding, row)
                known.append(row)
            except RecordUnreadable as error:
                subject = row_subject(FINDINGS, row)
                unreadable.append(Finding(at, ROWS_SCOPE, subject, Reason.RECORD_UNREADABLE, str(error)[:1000]))
        if unreadable and scope != ROWS_SCOPE:
            self.report(tuple(unreadable))
        return known

    def close(self, scope: str, at: datetime, is_gone: Callable[[OpenFinding], bool], why: str = "") -> None:
        """Close the open findings of the scope for which `is_gone` returns True, and log each of them.

        A row of another release stays as it is until a run reports its finding again.
        """
        rows = [row for row in self._known(scope, at) if row["state"] == OPEN]
        gone = [row for row in rows if is_gone(_open_finding(row))]
        for row in gone:
            event(
                "finding.closed",
                scope=row["scope"],
                subject=row["subject"],
                reason=row["reason"],
                severity=row["severity"],
                person=row["person"],
                first_seen=moment(row["first_seen"]),
                last_seen=moment(row["last_seen"]),
                why=why,
            )
        keys = ({name: row[name] for name in ("PartitionKey", "RowKey")} for row in gone)
        self._tables.write(FINDINGS, [{**key, "state": CLOSED, "closed_at": at, "why": why} for key in keys])

    def scopes(self) -> frozenset[str]:
        """Return the scopes that have, or had, an open finding. A row without a scope stops no sweep."""
        return frozenset(scope_of(row) for row in self._tables.rows(JOURNAL, SCOPES) if "scope" in row)


def _key(finding: Finding) -> str:
    return digest(f"{identity(finding.subject)} {finding.reason}")


def known_finding(row: Entity) -> OpenFinding:
    """Return the finding of a row with all columns of this release. Raise an error for any other row."""
    moment(row["logged_at"])
    if row["state"] not in {OPEN, CLOSED, NOTED} or not all(str(row[name]) for name in ("scope", "severity", "person")):
        raise ValueError("the finding has no state, scope or severity of this release")
    return _open_finding(row)


def scope_of(row: Entity) -> str:
    """Return the scope of findings that a row names."""
    return str(row["scope"])


def _state(row: Entity | None, finding: Finding) -> State | None:
    """Return what to log about a finding, or None if the log has it already."""
    if row is None or row["state"] == CLOSED:
        return State.OPENED
    if _steady(str(row.get("detail"))) != _steady(fitting(finding.detail)):
        return State.CHANGED
    return State.LASTS if finding.at - moment(row["logged_at"]) >= LOGGED_AGAIN else None


def _steady(detail: str) -> str:
    """Return a detail without ids and times, which differ each time that Azure refuses the same request."""
    return _PASSING.sub("", detail)


def _log(finding: Finding, state: State | None) -> None:
    reason = finding.reason
    event(
        "finding.reported",
        scope=finding.scope,
        subject=finding.subject,
        reason=reason,
        severity=reason.severity,
        person=reason.needs_person,
        state=state,
        detail=finding.detail,
    )


def _row(key: str, known: Entity | None, finding: Finding, state: State | None) -> Entity:
    """Return the row of a finding. A merge keeps the columns of an earlier row that this row does not name."""
    reopened = {"first_seen": finding.at} if known is None or state is State.OPENED else {}
    logged = {} if state is None else {"logged_at": finding.at}
    place = finding.webspace or Webspace("", "")
    return {
        "PartitionKey": digest(finding.scope),
        "RowKey": key,
        **_plain(scope=finding.scope, subject=finding.subject, reason=finding.reason, detail=finding.detail),
        "resource": fitting(getattr(finding.subject, "full_id", "")),
        "severity": str(finding.reason.severity),
        "person": finding.reason.needs_person,
        "state": NOTED if finding.reason.once else OPEN,
        "seen_by": str(finding.seen_by),
        "site": finding.site.resource_id if finding.site else "",
        "subscription": place.subscription,
        "webspace": place.name,
        "last_seen": finding.at if known is None else max(finding.at, moment(known["last_seen"])),
        **reopened,
        **logged,
    }


def _open_finding(row: Entity) -> OpenFinding:
    return OpenFinding(
        subject=str(row["subject"]),
        reason=str(row["reason"]),
        seen_by=SeenBy(row["seen_by"]),
        site=SiteRef.parse(row["site"]) if row["site"] else None,
        webspace=Webspace(row["subscription"], row["webspace"]) if row["webspace"] else None,
        first_seen=moment(row["first_seen"]),
        last_seen=moment(row["last_seen"]),
    )


def _plain(**fields: str) -> dict[str, str]:
    return {name: fitting(str(value)) for name, value in fields.items()}


def _ids(writes: tuple[AzureWrite, ...]) -> dict[str, Any]:
    """Return columns with the last writes of an action, for a query by an id of Azure's Activity Log."""
    return {
        f"{name}_{number}": value
        for number, write in enumerate(writes[-MOST_WRITES:])
        for name, value in (
            ("write", fitting(f"{write.method} {write.path}")),
            ("status", write.status),
            ("correlation", fitting(write.correlation)),
            ("request", fitting(write.request)),
        )
    }
