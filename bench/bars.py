"""The bars: what each figure of the bench must not exceed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bench.figures import (
    A_YEAR,
    ALL_BOUND,
    COLD,
    CONTOSO,
    EVERYWHERE,
    FULL,
    IN_ALL,
    MOST_COPIES,
    PLANNING,
    WARM,
    Figures,
)
from bench.sizes import CROWDED, LARGE, MIDDLE, PLANNED, TINY, WIDE

OVER_FLOOR = 1.2
"""How many times the floor a piece of work may take that uses the whole of a bucket."""
COPIES = 3
"""How many copies of a certificate a webspace holds at most: one that sites use, and one for each of the two renewals
in the life of a certificate that is renewed after a third of it. The grace is at most a third, too."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The most that one value of a figure may be."""

    figure: str
    fleet: str
    value: str
    most: float
    of: Callable[[Figures], float]
    counts: bool = True
    """True if the value is a count or a ratio of simulated values, which no machine changes."""


def _seconds(figures: Figures) -> float:
    return figures.seconds


def _requests(figures: Figures) -> float:
    return figures.requests


def _missing(figures: Figures) -> float:
    return 1 - figures.more.get("completed", 0.0)


def _over_floor(figures: Figures) -> float:
    return figures.seconds / figures.floor_seconds if figures.floor_seconds else 0.0


def _copies(figures: Figures) -> float:
    return figures.more.get(MOST_COPIES, 0.0)


BARS: tuple[Bar, ...] = (
    Bar(WARM, str(MIDDLE), "seconds", 10, _seconds),
    Bar(WARM, str(MIDDLE), "reads of settings", 90, lambda figures: figures.posts),
    Bar(WARM, str(LARGE), "reads of settings", 700, lambda figures: figures.posts),
    Bar(WARM, str(LARGE), "share of refused requests", 0.02, lambda figures: figures.refused_share),
    Bar(WARM, str(LARGE), "sweeps without an end", 0, _missing),
    Bar(COLD, str(LARGE), "sweeps without an end", 0, _missing),
    Bar(COLD, str(LARGE), "times the floor", OVER_FLOOR, _over_floor),
    Bar(EVERYWHERE, str(MIDDLE), "seconds", 150, _seconds),
    Bar(EVERYWHERE, str(MIDDLE), "requests", 3_400, _requests),
    Bar(EVERYWHERE, str(WIDE), "seconds", 150, _seconds),
    Bar(EVERYWHERE, str(WIDE), "requests", 34_000, _requests),
    Bar(ALL_BOUND, CONTOSO, "requests", 130, _requests),
    Bar(IN_ALL, CONTOSO, "requests", 180, _requests),
    Bar(A_YEAR, str(TINY), "copies in a webspace", COPIES * TINY.lineages / TINY.webspaces, _copies),
    Bar(FULL, str(CROWDED), "MB", 1_500, lambda figures: figures.memory_mb, counts=False),
    Bar(PLANNING, str(PLANNED), "yardsticks", 100, lambda figures: figures.yardsticks, counts=False),
    Bar(PLANNING, str(PLANNED), "MB", 400, lambda figures: figures.memory_mb, counts=False),
)
"""A yardstick takes about 0.1 s, so ten yardsticks of one second of processor time are 100 of these."""


class Judged(NamedTuple):
    """A bar with the value of a figure."""

    bar: Bar
    posts_from: str
    value: float

    @property
    def holds(self) -> bool:
        """True if the value is within the bar."""
        return self.value <= self.bar.most


def judge(figures: Iterable[Figures]) -> list[Judged]:
    """Return each bar with the value of each figure that it is about."""
    figures = tuple(figures)
    return [
        Judged(bar, found.posts_from, bar.of(found))
        for bar in BARS
        for found in figures
        if found.name == bar.figure and found.fleet == bar.fleet
    ]


def missing(figures: Iterable[Figures]) -> list[Bar]:
    """Return the bars that none of the figures is about."""
    known = {(found.name, found.fleet) for found in figures}
    return [bar for bar in BARS if (bar.figure, bar.fleet) not in known]
