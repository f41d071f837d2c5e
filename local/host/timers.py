"""Run timer triggers on NCRONTAB schedules in UTC, with the status that the .NET host stores.

Source: azure-webjobs-sdk-extensions, `TimerListener` and `ScheduleMonitor`, and measurements on Azure Functions host
4.1037.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from croniter import CroniterError, croniter

from local.host.configuration import ConfigurationInvalid
from local.host.dispatch import Start
from local.host.functions import FunctionMetadata
from local.host.triggers import timer

FIELD = re.compile(r"(?:[\d*/,-]|[A-Za-z]{3,})+")
FIELD_COUNTS = (5, 6)
SECONDS_FIELD_COUNT = 6
UNSET = datetime.min.replace(tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SETTLE_SECONDS = 5.0

log = logging.getLogger("host.timers")


def utc_now() -> datetime:
    """Return the present time of this machine in UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


class Schedule:
    """An NCRONTAB expression of five fields, or six with seconds first."""

    def __init__(self, expression: str) -> None:
        """Parse the expression. Raise ConfigurationInvalid if the .NET host would refuse the expression."""
        fields = expression.split()
        if len(fields) not in FIELD_COUNTS or not all(FIELD.fullmatch(field) for field in fields):
            raise ConfigurationInvalid(
                f"The schedule expression '{expression}' was not recognized as a valid cron expression."
            )
        self._expression = " ".join(fields)
        self._seconds_first = len(fields) == SECONDS_FIELD_COUNT
        self.after(utc_now())

    def after(self, moment: datetime) -> datetime:
        """Return the first time of the schedule after the given moment."""
        try:
            due = croniter(self._expression, moment, second_at_beginning=self._seconds_first).get_next(float)
        except CroniterError as problem:
            raise ConfigurationInvalid(
                f"The schedule expression '{self._expression}' is invalid: {problem}"
            ) from problem
        return datetime.fromtimestamp(due, UTC)

    def is_monitored(self, now: datetime) -> bool:
        """Return True if the .NET host may store a status: only for times that are at least a minute apart."""
        following = self.after(now)
        return self.after(following) - following >= MINUTE


@dataclass(frozen=True, slots=True)
class Status:
    """What the .NET host remembers of a timer: its last run and its next time."""

    last: datetime
    next: datetime
    updated: datetime

    @classmethod
    def parse(cls, text: str) -> "Status":
        """Return the status in the JSON of a status blob."""
        fields = json.loads(text)
        return cls(*(datetime.fromisoformat(fields[name]) for name in ("Last", "Next", "LastUpdated")))

    @property
    def fields(self) -> dict[str, str]:
        """The fields of the status blob."""
        return {"Last": self.last.isoformat(), "Next": self.next.isoformat(), "LastUpdated": self.updated.isoformat()}

    def fits(self, schedule: Schedule) -> bool:
        """Return True if the next time follows from the schedule, so that nobody has changed the schedule."""
        return self.next == schedule.after(self.updated if self.last == UNSET else self.last)


class Statuses(Protocol):
    """The stored statuses of timers."""

    def read(self, function: str) -> Status | None:
        """Return the status of a timer function, or None before its first start."""

    def write(self, function: str, status: Status) -> None:
        """Store the status of a timer function."""


class TimerListener:
    """Run a function whenever its schedule is due, and never twice at a time.

    The next time follows from the beginning of the last run. A run that lasts longer than its interval is therefore
    followed at once by the next run. With `useMonitor`, the listener makes up for a run that was missed or that died.
    """

    def __init__(self, function: FunctionMetadata, schedule: Schedule, start: Start, statuses: Statuses) -> None:
        self.function = function
        self._schedule = schedule
        self._start = start
        wanted = function.trigger.get("useMonitor", True) is not False
        self._statuses = statuses if wanted and schedule.is_monitored(utc_now()) else None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"timer {function.name}", daemon=True)

    def start(self) -> None:
        """Start the timer, and with `runOnStartup` run the timer's function now."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the timer. A stopped timer does not start its function again."""
        self._stopping.set()

    def settle(self) -> None:
        """Wait until the timer has stored the status of a run that has ended."""
        self._thread.join(SETTLE_SECONDS)

    def _run(self) -> None:
        status = first_status(self._stored(), self._schedule, utc_now())
        self._store(status)
        missed = self._statuses is not None and status.next < utc_now()
        if missed or self.function.trigger.get("runOnStartup"):
            status = self._fire(status, past_due=missed)
        while not self._stopping.is_set():
            log.info("The next occurrence of '%s' is %s", self.function.name, status.next.isoformat())
            if self._stopping.wait((status.next - utc_now()).total_seconds()):
                return
            status = self._fire(status)

    def _fire(self, status: Status, *, past_due: bool = False) -> Status:
        """Run the function, and return and store the status at the end of the run."""
        begun = utc_now()
        shown: Mapping[str, str] | None = None if self._statuses is None else status.fields
        self._start(self.function, timer(begun, shown, past_due=past_due)).result()
        ended = Status(begun, self._schedule.after(begun), begun)
        self._store(ended)
        return ended

    def _stored(self) -> Status | None:
        return None if self._statuses is None else self._statuses.read(self.function.name)

    def _store(self, status: Status) -> None:
        if self._statuses is not None:
            self._statuses.write(self.function.name, status)


def first_status(stored: Status | None, schedule: Schedule, now: datetime) -> Status:
    """Return the stored status, or a new status at the first start and after a change of the schedule."""
    if stored is not None and stored.fits(schedule):
        return stored
    return Status(UNSET, schedule.after(now), now)
