"""Print for a person: lines, tables, checks and a line of progress, in colour where the terminal has it.

rich finds out what the terminal can do, and follows NO_COLOR (no-color.org). The colours are the terminal's own red and
green, which are readable on a dark and on a light ground.
"""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.text import Text

from local import environment
from local.layout import INDENT, Column, continued, detailed, fold, lay_out

WIDTH_OF_FILES = 120
"""The width of what goes to a file or a pipe, which has no width of its own."""
GOOD, BAD, QUIET, STRONG = "green", "bold red", "dim", "bold"
MARKS = re.compile(r"\bFAILED\b")
TERMINAL = Path("/dev/tty")
"""The terminal that controls this process."""
TIMES = 8
"""The first characters of a line of progress, which are the time."""


class Screen:
    """The terminal or file to which a command prints."""

    def __init__(
        self, file: IO[str] | None = None, *, width: int | None = None, console: Console | None = None
    ) -> None:
        """Print to the file, by default to standard output. The terminal tells the width unless it is given."""
        self.console = console or _console(file, width)

    @property
    def width(self) -> int:
        """The number of characters in a line."""
        return self.console.width

    @property
    def is_piped(self) -> bool:
        """True if the output goes to a file or a pipe, whose width nobody has set with COLUMNS."""
        return not self.console.is_terminal and "COLUMNS" not in environment.of_this_process()

    def line(self, text: str = "", style: str = "") -> None:
        """Print a text, folded at the width of the screen."""
        self._print(fold(text, self.width), style)

    def note(self, text: str) -> None:
        """Print an indented text."""
        self._print(_indented(text, self.width))

    def say(self, text: str) -> None:
        """Print a line that says what happens now."""
        first, *others = fold(text, self.width - len("- "))
        self._print([f"- {first}", *(f"  {line}" for line in others)])

    def heading(self, text: str) -> None:
        """Print a heading after an empty line."""
        self.console.line()
        self._print(fold(text, self.width), STRONG)

    def command(self, text: str) -> None:
        """Print what a person copies into a shell, on lines of its own. A value is never broken."""
        self._print([f"{INDENT}{INDENT}{line}" for line in continued(text, self.width - 2 * len(INDENT))], STRONG)

    def claim(self, text: str, *, holds: bool) -> None:
        """Print a statement with the result of its check: `ok` in green, or `FAILED` in red."""
        word, style = ("ok    ", GOOD) if holds else ("FAILED", BAD)
        first, *others = fold(text, self.width - len("  FAILED  "))
        self.console.print(Text.assemble(INDENT, (word, style), INDENT, first), soft_wrap=True)
        self._print([" " * len("  FAILED  ") + line for line in others])

    def table(self, columns: Sequence[Column | str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table. Columns that do not fit are left out, and named below the table."""
        laid = lay_out(columns, rows, self.width)
        self._print([laid.head], STRONG)
        self._print([laid.rule], QUIET)
        self._print([line for row in laid.rows for line in row])
        if laid.omitted:
            self._print(_indented(f"A wider terminal also shows: {', '.join(laid.omitted)}.", self.width), QUIET)

    def entries(self, entries: Sequence[tuple[str, str, str]], none: str = "none") -> None:
        """Print entries of a reason, a subject and a detail. What a person copies stands on lines of its own."""
        for reason, subject, detail in entries:
            first, *others = fold(f"{reason}: {subject}", self.width - len(INDENT))
            self.console.print(Text.assemble(INDENT, _with_strong_reason(first, reason)), soft_wrap=True)
            self._print([f"{INDENT}{INDENT}{line}" for line in others])
            self._detail(detail)
        if not entries:
            self._print([f"{INDENT}{none}"], QUIET)

    def _detail(self, detail: str) -> None:
        for line, to_copy in detailed(detail, self.width - 2 * len(INDENT)):
            self._print([f"{INDENT}{INDENT}{line}"], STRONG if to_copy else "")

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], None]]:
        """Show progress, on a terminal in a rewritten line, and in a file in a new line per change.

        A file gets no line of progress that differs from the last line only in its time.
        """
        terminal, last = self.console.is_terminal and not self.console.is_dumb_terminal, ""

        def show(text: str) -> None:
            nonlocal last
            if terminal:
                self.console.file.write(f"\r{INDENT}{text[: self.width - len(INDENT) - 1]}\x1b[K")
                self.console.file.flush()
            elif text[TIMES:] != last:
                self._print([f"{INDENT}{text}"])
                last = text[TIMES:]

        try:
            yield show
        finally:
            if terminal:
                self.console.line()

    def _print(self, lines: Sequence[str], style: str = "") -> None:
        for line in lines:
            self.console.print(_marked(line, style), soft_wrap=True)
        self.console.file.flush()


def width_of_reader() -> int | None:
    """Return the width of the terminal in which a person may read a pipe, such as in `less`. None without a terminal.

    Standard error of the command, or the terminal that controls the process, tells the width.
    """
    return _width_of(sys.stderr.fileno) or _width_of_terminal()


def _width_of_terminal() -> int | None:
    with contextlib.suppress(OSError), TERMINAL.open("rb") as terminal:
        return _width_of(terminal.fileno)
    return None


def _width_of(number: Callable[[], int]) -> int | None:
    with contextlib.suppress(OSError, ValueError):  # A test may replace standard error by what has no file number.
        return os.get_terminal_size(number()).columns or None
    return None


def _console(file: IO[str] | None, width: int | None) -> Console:
    console = Console(file=file, width=width, markup=False, highlight=False, emoji=False)
    if width is None and not console.is_terminal and "COLUMNS" not in environment.of_this_process():
        console.width = WIDTH_OF_FILES
    return console


def _indented(text: str, width: int) -> list[str]:
    return [f"{INDENT}{line}" for line in fold(text, width - len(INDENT))]


def _with_strong_reason(line: str, reason: str) -> Text:
    text = Text(line)
    text.stylize(STRONG, 0, min(len(reason), len(line)))
    return text


def _marked(line: str, style: str) -> Text:
    """Return the line in the style, with the word FAILED in red."""
    text = Text(line, style=style)
    text.highlight_regex(MARKS, BAD)
    return text
