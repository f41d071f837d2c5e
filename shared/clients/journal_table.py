"""The journal in Table storage.

    certrolljournal   PartitionKey: hash of the lineage; RowKey: hash of the site, or `rollout`
    certrollhistory   PartitionKey: hash of the lineage; RowKey: time and hash of the entry; only ever added to
    certrollfindings  PartitionKey: hash of the scope, or the poison queue; RowKey: hash of subject and reason, or of
                      the message

Keys are hashes because a table key may not hold slashes, backslashes, `#` or `?`. Nothing secret is
written: names, thumbprints and reasons.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableClient, TableErrorCode, TableServiceClient, UpdateMode

from shared.domain.errors import Conflict, NotFound
from shared.domain.model import Binding, SslState
from shared.domain.names import CopyRef, HostName, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.ports import Clock
from shared.domain.reason import Reason
from shared.domain.record import Finding, HistoryEntry, PoisonRecord
from shared.domain.rollout import Rollout, SiteRecord, SiteState
from shared.telemetry import event

JOURNAL = "certrolljournal"
HISTORY = "certrollhistory"
FINDINGS = "certrollfindings"
ROLLOUT_ROW = "rollout"
FAILURES = "failures"
TRANSACTION = 50  # Azure takes 100 rows and 4 MB; a site with many host names fills 60 KB
MOST_RACES = 5
CHUNK = 30_000  # a string property holds 32 K characters

Entity = Mapping[str, Any]


class TableJournal:
    """What was done and how far it came, in three tables that are made when first written to."""

    def __init__(self, service: TableServiceClient, clock: Clock) -> None:
        self._service = service
        self._clock = clock

    def rollout(self, ref: VaultCertificateRef, version: str) -> Rollout:
        """Return the state of one version; a version that the journal does not know is empty."""
        first, started_at = None, None
        records: list[SiteRecord] = []
        for row in self._rows(JOURNAL, _lineage_key(ref)):
            if row.get("version") != version:
                continue
            if row["RowKey"] == ROLLOUT_ROW:
                first, started_at = Webspace(row["subscription"], row["webspace"]), _moment(row["at"])
            else:
                records.append(_site_record(row))
        records.sort(key=lambda record: record.site)
        return Rollout(version, first, tuple(records), started_at)

    def site(self, ref: VaultCertificateRef, version: str, site: SiteRef) -> SiteRecord | None:
        """Return what is known of one site for one version, None where nothing is."""
        row = self._row(JOURNAL, _lineage_key(ref), _digest(site.resource_id))
        return _site_record(row) if row is not None and row.get("version") == version else None

    def begin(self, ref: VaultCertificateRef, rollout: Rollout) -> None:
        """Record sites, then which place is first: a crash between the two chooses the first place again."""
        rows = [_site_row(ref, record) for record in rollout.records]
        if rollout.first is not None:
            place = {"subscription": rollout.first.subscription, "webspace": rollout.first.name}
            keys = {"PartitionKey": _lineage_key(ref), "RowKey": ROLLOUT_ROW}
            began = rollout.started_at or self._clock.now()
            rows.append({**keys, "certificate": str(ref), "version": rollout.version, **place, "at": began})
        self._write(JOURNAL, rows)

    def record_site(self, ref: VaultCertificateRef, record: SiteRecord) -> None:
        """Record the state of one site, unless another version's record has taken its place meanwhile.

        The certificate's run and the site's run hold different leases: a late result of an older version must not
        erase what is pending for a newer one.
        """
        table, row = self._table(JOURNAL), _site_row(ref, record)
        for _ in range(MOST_RACES):
            found = self._row(JOURNAL, row["PartitionKey"], row["RowKey"])
            if found is None or found["version"] != record.version:
                return
            try:
                table.update_entity(
                    row, UpdateMode.REPLACE, etag=_etag(found), match_condition=MatchConditions.IfNotModified
                )
            except ResourceModifiedError:
                continue
            return
        raise Conflict(f"the record of {record.site} changed {MOST_RACES} times while it was written")

    def add_history(self, ref: VaultCertificateRef, entries: tuple[HistoryEntry, ...]) -> None:
        """Append to the history."""
        self._write(
            HISTORY,
            [
                {
                    "PartitionKey": _lineage_key(ref),
                    "RowKey": f"{entry.at:%Y%m%dT%H%M%S%f}-{_digest(repr(entry))[:16]}",
                    "certificate": str(ref),
                    **_plain(asdict(entry)),
                }
                for entry in entries
            ],
        )

    def report(self, findings: tuple[Finding, ...]) -> None:
        """Record and log findings; the same finding again only renews its date and detail."""
        for found in findings:
            event(
                "finding.reported", scope=found.scope, subject=found.subject, reason=found.reason, detail=found.detail
            )
        by_key = {(_digest(f.scope), _digest(f"{f.subject} {f.reason}")): f for f in findings}
        for partition in sorted({partition for partition, _ in by_key}):
            rows = [
                {"PartitionKey": key[0], "RowKey": key[1], **_plain(asdict(finding))}
                for key, finding in by_key.items()
                if key[0] == partition
            ]
            self._write(FINDINGS, rows)

    def failed(self, body: str, cause: str) -> None:
        """Remember why a message failed, for the day it turns up in a poison queue."""
        row = {"PartitionKey": FAILURES, "RowKey": _digest(body), "cause": cause[:CHUNK], "at": self._clock.now()}
        self._write(FINDINGS, [row])

    def poison(self, queue: str, body: str, cause: str | None) -> PoisonRecord:
        """Keep a message that failed for good, with the cause given or remembered."""
        key = _digest(body)
        if cause is None:
            remembered = self._row(FINDINGS, FAILURES, key)
            cause = str(remembered["cause"]) if remembered else "unknown: the function died before it could say"
        keys = {"PartitionKey": _poison_key(queue), "RowKey": key}
        about = {"reason": str(Reason.POISONED), "queue": queue, "cause": cause, "at": self._clock.now()}
        self._write(FINDINGS, [{**keys, **about, **_chunked("body", body)}])
        return PoisonRecord(key, queue, body, cause)

    def poisoned(self, queue: str, key: str) -> PoisonRecord:
        """Return a kept message. Raises NotFound."""
        row = self._row(FINDINGS, _poison_key(queue), key)
        if row is None:
            raise NotFound(f"no message {key[:80]!r} of queue {queue!r} is kept")
        return PoisonRecord(key, queue, _joined("body", row), str(row["cause"]))

    def replayed(self, record: PoisonRecord) -> None:
        """Forget a kept message that was put back; if it fails again it is kept again."""
        table = self._table(FINDINGS)
        table.delete_entity(_poison_key(record.queue), record.key)

    # ------------------------------------------------------------------------------------------------- rows

    def _table(self, name: str) -> TableClient:
        return self._service.get_table_client(name)

    def _rows(self, table: str, partition: str) -> tuple[Entity, ...]:
        query = "PartitionKey eq @partition"
        try:
            return tuple(self._table(table).query_entities(query, parameters={"partition": partition}))
        except ResourceNotFoundError:
            return ()

    def _row(self, table: str, partition: str, row: str) -> Entity | None:
        try:
            return self._table(table).get_entity(partition, row)
        except ResourceNotFoundError:
            return None

    def _write(self, table: str, rows: Iterable[Entity]) -> None:
        """Upsert rows of one partition, fifty at a time, in order."""
        remaining = iter(rows)
        while batch := list(islice(remaining, TRANSACTION)):
            self._creating(table, partial(_upsert, batch))

    def _creating(self, table: str, write: Callable[[TableClient], None]) -> None:
        """Write, creating the table where it is missing."""
        client = self._table(table)
        try:
            write(client)
        except HttpResponseError as error:
            if getattr(error, "error_code", None) != TableErrorCode.TABLE_NOT_FOUND:
                raise
            with suppress(ResourceExistsError):
                client.create_table()
            write(client)


def _upsert(rows: list[Entity], table: TableClient) -> None:
    table.submit_transaction([("upsert", row) for row in rows])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _lineage_key(ref: VaultCertificateRef) -> str:
    return _digest(f"{ref.vault}/{ref.kind}/{ref.name}")


def _poison_key(queue: str) -> str:
    return f"poison-{queue}"


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, datetime) else str(value)[:CHUNK] for name, value in fields.items()}


def _chunked(name: str, text: str) -> dict[str, str]:
    parts = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)] or [""]
    return {f"{name}_{number}": part for number, part in enumerate(parts)}


def _joined(name: str, row: Entity) -> str:
    numbers = sorted(int(key.removeprefix(f"{name}_")) for key in row if key.startswith(f"{name}_"))
    return "".join(str(row[f"{name}_{number}"]) for number in numbers)


def _site_row(ref: VaultCertificateRef, record: SiteRecord) -> dict[str, Any]:
    last_good = [[b.host_name, b.ssl_state, b.thumbprint, b.virtual_ip] for b in record.last_good]
    return {
        "PartitionKey": _lineage_key(ref),
        "RowKey": _digest(record.site.resource_id),
        "certificate": str(ref),
        "site": record.site.resource_id,
        "version": record.version,
        "subscription": record.webspace.subscription,
        "webspace": record.webspace.name,
        "state": str(record.state),
        "at": record.at,
        "detail": record.detail,
        "copies": json.dumps([copy.resource_id for copy in record.copies]),
        **_chunked("last_good", json.dumps(last_good)),
    }


def _moment(stored: datetime) -> datetime:
    return datetime.fromtimestamp(stored.timestamp(), UTC)


def _etag(row: Entity) -> str:
    metadata: Mapping[str, str] = getattr(row, "metadata", {})
    return metadata["etag"]


def _site_record(row: Entity) -> SiteRecord:
    site = SiteRef.parse(row["site"])
    return SiteRecord(
        site=site,
        version=row["version"],
        webspace=Webspace(row["subscription"], row["webspace"]),
        state=SiteState(row["state"]),
        at=_moment(row["at"]),
        copies=tuple(CopyRef.parse(copy) for copy in json.loads(row["copies"])),
        last_good=tuple(
            Binding(site, HostName(host), SslState(state), Thumbprint(thumbprint) if thumbprint else None, address)
            for host, state, thumbprint, address in json.loads(_joined("last_good", row))
        ),
        detail=row["detail"],
    )
