"""Define a run: the ports and settings that a run works with, and the time at which the run must end."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.errors import OutOfTime
from shared.domain.intent import Intent
from shared.loop.pool import Pool
from shared.ports import Ports

FUNCTION_TIME_OUT = timedelta(minutes=10)
"""The `functionTimeout` of host.json, and the most that a Consumption plan allows (Azure docs, "Function app timeout
duration"). If a run takes longer, the Functions host kills the worker process with all runs in it."""


TIME_BUDGET = FUNCTION_TIME_OUT - timedelta(minutes=2)
"""How long a run may begin new work. The two minutes left are for the last request, which Certroll retries for 90 s."""


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
    def start(cls, ports: Ports, intent: Intent, pool: Pool) -> "Run":
        """Return a run that starts now and has to end before the function time-out of ten minutes."""
        return cls(ports, intent, pool, ports.clock.now() + TIME_BUDGET)

    def now(self) -> datetime:
        """Return the current time."""
        return self.ports.clock.now()

    def check_time(self) -> None:
        """Raise OutOfTime if the run has too little time left to begin new work."""
        if self.now() >= self.ends_at:
            raise OutOfTime("the time of this run is over; another run continues the work")
