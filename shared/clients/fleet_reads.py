"""Keep what an inspection has read of the fleet, for the renewals that waited together with it in the same process."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from shared.ports.clock import Clock

YOUNG = timedelta(minutes=1)
"""How long other renewals use what an inspection has read. A run may write for minutes after its own inspection."""
POLL_SECONDS = 0.05
"""How long Certroll waits before it looks again whether the read of another run has ended."""

Value = TypeVar("Value")


@dataclass(slots=True)
class _Read:
    """One read, which other runs may wait for."""

    found: tuple[Any, ...] = ()
    """What the read found, as the only element. Empty before the read ends, and after it failed."""
    ended: bool = False


class MemoryReads:
    """What has been read of the fleet since one moment, in the memory of the process."""

    def __init__(self, number: int, clock: Clock) -> None:
        """Begin with nothing read. Later reads have higher numbers."""
        self.number = number
        self.began: datetime = clock.now()
        self._clock = clock
        self._lock = threading.Lock()
        self._read: dict[tuple[str, object], _Read] = {}

    def once(self, what: str, subject: object, read: Callable[[], Value]) -> Value:
        """Return what another run has read, or read it. Raise the error of a failed read, which nobody else gets.

        If another run reads the same at this moment, wait for the end of its read, for `YOUNG` at most: that run may
        repeat its read until its own time is over.
        """
        own = _Read()
        with self._lock:
            known = self._read.setdefault((what, subject), own)
        if known is own:
            return self._filled(own, what, subject, read)
        until = self._clock.now() + YOUNG
        while not known.ended and self._clock.now() < until:
            self._clock.sleep(POLL_SECONDS)
        found: tuple[Value, ...] = known.found
        return found[0] if found else read()

    def _filled(self, own: _Read, what: str, subject: object, read: Callable[[], Value]) -> Value:
        try:
            value = read()
            own.found = (value,)
        finally:
            if not own.found:
                with self._lock:
                    del self._read[what, subject]
            own.ended = True
        return value


class ProcessReads:
    """The latest reads of the fleet in this process. Another process does not know the marks, and reads for itself."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing read."""
        self._clock = clock
        self._process = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._latest = MemoryReads(0, clock)

    def mark(self) -> str:
        """Return the mark of this moment: the process, and the number of the last reads that have begun."""
        return f"{self._process}-{self._latest.number}"

    def begin(self) -> MemoryReads:
        """Begin to read the fleet again."""
        with self._lock:
            self._latest = MemoryReads(self._latest.number + 1, self._clock)
            return self._latest

    def since(self, mark: str) -> MemoryReads | None:
        """Return what has been read of the fleet, if all of it was read after the mark and within the last minute."""
        process, _, number = mark.partition("-")
        latest = self._latest
        is_later = process == self._process and latest.number > int(number)
        return latest if is_later and self._clock.now() - latest.began < YOUNG else None
