"""Build trigger values in the form in which the .NET host hands them to the worker."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local.host.functions import Datum, TriggerInput

MESSAGE_LIFE = timedelta(days=7)
NEVER = datetime.max.replace(tzinfo=UTC)
OFFSET_DATE = re.compile(
    r"(?P<seconds>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?P<fraction>(?:\.\d{1,7})?)(?P<offset>[+-]\d\d:\d\d)"
)


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A decoded message that was taken from a storage queue."""

    id: str
    body: str
    pop_receipt: str
    dequeue_count: int
    inserted_at: datetime
    expires_at: datetime
    next_visible_at: datetime


def message(body: str, now: datetime, dequeue_count: int = 1) -> QueuedMessage:
    """Return a queue message for a manual run, with the present time as its insertion time."""
    return QueuedMessage("manual", body, "", dequeue_count, now, now + MESSAGE_LIFE, now)


def manual_message(body: str) -> QueuedMessage:
    """Return the queue message of a run by the admin route, which has count 0 and dates of the year 9999."""
    return QueuedMessage("", body, "", 0, NEVER, NEVER, NEVER)


def event_grid(event: object) -> TriggerInput:
    """Return the trigger value of an Event Grid event: the compact text of its JSON object, with dates in UTC."""
    text = json.dumps(_with_utc_dates(event), separators=(",", ":"), ensure_ascii=False)
    return TriggerInput(Datum(text, "json"), {}, "EventGrid trigger fired")


def _with_utc_dates(value: Any) -> Any:  # noqa: ANN401 - JSON from outside
    """Return the value with each date that has an offset in UTC, because the .NET host's parser of JSON reads dates.

    The parser leaves a date with `Z` as it is.
    """
    if isinstance(value, dict):
        return {name: _with_utc_dates(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_utc_dates(item) for item in value]
    match = OFFSET_DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    try:
        moment = datetime.fromisoformat(match["seconds"] + match["offset"]).astimezone(UTC)
    except (ValueError, OverflowError):
        return value
    return f"{moment:%Y-%m-%dT%H:%M:%S}{match['fraction']}+00:00"


def queue(taken: QueuedMessage, queue_name: str) -> TriggerInput:
    """Return the trigger value of a queue message: the text, and the queue's metadata."""
    metadata = {
        "Id": taken.id,
        "DequeueCount": taken.dequeue_count,
        "PopReceipt": taken.pop_receipt,
        "InsertionTime": taken.inserted_at.isoformat(),
        "ExpirationTime": taken.expires_at.isoformat(),
        "NextVisibleTime": taken.next_visible_at.isoformat(),
    }
    data = {name: Datum(json.dumps(value), "json") for name, value in metadata.items()}
    return TriggerInput(Datum(taken.body, "string"), data, f"New queue message detected on '{queue_name}'.")


def timer(now: datetime, status: Mapping[str, str] | None = None, *, past_due: bool = False) -> TriggerInput:
    """Return the trigger value of a timer, with the stored status of a timer that has `useMonitor`."""
    monitored = {} if status is None else {"ScheduleStatus": dict(status)}
    info = {"Schedule": {"AdjustForDST": True}, **monitored, "IsPastDue": past_due}
    return TriggerInput(Datum(json.dumps(info), "json"), {}, f"Timer fired at {now.isoformat()}")


def http(method: str, url: str, headers: Mapping[str, str], route: Mapping[str, str], body: bytes) -> TriggerInput:
    """Return the trigger value of an HTTP request, with the raw bytes of the body (`RawHttpBodyBytes`)."""
    value = {
        "method": Datum(method, "string"),
        "url": Datum(url, "string"),
        "headers": _strings(headers),
        "query": _strings(_query(url)),
        "params": _strings(route),
        "body": Datum(body, "bytes"),
    }
    return TriggerInput(Datum(value, "http"), {}, "This function was called via HTTP.")


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _strings(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}
