"""Test the documentation pages: their links, their lengths, and the paths that the code names."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pages import DOCS, PAGES, ROOT, nothing_is_wrong, nothing_is_wrong_on_any, prose_of, text_of

LONGEST_LINE = 120
LONGEST_README = 130
MOST_WORDS = {"how-to": 600, "explanation": 1200}
"""The number of words that a page may have, by its folder, without words of code."""


def _anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_relative_links_lead_somewhere() -> None:
    """Each relative link leads to an existing file, and to an existing heading if the link names one."""
    nothing_is_wrong_on_any(PAGES, _broken_links)


def _broken_links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose_of(page)):
        name, _, anchor = target.partition("#")
        there = page.parent / name if name else page
        if not there.exists():
            yield f"{target} is not there"
        elif anchor and anchor not in _anchors(there.read_text(encoding="utf-8")):
            yield f"{target} has no such heading"


def test_references_are_defined() -> None:
    """Each reference-style link has exactly one address, and each address is used."""
    nothing_is_wrong_on_any(PAGES, _loose_references)


def _loose_references(page: Path) -> Iterator[str]:
    prose = prose_of(page)
    defined = Counter(re.findall(r"^\[([\w-]+)\]: https://", prose, re.MULTILINE))
    used = set(re.findall(r"\]\[([\w-]+)\]", prose))
    yield from (f"[{name}] has no address" for name in sorted(used - defined.keys()))
    yield from (f"[{name}] is not used" for name in sorted(defined.keys() - used))
    yield from (f"[{name}] has several addresses" for name, count in sorted(defined.items()) if count > 1)


def test_lines_fit() -> None:
    """Each line of a page has at most 120 characters, except table rows and addresses."""
    nothing_is_wrong_on_any(PAGES, _long_lines)


def _long_lines(page: Path) -> Iterator[str]:
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if len(line) > LONGEST_LINE and not line.startswith(("|", "[")):
            yield f"line {number} has {len(line)} characters"


def test_readme_is_short() -> None:
    """The README is short enough to read in five minutes."""
    lines = len(text_of("README.md").splitlines())
    assert lines <= LONGEST_README


@pytest.mark.parametrize("folder", MOST_WORDS)
def test_pages_are_short(folder: str) -> None:
    """Each how-to and each explanation has at most the number of words for its kind."""
    nothing_is_wrong_on_any(sorted((DOCS / folder).rglob("*.md")), lambda page: _too_long(page, MOST_WORDS[folder]))


def _too_long(page: Path, most: int) -> Iterator[str]:
    words = [word for word in prose_of(page).split() if re.search(r"\w", word)]
    if len(words) > most:
        yield f"it has {len(words)} words, and {most} are allowed"


def test_every_page_is_found_from_the_readme() -> None:
    """A reader can reach every page of docs/ by links from the README."""
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            waiting += [linked for linked in _linked_pages(page) if linked.exists()]
    missed = (page for page in sorted(DOCS.rglob("*.md")) if page not in reached)
    nothing_is_wrong(f"no page links to {page.relative_to(ROOT)}" for page in missed)


def _linked_pages(page: Path) -> list[Path]:
    targets = re.findall(r"\]\((?!https?:)([^)\s#]+\.md)", prose_of(page))
    return [(page.parent / target).resolve() for target in targets]


def test_handshakes_by_hand_go_through_the_proxy() -> None:
    """Each `openssl s_client` in a block of a page uses the proxy where one is set, as in a local shell."""
    blocks = [block for page in PAGES for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)]
    commands = re.findall(r"openssl s_client.*", "\n".join(blocks))
    assert commands
    assert [command for command in commands if "${HTTPS_PROXY:+-proxy ${HTTPS_PROXY#http://}}" not in command] == []


def test_pages_that_the_code_names_exist() -> None:
    """Each page of docs/ that a Python file names exists."""
    nothing_is_wrong(
        f"{path.relative_to(ROOT)} names {page}"
        for folder in ("shared", "functions", "local", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for page in re.findall(r"\bdocs/[\w/-]+\.md", path.read_text(encoding="utf-8"))
        if not (ROOT / page).exists()
    )


def test_new_versions_by_hand_keep_their_tags() -> None:
    """Each command of a how-to that makes a version from an existing policy gives the version tags.

    Key Vault keeps tags per version, and a version without `certroll` tags may lose an operator's wish.
    """
    pages = [page.read_text(encoding="utf-8") for page in (DOCS / "how-to").glob("*.md")]
    blocks = [block for page in pages for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)]
    made = [block for block in blocks if "keyvault certificate create" in block and "policy.json" in block]
    assert made
    assert [block for block in made if "--tags" not in block] == []
