"""Event Grid: what Key Vault says when a certificate or a secret changes, and how it reaches a webhook.

Events go to subscribers (plain callables) at once. `WebhookDelivery` is the subscriber that plays Event Grid's push
delivery over HTTP.
"""

import http.client
import json
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from local.azure.clock import Clock
from local.azure.kernel import Kernel
from local.azure.vault.secrets import Secret, SecretVersion
from local.azure.vault.state import Vault, VaultCertificate, Version

Kind = Literal["NewVersionCreated", "NearExpiry", "Expired"]
ObjectType = Literal["Certificate", "Secret", "Key"]
Schema = Literal["EventGrid", "CloudEvents"]
Subscriber = Callable[["Event"], None]

ACCEPTED = range(200, 205)
NEVER_AGAIN = frozenset({400, 401, 403, 413})
"""Answers of a webhook after which Event Grid gives up (Azure docs, Event Grid delivery and retry)."""
RETRY_AFTER = tuple(timedelta(seconds=s) for s in (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200))
"""The pauses between attempts (Azure docs, Event Grid delivery and retry); real ones have jitter and may skip."""
TIME_TO_LIVE = timedelta(hours=24)
ANSWER_WITHIN = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shape:
    """How the payload is written: Azure's sample, its table and its SDKs disagree, so each spelling is a knob.

    Azure docs, event-schema-key-vault: the table has `id` and numbers for NBF and EXP; the sample has `Id`, the key
    `ObjectName` with a trailing blank, strings for NBF and EXP, and a leading blank in the version.
    """

    schema: Schema = "EventGrid"
    id_key: str = "Id"
    object_name_key: str = "ObjectName"
    version_prefix: str = ""
    times_as: Literal["number", "float", "string", "null"] = "number"
    topic_case: Literal["as is", "lower", "upper"] = "as is"


DOCUMENTED_SAMPLE = Shape(object_name_key="ObjectName ", version_prefix=" ", times_as="string")
DOCUMENTED_TABLE = Shape(id_key="id", times_as="number")


@dataclass(frozen=True, slots=True)
class Event:
    """One event about one version of a vault object, and the shape it is written in."""

    id: str
    kind: Kind
    vault: str
    topic: str
    object_type: ObjectType
    object_name: str
    version: str
    url: str
    not_before: datetime | None
    not_after: datetime | None
    time: datetime
    shape: Shape

    @property
    def type(self) -> str:
        """The event type as Event Grid names it."""
        return f"Microsoft.KeyVault.{self.object_type}{self.kind}"

    @property
    def data(self) -> dict[str, Any]:
        """The data section, in the shape's spelling."""
        return {
            self.shape.id_key: self.url,
            "VaultName": self.vault,
            "ObjectType": self.object_type,
            self.shape.object_name_key: self.object_name,
            "Version": self.shape.version_prefix + self.version,
            "NBF": self._moment(self.not_before),
            "EXP": self._moment(self.not_after),
        }

    @property
    def payload(self) -> dict[str, Any]:
        """The whole event as JSON, in the shape's schema."""
        written = self.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
        shared = {"id": self.id, "subject": self.object_name, "data": self.data}
        if self.shape.schema == "CloudEvents":
            return shared | {"source": self._topic(), "type": self.type, "time": written, "specversion": "1.0"}
        envelope = {"eventType": self.type, "eventTime": written, "dataVersion": "1", "metadataVersion": "1"}
        return shared | {"topic": self._topic()} | envelope

    def _topic(self) -> str:
        cases = {"as is": self.topic, "lower": self.topic.lower(), "upper": self.topic.upper()}
        return cases[self.shape.topic_case]

    def _moment(self, moment: datetime | None) -> float | str | None:
        if moment is None:
            return None
        seconds = int(moment.timestamp())
        spellings: dict[str, float | str | None] = {
            "number": seconds,
            "float": float(seconds),
            "string": str(seconds),
            "null": None,
        }
        return spellings[self.shape.times_as]


class Events:
    """The events of a world: every new version of a certificate or a plain secret is announced to the subscribers."""

    def __init__(self, kernel: Kernel, vaults: Mapping[str, Vault]) -> None:
        """Start with no subscribers and the plain shape."""
        self._kernel = kernel
        self._vaults = vaults
        self.shape = Shape()
        self.emitted: list[Event] = []
        self._subscribers: list[Subscriber] = []
        self._held: list[Event] | None = None

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Hand every later event to that callable; the result ends the subscription.

        The callable runs while the world is locked, so it must be quick and must not ask the world over the network.
        """
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def new_version(self, vault: Vault, found: VaultCertificate | Secret, version: Version | SecretVersion) -> None:
        """Announce a new version; one of a certificate as its secret's too where that knob is set."""
        plain = found.name.lower() in vault.secrets
        twins = self._kernel.knobs.certificate_events_have_secret_twins
        types: tuple[ObjectType, ...] = ("Certificate", "Secret") if twins else ("Certificate",)
        for object_type in ("Secret",) if plain else types:
            self._publish(self._event(vault, found, version, "NewVersionCreated", object_type))

    def emit(
        self,
        vault: str,
        name: str,
        kind: Kind = "NewVersionCreated",
        version: str | None = None,
        object_type: ObjectType | None = None,
    ) -> Event:
        """Return an event about an object of that vault, announced as if Azure had sent it now.

        It is announced as what it is, a certificate or a secret, unless another type is given: that of a twin.
        """
        source = self._vaults[vault.lower()]
        found = source.certificate(name) or source.secrets[name.lower()]
        about = found.newest if version is None else found.version(version)
        if about is None:
            raise KeyError(f"{name} of vault {vault} has no version {version}.")
        kind_of_object: ObjectType = "Secret" if name.lower() in source.secrets else "Certificate"
        event = self._event(source, found, about, kind, object_type or kind_of_object)
        self._publish(event)
        return event

    def repeat(self, event: Event | None = None) -> Event:
        """Return the event (by default the last one), delivered once more under the same id."""
        again = event or self.emitted[-1]
        self._hand_out(again)
        return again

    def hold(self) -> None:
        """Keep back every event until `release` or `lose`."""
        self._held = self._held or []

    def release(self) -> list[Event]:
        """Return what was kept back, handed out newest first: the order that hurts."""
        held, self._held = list(reversed(self._held or [])), None
        for event in held:
            self._hand_out(event)
        return held

    def lose(self) -> list[Event]:
        """Return what was kept back; nobody will hear of it."""
        lost, self._held = self._held or [], None
        return lost

    def _publish(self, event: Event) -> None:
        self.emitted.append(event)
        if self._held is None:
            self._hand_out(event)
        else:
            self._held.append(event)

    def _hand_out(self, event: Event) -> None:
        for subscriber in tuple(self._subscribers):
            subscriber(event)

    def _event(
        self,
        vault: Vault,
        found: VaultCertificate | Secret,
        version: Version | SecretVersion,
        kind: Kind,
        object_type: ObjectType,
    ) -> Event:
        collection = {"Certificate": "certificates", "Secret": "secrets", "Key": "keys"}[object_type]
        return Event(
            id=str(UUID(int=self._kernel.random.getrandbits(128), version=4)),
            kind=kind,
            vault=vault.name,
            topic=vault.resource_id,
            object_type=object_type,
            object_name=found.name,
            version=version.id,
            url=f"{vault.url}/{collection}/{found.name}/{version.id}",
            not_before=version.not_before,
            not_after=version.not_after,
            time=self._kernel.clock.now(),
            shape=self.shape,
        )


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
