"""Certroll's journal writes each record of an app or a site as a table row and reads the same record back."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clients.storage.records import roll_record, roll_row, site_record, site_row
from shared.clients.storage.rows import CHUNK, chunked, joined, lineage_key, roll_key
from shared.domain.fleet.app_settings import LOAD_LIST, ROOT_LIST, SettingEdit
from shared.domain.fleet.bindings import SslState
from shared.domain.names import HostName, Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import Rebind, SiteState
from tests.build import (
    FOREIGN,
    HOST,
    HOUR,
    NEW,
    NOW,
    OLD,
    OLDER,
    OTHER_REF,
    REF,
    binding,
    copy,
    record,
    roll,
    site_ref,
)

EDITS = (
    SettingEdit(LOAD_LIST, NEW, (OLDER,), OLD),
    SettingEdit("PIN", NEW, (OLD,), OLD, was=f"{OLD[:20].lower()} {OLD[20:]}"),
    SettingEdit(LOAD_LIST, None, (OLD, OLDER), NEW),
    SettingEdit(ROOT_LIST, NEW, (), None, whole=True),
)
FULL = replace(
    roll(
        RollState.OVERLAPPING,
        slot="staging",
        replaces=(OLD, OLDER),
        edits=EDITS,
        undone=(NOW - HOUR, NOW - timedelta(microseconds=1)),
        proven=(OLD, FOREIGN),
        settings=17,
        retiring=True,
        broken_before=False,
        detail="its probe",
    ),
    wants_root=True,
    plan="/plans/a",
    copies=(copy("a#1").ref, copy("b").ref),
    asked="0a1b",
    failing_since=NOW - HOUR,
)


class Stored(dict[str, Any]):
    """A table row with a revision (ETag) in its metadata, as Azure Table Storage returns the row."""

    metadata: Mapping[str, str] = {"etag": "7"}


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(roll(RollState.STALE, replaces=()), id="as little as possible"),
        pytest.param(FULL, id="everything"),
        *(pytest.param(roll(state, broken_before=True), id=f"it is {state}") for state in RollState),
    ],
)
def test_record_comes_back_as_it_was(record: RollRecord) -> None:
    """Certroll's journal reads an app's record back unchanged from its table row, with the row's revision."""
    row = roll_row(record)
    assert roll_record(row) == replace(record, revision=None)
    assert roll_record(Stored(row)) == replace(record, revision="7")


def test_row_holds_only_what_a_table_can() -> None:
    """A row of the journal has only property types of Table Storage, long texts in parts, and a shortened detail."""
    many = tuple(SettingEdit(f"PIN_{number:04}", NEW, (OLD,), OLD) for number in range(1000))
    row = roll_row(replace(FULL, edits=many, detail="x" * 5000))
    assert all(isinstance(value, str | int | bool | type(NOW)) for value in row.values())
    assert max(len(value) for value in row.values() if isinstance(value, str)) <= 32_000
    assert roll_record(row).edits == many
    assert roll_record(row).detail == "x" * 1000


def test_edit_of_an_earlier_release_is_read() -> None:
    """Certroll reads a recorded edit without the exact text of the removed thumbprints."""
    row = roll_row(replace(FULL, edits=(EDITS[1],)))
    stored = json.loads(row["edits_0"])
    assert roll_record(row | {"edits_0": json.dumps([stored[0][:5]])}).edits == (replace(EDITS[1], was=""),)


def test_row_of_an_app_is_found_by_its_site() -> None:
    """The row key of an app's record depends only on the site and its slot, and has only allowed characters."""
    assert roll_row(FULL)["RowKey"] == roll_key(site_ref(slot="staging")) != roll_key(site_ref())
    assert not set("/\\#?") & set(roll_key(site_ref(slot="staging")))
    assert roll_row(replace(FULL, version="v9"))["RowKey"] == roll_row(FULL)["RowKey"]


