"""Log the events of a run as JSON objects, one per line, each named noun.past_tense.

The fields of an event are part of the message, because the Functions host overwrites `extra` dimensions
(azure-functions-python-worker, issue 694).

The Functions host drops each line that no invocation's own thread logs: lines of other threads, lines at import, and
lines after the end of the invocation (measured on Azure Functions host 4.1037; azure-functions-python-worker, issues
1158, 1358 and 1860). So a thread of a pool collects its lines, and the thread that uses the pool logs the lines
(shared/loop/pool.py).
"""

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

MOST_CHARACTERS = 32_768
"""The longest line. Application Insights cuts a longer message (Azure docs, "Application Insights telemetry data
model")."""
CUT = "…"
"""The end of a text that was too long for a line."""

_LOGGER = logging.getLogger("certroll")


class _Thread(threading.local):
    """The state of one thread."""

    collected: list[str] | None = None
    """The list into which the thread collects its lines, or None if the thread logs its lines itself."""
    run: str = ""
    """The id of the run for which the thread works, empty outside of a run."""


_THREAD = _Thread()


def event(name: str, **fields: object) -> None:
    """Log one event, or collect it in a thread of a pool. docs/reference/events.md explains each event name.

    An event that is too long for one line becomes several lines, each with a part of the items of the event's lists.
    Each line of a run has the id of the run.
    """
    of_run = {"run": _THREAD.run} if _THREAD.run else {}
    for line in _lines_of(name, {**of_run, **fields}):
        log(line)


def log(line: str) -> None:
    """Log one line, or collect the line if the present thread collects its lines."""
    if _THREAD.collected is None:
        _LOGGER.info(line)
    else:
        _THREAD.collected.append(line)


def present_run() -> str:
    """Return the id of the run for which the present thread works, empty outside of a run."""
    return _THREAD.run


@contextmanager
def working_for(run: str) -> Iterator[None]:
    """Mark the events of the present thread with the id of a run until the context ends."""
    before, _THREAD.run = _THREAD.run, run
    try:
        yield
    finally:
        _THREAD.run = before


@contextmanager
def collecting(lines: list[str]) -> Iterator[None]:
    """Append the lines of the present thread to `lines` until the context ends, instead of logging them."""
    before, _THREAD.collected = _THREAD.collected, lines
    try:
        yield
    finally:
        _THREAD.collected = before


def quiet_sdks() -> None:
    """Let the loggers of Azure's SDKs log only warnings and errors.

    The SDKs log each request and each answer at the level INFO, and the levels in host.json hold only for the loggers
    of .NET (measured on Azure Functions host 4.1037). The logger `azure.functions` of Microsoft's Python worker keeps
    the level that it has.
    """
    worker = logging.getLogger("azure.functions")
    worker.setLevel(worker.getEffectiveLevel())
    logging.getLogger("azure").setLevel(logging.WARNING)


def _lines_of(name: str, fields: Mapping[str, object]) -> list[str]:
    """Return the event as lines of at most `MOST_CHARACTERS`."""
    line = _json({"event": name, **fields})
    if len(line) <= MOST_CHARACTERS:
        return [line]
    lists = {key: value for key, value in fields.items() if isinstance(value, list | tuple | dict)}
    shared = {"event": name, **{key: value for key, value in fields.items() if key not in lists}}
    if not lists:
        return [_json(_fitting(shared, MOST_CHARACTERS))]
    empty = {key: type(value)() for key, value in lists.items()}
    frame = _fitting({**shared, **empty, "part": 0, "parts": 0}, MOST_CHARACTERS // 2)
    parts = _packed(lists, MOST_CHARACTERS - len(_json(frame)))
    numbered = ({**frame, **part, "part": number, "parts": len(parts)} for number, part in enumerate(parts, 1))
    return [_json(_fitting(fields, MOST_CHARACTERS)) for fields in numbered]


def _packed(lists: Mapping[str, Any], room: int) -> list[dict[str, Any]]:
    """Return the items of all lists, in order and without loss, in parts that each take at most `room` characters.

    An item that is longer than `room` gets a part of its own.
    """
    parts: list[dict[str, Any]] = [{}]
    left = room
    for key, items in lists.items():
        for item in items.items() if isinstance(items, dict) else items:
            size = len(_json(item)) + len(", ")
            if size > left and parts[-1]:
                parts.append({})
                left = room
            left -= size
            if isinstance(items, dict):
                parts[-1].setdefault(key, {}).update([item])
            else:
                parts[-1].setdefault(key, []).append(item)
    return parts


def _fitting(fields: dict[str, Any], room: int) -> dict[str, Any]:
    """Return the fields with their longest texts cut, so that the fields take at most `room` characters."""
    most = room
    while most and len(_json(fields)) > room:
        most //= 2
        fields = _cut(fields, most)
    return fields


def _cut(value: Any, most: int) -> Any:  # noqa: ANN401 - a JSON value
    """Return the value with each text cut to `most` characters."""
    match value:
        case dict():
            return {key: _cut(item, most) for key, item in value.items()}
        case list() | tuple():
            return [_cut(item, most) for item in value]
        case str() if len(value) > most:
            return f"{value[:most].removesuffix(CUT)}{CUT}"
        case _:
            return value


def _json(value: object) -> str:
    return json.dumps(value, default=str)
