"""A row of a later release, or one that a person edited, is named, left as it is, and holds up nothing else.

The rows are data in tests/journal: today's of every kind, and made-up ones of a later release.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared.clients.storage import kinds
from shared.clients.storage.edge import VERSION, record_of
from shared.clients.storage.findings import FINDINGS
from shared.clients.storage.journal import JournalPorts, journal_ports
from shared.clients.storage.kinds import reader_of
from shared.clients.storage.rows import Entity, digest, row_subject
from shared.clients.storage.settings_memory import SETTINGS
from shared.clients.storage.tables import JOURNAL
from shared.domain.environments.record import PendingStart
from shared.domain.errors import CertrollError, NotFound, RecordUnreadable
from shared.domain.fleet.settings_memory import Memory
from shared.domain.rollout.site_record import record_key
from tests.build import ASE, NOW, REF, SUBSCRIPTION, ManualClock, site_ref
from tests.client_calls import calls_of
from tests.memory_storage import MemoryTables

ROWS = Path(__file__).parents[2] / "journal"
SHOP, API = site_ref("shop"), site_ref("api")
Odd = tuple[str, Entity, str]


def rows_of(file: Path) -> Iterator[Odd]:
    """Yield the table, the row and the remark of each entry of a file."""
    for entry in json.loads(file.read_text()):
        row = {name: _plain(value) for name, value in entry["row"].items()}
        yield entry["table"], row, entry.get("why", "")


def _plain(value: Any) -> Any:  # noqa: ANN401 - a property of a row
    return datetime.fromisoformat(value["time"]) if isinstance(value, dict) else value


LATER = list(rows_of(ROWS / "later.json"))
RELEASES = sorted(file for file in ROWS.glob("*.json") if file.name != "later.json")
NAMES = [f"{table[8:]} {row['PartitionKey'][:12]}/{row['RowKey'][:8]}: {why}" for table, row, why in LATER]


def stored(odd: Odd | None = None) -> MemoryTables:
    """Return tables with the rows of the present release, one of them replaced by an odd row."""
    tables = MemoryTables()
    for table, row, _ in rows_of(RELEASES[-1]):
        tables.write(table, [row])
    if odd is not None:
        table, row, _ = odd
        tables.delete(table, row["PartitionKey"], row["RowKey"])
        tables.write(table, [row])
    return tables


def journal(tables: MemoryTables) -> JournalPorts:
    """Return the journal on the tables."""
    return journal_ports(tables, ManualClock(), "run")


@pytest.mark.parametrize("file", RELEASES, ids=lambda file: file.stem)
def test_rows_of_every_release_are_read(file: Path) -> None:
    """Certroll reads the rows of every kind that this release and all releases before it have written."""
    readers = {reader_of(table, row) for table, row, _ in rows_of(file) if record_of(reader_of(table, row), row)}
    assert readers >= {*kinds.PARTITIONS.values(), *kinds.PREFIXES.values(), *kinds.ROWS.values()}
    assert readers >= {kinds.known_finding, kinds.begun_of, kinds.site_record, *kinds.TABLES.values()}


def test_rows_carry_a_version() -> None:
    """Each row that Certroll writes today carries the version of rows, as the kept rows do."""
    assert {row["v"] for _, row, _ in rows_of(RELEASES[-1])} == {VERSION}
    tables = MemoryTables()
    journal(tables)["pending_starts"].record(PendingStart(SHOP, ASE, NOW))
    assert [row["v"] for row in tables.all(JOURNAL)] == [VERSION]


@pytest.mark.parametrize("odd", LATER, ids=NAMES)
def test_unreadable_row_stops_no_other_and_is_named_once(odd: Odd) -> None:
    """Every read of the journal ends well or leaves one subject alone, and one finding names the row and what to do."""
    tables = stored(odd)
    ports = journal(tables)
    for port in ports.values():
        for name, call in calls_of(port):
            if name in {
                "all",
                "begun",
                "begun_in",
                "last",
                "of",
                "roll",
                "site",
                "rollout",
                "asked",
                "issuance",
                "get",
                "restarting",
                "scopes",
            }:
                with suppress(RecordUnreadable, NotFound):
                    call()
    ports["findings"].close("kv-shop/shop", NOW, lambda _: False)
    ports["findings"].close("x", NOW, lambda _: False)
    table, row, why = odd
    named = [found for found in tables.all(FINDINGS) if found.get("reason") == "RecordUnreadable"]
    if reader_of(table, row) is kinds.scope_of:
        assert named == []  # nothing but the closing of findings in this scope depends on the row
        return
    if reader_of(table, row) in {kinds.cause_of, kinds.letter_of}:
        return  # read by key alone, in tests of their own
    if reader_of(table, row) is kinds.memory_in:
        assert named == []  # Certroll reads the settings from Azure instead
        return
    assert [found["subject"] for found in named] == [row_subject(table, row)], why
    assert "install the release that wrote it, or repair or delete it" in str(named[0]["detail"])


@pytest.mark.parametrize("odd", [odd for odd in LATER if odd[0] == JOURNAL], ids=lambda odd: str(odd[2]))
def test_nothing_destroys_an_unreadable_row(odd: Odd) -> None:
    """Whatever Certroll writes and deletes, an unreadable row of the journal keeps every property."""
    table, row, _ = odd
    if reader_of(table, row) is kinds.scope_of:
        pytest.skip("a row that lists the scopes of findings is written again with each finding")
    tables = stored(odd)
    for port in journal(tables).values():
        for _, call in calls_of(port):
            with suppress(CertrollError):
                call()
    assert tables.row(table, row["PartitionKey"], row["RowKey"]) == row


def test_unreadable_start_keeps_no_other_app_down() -> None:
    """If the record of one pending start is unreadable, Certroll still starts all other apps."""
    tables = MemoryTables()
    starts = journal(tables)["pending_starts"]
    for site in (SHOP, API):
        starts.record(PendingStart(site, ASE, NOW))
    tables.write(JOURNAL, [{"PartitionKey": "starts", "RowKey": digest(SHOP.resource_id), "environment": "nonsense"}])
    assert [start.site for start in starts.all()] == [API]
    assert journal(tables)["app_restarts"].unreadable(ASE) == {record_key(SHOP)}


def test_app_that_a_later_release_stopped_is_started() -> None:
    """A pending start counts whatever its version: an app that any release stopped has to start."""
    tables = MemoryTables()
    row = {"PartitionKey": "starts", "RowKey": digest(SHOP.resource_id), "v": 2, "why": "a canary", "at": NOW}
    tables.write(JOURNAL, [{**row, "site": SHOP.resource_id, "environment": ASE.resource_id}])
    starts = journal(tables)["pending_starts"]
    assert [start.site for start in starts.all()] == [SHOP]
    starts.complete(SHOP)
    assert starts.all() == ()


def test_finding_closes_when_the_row_is_mended() -> None:
    """The finding about an unreadable row stays open until a person repairs or deletes the row."""
    odd = next(odd for odd in LATER if odd[1]["PartitionKey"] == "environments")
    tables = stored(odd)
    ports = journal(tables)
    ports["environment_records"].all()

    def states() -> list[object]:
        return [row["state"] for row in tables.all(FINDINGS) if row.get("reason") == "RecordUnreadable"]

    ports["findings"].close_mended(NOW)
    assert states() == ["open"]
    tables.delete(JOURNAL, odd[1]["PartitionKey"], odd[1]["RowKey"])
    ports["findings"].close_mended(NOW)
    assert states() == ["closed"]


def test_rollout_names_the_sites_that_it_cannot_judge() -> None:
    """The rollout hides the site of an unreadable record, and every site if its own row is unreadable."""
    for odd in LATER:
        reader = reader_of(odd[0], odd[1])
        rollout = journal(stored(odd))["rollouts"].rollout(REF, "v2")
        assert rollout.hides(SHOP) is (reader in {kinds.roll_record, kinds.site_record, kinds.begun_of, kinds.held_in})
        assert rollout.hides(API) is (reader in {kinds.begun_of, kinds.held_in})


def test_memory_that_a_later_release_wrote_stays() -> None:
    """Certroll neither uses nor replaces nor deletes what a later release remembers of an app's settings."""
    odd = next(odd for odd in LATER if odd[0] == SETTINGS)
    tables, (_, row, _) = stored(odd), odd
    memory = journal(tables)["settings_memory"]
    subscription, site = str(row["PartitionKey"]), str(row["site"])
    assert memory.of(subscription) == {}
    memory.put(subscription, [Memory(site, NOW, NOW, "{}"), Memory(f"{site}/slots/new", NOW, NOW, "{}")])
    memory.forget(subscription, [site])
    assert tables.row(SETTINGS, subscription, str(row["RowKey"])) == row
    assert set(memory.of(subscription)) == {f"{site}/slots/new"}
    memory.forget(subscription, [f"{site}/slots/new"])
    assert memory.of(subscription) == {}


def test_memory_that_somebody_broke_is_written_anew() -> None:
    """What Certroll remembers of an app's settings is a cache: an odd row counts as none, and is replaced."""
    tables = MemoryTables()
    tables.write(SETTINGS, [{"PartitionKey": SUBSCRIPTION, "RowKey": digest(SHOP.resource_id), "site": "shop"}])
    memory = journal(tables)["settings_memory"]
    assert memory.of(SUBSCRIPTION) == {}
    memory.put(SUBSCRIPTION, [Memory(SHOP.resource_id, NOW, NOW, "{}")])
    assert set(memory.of(SUBSCRIPTION)) == {SHOP.resource_id}
