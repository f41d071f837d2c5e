"""Share among the trigger tests the real app, its trigger values, its storage and a way to wait."""

import base64
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueServiceClient

from local.azurite import Azurite
from local.host import Call, triggers
from local.host.functions import Datum, TriggerInput
from local.host.timers import utc_now
from local.patience import HANG

ROOT = Path(__file__).parents[2]
QUEUES = ("certificates", "sites", "environments", "events", "sweeps")
ALL_QUEUES = (*QUEUES, *(f"{name}-poison" for name in QUEUES))
TABLES = ("certrolljournal", "certrollhistory", "certrollfindings")
LOOK_EVERY = 0.05
POLLING = {"AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.1"}
_SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
_SITE_ID = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Web/sites/shop"
_ENVIRONMENT_ID = (
    f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/rg-network/providers/Microsoft.Web/hostingEnvironments/ase"
)
_NAMES = {"v": 1, "vault": "kv-shop", "kind": "certificate", "name": "web", "waits": 0}
CERTIFICATE = json.dumps({**_NAMES, "cause": "event"})
SITE = json.dumps({**_NAMES, "site": _SITE_ID})
SWEEP = json.dumps({"v": 1, "part": "orders"})
ENVIRONMENT = json.dumps({"v": 1, "environment": _ENVIRONMENT_ID, "waits": 0})
T = TypeVar("T")


def queue_call(function: str, body: str) -> Call:
    """Return a call of a queue's function with the given message."""
    return Call(function, triggers.queue(triggers.message(body, utc_now()), function))


def event_call(text: str) -> Call:
    """Return a call of the event function with the unparsed text of an event."""
    return Call("vault_event", TriggerInput(Datum(text, "json"), {}))


def timer_call(function: str) -> Call:
    """Return a call of a timer's function."""
    return Call(function, triggers.timer(utc_now()))


def eventually(ask: Callable[[], T], deadline: float = HANG, told: Callable[[], str] = str) -> T:
    """Return the first answer of `ask` that is not empty. If no answer comes in time, fail with the text of `told`."""
    end = time.monotonic() + deadline
    while not (answer := ask()):
        assert time.monotonic() < end, f"did not happen within {deadline} s: {told()}"
        threading.Event().wait(LOOK_EVERY)
    return answer


class Storage:
    """The storage account of the app, with the app's queues and findings (reported problems)."""

    def __init__(self, azurite: Azurite) -> None:
        self.connection_string = azurite.connection_string
        self._trust = azurite.trust

    def tables(self) -> TableServiceClient:
        """Return a client of the storage account's tables, which has the account's key."""
        return TableServiceClient.from_connection_string(self.connection_string, **self._trust)

    def _queues(self) -> QueueServiceClient:
        return QueueServiceClient.from_connection_string(self.connection_string, **self._trust)

    def clear(self) -> None:
        """Delete every message and every record in the storage account."""
        with self._queues() as service:
            for name in ALL_QUEUES:
                with suppress(ResourceNotFoundError):
                    service.get_queue_client(name).clear_messages()
        with self.tables() as service:
            for name in TABLES:
                service.delete_table(name)

    def queues(self) -> set[str]:
        """Return the names of the queues that exist."""
        with self._queues() as service:
            return {found.name for found in service.list_queues()}

    def drop_queues(self) -> None:
        """Delete every queue of the app."""
        with self._queues() as service:
            for name in self.queues():
                service.delete_queue(name)

    def send(self, queue: str, *contents: str) -> None:
        """Put messages on a queue of the app as plain text, without base64."""
        with self._queues() as service:
            client = service.get_queue_client(queue)
            with suppress(ResourceExistsError):
                client.create_queue()
            for content in contents:
                client.send_message(content)

    def send_text(self, queue: str, text: str) -> None:
        """Put a message on a queue in base64, as Certroll does."""
        self.send(queue, base64.b64encode(text.encode()).decode())

    def take_all(self, queue: str) -> list[dict[str, object]]:
        """Return all visible messages of a queue, decoded, and remove the messages from the queue."""
        with self._queues() as service:
            client = service.get_queue_client(queue)
            try:
                messages = list(client.receive_messages(messages_per_page=32, visibility_timeout=60))
            except ResourceNotFoundError:
                return []
            for message in messages:
                client.delete_message(message)
            return [json.loads(base64.b64decode(message.content)) for message in messages]

    def count(self, queue: str) -> int:
        """Return how many messages are in a queue, with the invisible messages."""
        with self._queues() as service:
            try:
                return service.get_queue_client(queue).get_queue_properties().approximate_message_count or 0
            except ResourceNotFoundError:
                return 0

    def findings(self) -> list[dict[str, object]]:
        """Return the findings (problems) that Certroll recorded."""
        with self.tables() as service:
            try:
                return [dict(row) for row in service.get_table_client("certrollfindings").list_entities()]
            except ResourceNotFoundError:
                return []

    def kept(self) -> list[dict[str, object]]:
        """Return the dead letters, the messages that failed for good."""
        return [row for row in self.findings() if row.get("reason") == "DeadLetter"]
