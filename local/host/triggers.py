"""Build trigger values in the form in which the .NET host hands them to the worker."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

from local.host.functions import Datum, TriggerInput

MESSAGE_LIFE = timedelta(days=7)


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


def event_grid(event: object) -> TriggerInput:
    """Return the trigger value of an Event Grid event: the text of its JSON object."""
    return TriggerInput(Datum(json.dumps(event), "json"), {}, "EventGrid trigger fired")


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


def timer(now: datetime, last: datetime | None, following: datetime | None, *, past_due: bool = False) -> TriggerInput:
    """Return the trigger value of a timer."""
    status = {"Last": _moment(last), "Next": _moment(following), "LastUpdated": _moment(last)}
    info = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": past_due}
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


def _moment(moment: datetime | None) -> str:
    return (moment or datetime.min.replace(tzinfo=UTC)).isoformat()
