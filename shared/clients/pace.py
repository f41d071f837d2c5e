"""Slow down before Azure Resource Manager refuses requests, by what its answers say about its limits.

```text
request ──▶ PacePolicy ──▶ waits while a bucket that it draws from is too low ──▶ Azure
            PacePolicy ◀── x-ms-ratelimit-remaining-…: 66, Retry-After: 2     ◀──
```

Nothing about the limits is built in. Each header `x-ms-ratelimit-remaining-…` names a bucket of a subscription, in the
region of Azure Resource Manager that answered. From which buckets a kind of request draws, its answers show. All runs
of the process share what is known. What other instances use, the same headers show.
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

from shared.clients.answers import parse_retry_after
from shared.domain.deadline import Deadline
from shared.domain.errors import OutOfTime, Throttled
from shared.domain.pacing import Level
from shared.ports.clock import Clock

REMAINING, ROUTED_BY = "x-ms-ratelimit-remaining-", "x-ms-routing-request-id"
MOST_BUCKETS, MOST_KINDS, MOST_NAMES = 2000, 2000, 8
"""How many buckets and kinds of requests the process remembers, and how many buckets an answer may name. Twenty
subscriptions have about 200 buckets. The answers in recorded traffic name one or two."""
STEP_SECONDS, SHORTEST_SLEEP = 5.0, 0.01
"""The longest and the shortest sleep, after which a request that waits looks again at what the answers have shown."""
_COUNT = re.compile(r"[0-9]{1,7}")
_NAME = re.compile(r"[a-z-]{1,60}")
_REGION = re.compile(r"[A-Z0-9]{1,40}(?=:)")
_OF_ONE_KIND = "resource"
"""The word in the name of a header whose bucket belongs to one kind of request. In recorded traffic the header
`…-subscription-resource-requests` shows 499 for a write of a site, and 11995 for a read of settings (azure-cli,
test_functionapp_config_set.yaml)."""

Key = tuple[str, str, str, str]
"""A subscription, the name of a header, a region, and a kind of request or an empty text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about, as far as Azure's limits may depend on it."""

    place: str
    """The subscription, or the host of a request without one."""
    kind: str
    """The method and the path without the names in it."""

    @classmethod
    def of(cls, method: str, url: str) -> "Asked":
        """Return what a request is about."""
        parts = urlsplit(url)
        names = parts.path.lower().strip("/").split("/")
        of_subscription = names[0] == "subscriptions" and len(names) > 1
        place = names[1] if of_subscription else parts.netloc.lower()
        _, provided, rest = parts.path.lower().rpartition("/providers/")
        words = rest.split("/") if provided else names
        kind = "/".join(word if _is_word(number, provided) else "*" for number, word in enumerate(words))
        return cls(place, f"{method} {kind}")


def _is_word(number: int, provided: str) -> bool:
    """Return True if a part of a path is no name: in `microsoft.web/sites/shop/config` the second is the only name."""
    return number == 0 or number % 2 == (1 if provided else 0)


@dataclass(eq=False, slots=True)
class Ticket:
    """A request that waits, or whose answer has not come."""

    asked: Asked
    sparing: bool
    buckets: tuple["_Bucket", ...] = ()
    """The buckets at which the request waits, or from which it has taken a token."""
    under_way: bool = False


@dataclass(eq=False, slots=True)
class _Bucket:
    """A bucket with the requests of this process that need its tokens."""

    level: Level
    waiting: list[Ticket] = field(default_factory=list)
    """The requests that wait, in the order in which they came."""
    under_way: int = 0
    """The number of requests whose answers have not come."""

    def seconds(self, ticket: Ticket, now: datetime) -> float:
        """Return how long a request waits after those before it. Requests that spare nothing go before the others.

        Each request waits for its own token, so that requests do not wake all at once.
        """
        place = self.waiting.index(ticket)
        ahead = sum(
            (number < place) if other.sparing == ticket.sparing else ticket.sparing
            for number, other in enumerate(self.waiting)
        )
        return self.level.seconds(self.under_way + ahead, now, sparing=ticket.sparing)


