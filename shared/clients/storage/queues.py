"""Send messages to the work queues in the Function App's storage account."""

import math
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from datetime import timedelta

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueServiceClient, TextBase64EncodePolicy

from shared.clients.storage.edge import all_pages, storage_edge
from shared.domain.messages import (
    CERTIFICATES,
    ENVIRONMENTS,
    POISON_SUFFIX,
    SITES,
    SWEEPS,
    WORK_QUEUES,
    CertificateMessage,
    EnvironmentMessage,
    SiteMessage,
    SweepMessage,
)

ALL_QUEUES = (*WORK_QUEUES, *(f"{queue}{POISON_SUFFIX}" for queue in WORK_QUEUES))


class StorageQueue:
    """The work queues. The SDK client encodes each queue message in base64, as Event Grid does."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._seconds_left: Callable[[], float] = lambda: math.inf

    def until(self, seconds_left: Callable[[], float]) -> "StorageQueue":
        """Return the same queues for a run, whose calls take no longer than `seconds_left` returns."""
        queues = copy(self)
        queues._seconds_left = seconds_left  # noqa: SLF001 - a copy of this object
        return queues

    def send_certificate(self, message: CertificateMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `certificates`; the message becomes visible after the delay."""
        self._send(CERTIFICATES, message.body(), delay)

    def send_site(self, message: SiteMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `sites`; the message becomes visible after the delay."""
        self._send(SITES, message.body(), delay)

    def send_environment(self, message: EnvironmentMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `environments`; the message becomes visible after the delay."""
        self._send(ENVIRONMENTS, message.body(), delay)

    def send_sweep(self, message: SweepMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `sweeps`; the message becomes visible after the delay."""
        self._send(SWEEPS, message.body(), delay)

    def put_back(self, queue: str, body: str) -> None:
        """Send the unchanged body of a dead letter to its queue again."""
        self._send(queue, body, timedelta(0))

    def create_missing(self) -> None:
        """Create each work queue and poison queue that does not exist, after one request that lists all queues.

        The Functions host never creates a queue, and asks for a missing one every two seconds.
        """
        with storage_edge("the list of queues", self._seconds_left()):
            existing = {queue.name for queue in all_pages("the list of queues", self._service.list_queues())}
            for name in ALL_QUEUES:
                if name not in existing:
                    self._create(name)

    def _send(self, queue: str, body: str, delay: timedelta) -> None:
        client = self._service.get_queue_client(queue, message_encode_policy=TextBase64EncodePolicy())
        seconds = math.ceil(
            delay.total_seconds()
        )  # Queue storage takes whole seconds, and a delay must not be cut short
        with storage_edge(f"queue {queue}", self._seconds_left()):
            try:
                client.send_message(body, visibility_timeout=seconds)
            except ResourceNotFoundError:
                self._create(queue)
                client.send_message(body, visibility_timeout=seconds)

    def _create(self, queue: str) -> None:
        with suppress(ResourceExistsError):  # Azure refuses if another instance has created the queue
            self._service.get_queue_client(queue).create_queue()
