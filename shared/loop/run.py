"""Define a run: the ports and settings that a run works with, and the deadline of the run."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from shared.domain.deadline import Deadline
from shared.domain.errors import OutOfTime
from shared.domain.intent import Intent
from shared.loop.pool import Pool
from shared.ports import Ports

HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Run:
    """The handling of one queue message, timer call or HTTP request."""

    ports: Ports
    intent: Intent
    """The settings of the operator."""
    pool: Pool
    """Threads for reads only."""
    records_pool: Pool
    """The threads of `pool` for work that uses only the storage account, for as long as the run may write records."""
    probes: Pool
    """Threads for TLS handshakes and for probes of apps, so that no read of another run delays a handshake."""
    ends_at: datetime
    """The time at which the run stops beginning new work."""

    @classmethod
    def start(
        cls, ports: Ports, intent: Intent, pool: Pool, deadline: Deadline | None = None, probes: Pool | None = None
    ) -> "Run":
        """Return a run that starts now and ends before the function time-out of ten minutes.

        `deadline` is the deadline that the ports respect already, if they respect one. Without `probes`, the threads of
        `pool` also make the TLS handshakes.
        """
        until, now = deadline or Deadline.of_run(ports.clock.now()), ports.clock.now

        def request_seconds() -> float:
            return until.request_seconds(now())

        records_pool = pool.within(lambda: until.record_seconds(now()))
        in_time, probing = pool.within(request_seconds), (probes or pool).within(request_seconds)
        return cls(ports, intent, in_time, records_pool, probing, until.work)

    def leaving(self, later: timedelta) -> "Run":
        """Return this run with less time: it begins no new work when only the time `later` is left."""
        return replace(self, ends_at=self.ends_at - later)

    def part(self, share: Fraction) -> timedelta:
        """Return a share of the time that is left for new work, or no time if none is left."""
        return max(self.ends_at - self.now(), timedelta(0)) * share.numerator / share.denominator

    def now(self) -> datetime:
        """Return the current time."""
        return self.ports.clock.now()

    def check_time(self, needed: timedelta = timedelta(0)) -> None:
        """Raise OutOfTime if the run has no time left to begin new work, or not the time that the work needs."""
        now = self.now()
        if now >= self.ends_at or now + needed > self.ends_at:
            raise OutOfTime("the time of this run is over; another run continues the work")
