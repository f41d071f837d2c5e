"""Report the settings that Certroll ignores: a schedule that it cannot read, and settings that it does not know."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.findings import Finding
from shared.domain.reason import Reason
from shared.loop.run import Run
from shared.telemetry import event

REPORT_EVERY = timedelta(hours=1)
"""How often the timer of pending starts reports ignored settings: as often as the sweep runs by default."""
Unknown = tuple[tuple[str, str | None], ...]
"""The names of settings that Certroll does not know, each with the nearest known name or None."""


@dataclass
class ScheduleReport:
    """The report about ignored settings, which each process repeats after REPORT_EVERY."""

    problems: tuple[str, ...] = ()
    """What is wrong with the schedules, each problem with the name of its setting in front."""
    unknown: Unknown = ()
    """The settings that begin as Certroll's settings and that Certroll does not know."""
    _reported_at: datetime | None = None

    def report(self, run: Run) -> None:
        """Record the problems as findings (reported problems), or close them, unless the process has just done so.

        The timer of pending starts calls this function every minute, because that timer has a fixed schedule. If the
        Functions host cannot read the schedule of the sweep, the host disables the sweep's timer alone. The first
        report of a process also logs the unknown settings.
        """
        now = run.now()
        if self._reported_at is not None and now < self._reported_at + REPORT_EVERY:
            return
        if findings := self._findings(now):
            run.ports.findings.report(findings)
        run.ports.findings.close("settings", now, lambda found: found.last_seen < now)
        if self.unknown and self._reported_at is None:
            event("settings.unknown", settings=[{"name": name, "nearest": meant} for name, meant in self.unknown])
        self._reported_at = now

    def _findings(self, now: datetime) -> tuple[Finding, ...]:
        found = []
        for problem in self.problems:
            name = problem.partition(":")[0]
            found.append(Finding(now, "settings", name, Reason.SETTING_IGNORED, problem))
        if self.unknown:
            names = "; ".join(f"{name} (is {meant} meant?)" if meant else name for name, meant in self.unknown)
            detail = f"Certroll knows no such settings: {names}. docs/reference/settings.md lists all settings"
            found.append(Finding(now, "settings", "unknown settings", Reason.UNKNOWN_SETTING, detail))
        return tuple(found)
