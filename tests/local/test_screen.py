"""These tests check what a terminal and a file receive."""

import io

import pytest
from rich.console import Console

from local.screen import Screen

RED, GREEN = "\x1b[1;31m", "\x1b[32m"


def terminal(width: int = 80) -> tuple[Screen, io.StringIO]:
    """Return a screen on a terminal with colours, and what the terminal receives."""
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=True, color_system="standard", highlight=False, markup=False
    )
    return Screen(console=console), file


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what the terminal of the person who runs the tests says about colours."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def test_checks_have_colours() -> None:
    """A check that holds is green, and FAILED is red."""
    screen, file = terminal()
    screen.claim("all is well", holds=True)
    screen.claim("nothing is well", holds=False)
    good, bad = file.getvalue().splitlines()
    assert f"{GREEN}ok" in good
    assert f"{RED}FAILED" in bad


def test_failed_is_red_in_a_table() -> None:
    """The word FAILED in a table is red."""
    screen, file = terminal()
    screen.table(("kind", "outcome"), [("imported", "FAILED")])
    assert f"{RED}FAILED" in file.getvalue()


def test_no_colour_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR the words are there, and no colour is (no-color.org)."""
    monkeypatch.setenv("NO_COLOR", "1")
    screen, file = terminal()
    screen.claim("nothing is well", holds=False)
    assert "FAILED" in file.getvalue()
    assert "\x1b[3" not in file.getvalue()
    assert "\x1b[1;3" not in file.getvalue()


def test_a_file_gets_no_escapes() -> None:
    """A file or a pipe receives plain text, wider than a small terminal, in lines that can be searched."""
    file = io.StringIO()
    screen = Screen(file)
    screen.claim("nothing is well", holds=False)
    screen.table(("kind",), [("x" * 100,)])
    assert "\x1b" not in file.getvalue()
    assert "x" * 100 in file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_entries_fold_and_commands_stand_alone(width: int) -> None:
    """What a person has to do folds at the width, and its command starts a line of its own."""
    screen, file = terminal(width)
    detail = (
        "App Service lacks certificates/get and secrets/get on this vault, which nobody has granted. Run: az role"
        " assignment create --role X --scope /subscriptions/s"
    )
    screen.entries([("VaultAccessLacking", "certificate web/shop", detail)])
    lines = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in file.getvalue().splitlines()]
    assert all(len(line) <= width for line in lines)
    assert lines[0] == "  VaultAccessLacking: certificate web/shop"
    assert any(line.startswith("    az role assignment create") for line in lines)


def test_progress_is_one_line_on_a_terminal_and_a_line_per_change_elsewhere() -> None:
    """Progress rewrites a line of the terminal. A file receives a line only if more than the time has changed."""
    shown = ("    0.1 s  0 of 2", "    0.2 s  0 of 2", "    0.3 s  1 of 2")
    screen, file = terminal()
    with screen.progress() as show:
        for text in shown:
            show(text)
    assert file.getvalue().count("\n") == 1
    plain = io.StringIO()
    with Screen(plain).progress() as show:
        for text in shown:
            show(text)
    assert plain.getvalue().splitlines() == ["      0.1 s  0 of 2", "      0.3 s  1 of 2"]


def test_a_command_within_a_detail_stands_alone() -> None:
    """A command in backticks has a line of its own, and the text after the command goes on below."""
    screen, file = terminal()
    screen.entries(
        [("NotSeen", "vault web", "Set X to the output of `az ad sp show --id 7 --query id`. Others may help.")]
    )
    lines = [line.replace("\x1b[1m", "").replace("\x1b[0m", "").strip() for line in file.getvalue().splitlines()]
    assert lines[1:] == ["Set X to the output of", "az ad sp show --id 7 --query id", "Others may help."]
