"""The work queues, in the storage account of the Function App."""

import math
from contextlib import suppress
from datetime import timedelta

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueServiceClient, TextBase64EncodePolicy

from shared.domain.messages import CertificateMessage, EnvironmentMessage, SiteMessage

CERTIFICATES = "certificates"
SITES = "sites"
ENVIRONMENTS = "environments"


class StorageQueue:
    """Sends messages as the Functions host reads them: base64."""

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service

    def send_certificate(self, message: CertificateMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on `certificates`, visible after the delay."""
        self._send(CERTIFICATES, message.body(), delay)

    def send_site(self, message: SiteMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on `sites`, visible after the delay."""
        self._send(SITES, message.body(), delay)

    def send_environment(self, message: EnvironmentMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on `environments`, visible after the delay."""
        self._send(ENVIRONMENTS, message.body(), delay)

    def put_back(self, queue: str, body: str) -> None:
        """Put a body back as it was."""
        self._send(queue, body, timedelta(0))

    def _send(self, queue: str, body: str, delay: timedelta) -> None:
        client = self._service.get_queue_client(queue, message_encode_policy=TextBase64EncodePolicy())
        seconds = math.ceil(delay.total_seconds())  # Storage counts whole seconds; a wait is never cut short
        try:
            client.send_message(body, visibility_timeout=seconds)
        except ResourceNotFoundError:
            with suppress(ResourceExistsError):  # another instance was faster
                client.create_queue()
            client.send_message(body, visibility_timeout=seconds)
