"""What every run works with, and when it must end."""

from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.errors import OutOfTime
from shared.domain.intent import Intent
from shared.ports import Ports

FUNCTION_TIME_OUT = timedelta(minutes=10)
"""The same as `functionTimeout` of host.json, and the most that a Consumption plan allows (Azure docs, "Function app
timeout duration"). The host kills the worker process of a run that takes longer, and with it the other runs there."""


TIME_BUDGET = FUNCTION_TIME_OUT - timedelta(minutes=2)
"""How long a run may begin new work. The rest is for a request that has begun: it may be retried for 90 s."""


@dataclass(frozen=True, slots=True)
class Run:
    """The ports, the intent, a pool for reads, and the moment by which the run must end."""

    ports: Ports
    intent: Intent
    pool: Executor
    ends_at: datetime

    @classmethod
    def start(cls, ports: Ports, intent: Intent, pool: Executor) -> "Run":
        """Return a run that starts now and ends well inside the function time-out of ten minutes."""
        return cls(ports, intent, pool, ports.clock.now() + TIME_BUDGET)

    def now(self) -> datetime:
        """Return the present moment."""
        return self.ports.clock.now()

    def check_time(self) -> None:
        """Return while there is time. Raises OutOfTime."""
        if self.now() >= self.ends_at:
            raise OutOfTime("the rest goes in another run")
