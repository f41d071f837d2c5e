"""Lay out text for a terminal of a given width: folded lines, tables, and commands on lines of their own."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GAP = "  "
INDENT = "  "
LEAST_WIDTH = 16
PIECES = re.compile(r"[^-/._=&?,:|]*[-/._=&?,:|]+|[^-/._=&?,:|]+")
"""The pieces of a long word, each with the punctuation after which a line may end."""
TO_COPY = re.compile(
    r"`(?P<quoted>az [a-z][^`]*)`[.,;:]?|(?:(?<=\s)|^)az [a-z].*$|(?<=this record: ).*$|(?<=this one: ).*$", re.DOTALL
)
"""What a person copies: a command of the az CLI in backticks, or commands or a DNS record at the end of the text."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    rank: int = 0
    """The column with the highest rank is left out first if the table is wider than the terminal."""
    folds: bool = False
    """True if this column, instead of the widest, folds its cells, after commas, where the table is too wide."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A table, laid out for a width."""

    head: str
    rule: str
    rows: tuple[tuple[str, ...], ...]
    """The lines of each row."""
    omitted: tuple[str, ...]
    """The titles of the columns that did not fit."""


def fold(text: str, width: int, *, phrases: bool = False) -> list[str]:
    """Return the text as lines of at most `width` characters, which end at blanks or after punctuation.

    With `phrases`, a line ends only after a comma, unless what stands between two commas is too long.

    A word without punctuation that is longer than the width gets a line of its own.
    """
    lines, line = list[str](), ""
    for word in re.split(r"(?<=,) ", text) if phrases else text.split():
        if len(word) > width and " " in word:
            *full, last = fold(word, width)
            lines, line = [*lines, *([line] if line else []), *full], last
            continue
        for number, piece in enumerate(_pieces(word, width)):
            glue = " " if line and number == 0 else ""
            if line and len(line) + len(glue) + len(piece) > width:
                lines.append(line)
                line, glue = "", ""
            line += glue + piece
    return [*lines, line] if line or not lines else lines


def _pieces(word: str, width: int) -> list[str]:
    return [word] if len(word) <= width else PIECES.findall(word)


def sentences_and_commands(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the sentences of the text, and what a person copies. The bool is True for what a person copies."""
    ended = 0
    for match in TO_COPY.finditer(text):
        if before := text[ended : match.start()].strip():
            yield before, False
        ended = match.end()
        yield from ((command.strip(), True) for command in re.split(r"(?<=&&) ", match["quoted"] or match[0]))
    if rest := text[ended:].strip():
        yield rest, False


def detailed(text: str, width: int) -> Iterator[tuple[str, bool]]:
    """Yield the lines of a detail. What a person copies has lines of its own, for which the bool is True."""
    for part, to_copy in sentences_and_commands(text):
        yield from ((line, to_copy) for line in (continued(part, width) if to_copy else fold(part, width)))


def continued(command: str, width: int) -> list[str]:
    r"""Return a shell command as lines that end with `\`. A line breaks only before an option, never in a value."""
    if len(command) <= width:
        return [command]
    lines, line = list[str](), ""
    for part in re.split(r" (?=--[a-z])", command):
        if line and len(line) + len(part) + len(r"  \ ") > width:
            lines.append(f"{line} \\")
            line = f"{INDENT}{part}"
        else:
            line = f"{line} {part}" if line else part
    return [*lines, line]


def lay_out(titled: Sequence[Column | str], rows: Sequence[Sequence[str]], width: int) -> Laid:
    """Return the table for a terminal of this width.

    Columns of a rank above 0 are left out, highest rank first, until the table fits. If the table is still too wide,
    a column folds its cells: the column with `folds`, or else the widest column. If that is not enough, the next widest
    column folds its cells too.
    """
    columns = [column if isinstance(column, Column) else Column(column) for column in titled]
    kept = list(range(len(columns)))
    while _natural(columns, rows, kept) > width and (spare := [i for i in kept if columns[i].rank]):
        kept.remove(max(spare, key=lambda i: columns[i].rank))
    widths = _fitted([columns[i] for i in kept], [_widest(columns[i].title, rows, i) for i in kept], width)
    shown = [columns[i] for i in kept]
    lines = [tuple(_lines(shown, [row[i] for i in kept], widths)) for row in rows]
    head, rule = [columns[i].title for i in kept], ["-" * size for size in widths]
    omitted = tuple(column.title for i, column in enumerate(columns) if i not in kept)
    return Laid(_line(head, widths), _line(rule, widths), tuple(lines), omitted)


def _natural(columns: Sequence[Column], rows: Sequence[Sequence[str]], kept: Sequence[int]) -> int:
    return len(INDENT) + sum(_widest(columns[i].title, rows, i) for i in kept) + len(GAP) * (len(kept) - 1)


def _widest(title: str, rows: Sequence[Sequence[str]], column: int) -> int:
    return max(len(title), *(len(row[column]) for row in rows), 0)


def _fitted(columns: Sequence[Column], widths: list[int], width: int) -> list[int]:
    """Return the widths with which the table fits: the columns with `folds` give first, and then the widest ones."""
    order = sorted(range(len(columns)), key=lambda i: (not columns[i].folds, -widths[i]))
    excess = len(INDENT) + sum(widths) + len(GAP) * (len(widths) - 1) - width
    fitted = list(widths)
    for i in order:
        given = min(max(excess, 0), max(widths[i] - LEAST_WIDTH, 0))
        fitted[i], excess = widths[i] - given, excess - given
    return fitted


def _lines(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    sized = zip(columns, cells, widths, strict=True)
    folded = [fold(cell, size, phrases=column.folds) for column, cell, size in sized]
    for number in range(max(map(len, folded), default=0)):
        yield _line([lines[number] if number < len(lines) else "" for lines in folded], widths)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return (INDENT + GAP.join(cell.ljust(size) for cell, size in zip(cells, widths, strict=True))).rstrip()