class Pace:
    """What the process knows about Azure's limits, and its requests that wait or are under way."""

    def __init__(self) -> None:
        """Begin without knowledge: the first requests of each kind wait for nothing."""
        self._lock = threading.Lock()
        self._buckets: dict[Key, _Bucket] = {}
        self._drawn: dict[Asked, tuple[Key, ...]] = {}

    def forget(self) -> None:
        """Forget everything, so that tests can use the same clients with another simulated Azure."""
        with self._lock:
            self._buckets.clear()
            self._drawn.clear()

    def seconds(self, ticket: Ticket, now: datetime) -> float:
        """Return how long the request waits, or 0 after noting that it is under way."""
        with self._lock:
            self._queue(ticket, now)
            wait = max((bucket.seconds(ticket, now) for bucket in ticket.buckets), default=0.0)
            if wait <= 0:
                self._send(ticket)
            return wait

    def send(self, ticket: Ticket) -> None:
        """Note that the request is under way, although it should wait."""
        with self._lock:
            self._send(ticket)

    def answered(self, ticket: Ticket, status: int, headers: Mapping[str, str], now: datetime) -> None:
        """Note what an answer shows: the tokens that are left, and how long Azure refuses requests."""
        region = _region(headers)
        shown = _shown(headers)
        refused = status == HTTPStatus.TOO_MANY_REQUESTS
        shut = parse_retry_after(headers.get("Retry-After"), now) if refused else None
        with self._lock:
            self._end(ticket)
            keys = []
            for name, left in shown.items():
                kind = ticket.asked.kind if _OF_ONE_KIND in name else ""
                key = ticket.asked.place, name, region, kind
                keys.append(key)
                bucket = self._buckets.pop(key, None)  # the last of the dictionary is the one that answered last
                level = bucket.level.shown(left, now, took=not refused) if bucket else Level.first(left, now)
                bucket = bucket or _Bucket(level)
                bucket.level = level.refused(shut, now) if shut is not None and left == 0 else level
                self._buckets[key] = bucket
            if keys:
                self._drawn.pop(ticket.asked, None)
                self._drawn[ticket.asked] = tuple(keys)
            _shorten(self._buckets, MOST_BUCKETS)
            _shorten(self._drawn, MOST_KINDS)

    def end(self, ticket: Ticket) -> None:
        """Note that the request neither waits nor is under way."""
        with self._lock:
            self._end(ticket)

    def _queue(self, ticket: Ticket, now: datetime) -> None:
        """Let the request wait at the buckets of its kind that are known, and at no other."""
        known = (self._buckets.get(key) for key in self._drawn.get(ticket.asked, ()))
        buckets = tuple(bucket for bucket in known if bucket is not None and not bucket.level.is_forgotten(now))
        for bucket in set(ticket.buckets) - set(buckets):
            bucket.waiting.remove(ticket)
        for bucket in set(buckets) - set(ticket.buckets):
            bucket.waiting.append(ticket)
        ticket.buckets = buckets

    def _send(self, ticket: Ticket) -> None:
        for bucket in ticket.buckets:
            bucket.waiting.remove(ticket)
            bucket.under_way += 1
        ticket.under_way = True

    def _end(self, ticket: Ticket) -> None:
        for bucket in ticket.buckets:
            if ticket.under_way:
                bucket.under_way -= 1
            else:
                bucket.waiting.remove(ticket)
        ticket.buckets, ticket.under_way = (), False


def _shorten(known: dict[Any, Any], most: int) -> None:
    while len(known) > most:
        del known[next(iter(known))]


def _region(headers: Mapping[str, str]) -> str:
    """Return the region of Azure Resource Manager that answered, such as WESTEUROPE, or an empty text."""
    found = _REGION.match(headers.get(ROUTED_BY, ""))
    return found.group() if found else ""


