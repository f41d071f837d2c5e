"""Run timer triggers on NCRONTAB schedules in UTC."""

import logging
import re
import threading
import time
from datetime import UTC, datetime

from croniter import CroniterError, croniter

from local.host.configuration import ConfigurationInvalid
from local.host.dispatch import Start
from local.host.functions import FunctionMetadata
from local.host.triggers import timer

FIELD = re.compile(r"(?:[\d*/,-]|[A-Za-z]{3,})+")
FIELD_COUNTS = (5, 6)
SECONDS_FIELD_COUNT = 6

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


class TimerListener:
    """Run a function whenever its schedule is due. An unfinished run of a timer function delays its next run."""

    def __init__(self, function: FunctionMetadata, schedule: Schedule, start: Start) -> None:
        self.function = function
        self._schedule = schedule
        self._start = start
        self._last: datetime | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"timer {function.name}", daemon=True)

    def start(self) -> None:
        """Start the timer, and with `runOnStartup` run the timer's function now."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the timer. A stopped timer does not start its function again."""
        self._stopping.set()

    def fire(self) -> None:
        """Start the timer function now, whatever the schedule says."""
        now = utc_now()
        self._start(self.function, timer(now, self._last, self._schedule.after(now)))

    def _run(self) -> None:
        if self.function.trigger.get("runOnStartup"):
            self._fire_and_wait()
        while not self._stopping.is_set():
            due = self._schedule.after(utc_now())
            log.info("The next occurrence of '%s' is %s", self.function.name, due.isoformat())
            if self._stopping.wait((due - utc_now()).total_seconds()):
                return
            self._fire_and_wait()

    def _fire_and_wait(self) -> None:
        now = utc_now()
        self._start(self.function, timer(now, self._last, self._schedule.after(now))).result()
        self._last = now
