"""Read the Markdown pages of the project for tests."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")] + sorted(
    DOCS.rglob("*.md")
)


def text_of(name: str) -> str:
    """Return the text of a file, by its path in the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """Return the text of a page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def written(text: str) -> str:
    """Return a text without the blocks that `make docs` generates."""
    return re.sub(r"<!-- generated: .*?<!-- end -->", "", text, flags=re.DOTALL)


def part_of(text: str, heading: str) -> str:
    """Return the text between a second-level heading and the next one."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of every table row of a text."""
    rows = [line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows]


def code_in(cell: str) -> list[str]:
    """Return the words that a text shows as code (in backticks)."""
    return re.findall(r"`([^`]+)`", cell)


def nothing_is_wrong(found: Iterable[str]) -> None:
    """Fail the test if the list of problems is not empty, and print each problem on its own line."""
    wrong = list(found)
    assert not wrong, "\n".join(("", *wrong))


def nothing_is_wrong_on_any(pages: list[Path], wrong_with: Callable[[Path], Iterable[str]]) -> None:
    """Fail the test if a page has a problem, or if there is no page at all.

    The failure message names the page of each problem.
    """
    assert pages
    nothing_is_wrong(f"{page.relative_to(ROOT)}: {wrong}" for page in pages for wrong in wrong_with(page))
