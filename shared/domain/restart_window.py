"""The windows of the week, in UTC, in which Certroll may restart sites."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

EXAMPLE = "Sat,Sun 22:00-04:00; Wed 01:00-03:00"
DAY = timedelta(days=1)
"""Each window begins on a day of the week."""
WEEK = timedelta(weeks=1)
"""The windows repeat every week."""
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {word: (number,) for number, day in enumerate(_DAYS) for word in (day, day[:3])} | {"daily": tuple(range(7))}
_WINDOW = re.compile(r"(.*[^\s,])\s+([0-9]{1,2}:[0-9]{2})\s*-\s*([0-9]{1,2}:[0-9]{2})")
_MIDNIGHT = "24:00"


@dataclass(frozen=True, slots=True)
class RestartWindow:
    """The windows of the week in which Certroll may restart sites.

    The time within a week counts from Monday 00:00 UTC. A restart window that is open at the end of a week continues
    into the next week.
    """

    windows: tuple[tuple[timedelta, timedelta], ...]
    """Each window as its start within the week and its length."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the restart windows in a text such as EXAMPLE.

        Raise ValueError with the problem and an example if the text is not a list of restart windows. If a window's end
        is not after its start, the window ends on the next day. A restart window with equal times lasts 24 hours.
        """
        parts = [part.strip() for part in text.split(";") if part.strip()]
        if not parts:
            raise _wrong("there is no window")
        return cls(tuple(window for part in parts for window in _windows(part)))

    def is_open(self, now: datetime) -> bool:
        """Return True if a restart may begin at the time `now`. The argument `now` must be a datetime with a time zone.

        The first moment of a restart window belongs to the window, and the last moment does not.
        """
        moment = now - _monday(now)
        return any((moment - start) % WEEK < length for start, length in self.windows)

    def opens_at(self, now: datetime) -> datetime:
        """Return `now` while a window is open, and otherwise the UTC time at which the next window opens."""
        if self.is_open(now):
            return now
        monday = _monday(now)
        moment = now - monday
        return monday + moment + min((start - moment) % WEEK for start, _ in self.windows)


def _monday(now: datetime) -> datetime:
    """Return the Monday 00:00 UTC at which the week of `now` begins."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - day.weekday() * DAY


def _windows(part: str) -> tuple[tuple[timedelta, timedelta], ...]:
    match = _WINDOW.fullmatch(part)
    if match is None:
        raise _wrong(f"{part[:60]!r} is not days before a start and an end")
    days, first, last = match.groups()
    start = _time(first)
    end = DAY if last == _MIDNIGHT else _time(last)
    length = end - start if end > start else end - start + DAY
    return tuple((day * DAY + start, length) for word in days.split(",") for day in _day(word.strip()))


def _day(word: str) -> tuple[int, ...]:
    try:
        return _NUMBERS[word.lower()]
    except KeyError:
        raise _wrong(f"{word[:20]!r} is not a day") from None


def _time(text: str) -> timedelta:
    hours, _, minutes = text.partition(":")
    time = timedelta(hours=int(hours), minutes=int(minutes))
    if time >= DAY or int(minutes) >= 60:  # noqa: PLR2004 - an hour has 60 minutes
        raise _wrong(f"{text!r} is not a time")
    return time


def _wrong(what: str) -> ValueError:
    return ValueError(f"{what}; write days, then times in UTC: {EXAMPLE}")