def _shown(headers: Mapping[str, str]) -> dict[str, int]:
    """Return the tokens that are left, by the rest of the header's name. What is no count is left out."""
    shown: dict[str, int] = {}
    for name, text in headers.items():
        short = name.lower().removeprefix(REMAINING)
        told = len(short) < len(name) and _NAME.fullmatch(short) and _COUNT.fullmatch(text)
        if told and len(shown) < MOST_NAMES:
            shown[short] = int(text)
    return shown


@dataclass(slots=True)
class _Call:
    """A call of an SDK, and how long its requests may wait."""

    pacing: "Pacing"
    writing: bool
    until: datetime
    ticket: Ticket | None = None


_call: ContextVar[_Call | None] = ContextVar("paced", default=None)
_until: ContextVar[datetime | None] = ContextVar("until", default=None)


class Pacing:
    """The pace of one run."""

    def __init__(self, pace: Pace, clock: Clock, deadline: Deadline, patience: timedelta, *, sparing: bool) -> None:
        """Keep what all runs know (`pace`). A run with `sparing` leaves a third of each bucket to other work."""
        self.pace = pace
        self._clock, self._deadline, self._patience = clock, deadline, patience
        self._sparing = sparing

    @contextmanager
    def until(self, end: datetime) -> Iterator[None]:
        """Let the requests of the present thread wait no longer than to the given time."""
        before = _until.get()
        token = _until.set(end if before is None else min(before, end))
        try:
            yield
        finally:
            _until.reset(token)

    @contextmanager
    def calling(self, *, writing: bool) -> Iterator[None]:
        """Let `PacePolicy` know the call while the context lasts."""
        call = _Call(self, writing, _until.get() or min(self._clock.now() + self._patience, self._deadline.work))
        token = _call.set(call)
        try:
            yield
        finally:
            _call.reset(token)
            self._end(call)

    def before(self, call: _Call, asked: Asked) -> None:
        """Wait until the request may be sent.

        If the wait would be too long, any other request than a read of a run that spares Azure's limits is sent at
        once. Such a read is not sent: raise OutOfTime if the time of the run ends first, and Throttled if the patience
        does.
        """
        self._end(call)
        ticket = call.ticket = Ticket(asked, self._sparing and not call.writing)
        while (seconds := self.pace.seconds(ticket, now := self._clock.now())) > 0:
            if seconds > (call.until - now).total_seconds():
                if ticket.sparing and now < self._deadline.work:
                    raise self._too_late(seconds, asked, now)
                self.pace.send(ticket)
                return
            self._clock.sleep(min(max(seconds, SHORTEST_SLEEP), STEP_SECONDS))

    def after(self, call: _Call, status: int, headers: Mapping[str, str]) -> None:
        """Note what the answer to the request shows."""
        if call.ticket is not None:
            self.pace.answered(call.ticket, status, headers, self._clock.now())

    def _end(self, call: _Call) -> None:
        if call.ticket is not None:
            self.pace.end(call.ticket)

    def _too_late(self, seconds: float, asked: Asked, now: datetime) -> OutOfTime | Throttled:
        wait = timedelta(seconds=seconds)
        if now + wait > self._deadline.work:
            return OutOfTime(f"no time is left to wait for the request limits of {asked.place}")
        what = f"the request limits of {asked.place} are used up, apart from a third that is left to renewals"
        return Throttled(what, wait)


class PacePolicy(SansIOHTTPPolicy[Any, Any]):
    """The step of an SDK's pipeline that waits for Azure's limits. All SDK clients share this step."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Wait until the request may be sent. Raise OutOfTime or Throttled if the request is not to be sent."""
        if (call := _call.get()) is not None:
            call.pacing.before(call, Asked.of(request.http_request.method, request.http_request.url))

    def on_response(self, request: PipelineRequest[Any], response: PipelineResponse[Any, Any]) -> None:  # noqa: ARG002 - azure-core's own signature
        """Note what the answer shows about Azure's limits."""
        if (call := _call.get()) is not None:
            call.pacing.after(call, response.http_response.status_code, response.http_response.headers)
