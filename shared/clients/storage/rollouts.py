"""Store the rollout of each version of a vault certificate, site by site, in the table `certrolljournal`.

The PartitionKey of a rollout is the hash of the vault certificate. The RowKey is the hash of the site, `rollout` for
the row about the rollout as a whole, or `held-` and a number for lists of earlier thumbprints. The rows of settings
updates (settings_rolls.py) are in the same partition as the rows of the rollout.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial

from shared.clients.storage.records import (
    BEGUN_STATES,
    begun_lineage,
    begun_site,
    held_in,
    held_of,
    held_rows,
    is_held,
    roll_record,
    site_record,
    site_row,
)
from shared.clients.storage.rows import ROLL, Entity, digest, is_roll, lineage_key, moment
from shared.clients.storage.tables import JOURNAL, Tables
from shared.clients.storage.unreadable import Rows
from shared.domain.names import SiteRef, VaultCertificateRef, Webspace
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.site_record import SiteRecord, SiteState
from shared.ports.clock import Clock

ROLLOUT_ROW = "rollout"


class TableRollouts:
    """The rollouts of all versions of vault certificates, site by site, as rows of the journal."""

    def __init__(self, tables: Tables, clock: Clock, rows: Rows) -> None:
        self._tables = tables
        self._clock = clock
        self._rows = rows

    def rollout(self, ref: VaultCertificateRef, version: str) -> Rollout:
        """Return the rollout of one version of a vault certificate, or an empty rollout if the journal has no row.

        The rollout names the rows of the vault certificate that are unreadable, of whatever version they are.
        """
        rows = self._tables.rows(JOURNAL, lineage_key(ref))
        of_rolls = [row for row in rows if is_roll(row)]
        of_lists = [row for row in rows if is_held(row)]
        whole = [row for row in rows if row["RowKey"] == ROLLOUT_ROW]
        of_sites = [row for row in rows if not is_roll(row) and not is_held(row) and row["RowKey"] != ROLLOUT_ROW]
        rolls, no_rolls = self._rows.all(JOURNAL, roll_record, of_rolls)
        records, no_records = self._rows.all(JOURNAL, site_record, of_sites)
        _, no_lists = self._rows.all(JOURNAL, held_in, of_lists)
        held = [row for row in of_lists if row.get("version") == version and row["RowKey"] not in no_lists]
        begun, no_whole = self._rows.all(JOURNAL, partial(begun_of, held=held), whole)
        rolls.sort(key=lambda roll: roll.site)
        records.sort(key=lambda record: record.site)
        return replace(
            next((known for known in begun if known.version == version), Rollout(version)),
            records=tuple(known for known in records if known.version == version),
            past_failed=tuple(
                known for known in records if known.version != version and known.state is SiteState.FAILED
            ),
            rolls=tuple(roll for roll in rolls if roll.version == version),
            past_rolls=tuple(roll for roll in rolls if roll.version != version),
            unreadable=frozenset(key.removeprefix(ROLL) for key in no_rolls | no_records),
            is_unreadable=bool(no_lists or no_whole),
        )

    def site(self, ref: VaultCertificateRef, version: str | None, site: SiteRef) -> SiteRecord | None:
        """Return the progress of a vault certificate's version in a site's bindings, or None without a record.

        Without a version, return the record of whichever version the journal has. Raise RecordUnreadable if the row of
        the site is unreadable.
        """
        row = self._tables.row(JOURNAL, lineage_key(ref), digest(site.resource_id))
        known = None if row is None else self._rows.one(JOURNAL, site_record, row)
        return known if known is not None and version in {None, known.version} else None

    def begun_in(self, ref: VaultCertificateRef) -> tuple[SiteRef, ...]:
        """Return the sites and apps in which Certroll has begun to bring any version of the vault certificate."""
        begun, _ = self._rows.all(JOURNAL, begun_site, self._tables.rows(JOURNAL, lineage_key(ref)))
        return tuple(sorted({site for site in begun if site is not None}))

    def begun(self) -> frozenset[VaultCertificateRef]:
        """Return the vault certificates for which Certroll has begun a change of any site or app.

        Table storage filters the rows, so that a sweep gets only the few rows of changes under way.
        """
        rows = self._tables.having(JOURNAL, "state", sorted(BEGUN_STATES))
        begun, _ = self._rows.all(JOURNAL, begun_lineage, rows)
        return frozenset(ref for ref in begun if ref is not None)

    def begin(self, ref: VaultCertificateRef, rollout: Rollout) -> tuple[SiteRecord, ...]:
        """Record the sites of a rollout, then the rollout's first webspace, and return the sites' stored records.

        Raise Conflict if the run of a site has written the record of the site since the read. A record of an older
        version is replaced in any case.

        After a crash between the record of the sites and the record of the first webspace, the next run chooses the
        first webspace (App Service's place for certificates) again.
        """
        rows = [(site_row(ref, record), record.revision) for record in rollout.records]
        revisions = self._tables.put_all(rows, f"the record of a site for {ref}")
        if rollout.first is not None:
            place = {"subscription": rollout.first.subscription, "webspace": rollout.first.name}
            keys = {"PartitionKey": lineage_key(ref), "RowKey": ROLLOUT_ROW}
            began = rollout.started_at or self._clock.now()
            held = held_rows(ref, rollout)
            about = {"certificate": str(ref), "version": rollout.version, "at": began, "held_rows": len(held)}
            self._tables.write(JOURNAL, [*held, {**keys, **place, **about}])
        stored = zip(rollout.records, revisions, strict=True)
        return tuple(replace(record, revision=revision) for record, revision in stored)

    def record_site(self, ref: VaultCertificateRef, record: SiteRecord) -> SiteRecord:
        """Write a site's progress in a rollout, if the site's row still belongs to the same vault certificate version.

        Return the record with its new revision. The run of Certroll for a certificate and the run for a site hold
        different leases. If Certroll did not compare versions, a late result of an older version could overwrite a
        newer version's record. Raise Conflict if another run has written the record of this version since the read.
        """
        row = site_row(ref, record)
        found = self._tables.row(JOURNAL, row["PartitionKey"], row["RowKey"])
        if found is None or found.get("version") != record.version:
            return record
        return replace(record, revision=self._tables.put(row, record.revision, f"the record of {record.site}"))

    def observed(self, ref: VaultCertificateRef, rollout: Rollout, at: datetime) -> None:
        """Record when Certroll last read the fleet for a version, and if its plan left anything for later."""
        place = rollout.first or Webspace("", "")
        fields = {"subscription": place.subscription, "webspace": place.name, "at": rollout.started_at or at}
        keys = {"PartitionKey": lineage_key(ref), "RowKey": ROLLOUT_ROW, "certificate": str(ref)}
        held = held_rows(ref, rollout)
        about = {"version": rollout.version, "looked_at": at, "held_rows": len(held), "awaiting": rollout.awaiting}
        self._tables.write(JOURNAL, [*held, {**keys, **fields, **about}])


def begun_of(row: Entity, held: Iterable[Entity] = ()) -> Rollout:
    """Return the rollout without its sites, from the row about the rollout as a whole and the rows `held`."""
    placed = bool(row["webspace"])
    return Rollout(
        row["version"],
        first=Webspace(row["subscription"], row["webspace"]) if placed else None,
        started_at=moment(row["at"]) if placed else None,
        looked_at=moment(row["looked_at"]) if row.get("looked_at") else None,
        awaiting=bool(row.get("awaiting", True)),
        held=held_of(held, row["held_rows"]),
    )
