"""Decide which parts of a sweep are due, which are under way, and when a sweep is complete.

```text
orders · managed · certificates    due as soon as the sweep begins
slices                             due when the judging of the certificates has run out of time in their subscriptions
certificates                       due again once each slice has ended or used up one run, and when the last one ends
environments                       due once the certificates have been judged
```

Each part has runs of its own, so a part that takes long takes the time of no other part. The journal keeps the parts
that are open. The queue may deliver a message twice or late: only what is open is done.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

LOST_AFTER = timedelta(hours=1)
"""How long a part without a sign of life counts as under way. A run takes at most 10 minutes, and the message of a run
that died comes back after 10 minutes; the rest is for other messages of the queue."""
LASTS = 2
"""How many later sweeps find a part under way until Certroll reports the part as a finding."""
MOST_RUNS = 12
"""How many runs a slice takes at most, some 100 minutes. Then the next sweep begins a new one."""
MOST_UNSEEN = 50
"""The most names of things that a sweep could not look at. The number of all is kept, too."""
LONGEST_NAME = 200


class Job(StrEnum):
    """The parts that each sweep has. All other parts are slices, and named by their subscriptions."""

    ORDERS = "orders"
    MANAGED = "managed"
    CERTIFICATES = "certificates"
    ENVIRONMENTS = "environments"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a sweep that has not ended."""

    name: str
    """One of `Job`, or the id of a subscription."""
    runs: int = 0
    """How many runs of the part have ended and left work to another run."""
    running: bool = False
    """True if a run of the part has begun and not ended. The process of that run may be dead."""
    at: datetime | None = None
    """When a run of the part last began or ended, None if none has begun."""
    early: bool = False
    """True if the last run of the judging began while a slice was open, so that another judging follows."""
    left_by: int = 0
    """How many later sweeps have found the part under way."""

    @property
    def is_slice(self) -> bool:
        """True if the part reads one subscription."""
        return self.name not in set(Job)

    def is_under_way(self, now: datetime) -> bool:
        """Return True if a run of the part may be at work, or is to go on, so that no second run is to begin.

        A judging that waits for slices is not under way: the later sweep judges.
        """
        return self.at is not None and now - self.at < LOST_AFTER and (self.running or self.is_slice)


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a sweep could not look at."""

    names: tuple[str, ...] = ()
    """The first names, in order."""
    number: int = 0
    """How many things there are."""

    def __bool__(self) -> bool:
        """Return True if there is anything that the sweep could not look at."""
        return self.number > 0

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        """Return the names in order, as many as are kept, with the number of all."""
        names = sorted(set(names))
        return cls(tuple(name[:LONGEST_NAME] for name in names[:MOST_UNSEEN]), len(names))


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep of which a part is open, or whose end Certroll has not told."""

    began: datetime
    """When the sweep began, which is its name: no two sweeps of an installation begin at the same moment."""
    parts: tuple[Part, ...]
    """The parts that have not ended."""
    judged: bool = False
    """True if the sweep has looked at the fleet and judged the vault certificates."""
    unseen: Unseen = Unseen()
    """What the last inspection of the fleet could not see."""
    failed: tuple[str, ...] = ()
    """The parts that ended with an error, or that no run has ended."""
    left: tuple[str, ...] = ()
    """The parts of an earlier sweep that were under way, and that this sweep therefore has not begun."""

    def part(self, name: str) -> Part | None:
        """Return an open part, or None."""
        return next((part for part in self.parts if part.name == name), None)

    @property
    def due(self) -> tuple[str, ...]:
        """The parts that wait for nothing but their message."""
        return tuple(part.name for part in self.parts if self._is_due(part))

    def _is_due(self, part: Part) -> bool:
        slices = [other for other in self.parts if other.is_slice]
        match part.name:
            case Job.CERTIFICATES if part.runs:
                return not part.running and (all(other.runs for other in slices) if part.runs == 1 else not slices)
            case Job.ENVIRONMENTS:
                judging = self.part(Job.CERTIFICATES)
                return part.at is None and (judging is None or bool(judging.runs))
        return part.at is None

    def may_run(self, part: Part) -> bool:
        """Return True if a run of an open part may begin: it is due, or goes on, or the process of its run has died.

        A judging that waits for its slices, or an environment's reminder before the judging, may not: a message that
        arrives twice would look at the whole fleet for nothing.
        """
        return part.running or (part.is_slice and part.runs > 0) or self._is_due(part)

    def with_part(self, changed: Part) -> Self:
        """Return the sweep with the changed part in place of the part of that name."""
        return replace(self, parts=tuple(changed if part.name == changed.name else part for part in self.parts))

    def without(self, names: Iterable[str], *, failed: bool) -> Self:
        """Return the sweep after the parts of these names have ended."""
        gone = frozenset(names)
        parts = tuple(part for part in self.parts if part.name not in gone)
        return replace(self, parts=parts, failed=tuple(sorted({*self.failed, *gone})) if failed else self.failed)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run of a part ended."""

    name: str
    failed: bool = False
    judged: bool = False
    """True if the run looked at the fleet and judged the vault certificates."""
    unseen: Unseen = Unseen()
    """What an inspection of the fleet could not see."""
    goes_on: bool = False
    """True if the part has work for another run."""
    late: tuple[str, ...] = ()
    """The subscriptions that the judging of the certificates had no time to read."""
    forgetful: bool = False
    """True if Certroll remembers nothing of what slices read, so that slices are of no use."""


@dataclass(frozen=True, slots=True)
class Sweeps:
    """The sweeps that have not ended, the oldest first."""

    sweeps: tuple[Sweep, ...] = ()
    revision: str | None = None
    """The revision of the row in the journal."""

    def of(self, began: datetime) -> Sweep | None:
        """Return the sweep that began at that moment, or None if it has ended."""
        return next((sweep for sweep in self.sweeps if sweep.began == began), None)

    @property
    def open_names(self) -> frozenset[str]:
        """The names of the open parts of all sweeps."""
        return frozenset(part.name for sweep in self.sweeps for part in sweep.parts)

    @property
    def over(self) -> tuple[Sweep, ...]:
        """The sweeps without an open part, whose end is to be told."""
        return tuple(sweep for sweep in self.sweeps if not sweep.parts)

    def begin(self, now: datetime, names: Iterable[str]) -> Self:
        """Return the sweeps with a new one, which has all parts of these names that are not under way.

        A part of an earlier sweep that no run has begun, or without a sign of life for an hour, is the new sweep's now.
        """
        kept = tuple(_surrendering(sweep, now) for sweep in self.sweeps)
        under_way = replace(self, sweeps=kept).open_names
        names = tuple(names)
        left = tuple(name for name in names if name in under_way)
        parts = tuple(Part(name) for name in names if name not in under_way)
        latest = max((sweep.began + timedelta(microseconds=1) for sweep in kept), default=now)
        new = Sweep(max(now, latest), parts, left=left)
        return replace(self, sweeps=(*kept, new))

    def lasting(self) -> tuple[tuple[Sweep, Part], ...]:
        """Return the parts that so many later sweeps found under way that people are to know it."""
        return tuple((sweep, part) for sweep in self.sweeps for part in sweep.parts if part.left_by >= LASTS)

    def with_run(self, began: datetime, name: str, now: datetime) -> Self:
        """Return the sweeps with a run of an open part that begins now. What is not open, or must wait, stays."""
        sweep = self.of(began)
        part = sweep.part(name) if sweep else None
        if sweep is None or part is None or not sweep.may_run(part):
            return self
        early = name == Job.CERTIFICATES and any(other.is_slice for other in sweep.parts)
        return self._with(sweep.with_part(replace(part, running=True, at=now, early=early)))

    def with_end(self, began: datetime, ended: Ended, now: datetime) -> Self:
        """Return the sweeps after a run of a part has ended. What is not open stays away."""
        sweep = self.of(began)
        part = sweep.part(ended.name) if sweep else None
        if sweep is None or part is None:
            return self
        if ended.late and not ended.forgetful and not part.runs:
            sweep = self._with_slices(sweep, ended.late)
        slices = any(other.is_slice for other in sweep.parts)
        waits = part.early or (part.name == Job.CERTIFICATES and slices)
        if waits or (ended.goes_on and part.runs + 1 < MOST_RUNS):
            after = sweep.with_part(replace(part, runs=part.runs + 1, running=False, at=now))
        else:
            after = sweep.without((part.name,), failed=ended.failed or ended.goes_on)
        if ended.judged:
            after = replace(after, judged=True, unseen=ended.unseen)
        return self._with(after)

    def _with_slices(self, sweep: Sweep, subscriptions: Iterable[str]) -> Sweep:
        """Return a sweep with a slice for each subscription that no other sweep is still reading."""
        others = {part.name for other in self.sweeps if other.began != sweep.began for part in other.parts}
        new = tuple(Part(name) for name in sorted({*subscriptions} - others))
        left = sorted({*sweep.left, *({*subscriptions} & others)})
        return replace(sweep, parts=(*sweep.parts, *new), left=tuple(left))

    def told(self, began: Iterable[datetime]) -> Self:
        """Return the sweeps without those whose end has been told."""
        gone = frozenset(began)
        return replace(self, sweeps=tuple(sweep for sweep in self.sweeps if sweep.began not in gone))

    def _with(self, changed: Sweep) -> Self:
        sweeps = tuple(changed if sweep.began == changed.began else sweep for sweep in self.sweeps)
        return replace(self, sweeps=sweeps)


def _surrendering(sweep: Sweep, now: datetime) -> Sweep:
    """Return an earlier sweep with only the parts that are under way, each found so once more."""
    kept = tuple(replace(part, left_by=part.left_by + 1) for part in sweep.parts if part.is_under_way(now))
    gone = {part.name for part in sweep.parts} - {part.name for part in kept}
    lost = gone - {Job.CERTIFICATES} if sweep.judged else gone
    return replace(sweep.without(lost, failed=True), parts=kept)
