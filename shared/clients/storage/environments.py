"""Store the records of App Service Environments in the table `certrolljournal`.

| PartitionKey | RowKey | the row records |
|---|---|---|
| `environments` | hash of the environment | the environment's roots, and when its apps were stopped and started |
| `environment-` and the environment's hash | hash of the site or slot | the stop and start of one app |
| `starts` | hash of the site or slot | a pending start |
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.clients.storage.records import MOST_DETAIL
from shared.clients.storage.rows import Entity, digest, fitting, items_of, listed, moment, revision_of, stored_at
from shared.clients.storage.tables import JOURNAL, MOST_RACES, Tables
from shared.clients.storage.unreadable import Rows
from shared.domain.environments.apps import WaveApp
from shared.domain.environments.record import (
    AppRestart,
    AppRestartState,
    EnvironmentRecord,
    NotedRoot,
    PendingStart,
    Want,
)
from shared.domain.errors import Conflict
from shared.domain.names import EnvironmentRef, SiteRef, Thumbprint

ENVIRONMENTS = "environments"
STARTS = "starts"
APPS = "environment-"


class TableEnvironmentRecords:
    """The record of each App Service Environment, as rows of the journal."""

    def __init__(self, tables: Tables, rows: Rows) -> None:
        self._tables = tables
        self._rows = rows

    def all(self) -> tuple[EnvironmentRecord, ...]:
        """Return the journal's readable records of all App Service Environments."""
        found, _ = self._rows.all(JOURNAL, environment_of, self._tables.rows(JOURNAL, ENVIRONMENTS))
        return tuple(sorted(found, key=lambda record: record.environment))

    def of(self, environment: EnvironmentRef) -> EnvironmentRecord:
        """Return the journal's record of an App Service Environment, or an empty record if the journal has no row.

        Raise RecordUnreadable if the row is unreadable.
        """
        row = self._tables.row(JOURNAL, ENVIRONMENTS, digest(environment.resource_id))
        return EnvironmentRecord(environment) if row is None else self._rows.one(JOURNAL, environment_of, row)

    def put(self, record: EnvironmentRecord) -> EnvironmentRecord:
        """Write the record if no other run has written it since the read, and return the record with its new revision.

        Raise Conflict if another run has written the record in the meantime.
        """
        row, what = _record_row(record), f"the record of environment {record.environment}"
        return replace(record, revision=self._tables.put(row, record.revision, what))

    def change(
        self, environment: EnvironmentRef, change: Callable[[EnvironmentRecord], EnvironmentRecord]
    ) -> EnvironmentRecord:
        """Change the journal's record of an App Service Environment, and return the changed record.

        If other runs of Certroll write the environment's record at the same time, this function reads the record and
        tries again, five times in all.
        """
        for _ in range(MOST_RACES):
            before = self.of(environment)
            after = change(before)
            if after == before:
                return before
            try:
                return self.put(after)
            except Conflict:
                continue
        raise Conflict(f"the record of environment {environment} changed {MOST_RACES} times while it was written")


class TableAppRestarts:
    """The record of each app that Certroll stops and starts in an App Service Environment, as rows of the journal."""

    def __init__(self, tables: Tables, rows: Rows) -> None:
        self._tables = tables
        self._rows = rows

    def of(self, environment: EnvironmentRef) -> tuple[AppRestart, ...]:
        """Return each app's record of its stop and start in an App Service Environment, sorted by site."""
        found, _ = self._rows.all(JOURNAL, app_of, self._tables.rows(JOURNAL, _key(environment)))
        return tuple(sorted(found, key=lambda app: app.site))

    def unreadable(self, environment: EnvironmentRef) -> frozenset[str]:
        """Return the keys of the apps of an environment whose records are unreadable, for `record_key`."""
        _, stops = self._rows.all(JOURNAL, app_of, self._tables.rows(JOURNAL, _key(environment)))
        _, starts = self._rows.all(JOURNAL, start_of, self._tables.rows(JOURNAL, STARTS))
        return stops | starts

    def put(self, environment: EnvironmentRef, apps: Iterable[AppRestart]) -> None:
        """Write the records of apps of an App Service Environment."""
        self._tables.write(JOURNAL, (_app_row(environment, app) for app in apps))

    def forget(self, environment: EnvironmentRef, site: SiteRef) -> None:
        """Delete the record of an app's stop and start."""
        self._tables.delete(JOURNAL, _key(environment), digest(site.resource_id))


