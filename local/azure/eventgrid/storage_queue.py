"""The storage queue as a destination of Event Grid, which puts each event into a message.

One message holds one event as a JSON object in base64, in both schemas. The samples of Microsoft's SDK read such
messages (azure-sdk-for-python, azure-eventgrid, consume_cloud_events_from_storage_queue.py), and a user saw such
messages (MicrosoftDocs/azure-docs issue 102923, 2022). Until 2021 the messages were plain text
(Azure/azure-webjobs-sdk issue 2667).
"""

import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.queue import QueueClient

from local.azure.eventgrid.delivery import Attempt
from local.azure.eventgrid.event import Schema

MESSAGE_LIFE = timedelta(days=7)
"""How long a message waits in the queue, as `queueMessageTimeToLiveInSeconds` of the subscription says."""
NO_ANSWER = 503
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StorageQueue:
    """A queue of a storage account that receives events as messages."""

    connection_string: str = field(repr=False)
    name: str
    in_base64: bool = True
    """False for messages in plain text, as Event Grid wrote them until 2021."""
    never_again: frozenset[int] = frozenset({400, 403, 413})
    """Event Grid gives up if an Azure resource answers 400, 403 or 413 (Azure docs, Event Grid delivery and retry)."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """Further options of the client, for example its trust."""

    def validate(self, _schema: Schema, _now: datetime) -> None:
        """Check nothing: Event Grid asks a storage queue for no handshake."""

    def take(self, attempt: Attempt) -> int:
        """Put an event into a message, and return the status of storage's answer, 503 without an answer."""
        text = json.dumps(attempt.event.payload)
        content = base64.b64encode(text.encode()).decode() if self.in_base64 else text
        try:
            with self.client() as client:
                client.send_message(content, time_to_live=int(MESSAGE_LIFE.total_seconds()))
        except HttpResponseError as refusal:
            return refusal.status_code or NO_ANSWER
        except (AzureError, OSError) as failure:  # OSError: Azurite has ended, and its certificate is gone
            log.debug("event_grid.no_answer %s", failure)
            return NO_ANSWER
        return HTTPStatus.CREATED

    def client(self) -> QueueClient:
        """Return a new client of the queue."""
        return QueueClient.from_connection_string(self.connection_string, self.name, retry_total=0, **self.options)
