"""The real clock: in shared/ only this module asks the machine for the date and time."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The clock of the machine, which implements the port (interface) `Clock`."""

    def now(self) -> datetime:
        """Return the present time as an aware datetime in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Sleep for the given number of seconds."""
        time.sleep(seconds)
