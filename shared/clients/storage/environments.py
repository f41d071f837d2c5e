"""What the journal keeps of App Service Environments, in the table `certrolljournal`.

PartitionKey `environments`            RowKey: hash of the environment; the roots it was given, how far its apps are
PartitionKey `environment-` and hash   RowKey: hash of the site or slot; how far one app is
PartitionKey `starts`                  RowKey: hash of the site or slot; a start that is owed
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.clients.storage.rows import Entity, digest, moment, revision_of
from shared.clients.storage.tables import JOURNAL, MOST_RACES, Tables
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


class TableEnvironmentRecords:
    """What is known of each App Service Environment."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def all(self) -> tuple[EnvironmentRecord, ...]:
        """Return what is known of every environment."""
        found = (_environment_record(row) for row in self._tables.rows(JOURNAL, ENVIRONMENTS))
        return tuple(sorted(found, key=lambda record: record.environment))

    def of(self, environment: EnvironmentRef) -> EnvironmentRecord:
        """Return what is known of an environment; of one that is not known nothing is."""
        row = self._tables.row(JOURNAL, ENVIRONMENTS, digest(environment.resource_id))
        return EnvironmentRecord(environment) if row is None else _environment_record(row)

    def put(self, record: EnvironmentRecord) -> EnvironmentRecord:
        """Record it in place of the revision that it was made from; return it with its new revision.

        Raises Conflict where that revision is no longer there.
        """
        row, what = _record_row(record), f"the record of environment {record.environment}"
        return replace(record, revision=self._tables.put(row, record.revision, what))

    def change(
        self, environment: EnvironmentRef, change: Callable[[EnvironmentRecord], EnvironmentRecord]
    ) -> EnvironmentRecord:
        """Record the change of what is known by then, and return it; others may write at the same time."""
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
    """How far each app of an environment came with being stopped and started."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of(self, environment: EnvironmentRef) -> tuple[AppRestart, ...]:
        """Return the records of the apps of an environment."""
        found = (_app(row) for row in self._tables.rows(JOURNAL, _key(environment)))
        return tuple(sorted(found, key=lambda app: app.site))

    def put(self, environment: EnvironmentRef, apps: Iterable[AppRestart]) -> None:
        """Record how far apps came."""
        self._tables.write(JOURNAL, (_app_row(environment, app) for app in apps))

    def forget(self, environment: EnvironmentRef, site: SiteRef) -> None:
        """Forget an app that is gone."""
        self._tables.delete(JOURNAL, _key(environment), digest(site.resource_id))


class TablePendingStarts:
    """Apps that Certroll stopped, or is about to stop, and has to start."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def record(self, start: PendingStart) -> None:
        """Record that an app has to be started."""
        keys = {"PartitionKey": STARTS, "RowKey": digest(start.site.resource_id)}
        about = {"site": start.site.resource_id, "environment": start.environment.resource_id, "at": start.at}
        self._tables.write(JOURNAL, [{**keys, **about}])

    def all(self) -> tuple[PendingStart, ...]:
        """Return every start that is pending, the oldest first."""
        found = (_start(row) for row in self._tables.rows(JOURNAL, STARTS))
        return tuple(sorted(found, key=lambda start: (start.at, start.site)))

    def complete(self, site: SiteRef) -> None:
        """Forget the pending start of an app that runs."""
        self._tables.delete(JOURNAL, STARTS, digest(site.resource_id))


def _start(row: Entity) -> PendingStart:
    return PendingStart(SiteRef.parse(row["site"]), EnvironmentRef.parse(row["environment"]), moment(row["at"]))


def _key(environment: EnvironmentRef) -> str:
    return f"environment-{digest(environment.resource_id)}"


def _record_row(record: EnvironmentRecord) -> dict[str, Any]:
    roots = [[one.thumbprint, _text(one.noted_at), _text(one.seen_at)] for one in record.roots]
    return {
        "PartitionKey": ENVIRONMENTS,
        "RowKey": digest(record.environment.resource_id),
        "environment": record.environment.resource_id,
        "roots": json.dumps(roots),
        "since": _text(record.since),
        "done_at": _text(record.done_at),
        "requested_at": _text(record.requested_at),
        "hidden": record.hidden,
        "wants": json.dumps([[one.ref, one.thumbprint, _text(one.at)] for one in record.wants]),
    }


def _environment_record(row: Entity) -> EnvironmentRecord:
    roots = (
        NotedRoot(Thumbprint(thumbprint), datetime.fromisoformat(noted), _moment(seen))
        for thumbprint, noted, seen in json.loads(row["roots"])
    )
    return EnvironmentRecord(
        EnvironmentRef.parse(row["environment"]),
        tuple(roots),
        _moment(row["since"]),
        _moment(row["done_at"]),
        _moment(row["requested_at"]),
        bool(row.get("hidden")),
        tuple(
            Want(ref, Thumbprint(one), datetime.fromisoformat(at))
            for ref, one, at in json.loads(row.get("wants") or "[]")
        ),
        revision_of(row),
    )


def _app_row(environment: EnvironmentRef, one: AppRestart) -> Mapping[str, Any]:
    return {
        "PartitionKey": _key(environment),
        "RowKey": digest(one.site.resource_id),
        "environment": environment.resource_id,
        "app": one.site.resource_id,
        "plan": one.app.plan,
        "groups": json.dumps(sorted(one.app.groups)),
        "runs": one.app.runs,
        "state": str(one.state),
        "at": one.at,
        "detail": one.detail,
        "answered": json.dumps(one.answered),
    }


def _app(row: Entity) -> AppRestart:
    app = WaveApp(SiteRef.parse(row["app"]), row["plan"], frozenset(json.loads(row["groups"])), bool(row["runs"]))
    return AppRestart(app, AppRestartState(row["state"]), moment(row["at"]), row["detail"], json.loads(row["answered"]))


def _text(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
