"""What the demo shows: lines, tables, a line that changes, and claims with the result of their check."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Checks:
    """What was claimed, and whether it held."""

    failed: list[str] = field(default_factory=list)

    def claim(self, holds: object, text: str) -> None:
        """Print a claim with the result of its check."""
        print(f"  {'ok    ' if holds else 'FAILED'}  {text}")
        if not holds:
            self.failed.append(text)


def say(text: str) -> None:
    """Print one line of what happens."""
    print(f"- {text}", flush=True)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table, each column as wide as it has to be."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, tuple("-" * width for width in widths), *rows):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Rewrite one line on a terminal; elsewhere print it when it changed in more than the time."""
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
