"""The journal of a world: every request, who sent it, how it was answered, and what a write changed.

It never holds a body, so it never holds a secret.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from local.azure.scripting.clock import Clock
from local.azure.wire import Request

PLATFORM = "PLATFORM"
"""The method of an entry that no request caused: Azure itself, or somebody who is no client, changed something."""
NO_ANSWER = 0
WRITES = frozenset({"PUT", "PATCH", "DELETE"})


@dataclass(slots=True)
class Entry:
    """One request, or one change that Azure made by itself."""

    number: int
    at: datetime
    method: str
    host: str
    path: str
    principal: str | None = None
    status: int = NO_ANSWER
    changes: list[str] = field(default_factory=list)
    fault: str | None = None

    @property
    def change(self) -> str:
        """What changed, in words; empty where nothing did."""
        return "; ".join(self.changes)

    @property
    def is_write(self) -> bool:
        """True if the request asked for a change; a POST counts if it made one."""
        return self.method in WRITES or (self.method == "POST" and bool(self.changes))

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON-ready values."""
        return asdict(self) | {"at": self.at.isoformat(), "change": self.change}


class Journal:
    """The entries of a world, oldest first."""

    def __init__(self, clock: Clock) -> None:
        """Begin empty."""
        self._clock = clock
        self._entries: list[Entry] = []
        self._lock = threading.Lock()
        self._current: ContextVar[Entry | None] = ContextVar("entry", default=None)

    @contextmanager
    def recording(self, request: Request, principal: str | None = None) -> Iterator[Entry]:
        """Record the request; changes noted within belong to it. The caller sets the entry's status."""
        entry = self._append(request.method, request.host, request.path, principal)
        token = self._current.set(entry)
        try:
            yield entry
        finally:
            self._current.reset(token)

    def note(self, change: str) -> None:
        """Write down what just changed: with the request being served, else as something Azure did by itself."""
        entry = self._current.get() or self._append(PLATFORM, "", "", None)
        entry.changes.append(change)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Let changes noted within belong to no request, even while one is being served: somebody else made them."""
        token = self._current.set(None)
        try:
            yield
        finally:
            self._current.reset(token)

    def note_fault(self, fault: str) -> None:
        """Write down that a scripted fault struck the request being served."""
        if (entry := self._current.get()) is not None:
            entry.fault = fault

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries."""
        with self._lock:
            return tuple(self._entries)

    def writes(self, host: str | None = None) -> tuple[Entry, ...]:
        """Return the requests that asked for a change, of one host or of all."""
        return tuple(entry for entry in self._requests(host) if entry.is_write)

    def reads(self, host: str | None = None) -> tuple[Entry, ...]:
        """Return the other requests, of one host or of all."""
        return tuple(entry for entry in self._requests(host) if not entry.is_write)

    def counts(self, host: str | None = None) -> dict[str, int]:
        """Return how many requests there were of each method, of one host or of all."""
        return dict(Counter(entry.method for entry in self._requests(host)))

    def changes(self) -> tuple[str, ...]:
        """Return every change in words, Azure's own included, in order."""
        return tuple(change for entry in self.entries() for change in entry.changes)

    def to_json(self) -> list[dict[str, Any]]:
        """Return all entries as JSON-ready values."""
        return [entry.to_json() for entry in self.entries()]

    def clear(self) -> None:
        """Forget everything; numbering goes on from one."""
        with self._lock:
            self._entries.clear()

    def _requests(self, host: str | None) -> Iterator[Entry]:
        return (entry for entry in self.entries() if entry.method != PLATFORM and host in {None, entry.host})

    def _append(self, method: str, host: str, path: str, principal: str | None) -> Entry:
        with self._lock:
            entry = Entry(len(self._entries) + 1, self._clock.now(), method, host, path, principal)
            self._entries.append(entry)
        return entry
