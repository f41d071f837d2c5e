"""Report a schedule of the sweep that Certroll cannot read."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.findings import Finding
from shared.domain.reason import Reason
from shared.loop.run import Run

REPORT_EVERY = timedelta(hours=1)
"""How often the timer of pending starts reports a bad CERTROLL_SWEEP_SCHEDULE: as often as the sweep then runs."""


@dataclass
class ScheduleReport:
    """The report about CERTROLL_SWEEP_SCHEDULE, which each process repeats after REPORT_EVERY."""

    problem: str | None
    """What is wrong with the setting, or None."""
    _reported_at: datetime | None = None

    def report(self, run: Run) -> None:
        """Record the problem as a finding (a reported problem), or close the finding, unless the process has done so.

        The timer of pending starts calls this function every minute, because that timer has a fixed schedule. If the
        Functions host cannot read the schedule of the sweep, the host disables the sweep's timer alone.
        """
        now = run.now()
        if self._reported_at is not None and now < self._reported_at + REPORT_EVERY:
            return
        if self.problem is not None:
            finding = Finding(now, "settings", "CERTROLL_SWEEP_SCHEDULE", Reason.SETTING_IGNORED, self.problem)
            run.ports.findings.report((finding,))
        run.ports.findings.close("settings", now, lambda found: found.last_seen < now)
        self._reported_at = now
