"""Print lines, tables, a line of progress, and the statements of the demo with the results of their checks."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Checks:
    """Print the statements that the demo checks, and collect the false statements in `failed`."""

    failed: list[str] = field(default_factory=list)

    def claim(self, holds: object, text: str) -> None:
        """Print a statement of the demo with the result of its check."""
        print(f"  {'ok    ' if holds else 'FAILED'}  {text}")
        if not holds:
            self.failed.append(text)


def say(text: str) -> None:
    """Print a line that says what the demo does now."""
    print(f"- {text}", flush=True)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table, each column as wide as its longest cell."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, tuple("-" * width for width in widths), *rows):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show progress, on a terminal in a rewritten line, and elsewhere in a new line per change.

    The first eight characters of a line of progress are the time. The demo does not print a line of progress that
    differs from the last line only in its time.
    """
    terminal, last = sys.stdout.isatty(), ""

    def show(text: str) -> None:
        nonlocal last
        if terminal:
            print(f"\r  {text}", end="", flush=True)
        elif text[8:] != last:
            print(f"  {text}", flush=True)
            last = text[8:]

    yield show
    if terminal:
        print()
