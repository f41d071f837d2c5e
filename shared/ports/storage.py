"""Define the ports to leases and queues of the storage account, and the port that retries calls to Azure."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Protocol, TypeVar

from shared.domain.messages import CertificateMessage, EnvironmentMessage, SiteMessage, SweepMessage

Result = TypeVar("Result")


class Lease(Protocol):
    """A lease (lock) that the run holds."""

    def check(self) -> None:
        """Raise LeaseLost if the run no longer holds the lease."""


class Leases(Protocol):
    """The port for leases, which let only one run write at a time."""

    def hold(self, name: str) -> AbstractContextManager[Lease]:
        """Take a lease, and renew the lease while the context lasts.

        Raises LeaseBusy if another run holds the lease.
        """


class Queue(Protocol):
    """The port to the work queues."""

    def send_certificate(self, message: CertificateMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `certificates`, visible after the delay."""

    def send_site(self, message: SiteMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `sites`, visible after the delay."""

    def send_environment(self, message: EnvironmentMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `environments`, visible after the delay."""

    def send_sweep(self, message: SweepMessage, delay: timedelta = timedelta(0)) -> None:
        """Send a message to the queue `sweeps`, visible after the delay."""

    def put_back(self, queue: str, body: str) -> None:
        """Send a dead letter's body to its queue unchanged."""

    def create_missing(self) -> None:
        """Create each work queue and poison queue that does not exist."""


class Retrier(Protocol):
    """The only layer of Certroll that retries calls to ARM and Key Vault.

    A function that is retried after an Azure error must read and compare before it writes.
    """

    def retry(self, work: Callable[[], Result]) -> Result:
        """Call the function `work`, again after each error that may pass, and return its result."""
