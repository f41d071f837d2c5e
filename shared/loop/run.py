"""Define a run: the ports and settings that a run works with, and the deadline of the run."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.deadline import Deadline
from shared.domain.errors import OutOfTime
from shared.domain.intent import Intent
from shared.loop.pool import Pool
from shared.ports import Ports


@dataclass(frozen=True, slots=True)
class Run:
    """The handling of one queue message, timer call or HTTP request."""

    ports: Ports
    intent: Intent
    """The settings of the operator."""
    pool: Pool
    """Threads for reads only."""
    ends_at: datetime
    """The time at which the run stops beginning new work."""

    @classmethod
    def start(cls, ports: Ports, intent: Intent, pool: Pool, deadline: Deadline | None = None) -> "Run":
        """Return a run that starts now and ends before the function time-out of ten minutes.

        `deadline` is the deadline that the ports respect already, if they respect one.
        """
        until = deadline or Deadline.of_run(ports.clock.now())
        in_time = pool.within(lambda: until.request_seconds(ports.clock.now()))
        return cls(ports, intent, in_time, until.work)

    def now(self) -> datetime:
        """Return the current time."""
        return self.ports.clock.now()

    def check_time(self, needed: timedelta = timedelta(0)) -> None:
        """Raise OutOfTime if the run has no time left to begin new work, or not the time that the work needs."""
        now = self.now()
        if now >= self.ends_at or now + needed > self.ends_at:
            raise OutOfTime("the time of this run is over; another run continues the work")
