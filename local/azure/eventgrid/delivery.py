"""The simulation of Event Grid's delivery: a subscriber that hands each event to one destination, with retries."""

import queue
import threading
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from local.azure.eventgrid.event import Event, Schema
from local.azure.scripting.clock import Clock

ACCEPTED = range(200, 205)
RETRY_AFTER = tuple(timedelta(seconds=s) for s in (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200))
"""The pauses between delivery attempts (Azure docs, Event Grid delivery and retry).

Event Grid adds jitter to its pauses, and may skip attempts; the local Azure does neither.
"""
TIME_TO_LIVE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver an event, due at a moment of the simulated Azure's clock."""

    event: Event
    due: datetime
    number: int = 1


class Destination(Protocol):
    """The endpoint of an event subscription."""

    @property
    def never_again(self) -> Collection[int]:
        """The statuses after which Event Grid gives an event up."""

    def validate(self, schema: Schema, now: datetime) -> None:
        """Check the endpoint as Event Grid does for a new subscription. Raise PermissionError if the check fails."""

    def take(self, attempt: Attempt) -> int:
        """Hand an event to the endpoint, and return the HTTP status of the answer, 503 without an answer."""


@dataclass(slots=True, eq=False)
class Delivery:
    """The simulation of one event subscription: Event Grid's delivery to one destination, with retries.

    The delivery writes events in the schema that its field `schema` names, without locking the simulated Azure. `pump`
    delivers every event that is due by the clock of the simulated Azure. Between `start` and `stop`, a thread calls
    `pump` whenever an event arrives, and every `interval` real seconds.
    """

    destination: Destination
    clock: Clock
    schema: Schema = "EventGrid"
    included: Collection[str] = ()
    """The types of events that the subscription includes; all types if it names none."""
    interval: float = 0.2
    dead_letters: list[Event] = field(default_factory=list)
    _waiting: list[Attempt] = field(default_factory=list)
    _arrived: "queue.SimpleQueue[Event | None]" = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _pumping: threading.RLock = field(default_factory=threading.RLock)

    def __call__(self, event: Event) -> None:
        """Accept the event if the subscription includes its type; a later call of `pump` delivers the event."""
        if not self.included or event.type in self.included:
            self._arrived.put(replace(event, shape=replace(event.shape, schema=self.schema)))

    def validate(self) -> None:
        """Validate the destination as Event Grid does; raise PermissionError if the validation fails."""
        self.destination.validate(self.schema, self.clock.now())

    def on(self, clock: Clock) -> "Delivery":
        """Return the same subscription, without events, in a simulated Azure with this clock."""
        return Delivery(self.destination, clock, self.schema, self.included)

    def pump(self) -> int:
        """Deliver every event that is due by the simulated Azure's clock, and return the number of accepted events."""
        with self._pumping:
            self._drain()
            now = self.clock.now()
            due = [attempt for attempt in self._waiting if attempt.due <= now]
            self._waiting = [attempt for attempt in self._waiting if attempt.due > now]
            return sum(self._deliver(attempt) for attempt in due)

    def start(self) -> None:
        """Start a thread that calls `pump` to deliver events."""
        self._thread = threading.Thread(target=self._run, name="event-grid", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the delivery thread, which leaves waiting events undelivered."""
        self._stopped.set()
        self._arrived.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.pump()
            try:
                self._take(self._arrived.get(timeout=self.interval))
            except queue.Empty:
                continue

    def _drain(self) -> None:
        while not self._arrived.empty():
            self._take(self._arrived.get())

    def _take(self, event: Event | None) -> None:
        if event is not None:
            with self._pumping:
                self._waiting.append(Attempt(event, self.clock.now()))

    def _deliver(self, attempt: Attempt) -> bool:
        status = self.destination.take(attempt)
        if status in ACCEPTED:
            return True
        self._again(attempt, status)
        return False

    def _again(self, attempt: Attempt, status: int) -> None:
        pause = RETRY_AFTER[min(attempt.number, len(RETRY_AFTER)) - 1]
        due = self.clock.now() + pause
        if status in self.destination.never_again or due - attempt.event.time > TIME_TO_LIVE:
            self.dead_letters.append(attempt.event)
        else:
            self._waiting.append(replace(attempt, due=due, number=attempt.number + 1))
