"""The journal of a simulated Azure: each request with its sender, its status and its changes.

The journal contains no secret, because it omits the bodies of requests and responses.
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
"""The method of an entry for a change without a request: by Azure itself, or by a simulated other client."""
NO_ANSWER = 0
WRITES = frozenset({"PUT", "PATCH", "DELETE"})


@dataclass(slots=True)
class Entry:
    """One request to the local Azure, or one change that happened without a request."""

    number: int
    at: datetime
    method: str
    host: str
    path: str
    principal: str | None = None
    status: int = NO_ANSWER
    """The HTTP status of the response, or `NO_ANSWER`."""
    changes: list[str] = field(default_factory=list)
    """The changes that the request made, as sentences."""
    fault: str | None = None
    """The kind of the scripted fault that struck the request, or None."""
    operation: str = ""
    """The operation of Azure that ARM's front door saw in the request, or an empty string."""
    agent: str = ""
    """The header User-Agent of the request."""
    sent_correlation: str = ""
    """The header `x-ms-correlation-request-id` of the request."""
    correlation: str = ""
    """The id by which the Activity Log groups requests: the header `x-ms-correlation-request-id` of the response."""
    request_id: str = ""
    """The id of the request alone: the header `x-ms-request-id` of the response."""

    @property
    def change(self) -> str:
        """The changes of the journal entry in words, or an empty string if the request changed nothing."""
        return "; ".join(self.changes)

    @property
    def is_write(self) -> bool:
        """True if the request asked for a change of the simulated Azure.

        In the journal, a POST request counts as a write only if the request changed something.
        """
        return self.method in WRITES or (self.method == "POST" and bool(self.changes))

    def to_json(self) -> dict[str, Any]:
        """Return the journal entry as JSON-ready values."""
        return asdict(self) | {"at": self.at.isoformat(), "change": self.change}


class Journal:
    """The journal of a simulated Azure: its entries, oldest first."""

    def __init__(self, clock: Clock) -> None:
        """Begin without entries."""
        self._clock = clock
        self._entries: list[Entry] = []
        self._lock = threading.Lock()
        self._current: ContextVar[Entry | None] = ContextVar("entry", default=None)

    @contextmanager
    def recording(self, request: Request, principal: str | None = None) -> Iterator[Entry]:
        """Record the request in the journal, together with the changes that happen inside the `with` block.

        The caller has to set the HTTP status of the journal entry.
        """
        entry = self._append(request.method, request.host, request.path, principal)
        entry.agent = request.headers.get("user-agent", "")
        entry.sent_correlation = request.headers.get("x-ms-correlation-request-id", "")
        token = self._current.set(entry)
        try:
            yield entry
        finally:
            self._current.reset(token)

    def note(self, change: str) -> None:
        """Record a change in the journal entry of the current request.

        A change outside of a request gets its own journal entry with the method `PLATFORM`.
        """
        entry = self._current.get() or self._append(PLATFORM, "", "", None)
        entry.changes.append(change)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Record changes inside the `with` block in separate journal entries, even during a request.

        A change without a request comes from Azure itself, or from a simulated client other than Certroll.
        """
        token = self._current.set(None)
        try:
            yield
        finally:
            self._current.reset(token)

    def note_operation(self, operation: str) -> None:
        """Record in the journal which operation of Azure the current request stands for."""
        if (entry := self._current.get()) is not None:
            entry.operation = operation

    def note_fault(self, fault: str) -> None:
        """Record in the journal that a scripted fault struck the current request."""
        if (entry := self._current.get()) is not None:
            entry.fault = fault

    def entries(self) -> tuple[Entry, ...]:
        """Return all entries."""
        with self._lock:
            return tuple(self._entries)

    def writes(self, host: str | None = None) -> tuple[Entry, ...]:
        """Return the journal entries of requests that asked for a change, for one host or for all hosts."""
        return tuple(entry for entry in self._requests(host) if entry.is_write)

    def reads(self, host: str | None = None) -> tuple[Entry, ...]:
        """Return the journal entries of requests that asked for no change, for one host or for all hosts."""
        return tuple(entry for entry in self._requests(host) if not entry.is_write)

    def counts(self, host: str | None = None) -> dict[str, int]:
        """Return the number of requests in the journal by HTTP method, for one host or for all hosts."""
        return dict(Counter(entry.method for entry in self._requests(host)))

    def changes(self) -> tuple[str, ...]:
        """Return all changes in the journal in words and in order, including changes that Azure made by itself."""
        return tuple(change for entry in self.entries() for change in entry.changes)

    def to_json(self) -> list[dict[str, Any]]:
        """Return all entries of the journal as JSON-ready values."""
        return [entry.to_json() for entry in self.entries()]

    def clear(self) -> None:
        """Remove all entries of the journal; the numbers of new entries start at 1 again."""
        with self._lock:
            self._entries.clear()

    def _requests(self, host: str | None) -> Iterator[Entry]:
        return (entry for entry in self.entries() if entry.method != PLATFORM and host in {None, entry.host})

    def _append(self, method: str, host: str, path: str, principal: str | None) -> Entry:
        with self._lock:
            entry = Entry(len(self._entries) + 1, self._clock.now(), method, host, path, principal)
            self._entries.append(entry)
        return entry
