"""Decide how long a request waits for one of Azure's request limits, so that Azure need not refuse the request.

```text
size ──┬────────  the largest number that Azure has shown
       │          a run that spares the limit sends requests here
third ─┼────────  and waits here until Azure has refilled the limit
       │          only runs that carry a renewal, and writes, send requests here
 ten ──┼────────  and wait here
empty ─┴────────  Azure refuses requests (429) and says after how many seconds it accepts the next one
```

A limit of Azure Resource Manager is a token bucket: each request takes a token, and Azure adds tokens at a steady rate
(Azure docs, "Understand how Azure Resource Manager throttles requests"). Each answer says how many tokens are left.
Azure documents the size and the rate of some buckets only, so both are learnt from the answers.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Self

FORGOTTEN = timedelta(minutes=15)
"""How long an answer tells how many tokens are left. Documented buckets of Azure are full after 20 seconds."""
OVERTAKEN = timedelta(seconds=1)
"""How much earlier than the last answer a thread may have read the clock, if another thread overtakes it."""
SIZE_FORGOTTEN = timedelta(hours=1)
"""After which time the largest number counts as an earlier one, and after the same time again as none."""
SHARE_LEFT = 3
"""A run that spares a bucket leaves the third part of it to other work. The request whose answer shows the largest
number has taken a token before."""
MARGIN_SHARE, MARGIN = 20, 10
"""Any other run leaves the twentieth part, and ten tokens at most. By this margin, processes that use one bucket and do
not know of each other slow down before they empty it: in a simulation of five processes, 1 % of the requests were
refused instead of 3 %."""
WINDOW = timedelta(seconds=2)
"""The shortest time over which the rate is measured. Over less time, the requests under way blur the measurement."""
NEARLY_FULL = Fraction(9, 10)
"""From which share of its size on a bucket may have been full, and then has gained nothing."""
DECAY = Fraction(4, 5)
"""How much of the known rate remains if a measurement shows a lower one, because other clients use the bucket, too."""
FASTEST_SECONDS = 10
"""In how many seconds a bucket fills at least. Azure documents buckets that fill in 10 s and in 20 s."""
USUAL_SECONDS = 20
"""In how many seconds a renewal expects a bucket to fill at the latest, unless Azure has refused a request."""
GUESS_SECONDS = 100
"""In how many seconds a bucket is thought to fill before anything is measured."""
SLOWEST_SECONDS = 3600
"""In how many seconds a bucket fills at the latest. Azure used to document limits for an hour."""
STEADY = 1
"""The tokens in a second that a measurement may show of a bucket of any size, because a bucket of few tokens may be
refilled each second."""


@dataclass(frozen=True, slots=True)
class Size:
    """The most tokens that answers have shown in the present hour and in the hour before."""

    since: datetime
    now: int
    before: int = 0

    @property
    def most(self) -> int:
        """The most tokens of both hours."""
        return max(self.now, self.before)

    def shown(self, left: int, now: datetime) -> "Size":
        """Return the size after an answer."""
        age = now - self.since
        if timedelta(0) <= age < SIZE_FORGOTTEN:
            return replace(self, now=max(self.now, left))
        return Size(now, left, self.now if SIZE_FORGOTTEN <= age < 2 * SIZE_FORGOTTEN else 0)


@dataclass(frozen=True, slots=True)
class Level:
    """What the answers of Azure tell about one bucket of requests."""

    left: int
    """The tokens that the last answer showed."""
    at: datetime
    """The time of the last answer."""
    size: Size
    since: datetime
    """The time of the answer with which the present measurement of the rate began."""
    left_then: int
    """The tokens that this answer showed."""
    taken: int = 0
    """The tokens that this process has taken since this answer."""
    measured: float | None = None
    """The tokens that Azure adds in a second, or None before the first measurement."""
    shut_until: datetime | None = None
    """Until when Azure refuses requests, or None if Azure has refused none."""

    @classmethod
    def first(cls, left: int, now: datetime) -> Self:
        """Return the level of a bucket about which nothing else is known."""
        return cls(left, now, Size(now, left), now, left)

    def is_forgotten(self, now: datetime) -> bool:
        """Return True if the last answer is too old, or the clock has been set back."""
        return not -OVERTAKEN < now - self.at < FORGOTTEN

    def shown(self, left: int, now: datetime, *, took: bool) -> "Level":
        """Return the level after an answer. `took` is True if the request took a token, False if Azure refused it."""
        if self.is_forgotten(now):
            return replace(Level.first(left, now), size=self.size.shown(left, now), measured=self.measured)
        at = max(now, self.at)
        known = replace(self, left=left, at=at, size=self.size.shown(left, at), taken=self.taken + took)
        return _after_window(known) if at - self.since >= WINDOW else known

    def refused(self, wait: timedelta, now: datetime) -> "Level":
        """Return the level of a bucket that gives no token until a wait is over, after which it gives at least one."""
        size = replace(self.size, now=max(self.size.now, 1))
        rate = max(1 / max(wait.total_seconds(), 1.0), DECAY * (self.measured or 0.0))
        return replace(self, size=size, measured=rate, shut_until=now + wait)

    def seconds(self, ahead: int, now: datetime, *, sparing: bool) -> float:
        """Return how many seconds a request waits, 0 if Certroll sends it now.

        `ahead` is the number of requests of this process that take a token before this one, and whose answers have not
        come. A bucket that has shown no token although Azure refuses nothing tells nothing.
        """
        shut = max((self.shut_until - now).total_seconds(), 0.0) if self.shut_until else 0.0
        size = self.size.most
        if size == 0:
            return shut
        kept = min((size + 1) / SHARE_LEFT if sparing else min(size / MARGIN_SHARE, MARGIN), size - 1)
        rate = self._rate(SLOWEST_SECONDS if sparing or self.shut_until else USUAL_SECONDS)
        tokens = min(size, self.left + rate * max((now - self.at).total_seconds(), 0.0))
        return max(shut, (kept + ahead + 1 - tokens) / rate)

    def _rate(self, slowest: int) -> float:
        """Return the tokens that Azure adds in a second, as far as known.

        `slowest` is the number of seconds in which the bucket fills at the latest. A renewal believes that a bucket
        fills slowly only after Azure has refused a request, so that wrong numbers of Azure hold up no renewal.
        """
        size = self.size.most
        measured = size / GUESS_SECONDS if self.measured is None else self.measured
        return min(max(measured, size / slowest), max(size / FASTEST_SECONDS, STEADY))


def _after_window(level: Level) -> Level:
    """Return the level with the rate of the measurement that ends now.

    A bucket that may have been full meanwhile has gained less than Azure adds, so it lowers no known rate.
    """
    gained = (level.left - level.left_then + level.taken) / (level.at - level.since).total_seconds()
    rate = level.measured
    if max(level.left, level.left_then) < NEARLY_FULL * level.size.most:
        rate = max(gained, DECAY * (rate or 0.0))
    elif gained > (level.size.most / GUESS_SECONDS if rate is None else rate):
        rate = gained
    return replace(level, since=level.at, left_then=level.left, taken=0, measured=rate)
