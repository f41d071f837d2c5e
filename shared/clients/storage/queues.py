"""Send messages to the work queues in the Function App's storage account."""

import math
from contextlib import suppress
from datetime import timedelta

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueServiceClient, TextBase64EncodePolicy

from shared.domain.messages import (
    CERTIFICATES,
    ENVIRONMENTS,
    SITES,
    CertificateMessage,
    EnvironmentMessage,
    SiteMessage,
)


class StorageQueue:
    """The work queues. The SDK client encodes each queue message in base64, which the Functions host expects."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service

    def send_certificate(self, message: CertificateMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `certificates`; the message becomes visible after the delay."""
        self._send(CERTIFICATES, message.body(), delay)

    def send_site(self, message: SiteMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `sites`; the message becomes visible after the delay."""
        self._send(SITES, message.body(), delay)

    def send_environment(self, message: EnvironmentMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `environments`; the message becomes visible after the delay."""
        self._send(ENVIRONMENTS, message.body(), delay)

    def put_back(self, queue: str, body: str) -> None:
        """Send the unchanged body of a dead letter to its queue again."""
        self._send(queue, body, timedelta(0))

    def _send(self, queue: str, body: str, delay: timedelta) -> None:
        client = self._service.get_queue_client(queue, message_encode_policy=TextBase64EncodePolicy())
        seconds = math.ceil(
            delay.total_seconds()
        )  # Queue storage takes whole seconds, and a delay must not be cut short
        try:
            client.send_message(body, visibility_timeout=seconds)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):  # another instance may have created the queue
                client.create_queue()
            client.send_message(body, visibility_timeout=seconds)
