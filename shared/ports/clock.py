"""Define the clock, which functions take as an argument so that tests can set the time."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The clock that tells Certroll the time and lets Certroll wait."""

    def now(self) -> datetime:
        """Return the present time in UTC, as an aware datetime."""

    def sleep(self, seconds: float) -> None:
        """Wait for the given number of seconds."""
