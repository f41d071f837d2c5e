"""The HTML report shows the data that it carries, and runs nothing but its own script."""

import base64
import hashlib
import json
from html.parser import HTMLParser

from shared.compliance import changes
from shared.compliance.page import page_of
from tests.unit.compliance.test_report import report

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\u2028"


class Page(HTMLParser):
    """The elements of a page, and the content of its scripts and styles."""

    def __init__(self, text: str) -> None:
        """Read a page."""
        super().__init__()
        self.inside = ""
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.contents: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag in self.contents:
            self.contents[tag].append("")

    def handle_data(self, data: str) -> None:
        """Note the content of a script or style."""
        if self.inside in self.contents:
            self.contents[self.inside][-1] += data

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the parser passes it
        """Leave an element."""
        self.inside = ""


def hostile() -> tuple[dict[str, object], Page]:
    """Return a report in which a waiver holds a piece of a page, and its page."""
    world = changes.both(changes.site(httpsOnly=False), changes.tagged(certroll_waive=f"CRT204 2027-03-31 {HOSTILE}"))
    written = report(world)
    return written, Page(page_of(written))


def test_page_carries_the_whole_report() -> None:
    """The data in the page are those of the report, character for character."""
    written, page = hostile()
    assert json.loads(page.contents["script"][0]) == written


def test_text_of_a_tag_stays_text() -> None:
    """A tag whose text looks like a page adds no element, so that no reader of the report runs it."""
    _, page = hostile()
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in Page(page_of(report({}))).elements]
    assert [attributes for tag, attributes in page.elements if tag == "script"] == [
        {"type": "application/json", "id": "report"},
        {},
    ]


def test_policy_lets_only_its_own_script_and_style_run() -> None:
    """The policy of the page names the hashes of its script and its style, and forbids every other source."""
    _, page = hostile()
    (policy,) = [attributes["content"] for tag, attributes in page.elements if "http-equiv" in attributes and tag]
    for name, content in (("script", page.contents["script"][1]), ("style", page.contents["style"][0])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in str(policy)
    assert str(policy).startswith("default-src 'none'")


def test_page_asks_for_nothing_from_elsewhere() -> None:
    """The page names no other file and no address, so that it works from a disk and tells nobody who reads it."""
    _, page = hostile()
    assert [element for element in page.elements if {"src", "href", "action"} & element[1].keys()] == []
    assert not any("innerHTML" in content or "fetch(" in content for content in page.contents["script"][1:])
