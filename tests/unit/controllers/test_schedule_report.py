"""Certroll reports a schedule of the sweep that it cannot read, without relying on the sweep's timer."""

import json
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from shared.controllers.sweep.schedule import ScheduleReport
from shared.domain.findings import Finding
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.build import APPLY, ManualClock
from tests.small_storage import SmallStorage, ports_on


@dataclass
class Findings:
    """This fake collects the reported findings, or refuses the next one."""

    told: list[Finding] = field(default_factory=list)
    fails: Exception | None = None

    def report(self, findings: tuple[Finding, ...]) -> None:
        """Collect the findings, or raise the error once."""
        if self.fails:
            error, self.fails = self.fails, None
            raise error
        self.told += findings

    def close(self, *_: object) -> None:
        """Close no finding."""


def every_minute(report: ScheduleReport, findings: Findings, minutes: int, clock: ManualClock) -> int:
    """Call the report once a minute, and return how many findings it has made."""
    with Pool(1, "reader") as pool:
        for _ in range(minutes):
            report.report(Run.start(ports_on(SmallStorage(), clock, findings=findings), APPLY, pool))
            clock.sleep(timedelta(minutes=1).total_seconds())
    return len(findings.told)


def test_bad_schedule_is_reported_each_hour() -> None:
    """A schedule that Certroll cannot read is a finding each hour, and not each minute."""
    report, findings, clock = ScheduleReport(("CERTROLL_SWEEP_SCHEDULE: give six fields",)), Findings(), ManualClock()
    assert [every_minute(report, findings, minutes, clock) for minutes in (1, 59, 1, 59, 1)] == [1, 1, 2, 2, 3]
    assert {(found.reason, found.subject) for found in findings.told} == {("SettingIgnored", "CERTROLL_SWEEP_SCHEDULE")}
    assert {found.detail for found in findings.told} == {"CERTROLL_SWEEP_SCHEDULE: give six fields"}


def test_good_schedule_is_no_finding() -> None:
    """A schedule that Certroll can read, or that is not set, makes no finding."""
    assert every_minute(ScheduleReport(), Findings(), 61, ManualClock()) == 0


def test_good_schedule_closes_what_a_bad_one_opened() -> None:
    """After an operator has corrected the setting, the next process closes the finding."""
    storage, clock = SmallStorage(), ManualClock()

    def started(problem: str | None) -> list[object]:
        with Pool(1, "reader") as pool:
            ScheduleReport((problem,) if problem else ()).report(Run.start(ports_on(storage, clock), APPLY, pool))
        clock.sleep(60)
        return [row["state"] for row in storage.all("certrollfindings")]

    assert [started("bad"), started("bad"), started(None)] == [["open"], ["open"], ["closed"]]


def test_report_that_failed_is_made_a_minute_later() -> None:
    """If Certroll cannot record the finding, the next run of the timer tries again."""
    report, findings, clock = (
        ScheduleReport(("CERTROLL_SWEEP_SCHEDULE: bad",)),
        Findings(fails=OSError("the table is away")),
        ManualClock(),
    )
    with pytest.raises(OSError, match="away"):
        every_minute(report, findings, 1, clock)
    assert every_minute(report, findings, 1, clock) == 1


def test_unknown_settings_are_one_event_at_start_and_one_finding(caplog: pytest.LogCaptureFixture) -> None:
    """Mistyped settings are one finding with the nearest names, and one event of each process."""
    caplog.set_level("INFO", "certroll")
    report = ScheduleReport((), (("CERTROLL_FREZE", "CERTROLL_FREEZE"), ("CERTROLL_QQQ", None)))
    findings, clock = Findings(), ManualClock()
    assert [every_minute(report, findings, minutes, clock) for minutes in (1, 59, 1)] == [1, 1, 2]
    assert {(found.reason, found.subject) for found in findings.told} == {("UnknownSetting", "unknown settings")}
    assert "CERTROLL_FREZE (is CERTROLL_FREEZE meant?); CERTROLL_QQQ" in findings.told[0].detail
    (line,) = caplog.messages
    assert json.loads(line) == {
        "event": "settings.unknown",
        "settings": [
            {"name": "CERTROLL_FREZE", "nearest": "CERTROLL_FREEZE"},
            {"name": "CERTROLL_QQQ", "nearest": None},
        ],
    }
