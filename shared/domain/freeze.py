"""The intervals of CERTROLL_FREEZE, in UTC, in which Certroll begins nothing new."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Self

EXAMPLE = f"{date(2027, 11, 25)}/{date(2027, 12, 1)}, {date(2027, 12, 20)}T18:00/{date(2028, 1, 3)}T06:00"
FORM = "YYYY-MM-DD or YYYY-MM-DDTHH:MM"
"""The only forms of a date. A final Z is allowed after a time of day, and another time zone is not."""
DAY = timedelta(days=1)
"""A date without a time of day stands for its whole day."""
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2}:[0-9]{2})Z?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Freeze:
    """The intervals in which Certroll begins nothing new."""

    intervals: tuple[tuple[datetime, datetime], ...]
    """Each interval as its first moment, and the moment after its last."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the intervals in a text such as EXAMPLE.

        Raise ValueError with the problem and an example if the text is not a list of intervals. A date stands for the
        whole day, so an interval ends with the last moment of its last day.
        """
        parts = [part.strip() for part in re.split(r"[,;]", text) if part.strip()]
        if not parts:
            raise _wrong("there is no interval")
        return cls(tuple(sorted(map(_interval, parts))))

    def until(self, now: datetime) -> datetime | None:
        """Return when the freeze ends that lasts at the time `now`, or None outside of all intervals.

        Intervals that touch or overlap are one freeze.
        """
        end = None
        for first, last in self.intervals:
            if first <= (end or now) < last:
                end = last
        return end


def lasting(until: datetime) -> str:
    """Return how long the freeze lasts, as text for operators."""
    return f"CERTROLL_FREEZE lasts until {until:%Y-%m-%d %H:%M} UTC"


def _interval(part: str) -> tuple[datetime, datetime]:
    first, slash, last = part.partition("/")
    if not slash:
        raise _wrong(f"{part[:60]!r} is no interval")
    interval = _moment(first.strip()), _moment(last.strip(), whole_day=True)
    if interval[0] >= interval[1]:
        raise _wrong(f"{part[:60]!r} ends before it begins")
    return interval


def _moment(text: str, *, whole_day: bool = False) -> datetime:
    """Return the moment in UTC. With `whole_day`, a date without a time of day stands for the end of the day."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise _wrong(f"{text[:40]!r} is no date of the form {FORM}")
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}").replace(tzinfo=UTC)
        return moment + DAY if whole_day and match[2] is None else moment
    except (ValueError, OverflowError):
        raise _wrong(f"{text[:40]!r} is no date, because the calendar has no such day or time") from None


def _wrong(what: str) -> ValueError:
    return ValueError(f"{what}; write intervals in UTC: {EXAMPLE}")
