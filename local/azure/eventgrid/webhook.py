"""Event Grid's push delivery: `WebhookDelivery` is a subscriber that posts events to a webhook over HTTP."""

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
"""Answers of a webhook after which Event Grid gives up (Azure docs, Event Grid delivery and retry)."""
RETRY_AFTER = tuple(timedelta(seconds=s) for s in (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200))
"""The pauses between attempts (Azure docs, Event Grid delivery and retry); real ones have jitter and may skip."""
TIME_TO_LIVE = timedelta(hours=24)
ANSWER_WITHIN = 30.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A delivery that is due at a moment of the world's clock."""

    event: Event
    due: datetime
    number: int = 1


@dataclass(slots=True, eq=False)
class WebhookDelivery:
    """Event Grid's push delivery to one webhook: validated first, at least once, tried again after a failure.

    It subscribes to events and posts them in its own schema, outside the world's lock. `pump` posts what is due on the
    world's clock; between `start` and `stop` a thread pumps on every arrival and every `interval` real seconds.
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
        """Take the event; it is posted with the next pump."""
        self._arrived.put(replace(event, shape=replace(event.shape, schema=self.schema)))

    def validate(self) -> None:
        """Ask the webhook whether it wants these events; raise PermissionError where it does not say so.

        Event Grid's own schema posts a code that has to come back; CloudEvents asks with OPTIONS (Azure docs, webhook
        event delivery; CloudEvents HTTP webhook specification).
        """
        if self.schema == "CloudEvents":
            status, _ = self._send("OPTIONS", None, {"WebHook-Request-Origin": "eventgrid.azure.net"})
            accepted = status in ACCEPTED
        else:
            accepted = self._echoes_code()
        if not accepted:
            raise PermissionError(f"The webhook {self.url.split('?')[0]} did not pass Event Grid's validation.")

    def pump(self) -> int:
        """Return how many events were accepted, of all those that are due by the world's clock."""
        with self._pumping:
            self._drain()
            now = self.clock.now()
            due = [attempt for attempt in self._waiting if attempt.due <= now]
            self._waiting = [attempt for attempt in self._waiting if attempt.due > now]
            return sum(self._deliver(attempt) for attempt in due)

    def start(self) -> None:
        """Pump in a thread from now on."""
        self._thread = threading.Thread(target=self._run, name="event-grid", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what was not delivered stays undelivered."""
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
