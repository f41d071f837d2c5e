"""Leases and queues in the storage account, and the layer that retries what Azure answers."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol, TypeVar

from shared.domain.messages import CertificateMessage, EnvironmentMessage, SiteMessage

Result = TypeVar("Result")


class Lease(Protocol):
    """A lease that is held."""

    def check(self) -> None:
        """Return while the lease is held. Raises LeaseLost."""


class Leases(Protocol):
    """One writer at a time."""

    def hold(self, name: str) -> AbstractContextManager[Lease]:
        """Take a lease and keep it renewed while the context lasts. Raises LeaseBusy."""


class Queue(Protocol):
    """The work queues."""

    def send_certificate(self, message: CertificateMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on `certificates`, visible after the delay."""

    def send_site(self, message: SiteMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on `sites`, visible after the delay."""

    def send_environment(self, message: EnvironmentMessage, delay: timedelta = timedelta(0)) -> None:
        """Put a message on `environments`, visible after the delay."""

    def put_back(self, queue: str, body: str) -> None:
        """Put a body back unchanged."""


class Retrier(Protocol):
    """The only retry layer, for work that reads and compares before it writes."""

    def retry(self, work: Callable[[], Result]) -> Result:
        """Return what the work returns, and repeat the work while its error is worth a retry."""
