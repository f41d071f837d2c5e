"""Decide when a run of Certroll ends by itself, in time before the Functions host ends the process of the run.

```text
0 ──────────────── TIME_BUDGET ────────── REQUEST_TIME ───────── RECORD_TIME ───────── FUNCTION_TIME_OUT
  begins new work      ends what it began      writes its records     only computes          the host ends
  and repeats calls    sends no call twice     asks Azure nothing     and returns            the process
```

No call outlives the limit of its kind: at the limit Certroll cuts the connection of the call. For this reason the end
of a run does not depend on how many resources the run reads, or on how slowly a server answers.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from shared.domain.errors import OutOfTime

FUNCTION_TIME_OUT = timedelta(minutes=10)
"""The `functionTimeout` of host.json, and the most that a Consumption plan allows (Azure docs, "Function app timeout
duration"). If a run takes longer, the Functions host kills the worker process with all runs in it."""
TIME_BUDGET = FUNCTION_TIME_OUT - timedelta(minutes=2)
"""How long a run may begin new work and repeat failed calls. The rest of the time is for the work that it began."""
REQUEST_TIME = TIME_BUDGET + timedelta(minutes=1)
"""How long a run may have a call to Azure or to an app under way. One minute after `TIME_BUDGET` is enough for the last
step: a read, a write, and reads until Azure shows the write. At this time Certroll cuts the connection of each call."""
RECORD_TIME = REQUEST_TIME + timedelta(seconds=30)
"""How long a run may write records, queue messages and leases. Half a minute is enough for two requests to storage that
take their longest time. The rest until `FUNCTION_TIME_OUT` is for a processor that 36 runs share."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The times at which a run of Certroll ends step by step."""

    work: datetime
    """From this time on, the run begins no new work and repeats no failed call."""
    requests: datetime
    """From this time on, the run has no call to Azure or to an app under way."""
    records: datetime
    """From this time on, the run has no call to the storage account under way."""

    @classmethod
    def of_run(cls, began: datetime) -> Self:
        """Return the deadline of a run that began at the given time."""
        return cls(began + TIME_BUDGET, began + REQUEST_TIME, began + RECORD_TIME)

    def request_seconds(self, now: datetime) -> float:
        """Return how many seconds a call to Azure or to an app may take. Raise OutOfTime if no time is left."""
        return _seconds(now, self.requests)

    def record_seconds(self, now: datetime) -> float:
        """Return how many seconds a call to the storage account may take. Raise OutOfTime if no time is left."""
        return _seconds(now, self.records)


_MAX = datetime.max.replace(tzinfo=UTC)
NEVER = Deadline(_MAX, _MAX, _MAX)
"""The deadline of calls outside of a run, such as those of a test."""


def _seconds(now: datetime, end: datetime) -> float:
    if now >= end:
        raise OutOfTime("the time of this run is over; another run continues the work")
    return (end - now).total_seconds()
