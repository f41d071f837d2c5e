"""The real clock: the only place that asks what time it is."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Time as it passes."""

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        time.sleep(seconds)
