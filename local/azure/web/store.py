"""The resources of Microsoft.Web by id, with earlier values for readers and front ends that see an older state."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from local.azure.scripting.changes import Changes
from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import writes_back
from local.azure.scripting.knobs import Knobs

Resource = TypeVar("Resource")
REMEMBERED_CHANGES = 20_000


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a resource of Microsoft.Web: a new value, a creation or a removal."""

    write: int
    """The number of the write to which the change belongs."""
    at: datetime
    kind: str
    key: str
    before: object | None
    """The value before the change, or None if the resource did not exist."""


class History:
    """The latest changes in all resources of Microsoft.Web, oldest first.

    One write of a client may change several resources.
    """

    def __init__(self, clock: Clock, knobs: Knobs, changes: Changes) -> None:
        """Begin without changes."""
        self.changes = changes
        self.clock = clock
        self.knobs = knobs
        self.write = 0
        self.length = 0
        self._changes: deque[Change] = deque(maxlen=REMEMBERED_CHANGES)

    def begin_write(self) -> None:
        """Let the following changes of resources belong to a new write."""
        self.write += 1

    def record(self, kind: str, key: str, before: object | None) -> None:
        """Record the value that a resource of Microsoft.Web has before its change."""
        self.length += 1
        self._changes.append(Change(self.write, self.clock.now(), kind, key, before))

    def before_writes(self, kind: str, writes: int) -> dict[str, object | None]:
        """Return the earlier value of each resource of this kind that the last `writes` writes changed.

        The resources with which the simulated Azure was built do not belong to any write, so every reader sees these
        resources.
        """
        newest = list(dict.fromkeys(change.write for change in reversed(self._changes) if change.write))[:writes]
        concerned = set(newest)
        return {change.key: change.before for change in self._newest(kind) if change.write in concerned}

    def before_moment(self, kind: str, moment: datetime) -> dict[str, object | None]:
        """Return the resources of a kind that changed after a moment, with their values at that moment."""
        recent: dict[str, object | None] = {}
        for change in self._newest():
            if change.at <= moment:
                break
            if change.kind == kind:
                recent[change.key] = change.before
        return recent

    def _newest(self, kind: str | None = None) -> Iterator[Change]:
        return (change for change in reversed(self._changes) if kind in {None, change.kind})


@dataclass(slots=True)
class _Shadow:
    write: int
    value: object | None
    reads: int


class Store(Generic[Resource]):
    """The resources of one kind, such as sites, by resource id in upper or lower case.

    `get` and `values` return the current resources, which a write has to change. `read` and `listing` return the
    resources that a client sees, which may be older than the current resources.
    """

    def __init__(self, kind: str, history: History) -> None:
        """Begin without resources."""
        self._kind = kind
        self._history = history
        self._values: dict[str, Resource] = {}
        self._shadows: dict[str, _Shadow] = {}

    def get(self, key: str) -> Resource | None:
        """Return the current resource with this id, or None."""
        return self._values.get(key.lower())

    def values(self) -> Iterator[Resource]:
        """Return all current resources."""
        return iter(tuple(self._values.values()))

    def put(self, key: str, value: Resource) -> None:
        """Store a new value of the resource."""
        self._remember(key.lower())
        self._values[key.lower()] = value
        self._history.changes.note()

    def remove(self, key: str) -> None:
        """Remove the resource."""
        self._remember(key.lower())
        del self._values[key.lower()]
        self._history.changes.note()

    def read(self, key: str) -> Resource | None:
        """Return the resource that a client sees, which may be older than the current resource.

        Each call of `read` counts as one read of the resource for the simulation's knob `reads_until_visible`.
        """
        key = key.lower()
        past = self._past()
        return past[key] if key in past else self._visible(key)

    def listing(self, wanted: Callable[[str], bool]) -> list[Resource]:
        """Return the resources that a client sees in a list of this kind, if `wanted` accepts their ids.

        A list counts as one read of each listed resource for the simulation's knob `reads_until_visible`.
        """
        past = self._past()
        keys = filter(wanted, dict.fromkeys([*self._values, *self._shadows, *past]))
        shown = (past[key] if key in past else self._visible(key) for key in keys)
        return [value for value in shown if value is not None]

    def overview(self, wanted: Callable[[str], bool]) -> list[Resource]:
        """Return the resources that a client sees in ARM's generic list, if `wanted` accepts their ids.

        ARM's generic list does not count as a read for the simulation's knob `reads_until_visible`.
        """
        values = {**self._values, **self._past()}
        return [value for key, value in values.items() if value is not None and wanted(key)]

    def before(self, delay: float) -> dict[str, Resource | None]:
        """Return the earlier value of each resource that changed within the last `delay` seconds."""
        if delay <= 0:
            return {}
        moment = self._history.clock.now() - timedelta(seconds=delay)
        return self._history.before_moment(self._kind, moment)  # type: ignore[return-value] # a change holds what this store held

    def _past(self) -> dict[str, Resource | None]:
        if not writes_back():
            return {}
        return self._history.before_writes(self._kind, writes_back())  # type: ignore[return-value] # a change holds what this store held

    def _remember(self, key: str) -> None:
        before = self._values.get(key)
        self._history.record(self._kind, key, before)
        reads, write = self._history.knobs.reads_until_visible, self._history.write
        shadow = self._shadows.get(key)
        if reads and write and (shadow is None or shadow.write != write):
            self._shadows[key] = _Shadow(write, before, reads)

    def _visible(self, key: str) -> Resource | None:
        shadow = self._shadows.get(key)
        if shadow is None:
            return self._values.get(key)
        shadow.reads -= 1
        if shadow.reads <= 0:
            del self._shadows[key]
        return shadow.value  # type: ignore[return-value] # a shadow holds what this store held