class TablePendingStarts:
    """The apps that Certroll has stopped or is about to stop, and that Certroll must start again."""

    def __init__(self, tables: Tables, rows: Rows) -> None:
        self._tables = tables
        self._rows = rows

    def record(self, start: PendingStart) -> None:
        """Record that Certroll must start an app."""
        keys = {"PartitionKey": STARTS, "RowKey": digest(start.site.resource_id)}
        about = {"site": start.site.resource_id, "environment": start.environment.resource_id, "at": start.at}
        self._tables.write(JOURNAL, [{**keys, **about}])

    def all(self) -> tuple[PendingStart, ...]:
        """Return all readable pending starts, the oldest first.

        An unreadable row must not keep the apps of the other rows down.
        """
        found, _ = self._rows.all(JOURNAL, start_of, self._tables.rows(JOURNAL, STARTS))
        return tuple(sorted(found, key=lambda start: (start.at, start.site)))

    def complete(self, site: SiteRef) -> None:
        """Delete the record of an app's pending start."""
        self._tables.delete(JOURNAL, STARTS, digest(site.resource_id))


def start_of(row: Entity) -> PendingStart:
    """Return the pending start of a row. A row without a time counts from the time at which Azure stored it."""
    at = moment(row["at"]) if isinstance(row.get("at"), datetime) else stored_at(row)
    if at is None:
        raise ValueError("the pending start has no time")
    return PendingStart(SiteRef.parse(row["site"]), EnvironmentRef.parse(row["environment"]), at)


def _key(environment: EnvironmentRef) -> str:
    return f"{APPS}{digest(environment.resource_id)}"


def _record_row(record: EnvironmentRecord) -> dict[str, Any]:
    roots = [[root.thumbprint, _text(root.noted_at), _text(root.seen_at), root.name] for root in record.roots]
    return {
        "PartitionKey": ENVIRONMENTS,
        "RowKey": digest(record.environment.resource_id),
        "environment": record.environment.resource_id,
        **listed("roots", roots),
        "since": _text(record.since),
        "done_at": _text(record.done_at),
        "requested_at": _text(record.requested_at),
        "hidden": record.hidden,
        **listed("wants", ([want.ref, want.thumbprint, _text(want.at)] for want in record.wants)),
    }


def environment_of(row: Entity) -> EnvironmentRecord:
    """Return the record of an App Service Environment that a row holds."""
    roots = (
        NotedRoot(Thumbprint(thumbprint), datetime.fromisoformat(noted), _moment(seen), name)
        for thumbprint, noted, seen, name in items_of("roots", row)
    )
    return EnvironmentRecord(
        EnvironmentRef.parse(row["environment"]),
        tuple(roots),
        _moment(row["since"]),
        _moment(row["done_at"]),
        _moment(row["requested_at"]),
        row["hidden"],
        tuple(
            Want(ref, Thumbprint(thumbprint), datetime.fromisoformat(at))
            for ref, thumbprint, at in items_of("wants", row)
        ),
        revision_of(row),
    )


def _app_row(environment: EnvironmentRef, restart: AppRestart) -> Mapping[str, Any]:
    return {
        "PartitionKey": _key(environment),
        "RowKey": digest(restart.site.resource_id),
        "environment": environment.resource_id,
        "app": restart.site.resource_id,
        "plan": restart.app.plan,
        **listed("groups", sorted(restart.app.groups)),
        "runs": restart.app.runs,
        "state": str(restart.state),
        "at": restart.at,
        "detail": fitting(restart.detail, MOST_DETAIL),
        "answered": json.dumps(restart.answered),
        "missing_since": _text(restart.missing_since),
    }


def app_of(row: Entity) -> AppRestart:
    """Return the record of an app's stop and start that a row holds."""
    app = WaveApp(SiteRef.parse(row["app"]), row["plan"], frozenset(items_of("groups", row)), bool(row["runs"]))
    state, missing_since = AppRestartState(row["state"]), _moment(row["missing_since"])
    return AppRestart(app, state, moment(row["at"]), row["detail"], json.loads(row["answered"]), missing_since)


def _text(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
