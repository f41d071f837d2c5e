"""Read the events of the product from the log of the Functions host."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARK = " certroll: "
"""The text before the JSON of an event in the log."""
LOGGED_AT = "logged_at"
"""The field for the time of an event's line in the log, as ISO 8601."""
Event = dict[str, Any]


def events(log: Path) -> Iterator[Event]:
    """Yield every event in the log, oldest first. A missing log has no events."""
    if log.is_file():
        yield from _parsed(log.read_text(encoding="utf-8", errors="replace"))


class Tail:
    """The end of a log that grows: each read returns only the events that are new."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0

    def new(self) -> list[Event]:
        """Return the events of all complete lines since the last call, oldest first."""
        if not self._log.is_file():
            return []
        with self._log.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        complete = text[: text.rfind(b"\n") + 1]
        self._read += len(complete)
        return list(_parsed(complete.decode(errors="replace")))


def _parsed(text: str) -> Iterator[Event]:
    for line in text.splitlines():
        if MARK in line:
            head, _, event = line.partition(MARK)
            yield {**json.loads(event), LOGGED_AT: head.partition(" ")[0]}
