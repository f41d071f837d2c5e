"""These tests compare the output that the tutorials show with what the local Azure prints."""

import io
import itertools
import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from local.app import LocalApp
from local.instance import NOTED, logs_of
from local.running import Running
from local.screen import Screen
from local.up import tell_next
from local.worlds.contoso import contoso

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial"
PAGES = ("first-renewal-locally.md", "first-root-locally.md", "what-the-demo-shows.md")
PRINTING = (*(ROOT / "local" / "demo").glob("*.py"), *(ROOT / "local" / "console").glob("*.py"))


def blocks(page: str) -> list[str]:
    """Return the blocks of output of a tutorial."""
    return re.findall(r"^```text\n(.*?)^```", (TUTORIAL / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_first_renewal_shows_what_make_local_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first tutorial shows the next commands exactly as `make local` prints them."""
    monkeypatch.chdir(ROOT)
    host, file = SimpleNamespace(log=logs_of(NOTED) / "host.log"), io.StringIO()
    local = cast("LocalApp", SimpleNamespace(stand=SimpleNamespace(world=contoso()), host=host))
    tell_next(local, Running({}, ""), Screen(file, width=80))
    assert file.getvalue() in blocks("first-renewal-locally.md")


@pytest.mark.parametrize("page", PAGES)
def test_tables_have_the_columns_that_the_code_prints(page: str) -> None:
    """Each heading and each column in a tutorial's output is one that the demo or `watch` prints."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in PRINTING)
    shown = [line for block in blocks(page) for line in block.splitlines()]
    heads = [above for above, rule in itertools.pairwise(shown) if re.fullmatch(r"  -+(  -+)*", rule)]
    heads += [head for title, head in itertools.pairwise(shown) if title in {"Host names", "Certificates"}]
    titles = {title for head in heads for title in re.split(r" {2,}", head.strip())}
    headings = {line for line in shown if re.fullmatch(r"[A-Z][a-z ]+", line)}
    assert titles
    assert [text for text in titles | headings if f'"{text}"' not in code] == []


@pytest.mark.parametrize("page", PAGES[1:])
def test_output_is_that_of_a_terminal_of_80_columns(page: str) -> None:
    """No line of a tutorial's output is wider than 80 columns, except values that a person copies."""
    wide = [line for block in blocks(page) for line in block.splitlines() if len(line) > 80]
    assert [line for line in wide if "/subscriptions/" not in line and len(line.split()[-1]) < 80] == []
