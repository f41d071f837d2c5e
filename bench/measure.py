"""Measure one part of a scenario: simulated seconds, requests, refusals, processor time and memory."""

import gc
import json
import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.figures import Figures
from bench.floor import Floor
from bench.instance import Hosted
from bench.limits import SETTINGS_READ, SettingsPosts
from bench.process import need_of
from local.azure.scripting.journal import Entry
from local.azure.server import ARM_HOST
from local.yardstick import yardstick
from shared.clients.pace import Asked

REFUSED = 429
FORGET_PEAK = Path("/proc/self/clear_refs")
"""The file by which Linux forgets the peak of a process's memory, if a program writes 5 (proc(5))."""


class Measure:
    """Measure the parts of one scenario on one installation."""

    def __init__(self, hosted: Hosted, fleet: str, posts: SettingsPosts | None) -> None:
        """Begin with the installation's present state."""
        self._hosted, self._fleet, self._posts = hosted, fleet, posts
        self._yardsticks = [yardstick()]

    def part(self, name: str, floor: Floor, work: Callable[[], dict[str, float] | None]) -> Figures:
        """Do the work, and return what it cost. The work may return further counts."""
        hosted, world = self._hosted, self._hosted.world
        world.journal.clear()
        hosted.forget_errors()
        seconds, azure = hosted.scheduler.seconds, hosted.azure_seconds
        with peak() as memory:
            processor = time.process_time()
            more = work() or {}
            processor = time.process_time() - processor - (hosted.azure_seconds - azure)
        self._yardsticks.append(yardstick())
        return Figures(
            name=name,
            fleet=self._fleet,
            posts_from=self._posts or "",
            seconds=round(hosted.scheduler.seconds - seconds, 1),
            **counts(world.journal.entries()),
            kinds=kinds(world.journal.entries()),
            floor_seconds=round(floor.seconds, 1),
            floor_requests=floor.requests,
            yardsticks=round(processor * len(self._yardsticks) / math.fsum(self._yardsticks), 1),
            memory_mb=round(memory[0]),
            more=more,
            failed=dict(hosted.errors()),
        )


def counts(entries: tuple[Entry, ...]) -> dict[str, int]:
    """Return how many requests of each kind Azure received.

    A client's first request to a vault has no token, and the process remembers the vault's answer for all its clients.
    So requests without a token do not count.
    """
    entries = tuple(entry for entry in entries if entry.principal is not None)
    arm = [entry for entry in entries if entry.host == ARM_HOST]
    kinds = Counter(_kind(entry) for entry in arm)
    return {
        "reads": kinds["read"],
        "posts": kinds["post"],
        "writes": kinds["write"],
        "vault": sum(".vault." in entry.host for entry in entries),
        "refused": sum(entry.status == REFUSED for entry in arm),
    }


def kinds(entries: tuple[Entry, ...]) -> dict[str, int]:
    """Return how many requests of each method and path Azure received, the most frequent first.

    The parts of a path at the places of names are left out.
    """
    asked = (Asked.of(entry.method, f"https://{entry.host}{entry.path}") for entry in entries if entry.principal)
    return dict(Counter(f"{kind.kind}{' of Key Vault' * ('.vault.' in kind.place)}" for kind in asked).most_common())


def _kind(entry: Entry) -> str:
    if entry.method == "GET":
        return "read"
    return "post" if entry.method == "POST" and entry.path.endswith(SETTINGS_READ) else "write"


@contextmanager
def peak() -> Iterator[list[float]]:
    """Yield a list that has, after the context, the megabytes by which the memory of the process grew at most.

    Only Linux tells. On other systems the number is 0.
    """
    if not FORGET_PEAK.exists():
        yield [0.0]
        return
    gc.collect()
    FORGET_PEAK.write_text("5", encoding="ascii")
    before, grown = need_of(os.getpid()).resident_mb, [0.0]
    yield grown
    grown[0] = max(need_of(os.getpid()).peak_mb - before, 0.0)


class Heard(logging.Handler):
    """The events that Certroll logs, with the simulated times at which Certroll logged them."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Begin without events. The function `now` returns the simulated time."""
        super().__init__()
        self._now = now
        self.events: list[tuple[datetime, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect the event."""
        try:
            said = json.loads(record.getMessage())
        except ValueError:
            return
        self.events.append((self._now(), said))

    def count(self, name: str, **fields: str) -> int:
        """Return how often Certroll logged an event of this name with these fields."""
        wanted = {"event": name, **fields}
        return sum(wanted.items() <= said.items() for _, said in self.events)


@contextmanager
def heard(now: Callable[[], datetime]) -> Iterator[Heard]:
    """Yield the events that Certroll logs within the context."""
    logger, handler = logging.getLogger("certroll"), Heard(now)
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
