"""This module gives the host's tests the folder of the sample apps and access to Azurite's queues."""

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueServiceClient

from local.patience import HANG

APPS = Path(__file__).parents[1] / "apps"
QUICK = {"AzureFunctionsJobHost__extensions__queues__maxPollingInterval": "00:00:00.1"}
NEVER = "0 0 0 1 1 *"
T = TypeVar("T")


@dataclass(frozen=True)
class Storage:
    """A running Azurite, with functions that tests use to reach its queues."""

    connection_string: str

    @property
    def settings(self) -> dict[str, str]:
        """The app settings of a host that uses this Azurite and polls its queues quickly."""
        return {"AzureWebJobsStorage": self.connection_string, "SAMPLE_SCHEDULE": NEVER, **QUICK}

    @property
    def service(self) -> QueueServiceClient:
        """The client of Azurite's queue service."""
        return QueueServiceClient.from_connection_string(self.connection_string)

    def queue(self, name: str) -> QueueClient:
        """Return the client of that queue, even if the queue does not exist."""
        return self.service.get_queue_client(name)

    def exists(self, name: str) -> bool:
        """Return True if the queue exists."""
        return name in {found.name for found in self.service.list_queues(name_starts_with=name)}

    def send(self, name: str, *texts: str) -> None:
        """Send messages in base64 to the queue, and create a missing queue first."""
        self.send_raw(name, *(base64.b64encode(text.encode()).decode() for text in texts))

    def send_raw(self, name: str, *contents: str) -> None:
        """Send messages to the queue as they are, and create a missing queue first."""
        if not self.exists(name):
            self.queue(name).create_queue()
        for content in contents:
            self.queue(name).send_message(content)

    def invisible(self, name: str) -> int:
        """Return how many messages of the queue nobody can take at present."""
        visible = len(self.queue(name).peek_messages(32))
        return (self.queue(name).get_queue_properties().approximate_message_count or 0) - visible

    def take(self, name: str, wanted: Callable[[str], bool] = lambda _: True) -> str:
        """Wait for the first message that `wanted` accepts, remove that message and return its text.

        Messages that `wanted` rejects stay invisible for a second.
        """
        return eventually(lambda: self._take(name, wanted))

    def _take(self, name: str, wanted: Callable[[str], bool]) -> str | None:
        queue = self.queue(name)
        try:
            for message in queue.receive_messages(visibility_timeout=1):
                text = base64.b64decode(message.content).decode()
                if wanted(text):
                    queue.delete_message(message)
                    return text
        except ResourceNotFoundError:
            return None
        return None


def eventually(ask: Callable[[], T | None], deadline: float = HANG) -> T:
    """Call `ask` until its result is not empty, and return that result."""
    end = time.monotonic() + deadline
    while not (answer := ask()):
        assert time.monotonic() < end, "did not happen in time"
        threading.Event().wait(0.03)
    return answer
