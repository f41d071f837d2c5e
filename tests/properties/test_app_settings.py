"""Test the edits of app settings, with random lists and values."""

from dataclasses import replace
from functools import reduce

from hypothesis import assume, given
from hypothesis import strategies as st

from shared.domain.fleet.app_settings import LOAD_LIST, ROOT_LIST, SettingEdit
from shared.domain.fleet.settings_editing import (
    all_done,
    edited,
    edited_settings,
    edited_values,
    inverse,
    is_done,
    with_text,
)
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.fleet.thumbprint_text import is_list_text
from shared.domain.names import Thumbprint
from tests.build import FOREIGN, NEW, OLD, OLDER, app_settings
from tests.properties.promises import times

KNOWN = (OLD, OLDER, FOREIGN)
lists = st.sampled_from([LOAD_LIST, ROOT_LIST])
entries = st.sampled_from([*KNOWN, *map(str.lower, KNOWN), "*", "x", "", " ", f" {OLD} ", f"{FOREIGN.lower()}\t"])
load_lists = st.lists(entries, max_size=6).map(",".join)
complete_lists = st.lists(entries, max_size=3).flatmap(
    lambda more: st.permutations([OLD, f" {OLDER.lower()}", NEW, *more])
)
PAIRS = " ".join(OLD[at : at + 2] for at in range(0, 40, 2))
pins = st.sampled_from(
    [
        f"{before}{shape.format(thumbprint)}{after}"
        for before in ("", " ", "\u200e", '"')
        for after in ("", "\n", '"')
        for thumbprint in (
            *KNOWN,
            OLD.lower(),
            f"{OLD[:7]}{OLD[7:].lower()}",
            PAIRS,
            PAIRS.lower(),
            PAIRS.replace(" ", ":"),
        )
        for shape in (
            "{}",
            "/var/ssl/private/{}.p12",
            "/var/ssl/certs/{}.der",
            r"C:\appservice\certificates\public\{}.cer",
        )
    ]
)
list_edits = st.sampled_from(
    [
        SettingEdit(LOAD_LIST, add, remove, next_to)
        for add in (NEW, OLD, None)
        for remove in ((), (OLD,), (OLDER,), (OLD, OLDER))
        for next_to in (OLD, OLDER, NEW, None)
        if add not in remove
    ]
)


def plain(value: str) -> list[str]:
    """Return the entries of a comma-separated list with unchanged case, without blanks and empty entries."""
    return [entry.strip() for entry in value.split(",") if entry.strip()]


@times(0.5, soak=1)
@given(lists, load_lists, list_edits)
def test_only_what_is_edited_changes(key: str, value: str, edit: SettingEdit) -> None:
    """An edit of a thumbprint list keeps the other entries' order and case, and adds no duplicate."""
    after = edited(key, value, edit)
    ours = {edit.add, *edit.remove}
    assert [entry for entry in plain(after) if entry.upper() not in ours] == [
        entry for entry in plain(value) if entry.upper() not in ours
    ]
    named = {entry.upper() for entry in plain(value)}
    applies = edit.next_to in named if edit.add is None else named & {edit.next_to, *edit.remove}
    if edit.next_to is None:
        applies = edit.add is not None
    assert is_done(key, after, edit) or not applies or not is_list_text(value)
    assert after == value or is_list_text(value)
    assert edited(key, after, edit) == after
    if after != value:
        was, now = ([text.strip().upper() for text in value.split(",")] for value in (value, after))
        assert now.count(str(edit.add)) == max(was.count(str(edit.add)), edit.add is not None)
        changed = {str(edit.add), *map(str, edit.remove)}
        kept = ([text for text in value.split(",") if text.strip().upper() not in changed] for value in (value, after))
        assert len({tuple(text for text in texts if text.strip()) for texts in kept}) == 1


@times(0.5, soak=1)
@given(lists, load_lists.filter(lambda value: OLD in value.upper()), st.booleans())
def test_roll_of_a_list_is_taken_back(key: str, value: str, overlap: bool) -> None:  # noqa: FBT001 - drawn, not chosen
    """An update of WEBSITE_LOAD_CERTIFICATES and its inverse restore the value byte for byte."""
    roll = SettingEdit(key, NEW, () if overlap else (OLD,), OLD)
    assume(NEW not in value.upper())
    assert taken_back(key, value, roll) == value


