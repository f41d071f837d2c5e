"""What the tests of the host share: the folder of the apps, and queues as a test sees them."""

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
    """Azurite, and how tests talk to its queues."""

    connection_string: str

    @property
    def settings(self) -> dict[str, str]:
        """App settings of a host on this storage that polls quickly."""
        return {"AzureWebJobsStorage": self.connection_string, "SAMPLE_SCHEDULE": NEVER, **QUICK}

    @property
    def service(self) -> QueueServiceClient:
        """The queue service."""
        return QueueServiceClient.from_connection_string(self.connection_string)

    def queue(self, name: str) -> QueueClient:
        """One queue, which need not exist."""
        return self.service.get_queue_client(name)

    def exists(self, name: str) -> bool:
        """Whether there is such a queue."""
        return name in {found.name for found in self.service.list_queues(name_starts_with=name)}

    def send(self, name: str, *texts: str) -> None:
        """The messages are in the queue, which exists."""
        if not self.exists(name):
            self.queue(name).create_queue()
        for text in texts:
            self.queue(name).send_message(base64.b64encode(text.encode()).decode())

    def take(self, name: str, wanted: Callable[[str], bool] = lambda _: True) -> str:
        """The text of the next message that is wanted, which is removed; others stay invisible for a moment."""
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
    """The first answer that is not empty."""
    end = time.monotonic() + deadline
    while not (answer := ask()):
        assert time.monotonic() < end, "did not happen in time"
        threading.Event().wait(0.03)
    return answer
