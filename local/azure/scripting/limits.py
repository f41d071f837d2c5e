"""Limit the requests to Azure Resource Manager by token buckets, and send the headers that say what is left.

| request | bucket | header `x-ms-ratelimit-remaining-…` | source |
|---|---|---|---|
| GET, HEAD | 250, 25 a second | `subscription-reads` | Azure docs, request-limits-and-throttling |
| PUT, PATCH, POST | 200, 10 a second | `subscription-writes` | the same page |
| DELETE | 200, 10 a second | `subscription-deletes` | the same page |
| each of these, of all principals together | 15 times as much | `subscription-global-reads` and so on | the same page |
| each of these without a subscription | as much | `tenant-reads` and so on | the same page |
| POST `…/config/…/list` | knob `settings_posts` | `subscription-resource-requests: 11995` | recorded, see below |
| PUT of a site or slot | 500, refill unknown | `subscription-resource-requests: 499` | recorded, see below |

Recorded: azure-cli test_functionapp_config_set.yaml. Azure docs say that `…-resource-requests` comes instead of reads
or writes where a resource provider has a limit of its own. The refill of these limits is not documented. The simulation
refills a whole bucket in an hour. A bucket belongs to a region of Azure Resource Manager and to a principal.
"""

import math
import re
import threading
from dataclasses import dataclass
from typing import Literal

from local.azure.scripting.bucket import Bucket
from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.wire import Request, Response, arm_error

REMAINING = "x-ms-ratelimit-remaining-"
ALL_PRINCIPALS = 15
HOUR = 3600.0
_SETTINGS = re.compile(r"/sites/[^/]+(/slots/[^/]+)?/config/[^/]+/list$", re.IGNORECASE)
_SITE = re.compile(r"/sites/[^/]+(/slots/[^/]+)?$", re.IGNORECASE)
_OF_METHOD: dict[str, Literal["reads", "deletes"]] = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of requests: the size of its bucket, and the tokens that it gains in a second."""

    size: float
    refill: float

    def times(self, number: int) -> "Limit":
        """Return a limit that allows the given number of times as much."""
        return Limit(self.size * number, self.refill * number)


LIMITS = {"reads": Limit(250, 25), "writes": Limit(200, 10), "deletes": Limit(200, 10)}
OWN_OF_SETTINGS = Limit(12_000, 12_000 / HOUR)
OWN_OF_SITES = Limit(500, 500 / HOUR)
Key = tuple[str, ...]
Drawn = dict[str, tuple[Key, Limit]]
"""The buckets from which a request draws, by the name of the header."""


class Limits:
    """The buckets of all subscriptions and principals."""

    def __init__(self, clock: Clock, knobs: Knobs) -> None:
        """Begin with full buckets. Requests take tokens only while the knob `throttling` is on."""
        self._clock, self._knobs = clock, knobs
        self._buckets: dict[Key, Bucket] = {}
        self._lock = threading.Lock()
        self.region = "WESTEUROPE"
        """The region of Azure Resource Manager that answers."""

    def refusal(self, request: Request, principal: str) -> tuple[Response | None, dict[str, str]]:
        """Take a token for the request, and return the headers of its answer.

        If a bucket is empty, return the refusal 429 with Retry-After too. A refused request takes no token.
        """
        if not self._knobs.throttling:
            return None, {}
        now = self._clock.now()
        with self._lock:
            drawn = {name: self._bucket(key, limit) for name, (key, limit) in self._drawn(request, principal).items()}
            empty = [bucket for bucket in drawn.values() if bucket.fill(now) < 1]
            if not empty:
                for bucket in drawn.values():
                    bucket.take(now)
            headers = {f"{REMAINING}{name}": str(int(bucket.tokens)) for name, bucket in drawn.items()}
        headers["x-ms-routing-request-id"] = f"{self.region}:{now:%Y%m%dT%H%M%SZ}:0"
        if not empty:
            return None, headers
        wait = math.ceil(max((1 - bucket.tokens) / bucket.refill for bucket in empty))
        message = "Number of requests exceeded the limit. Please try again later."
        return arm_error(429, "TooManyRequests", message).adding({"Retry-After": str(wait)}), headers

    def use_up(self, subscription: str, name: str, share: float = 1.0) -> None:
        """Take a share of the tokens of each bucket of this name, as other clients of the principal would."""
        now = self._clock.now()
        for bucket in self._named(subscription, name):
            bucket.take(now, bucket.fill(now) * share)

    def lowest(self, subscription: str, name: str) -> float:
        """Return the fewest tokens that requests have left in a bucket of this name."""
        return min(bucket.lowest for bucket in self._named(subscription, name))

    def _named(self, subscription: str, name: str) -> list[Bucket]:
        with self._lock:
            return [bucket for key, bucket in self._buckets.items() if key[:2] == (subscription, name)]

    def _bucket(self, key: Key, limit: Limit) -> Bucket:
        if key not in self._buckets:
            self._buckets[key] = Bucket.full(limit.size, limit.refill, self._clock.now())
        return self._buckets[key]

    def _drawn(self, request: Request, principal: str) -> Drawn:
        parts = request.path.lower().split("/")
        subscription = parts[2] if parts[1:2] == ["subscriptions"] and parts[2:] else ""
        own = self._own_limit(request)
        if own is not None:
            kind, limit = own
            return {"subscription-resource-requests": ((subscription, kind, self.region, principal), limit)}
        kind = _OF_METHOD.get(request.method, "writes")
        limit = LIMITS[kind]
        if not subscription:
            return {f"tenant-{kind}": (("", kind, self.region, principal), limit)}
        return {
            f"subscription-{kind}": ((subscription, kind, self.region, principal), limit),
            f"subscription-global-{kind}": (
                (subscription, f"global-{kind}", self.region),
                limit.times(ALL_PRINCIPALS),
            ),
        }

    def _own_limit(self, request: Request) -> tuple[str, Limit] | None:
        if request.method == "POST" and self._knobs.settings_posts == "own" and _SETTINGS.search(request.path):
            return "settings", OWN_OF_SETTINGS
        if request.method == "PUT" and _SITE.search(request.path):
            return "sites", OWN_OF_SITES
        return None
