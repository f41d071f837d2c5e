"""Simulate workers that share a bucket of Azure, on a clock that moves only when all of them wait."""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.azure.scripting.bucket import Bucket
from shared.clients.pace import SHORTEST_SLEEP, STEP_SECONDS, Asked, Pace, Ticket
from tests.build import NOW

HEADER = "x-ms-ratelimit-remaining-subscription-writes"
LATENCY = 0.15
ASKED = Asked("s", "POST microsoft.web/sites/*/config/*/list")
OK, REFUSED = 200, 429


@dataclass
class SlowAzure:
    """Azure with one bucket, and all workers of all processes that use it."""

    size: float
    refill: float
    now: datetime = NOW
    sent: int = 0
    refused: int = 0
    ended: dict[str, float] = field(default_factory=dict)
    """When the last worker of each group ended, in seconds from the start."""
    _workers: list[tuple[datetime, int, Iterator[float]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bucket = Bucket.full(self.size, self.refill, self.now)

    def add(self, name: str, pace: Pace, requests: int, workers: int = 8, *, sparing: bool, at: float = 0) -> None:
        """Add workers that share some requests, from the given second on."""
        left = list(range(requests))
        for _ in range(workers):
            worker = self._work(name, pace, left, sparing=sparing)
            self._workers.append((self.now + timedelta(seconds=at), len(self._workers), worker))

    def run(self) -> None:
        """Let all workers work until all have ended."""
        heapq.heapify(self._workers)
        while self._workers:
            at, number, worker = heapq.heappop(self._workers)
            self.now = max(at, self.now)
            if (seconds := next(worker, None)) is not None:
                heapq.heappush(self._workers, (self.now + timedelta(seconds=seconds), number, worker))

    def _work(self, name: str, pace: Pace, left: list[int], *, sparing: bool) -> Iterator[float]:
        while left:
            left.pop()
            while not (yield from self._ask(pace, sparing=sparing)):
                pass
        self.ended[name] = (self.now - NOW).total_seconds()

    def _ask(self, pace: Pace, *, sparing: bool) -> Iterator[float]:
        """Send a request in its time, and return True if Azure did not refuse it."""
        ticket = Ticket(ASKED, sparing)
        while (wait := pace.seconds(ticket, self.now)) > 0:
            yield min(max(wait, SHORTEST_SLEEP), STEP_SECONDS)
        yield LATENCY / 2
        self.sent += 1
        tokens = self.bucket.take(self.now)
        headers = {HEADER: str(tokens or 0)}
        if tokens is None:
            self.refused += 1
            headers["Retry-After"] = str(math.ceil((1 - self.bucket.tokens) / self.refill))
        yield LATENCY / 2
        pace.answered(ticket, OK if tokens is not None else REFUSED, headers, self.now)
        if tokens is None:
            yield float(headers["Retry-After"])
        return tokens is not None