@pytest.mark.parametrize("length", [0, 1, CHUNK, CHUNK + 1, 12 * CHUNK])
def test_long_text_is_kept_in_parts(length: int) -> None:
    """The journal splits a long text over several properties, and reads the text back from properties in any order."""
    text = "".join(chr(97 + number // CHUNK) for number in range(length))
    parts = chunked("edits", text)
    assert max(len(part) for part in parts.values() if isinstance(part, str)) <= CHUNK
    assert joined("edits", {**parts, "edit": "x", "other_0": "y"}) == text
    assert joined("edits", dict(reversed(parts.items()))) == text
    assert json.dumps(parts)


def test_record_of_a_site_comes_back_as_it_was() -> None:
    """Certroll's journal reads a site's record back unchanged from its table row, with its last good bindings."""
    last_good = binding(virtual_ip="203.0.113.7", ssl_state=SslState.IP_BASED), binding("b.contoso.com", None)
    copies = copy("a#1").ref, copy("b").ref
    refused = frozenset({(HOST, Reason.DENIED_BY_AZURE)})
    seen = replace(record(SiteState.PENDING, detail="seen"), copies=copies, last_good=last_good, refused=refused)
    every = [replace(seen, state=state, rebind=rebind) for state in SiteState for rebind in Rebind]
    assert [site_record(site_row(REF, known)) for known in every] == every
    row = site_row(REF, seen)
    assert (row["certificate"], row["PartitionKey"]) == ("kv-shop/shop", lineage_key(REF))
    assert row["RowKey"] != roll_key(seen.site)
    assert lineage_key(REF) != lineage_key(OTHER_REF)


def test_record_of_another_release_is_read() -> None:
    """The journal reads the record of a release that noted no refusals, or noted a refusal with a reason of its own."""
    row = site_row(REF, replace(record(SiteState.PENDING), refused=frozenset({(HOST, Reason.DENIED_BY_AZURE)})))
    of_later = {**row, "refused_0": f'[["{HOST}", "OfALaterRelease"]]'}
    assert site_record(of_later).refusal_of(HOST) is Reason.REJECTED_BY_AZURE
    earlier = {key: value for key, value in row.items() if not key.startswith("refused")}
    assert site_record(earlier).refused == frozenset()


def test_shorter_text_replaces_a_longer_text() -> None:
    """A text that has become shorter is read back alone, although Table storage keeps the parts that a merge omits."""
    longer, shorter = chunked("edits", "x" * 3 * CHUNK), chunked("edits", "y")
    assert joined("edits", {**longer, **shorter}) == "y"


def test_row_of_a_site_takes_what_a_site_can_have() -> None:
    """The journal reads back a site with 500 host names and certificates, and shortens an endless text about it."""
    last_good = tuple(binding(f"host-{number:03}.{'x' * 60}.example.com") for number in range(500))
    rebound = frozenset(HostName(good.host_name) for good in last_good)
    copies = tuple(copy(f"copy-{number:03}-{'x' * 80}").ref for number in range(500))
    seen = replace(record(SiteState.PENDING, detail="d" * 99_000), copies=copies, last_good=last_good, rebound=rebound)
    row = site_row(REF, seen)
    assert max(len(value) for value in row.values() if isinstance(value, str)) <= CHUNK
    assert site_record(row) == replace(seen, detail=row["detail"])
    assert row["detail"].startswith("d" * 1000)


def test_row_of_an_app_takes_what_an_app_can_have() -> None:
    """The journal reads back an app with hundreds of certificates and thumbprints."""
    prints = tuple(Thumbprint(f"{number:040X}") for number in range(900))
    copies = tuple(copy(f"copy-{number:03}-{'x' * 80}").ref for number in range(500))
    seen = replace(FULL, copies=copies, replaces=prints, proven=prints, undone=(NOW,) * 900)
    row = roll_row(seen)
    assert max(len(value) for value in row.values() if isinstance(value, str)) <= CHUNK
    assert roll_record(row) == seen
