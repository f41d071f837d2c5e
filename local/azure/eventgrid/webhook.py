"""The simulation of Event Grid's push delivery: a subscriber that posts each event to a webhook over HTTP."""

import http.client
import json
import logging
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from local.azure.eventgrid.event import Event, Schema
from local.azure.scripting.clock import Clock

ACCEPTED = range(200, 205)
NEVER_AGAIN = frozenset({400, 401, 403, 413})
"""Event Grid gives up if a webhook answers 400, 401, 403 or 413 (Azure docs, Event Grid delivery and retry)."""
RETRY_AFTER = tuple(timedelta(seconds=s) for s in (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200))
"""The pauses between delivery attempts (Azure docs, Event Grid delivery and retry).

Event Grid adds jitter to its pauses, and may skip attempts; the local Azure does neither.
"""
TIME_TO_LIVE = timedelta(hours=24)
ANSWER_WITHIN = 30.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver an event, due at a moment of the simulated Azure's clock."""

    event: Event
    due: datetime
    number: int = 1


@dataclass(slots=True, eq=False)
class WebhookDelivery:
    """The simulation of Event Grid's push delivery to one webhook, with retries after failed attempts.

    The delivery posts events in the schema that its field `schema` names, without locking the simulated Azure. `pump`
    posts every event to the webhook that is due by the clock of the simulated Azure. Between `start` and `stop`, a
    thread calls `pump` whenever an event arrives, and every `interval` real seconds.
    """

    url: str
    clock: Clock
    schema: Schema = "EventGrid"
    subscription: str = "certroll"
    interval: float = 0.2
    dead_letters: list[Event] = field(default_factory=list)
    _waiting: list[Attempt] = field(default_factory=list)
    _arrived: "queue.SimpleQueue[Event | None]" = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)
    _pumping: threading.RLock = field(default_factory=threading.RLock)

    def __call__(self, event: Event) -> None:
        """Accept the event; a later call of `pump` posts the event to the webhook."""
        self._arrived.put(replace(event, shape=replace(event.shape, schema=self.schema)))

    def validate(self) -> None:
        """Validate the webhook as Event Grid does; raise PermissionError if the webhook fails the validation.

        In Event Grid's own schema, Event Grid posts a code that the webhook has to return (Azure docs, webhook event
        delivery). In CloudEvents, Event Grid sends an OPTIONS request (CloudEvents HTTP webhook specification).
        """
        if self.schema == "CloudEvents":
            status, _ = self._send("OPTIONS", None, {"WebHook-Request-Origin": "eventgrid.azure.net"})
            accepted = status in ACCEPTED
        else:
            accepted = self._echoes_code()
        if not accepted:
            raise PermissionError(f"The webhook {self.url.split('?')[0]} did not pass Event Grid's validation.")

    def pump(self) -> int:
        """Post every event that is due by the simulated Azure's clock, and return the number of accepted events."""
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
        try:
            status = self._post(attempt)
        except (OSError, http.client.HTTPException) as failure:
            log.debug("event_grid.no_answer %s", failure)
            status = 503
        if status in ACCEPTED:
            return True
        self._again(attempt, status)
        return False

    def _again(self, attempt: Attempt, status: int) -> None:
        pause = RETRY_AFTER[min(attempt.number, len(RETRY_AFTER)) - 1]
        due = self.clock.now() + pause
        if status in NEVER_AGAIN or due - attempt.event.time > TIME_TO_LIVE:
            self.dead_letters.append(attempt.event)
        else:
            self._waiting.append(replace(attempt, due=due, number=attempt.number + 1))

    def _post(self, attempt: Attempt) -> int:
        payload = attempt.event.payload
        cloud = attempt.event.shape.schema == "CloudEvents"
        headers = {
            "Content-Type": "application/cloudevents+json" if cloud else "application/json; charset=utf-8",
            "aeg-event-type": "Notification",
            "aeg-subscription-name": self.subscription.upper(),
            "aeg-delivery-count": str(attempt.number - 1),
            "aeg-data-version": "1",
            "aeg-metadata-version": "1",
        }
        return self._send("POST", payload if cloud else [payload], headers)[0]

    def _echoes_code(self) -> bool:
        code = "2B3C6A0E-VALIDATION"
        event = {
            "id": code.lower(),
            "topic": "",
            "subject": "",
            "data": {"validationCode": code},
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": self.clock.now().isoformat().replace("+00:00", "Z"),
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        headers = {"Content-Type": "application/json", "aeg-event-type": "SubscriptionValidation"}
        status, answer = self._send("POST", [event], headers)
        return status in ACCEPTED and _json_object(answer).get("validationResponse") == code

    def _send(self, method: str, body: object, headers: Mapping[str, str]) -> tuple[int, bytes]:
        parts = urlsplit(self.url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=ANSWER_WITHIN)
        try:
            connection.request(method, target, None if body is None else json.dumps(body), dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _json_object(text: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