@times(0.5, soak=1)
@given(lists, complete_lists.map(",".join), st.permutations([OLD, OLDER]))
def test_shortened_list_is_taken_back(key: str, value: str, removed: list[Thumbprint]) -> None:
    """A removal of old thumbprints from a list and its inverse restore the value byte for byte."""
    assert taken_back(key, value, SettingEdit(key, None, tuple(removed), NEW)) == value


@times(0.5, soak=1)
@given(st.dictionaries(st.sampled_from(["A", LOAD_LIST, ROOT_LIST]), load_lists))
def test_what_was_begun_leaves_no_trace(values: dict[str, str]) -> None:
    """If Certroll adds a root and then removes the root, every setting is as before, and no setting is new."""
    begun = SettingEdit(ROOT_LIST, NEW, (), None, whole=ROOT_LIST not in values)
    assume(NEW not in values.get(ROOT_LIST, "").upper() and is_list_text(values.get(ROOT_LIST, "")))
    written = edited_values(dict(values), (begun,))
    assert all_done(written, (begun,))
    back = edited_values(written, inverse(begun))
    assert all_done(back, inverse(begun))
    assert back == values


@times(0.5, soak=1)
@given(pins)
def test_roll_of_a_pin_is_taken_back(value: str) -> None:
    """An update of a thumbprint setting and its inverse restore the value byte for byte, in any notation."""
    roll = SettingEdit("PIN", NEW, (OLD,), OLD)
    assert taken_back("PIN", value, roll) == value
    rolled = read_settings(app_settings({"PIN": edited("PIN", value, roll)}))
    was = read_settings(app_settings({"PIN": value}))
    assert rolled.named == frozenset(NEW if thumbprint == OLD else thumbprint for thumbprint in was.named)


def taken_back(key: str, value: str, roll: SettingEdit) -> str:
    """Return the value of a setting after a recorded edit and the edits that undo the edit."""
    recorded = with_text(read_settings(app_settings({key: value})), roll)
    return reduce(lambda text, edit: edited(key, text, edit), inverse(recorded), edited(key, value, roll))


@times(0.5, soak=1)
@given(
    st.dictionaries(st.sampled_from(["A", "B", LOAD_LIST, ROOT_LIST]), st.one_of(load_lists, pins)),
    list_edits,
    st.booleans(),
)
def test_projection_reads_like_the_write(values: dict[str, str], edit: SettingEdit, whole: bool) -> None:  # noqa: FBT001
    """The settings that Certroll predicts for an edit equal the settings that Certroll reads after the write."""
    roll = SettingEdit("A", NEW, (OLD,), OLD)
    with_root = replace(edit, key=ROOT_LIST, whole=whole)
    seen = read_settings(app_settings(values))
    known = {reference.key for reference in seen.references}
    edits = [
        change
        for change in (edit, roll, with_root)
        if (change.key in known or change.whole) and (change is roll or is_list_text(values.get(change.key, "")))
    ]
    written = edited_values(values, edits)
    projected, read = edited_settings(seen, edits), read_settings(app_settings(written))
    assert set(projected.references) == set(read.references)
    assert (projected.load_list, projected.root_list) == (read.load_list, read.root_list)


@times(0.5, soak=1)
@given(st.text(max_size=60), st.sampled_from(["PIN", LOAD_LIST, ROOT_LIST]))
def test_any_text_can_be_read_and_is_kept(value: str, key: str) -> None:
    """Certroll can read any text in a setting, and an edit of other thumbprints leaves the text unchanged."""
    seen = read_settings(app_settings({key: value}))
    assert seen.named == frozenset()
    assert edited("PIN", value, SettingEdit("PIN", NEW, (OLD,), OLD)) == value
    assert edited(LOAD_LIST, value, SettingEdit(LOAD_LIST, None, (Thumbprint(OLD),), NEW)) == value
