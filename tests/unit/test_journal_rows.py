"""The rows of the journal: what is kept of an app, and that it comes back as it was."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clients.journal_rows import CHUNK, chunked, joined, roll_key, roll_record, roll_row
from shared.domain.app_settings import LOAD_LIST, SettingEdit
from shared.domain.roll import RollRecord, RollState
from tests.build import FOREIGN, HOUR, NEW, NOW, OLD, OLDER, copy, roll, site_ref

EDITS = (
    SettingEdit(LOAD_LIST, NEW, (OLDER,), OLD),
    SettingEdit("PIN", NEW, (OLD,), OLD),
    SettingEdit(LOAD_LIST, None, (OLD, OLDER), NEW),
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
    plan="/plans/a",
    copies=(copy("a#1").ref, copy("b").ref),
    asked="0a1b",
    failing_since=NOW - HOUR,
)


class Stored(dict[str, Any]):
    """A row as the table gives it, with its revision."""

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
    """What is recorded of an app comes back the same from its row, with the revision that the table gave it."""
    row = roll_row(record)
    assert roll_record(row) == replace(record, revision=None)
    assert roll_record(Stored(row)) == replace(record, revision="7")


def test_row_holds_only_what_a_table_can() -> None:
    """A property is a text, a number, a moment or a truth, a text at most 32 K characters; a long detail is cut."""
    many = tuple(SettingEdit(f"PIN_{number:04}", NEW, (OLD,), OLD) for number in range(1000))
    row = roll_row(replace(FULL, edits=many, detail="x" * 5000))
    assert all(isinstance(value, str | int | bool | type(NOW)) for value in row.values())
    assert max(len(value) for value in row.values() if isinstance(value, str)) <= 32_000
    assert roll_record(row).edits == many
    assert roll_record(row).detail == "x" * 1000


def test_row_of_an_app_is_found_by_its_site() -> None:
    """An app has one row, whatever its version, and a slot another one; a key holds only what a key may."""
    assert roll_row(FULL)["RowKey"] == roll_key(site_ref(slot="staging")) != roll_key(site_ref())
    assert not set("/\\#?") & set(roll_key(site_ref(slot="staging")))
    assert roll_row(replace(FULL, version="v9"))["RowKey"] == roll_row(FULL)["RowKey"]


@pytest.mark.parametrize("length", [0, 1, CHUNK, CHUNK + 1, 12 * CHUNK])
def test_long_text_is_kept_in_parts(length: int) -> None:
    """A text of any length comes back whole, and beside other properties of a like name."""
    text = "".join(chr(97 + number // CHUNK) for number in range(length))
    parts = chunked("edits", text)
    assert max(map(len, parts.values())) <= CHUNK
    assert joined("edits", {**parts, "edit": "x", "other_0": "y"}) == text
    assert json.dumps(parts)
