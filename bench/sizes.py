"""The sizes of the fleets in the bench."""

from dataclasses import dataclass

USUAL = 12
"""How many certificates the vault of a fleet has: as many as an instance handles at once."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a fleet."""

    sites: int
    webspaces: int
    subscriptions: int = 1
    lineages: int = USUAL
    """How many certificates the vault has."""
    used: int = 1
    """How many of these certificates each webspace holds, and its sites use in turn."""

    def __str__(self) -> str:
        where = "one subscription" if self.subscriptions == 1 else f"{self.subscriptions} subscriptions"
        shared = "" if self.lineages == USUAL and self.used == 1 else f", {self.lineages} certificates"
        return f"{self.sites:,} sites in {self.webspaces} webspaces of {where}{shared}"


TINY, SMALL, MIDDLE = Size(24, 4, lineages=8), Size(100, 8), Size(1_000, 40)
TENANTS, PLANNED = Size(1_000, 40, lineages=300), Size(10_000, 40, lineages=300)
CROWDED = Size(10_000, 40, used=USUAL)
LARGE, WIDE = Size(10_000, 40), Size(10_000, 400, 20)
