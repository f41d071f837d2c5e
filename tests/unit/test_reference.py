"""Test that the documentation pages have what `make docs` generates, and each entry once."""

import ast
import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from docs.generate import DOCS, ROOT, Time, as_time, filled, head_of, pages, tags_table, times, times_table
from shared.controllers.certificate.admission import FEWER_SETTINGS_BELIEVED_AFTER
from shared.controllers.site.rollback import FEWER_SETTINGS_RESTORED_AFTER
from shared.domain.reason import Reason
from shared.domain.tags import TAGS

ALL = "\n".join(page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md")))
HEAD = re.compile(r"^#+ (\w+)\n\n<!-- generated: head -->\n(.*)\n<!-- end -->\n\n(\S)", re.MULTILINE)
TIMES = list(times())


def test_pages_are_what_the_code_says() -> None:
    """The generated parts of the documentation pages are up to date with the code."""
    stale = [str(page.relative_to(ROOT)) for page, text in pages() if page.read_text(encoding="utf-8") != text]
    assert stale == [], "run make docs"
    assert {"tags.md", "times.md", "reasons.md"} <= {page.name for page, _ in pages()}


def test_every_reason_has_one_entry() -> None:
    """Each reason has one heading on the page of reasons, with generated head and text, and one row in the index."""
    entries = HEAD.findall(ALL)
    assert sorted(name for name, _, _ in entries) == sorted(Reason)
    assert {name: f"{head}\n" for name, head, _ in entries} == {str(reason): head_of(reason) for reason in Reason}
    assert sorted(re.findall(r"^\| \[(\w+)\]\(#\w+\) \|", ALL, re.MULTILINE)) == sorted(Reason)


def test_every_tag_has_one_row() -> None:
    """Each tag has one row on the page of tags, with the resources that may carry the tag and the tag's meaning."""
    rows = re.findall(r"^\| `([\w-]+): [^`|]+` \| [^|]+ \| [^|]+\. \|$", tags_table(), re.MULTILINE)
    assert rows == [tag.name for tag in TAGS]


def test_every_time_has_its_reason() -> None:
    """Each time constant of the code has a comment that says why the time is as long as it is."""
    assert [f"{time.module}.{time.name}" for time in TIMES if not time.why.endswith(".")] == []
    assert len(TIMES) > 60
    assert len({(time.module, time.name) for time in TIMES}) == len(TIMES)


def test_numbers_that_are_times_say_their_unit() -> None:
    """A module constant with a fraction has a name that ends with its unit, so that the page of times lists it."""
    found = [
        f"{path.relative_to(ROOT)}: {node.targets[0].id}"
        for path in sorted((ROOT / "shared").rglob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if isinstance(_value(path, node.targets[0].id), float)
        if as_time(node.targets[0].id, 1.0) is None
    ]
    assert found == []


def _value(path: Path, name: str) -> object:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return getattr(import_module(module), name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECOND_INSPECTION", timedelta(minutes=3)),
        ("WAVE_TIME", timedelta(minutes=4)),
        ("TIME_BUDGET", timedelta(minutes=8)),
        ("RENEW_EVERY_SECONDS", timedelta(seconds=20)),
        ("SAFE_SECONDS", timedelta(seconds=50)),
        ("TRY_SECONDS", timedelta(seconds=2)),
        ("BETWEEN_WAVE_PASSES_SECONDS", timedelta(seconds=1)),
    ],
)
def test_times_that_depend_on_others_are_derived(name: str, value: timedelta) -> None:
    """If a time is computed from another time, the page of times shows the formula."""
    (time,) = (time for time in TIMES if time.name == name)
    assert (time.value, bool(time.formula)) == (value, True)


def test_fewer_settings_are_believed_sooner_where_an_app_is_down() -> None:
    """Before an update of an app's settings, Certroll waits a day before it believes that settings are gone.

    Before the restore of a failed app, Certroll waits 50 minutes, which is less than a sweep's interval.
    """
    assert timedelta(hours=24) == FEWER_SETTINGS_BELIEVED_AFTER
    assert timedelta(minutes=50) == FEWER_SETTINGS_RESTORED_AFTER


@pytest.mark.parametrize(
    ("value", "formula", "shown"),
    [
        (timedelta(days=7), "", "7 d"),
        (timedelta(hours=36), "", "36 h"),
        (timedelta(minutes=45), "", "45 min"),
        (timedelta(seconds=90), "", "90 s"),
        (timedelta(minutes=3), "2 * PATIENCE", "3 min = `2 * PATIENCE`"),
    ],
)
def test_time_is_shown_in_its_largest_whole_unit(value: timedelta, formula: str, shown: str) -> None:
    """The page of times shows each time in its largest whole unit, with the formula of a derived time."""
    assert f"| {shown} | why. |" in times_table([Time("shared.x", "X", value, formula, "why.")])


def test_text_of_people_stays() -> None:
    """The command `make docs` changes only the text between its comments, and keeps the text of authors."""
    text = "# A\n\nby hand\n\n### Busy\n\n<!-- generated: head -->\nold\n<!-- end -->\n\nmore\n\n### Other\n\nlast\n"
    assert filled(text, {}) == text.replace("old\n", head_of(Reason.BUSY))
