"""A token bucket: each request takes a token, and time refills the bucket at a steady rate."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Bucket:
    """A token bucket with its size, its tokens, and the tokens that it gains in a second."""

    size: float
    refill: float
    tokens: float
    at: datetime
    lowest: float = float("inf")
    """The fewest tokens that a request has left in the bucket."""

    @classmethod
    def full(cls, size: float, refill: float, now: datetime) -> "Bucket":
        """Return a full bucket."""
        return cls(size, refill, size, now)

    def fill(self, now: datetime) -> float:
        """Add the tokens of the time that has passed, and return the tokens in the bucket."""
        self.tokens = min(self.size, self.tokens + (now - self.at).total_seconds() * self.refill)
        self.at = now
        return self.tokens

    def take(self, now: datetime, number: float = 1) -> int | None:
        """Take tokens and return the number of whole tokens left, or return None if the bucket has too few."""
        if self.fill(now) < number:
            return None
        self.tokens -= number
        self.lowest = min(self.lowest, self.tokens)
        return int(self.tokens)
