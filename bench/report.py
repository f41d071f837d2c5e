"""Write the figures of the bench as JSON, as a table of figures, and as a table of bars."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.bars import judge
from bench.figures import Figures

WHOLE = 10
"""From which value on a number is shown without decimals."""
KEPT = Path(__file__).parent / "figures.json"
"""The figures from which docs/reference/performance.md is made."""


def read(path: Path = KEPT) -> tuple[Figures, ...]:
    """Return the figures in a file."""
    kept: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return tuple(Figures(**found) for found in kept)


def kept_with(figures: Iterable[Figures]) -> tuple[Figures, ...]:
    """Return the kept figures, with the given ones in place of earlier ones of the same scenario."""
    new = {(found.name, found.fleet, found.posts_from): found for found in figures}
    kept = tuple(new.pop((found.name, found.fleet, found.posts_from), found) for found in read())
    return (*kept, *new.values())


def write(figures: Iterable[Figures], path: Path) -> None:
    """Write the figures to a file."""
    path.parent.mkdir(exist_ok=True)
    found = json.dumps([found.to_json() for found in figures], indent=1)
    path.write_text(f"{found}\n", encoding="utf-8")


def figures_table(figures: Iterable[Figures]) -> str:
    """Return a table with a row for each figure, next to its floor."""
    head = (
        "what", "fleet", "settings from", "seconds", "floor", "requests to ARM", "floor", "reads", "settings", "writes",
        "429", "Key Vault", "yardsticks", "MB", "more",
    )  # fmt: skip
    return _table(head, (_row(found) for found in figures))


def _row(found: Figures) -> Iterable[object]:
    floors = found.floor_seconds, found.floor_requests
    yield from (found.name, found.fleet, found.posts_from)
    yield from (_number(found.seconds), _number(floors[0]), _number(found.requests), _number(floors[1]))
    yield from map(_number, (found.reads, found.posts, found.writes, found.refused, found.vault))
    yield from (_number(found.yardsticks), _number(found.memory_mb))
    yield ", ".join(f"{name}: {number:,g}" for name, number in {**found.more, **found.failed}.items())


def kinds_table(figures: Iterable[Figures]) -> str:
    """Return a table with a row for each kind of request, and a column for each figure."""
    figures = tuple(figures)
    known = dict.fromkeys(kind for found in figures for kind in found.kinds)
    head = ("requests", *(found.name for found in figures))
    return _table(head, ((kind, *(_number(found.kinds.get(kind, 0)) for found in figures)) for kind in known))


def bars_table(figures: Iterable[Figures]) -> str:
    """Return a table with a row for each bar and each setting of the knob."""
    head = ("what", "fleet", "settings from", "value", "at most", "measured", "holds")
    rows = (
        (bar.figure, bar.fleet, posts, bar.value, _number(bar.most), _number(value), "yes" if found.holds else "no")
        for found in judge(figures)
        for bar, posts, value in (found,)
    )
    return _table(head, rows)


def _number(value: float) -> str:
    return "" if not value else f"{value:,.0f}" if value >= WHOLE else f"{value:.2g}"


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = tuple(head)
    lines = (" | ".join(str(cell) for cell in row) for row in (head, ("---",) * len(head), *rows))
    return "".join(f"| {line} |\n" for line in lines)
