"""The journal in Table storage.

    certrolljournal   PartitionKey: hash of the lineage; RowKey: hash of the site, that with `roll-` before it for the
                      settings of an app, or `rollout`; for restarts under way PartitionKey: hash of the plan;
                      for what was asked of an order PartitionKey: hash of the order, RowKey: of action and certificate
                      for managed certificates under way PartitionKey: `managed`; RowKey: hash of site and host name
                      for App Service Environments see shared/clients/cycle_table.py
    certrollhistory   PartitionKey: hash of the lineage, or of another scope; RowKey: time and hash of the entry; only
                      ever added to
    certrollfindings  PartitionKey: hash of the scope, or the poison queue; RowKey: hash of subject and reason, or of
                      the message

Keys are hashes because a table key may not hold slashes, backslashes, `#` or `?`. Nothing secret is
written: names, thumbprints and reasons.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from shared.clients.journal_rows import (
    CHUNK,
    ROLL,
    Entity,
    asked_record,
    asked_row,
    chunked,
    digest,
    held_of,
    held_text,
    joined,
    lineage_key,
    moment,
    order_key,
    revision_of,
    roll_key,
    roll_record,
    roll_row,
    site_record,
    site_row,
)
from shared.clients.tables import JOURNAL, MOST_RACES, Tables
from shared.domain.errors import Conflict, NotFound
from shared.domain.managed import Issuance
from shared.domain.names import EnvironmentRef, HostName, SiteRef, VaultCertificateRef, Webspace
from shared.domain.order import OrderRef
from shared.domain.order_action import OrderRecord
from shared.domain.ports import Clock
from shared.domain.reason import Reason
from shared.domain.record import Finding, HistoryEntry, PoisonRecord
from shared.domain.roll import TAKING_BACK, RollRecord, RollState
from shared.domain.rollout import Rollout, SiteRecord, SiteState
from shared.telemetry import event

HISTORY = "certrollhistory"
FINDINGS = "certrollfindings"
ROLLOUT_ROW = "rollout"
FAILURES = "failures"
MANAGED = "managed"
CLAIM = timedelta(hours=1)
"""How long a restart counts that nobody gave back: longer than App Service defers a restart (`RECYCLED_AFTER`), so that
the claim of a run that died ends, and that of an app that still restarts does not."""


class TableJournal:
    """What was done and how far it came, in three tables that are made when first written to."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    def rollout(self, ref: VaultCertificateRef, version: str) -> Rollout:
        """Return the state of one version; a version that the journal does not know is empty."""
        rows = self._tables.rows(JOURNAL, lineage_key(ref))
        rolls = sorted((roll_record(row) for row in rows if _is_roll(row)), key=lambda roll: roll.site)
        ours = [row for row in rows if row.get("version") == version and not _is_roll(row)]
        records = (site_record(row) for row in ours if row["RowKey"] != ROLLOUT_ROW)
        begun = next((row for row in ours if row["RowKey"] == ROLLOUT_ROW), None)
        return Rollout(
            version,
            first=Webspace(begun["subscription"], begun["webspace"]) if begun and begun["webspace"] else None,
            records=tuple(sorted(records, key=lambda record: record.site)),
            started_at=moment(begun["at"]) if begun and begun["webspace"] else None,
            rolls=tuple(roll for roll in rolls if roll.version == version),
            past_rolls=tuple(roll for roll in rolls if roll.version != version),
            looked_at=moment(begun["looked_at"]) if begun and begun.get("looked_at") else None,
            held=held_of(begun or {}),
        )

    def site(self, ref: VaultCertificateRef, version: str, site: SiteRef) -> SiteRecord | None:
        """Return what is known of one site for one version, None where nothing is."""
        row = self._tables.row(JOURNAL, lineage_key(ref), digest(site.resource_id))
        return site_record(row) if row is not None and row.get("version") == version else None

    def begin(self, ref: VaultCertificateRef, rollout: Rollout) -> None:
        """Record sites, then which place is first: a crash between the two chooses the first place again."""
        rows = [site_row(ref, record) for record in rollout.records]
        if rollout.first is not None:
            place = {"subscription": rollout.first.subscription, "webspace": rollout.first.name}
            keys = {"PartitionKey": lineage_key(ref), "RowKey": ROLLOUT_ROW}
            began = rollout.started_at or self._clock.now()
            about = {"certificate": str(ref), "version": rollout.version, "at": began, "held": held_text(rollout)}
            rows.append({**keys, **place, **about})
        self._tables.write(JOURNAL, rows)

    def record_site(self, ref: VaultCertificateRef, record: SiteRecord) -> None:
        """Record the state of one site, unless another version's record has taken its place meanwhile.

        The certificate's run and the site's run hold different leases: a late result of an older version must not
        erase what is pending for a newer one.
        """
        row = site_row(ref, record)
        for _ in range(MOST_RACES):
            found = self._tables.row(JOURNAL, row["PartitionKey"], row["RowKey"])
            if found is None or found["version"] != record.version:
                return
            with suppress(Conflict):
                self._tables.put(row, revision_of(found), f"the record of {record.site}")
                return
        raise Conflict(f"the record of {record.site} changed {MOST_RACES} times while it was written")

    def roll(self, ref: VaultCertificateRef, site: SiteRef) -> RollRecord | None:
        """Return what is known of the settings of one app, of whatever version it is; None where nothing is."""
        row = self._tables.row(JOURNAL, lineage_key(ref), roll_key(site))
        return None if row is None else roll_record(row)

    def put_roll(self, ref: VaultCertificateRef, record: RollRecord) -> RollRecord:
        """Record one app, in place of the revision that it was made from; return it with its new revision.

        Raises Conflict where that revision is no longer there: another run wrote it meanwhile, or it was deleted.
        """
        row = {"PartitionKey": lineage_key(ref), "certificate": str(ref), **roll_row(record)}
        return replace(
            record, revision=self._tables.put(row, record.revision, f"the record of {record.site} for {ref}")
        )

    def asked(self, order: OrderRef) -> tuple[OrderRecord, ...]:
        """Return what was asked of an order, of whatever certificate of it, oldest first."""
        found = (asked_record(row) for row in self._tables.rows(JOURNAL, order_key(order)))
        return tuple(sorted(found, key=lambda record: (record.at, record.action)))

    def put_asked(self, record: OrderRecord) -> OrderRecord:
        """Record what is asked, in place of the revision that it was made from; return it with its new revision.

        Raises Conflict where that revision is no longer there: another run asks.
        """
        what = f"what was asked of order {record.order}"
        return replace(record, revision=self._tables.put(asked_row(record), record.revision, what))

    def looked(self, ref: VaultCertificateRef, rollout: Rollout, at: datetime) -> None:
        """Record when the fleet was last observed for a version."""
        place = rollout.first or Webspace("", "")
        fields = {"subscription": place.subscription, "webspace": place.name, "at": rollout.started_at or at}
        keys = {"PartitionKey": lineage_key(ref), "RowKey": ROLLOUT_ROW, "certificate": str(ref)}
        about = {"version": rollout.version, "looked_at": at, "held": held_text(rollout)}
        self._tables.write(JOURNAL, [{**keys, **fields, **about}])

    def release(self, ref: VaultCertificateRef, version: str, now: datetime) -> tuple[SiteRef, ...]:
        """Forget the failures that hold a version; return where they were. It is tried again from the start.

        What another run records meanwhile stays as that run says. Raises Conflict where that leaves nothing, and while
        an app is being taken back: its record is all that is known of its last good values.
        """
        rollout = self.rollout(ref, version)
        busy = sorted(str(roll.site) for roll in rollout.rolls if roll.state in TAKING_BACK)
        if busy:
            raise Conflict(f"{', '.join(busy)} is being taken back; release the hold when that is done")
        held = [roll for roll in rollout.rolls if roll.holds or roll.state is RollState.FOUGHT_OVER]
        forgotten = tuple(roll.site for roll in held if self._forgot(ref, roll))
        if held and not forgotten and not rollout.failed:
            names = ", ".join(sorted(str(roll.site) for roll in held))
            raise Conflict(f"{names} was recorded by another run meanwhile; release the hold again")
        for record in rollout.failed:
            detail = f"released at {now:%Y-%m-%d %H:%M} UTC; before: {record.detail}"
            self.record_site(ref, replace(record, state=SiteState.UNPROVEN, detail=detail[:1000]))
        return (*forgotten, *(record.site for record in rollout.failed))

    def _forgot(self, ref: VaultCertificateRef, roll: RollRecord) -> bool:
        try:
            self._tables.delete_revision(
                lineage_key(ref), roll_key(roll.site), roll.revision, f"the record of {roll.site}"
            )
        except Conflict:
            return False
        return True

    def claim_restart(self, plan: str, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef, most: int) -> bool:
        """Say whether the site may restart now, at most so many sites of a plan at a time; if so it is counted.

        The caller holds the plan's lease. A claim that nobody gave back ends after an hour. While the site restarts for
        another certificate it waits: one answer of the app must not speak for both.
        """
        partition, now = _plan_key(plan), self._clock.now()
        claims = [row for row in self._tables.rows(JOURNAL, partition) if now - moment(row["at"]) < CLAIM]
        others = [row for row in claims if row["RowKey"] != _claim_key(site, ref)]
        if any(row["site"] == site.resource_id for row in others) or len({row["site"] for row in others}) >= most:
            return False
        about = {"certificate": str(ref), "site": site.resource_id, "plan": plan, "at": now}
        self._tables.write(JOURNAL, [{"PartitionKey": partition, "RowKey": _claim_key(site, ref), **about}])
        return True

    def restarting(self, plan: str, but: EnvironmentRef) -> tuple[SiteRef, ...]:
        """Return the sites of a plan that are counted as restarting, but for those of the environment's own waves."""
        now, rows = self._clock.now(), self._tables.rows(JOURNAL, _plan_key(plan))
        counted = (row for row in rows if now - moment(row["at"]) < CLAIM and row["certificate"] != str(but))
        return tuple(sorted({SiteRef.parse(row["site"]) for row in counted}))

    def restarted(self, plan: str, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef) -> None:
        """Count the site no longer."""
        self._tables.delete(JOURNAL, _plan_key(plan), _claim_key(site, ref))

    def issuance(self, site: SiteRef, host_name: HostName) -> Issuance | None:
        """Return what Azure was asked for a host name, None where nothing is known of it."""
        row = self._tables.row(JOURNAL, MANAGED, digest(f"{site.resource_id} {host_name}"))
        if row is None:
            return None
        return Issuance(site, host_name, moment(row["at"]), str(row["operation"]), str(row["refused"]))

    def put_issuance(self, issuance: Issuance) -> None:
        """Record what Azure is asked for a host name."""
        keys = {"PartitionKey": MANAGED, "RowKey": digest(f"{issuance.site.resource_id} {issuance.host_name}")}
        about = {"managed_site": issuance.site.resource_id, "host_name": issuance.host_name, "at": issuance.asked_at}
        said = {"operation": issuance.operation, "refused": issuance.refused[:CHUNK]}
        self._tables.write(JOURNAL, [{**keys, **about, **said}])

    def forget_issuance(self, site: SiteRef, host_name: HostName) -> None:
        """Forget what Azure was asked for a host name."""
        self._tables.delete(JOURNAL, MANAGED, digest(f"{site.resource_id} {host_name}"))

    def add_history(self, ref: VaultCertificateRef | str, entries: tuple[HistoryEntry, ...]) -> None:
        """Append to the history of a vault certificate, or of another scope."""
        self._tables.write(
            HISTORY,
            [
                {
                    "PartitionKey": digest(ref) if isinstance(ref, str) else lineage_key(ref),
                    "RowKey": f"{entry.at:%Y%m%dT%H%M%S%f}-{digest(repr(entry))[:16]}",
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
                "finding.reported",
                scope=found.scope,
                subject=found.subject,
                reason=found.reason,
                severity=found.reason.severity,
                detail=found.detail,
            )
        by_key = {(digest(f.scope), digest(f"{f.subject} {f.reason}")): f for f in findings}
        for partition in sorted({partition for partition, _ in by_key}):
            rows = [
                {
                    "PartitionKey": key[0],
                    "RowKey": key[1],
                    **_plain(asdict(found)),
                    "severity": str(found.reason.severity),
                }
                for key, found in by_key.items()
                if key[0] == partition
            ]
            self._tables.write(FINDINGS, rows)

    def failed(self, body: str, cause: str) -> None:
        """Remember why a message failed, for the day it turns up in a poison queue."""
        row = {"PartitionKey": FAILURES, "RowKey": digest(body), "cause": cause[:CHUNK], "at": self._clock.now()}
        self._tables.write(FINDINGS, [row])

    def poison(self, queue: str, body: str, cause: str | None) -> PoisonRecord:
        """Keep a message that failed for good, with the cause given or remembered."""
        key = digest(body)
        if cause is None:
            remembered = self._tables.row(FINDINGS, FAILURES, key)
            cause = str(remembered["cause"]) if remembered else "unknown: the function died before it could say"
        keys = {"PartitionKey": _poison_key(queue), "RowKey": key}
        about = {"reason": str(Reason.POISONED), "queue": queue, "cause": cause, "at": self._clock.now()}
        self._tables.write(FINDINGS, [{**keys, **about, **chunked("body", body)}])
        return PoisonRecord(key, queue, body, cause)

    def poisoned(self, queue: str, key: str) -> PoisonRecord:
        """Return a kept message. Raises NotFound."""
        row = self._tables.row(FINDINGS, _poison_key(queue), key)
        if row is None:
            raise NotFound(f"no message {key[:80]!r} of queue {queue!r} is kept")
        return PoisonRecord(key, queue, joined("body", row), str(row["cause"]))

    def replayed(self, record: PoisonRecord) -> None:
        """Forget a kept message that was put back; if it fails again it is kept again."""
        self._tables.delete(FINDINGS, _poison_key(record.queue), record.key)


def _plan_key(plan: str) -> str:
    return f"plan-{digest(plan.lower())}"


def _claim_key(site: SiteRef, ref: VaultCertificateRef | EnvironmentRef) -> str:
    return digest(f"{site.resource_id} {ref}")


def _is_roll(row: Entity) -> bool:
    return str(row["RowKey"]).startswith(ROLL)


def _poison_key(queue: str) -> str:
    return f"poison-{queue}"


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, datetime) else str(value)[:CHUNK] for name, value in fields.items()}
