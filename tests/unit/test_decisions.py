"""Test the form of the decisions in docs/adr/."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.pages import DOCS, nothing_is_wrong_on_any, text_of

ADRS = sorted((DOCS / "adr").glob("[0-9]*.md"))
ADR_HEADINGS = ["Context", "Decision", "Alternatives", "Consequences", "What would change our mind"]
ADR_STATUSES = {"proposed", "accepted", "superseded"}
LONGEST_ADR = 60


def test_decisions_are_numbered_without_gaps() -> None:
    """The decisions are numbered from 1 without gaps."""
    assert [int(adr.name[:4]) for adr in ADRS] == list(range(1, len(ADRS) + 1))


def test_every_decision_has_its_headings() -> None:
    """Each decision has the five headings, and at most 60 lines."""
    nothing_is_wrong_on_any(ADRS, _wrong_with_decision)


def _wrong_with_decision(adr: Path) -> Iterator[str]:
    text = adr.read_text(encoding="utf-8")
    if not text.startswith(f"# {int(adr.name[:4])}. "):
        yield "its title does not begin with its number"
    if (headings := re.findall(r"^## (.+)$", text, re.MULTILINE)) != ADR_HEADINGS:
        yield f"its headings are {headings}"
    if (lines := len(text.splitlines())) > LONGEST_ADR:
        yield f"it has {lines} lines"


def _head(adr: Path) -> dict[str, str]:
    """Return the fields between a decision's title and its first heading."""
    head = adr.read_text(encoding="utf-8").partition("\n## ")[0]
    return dict(re.findall(r"^- ([A-Z][a-z ]+): (.+)$", head, re.MULTILINE))


def test_every_decision_has_a_status_and_a_date() -> None:
    """Each decision has a known status and a date, and no unknown field."""
    nothing_is_wrong_on_any(ADRS, _wrong_with_head)


def _wrong_with_head(adr: Path) -> Iterator[str]:
    head = _head(adr)
    if unknown := head.keys() - {"Status", "Date", "Supersedes", "Superseded by"}:
        yield f"it has the fields {sorted(unknown)}"
    if head.get("Status") not in ADR_STATUSES:
        yield f"its status is {head.get('Status')}"
    if not re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", head.get("Date", "")):
        yield f"its date is {head.get('Date')}"
    if head.get("Status") == "superseded" and "Superseded by" not in head:
        yield "it does not name its successor"


def test_superseded_decisions_name_each_other() -> None:
    """A superseded decision names its successor, and the successor names the superseded decision."""
    assert _named("Supersedes") == {(old, new) for new, old in _named("Superseded by")}


def _named(field: str) -> set[tuple[str, str]]:
    """Return each pair of a decision and another decision that the given field of the first decision links."""
    return {(adr.name, other) for adr in ADRS for other in re.findall(r"\]\(([^)]+)\)", _head(adr).get(field, ""))}


def test_index_of_decisions_is_complete() -> None:
    """The index has one row for each decision with its title, status and date, in order."""
    rows = re.findall(
        r"^\| (\d+) \| \[(.+?)\]\((.+?)\) \| (\w+).* \| (\S+) \|$", text_of("docs/adr/README.md"), re.MULTILINE
    )
    assert rows == [_row(adr) for adr in ADRS]


def _row(adr: Path) -> tuple[str, ...]:
    number, _, title = adr.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").partition(". ")
    head = _head(adr)
    return number, title, adr.name, head["Status"], head["Date"]
