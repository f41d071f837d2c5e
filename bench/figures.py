"""The figures of the bench, and the names of those that a bar is about."""

from dataclasses import asdict, dataclass, field
from typing import Any

COLD, WARM = "sweep cold", "sweep warm"
EVERYWHERE, AFTERWARDS = "one wildcard everywhere, all proven", "one wildcard everywhere, afterwards"
ALL_BOUND, IN_ALL = "contoso's four renewals, all bound", "contoso's four renewals, in all"
UNSWEPT = "contoso's four renewals, nothing remembered"
FULL, PLANNING = "one instance with full queues", "planning"
CONTOSO = "Contoso"
A_YEAR, MOST_COPIES = "a year of 45-day certificates", "most copies in a webspace"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a part of a scenario cost, next to the least that it can cost."""

    name: str
    fleet: str
    posts_from: str
    """The knob: from which bucket Azure takes reads of app settings. Empty if the figure does not depend on it."""
    seconds: float
    """The simulated seconds."""
    reads: int = 0
    posts: int = 0
    """The reads of app settings."""
    writes: int = 0
    vault: int = 0
    refused: int = 0
    """The requests to ARM that Azure answered with 429, which the other counts include."""
    floor_seconds: float = 0.0
    floor_requests: int = 0
    """The least requests to ARM."""
    yardsticks: float = 0.0
    """The processor time of Certroll, without the simulated Azure, in yardsticks of the same run."""
    memory_mb: float = 0.0
    """The most memory above what the simulated fleet takes."""
    more: dict[str, float] = field(default_factory=dict)
    """Further counts of the scenario, by name."""
    failed: dict[str, int] = field(default_factory=dict)
    """How often runs failed, by kind of error."""

    kinds: dict[str, int] = field(default_factory=dict)
    """The number of requests of each method and path without names, the most frequent first."""

    @property
    def requests(self) -> int:
        """The requests to ARM, with those that Azure refused."""
        return self.reads + self.posts + self.writes

    @property
    def refused_share(self) -> float:
        """The share of the requests to ARM that Azure refused."""
        return self.refused / self.requests if self.requests else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the figures as values for JSON."""
        return asdict(self)
