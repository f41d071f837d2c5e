"""Time, as an argument."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The present moment, and waiting."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
