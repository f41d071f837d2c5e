"""Let only one instance at a time write to a resource, by a blob lease for each name."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from azure.core.exceptions import AzureError as SdkError
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobLeaseClient, BlobServiceClient

from shared.domain.errors import LeaseBusy, LeaseLost
from shared.telemetry import event

CONTAINER = "certroll-leases"
THREAD = "lease"
"""The name of the threads that renew leases."""
LEASE_SECONDS = 60
"""How long a lease lasts without a renewal. Azure Storage allows no longer lease that ends (Azure docs, "Lease Blob").
After a run dies, the next run waits for as long as the lease of the dead run lasts."""
RENEW_EVERY_SECONDS = LEASE_SECONDS / 3
"""How often Certroll renews a lease, so that a slow renewal is still in time."""
SAFE_SECONDS = LEASE_SECONDS - 10.0
"""How long after its last renewal a lease lets a write begin; the rest of the lease is for a write in progress."""


class BlobLeases:
    """Blob leases of 60 s on empty blobs; Certroll renews each held lease every 20 s."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._service = service

    @contextmanager
    def hold(self, name: str) -> Iterator["HeldLease"]:
        """Hold the lease of a name until the context ends. Raise LeaseBusy if another instance holds the lease."""
        started = time.monotonic()
        held = HeldLease(name, _acquire(self._service, name), started)
        try:
            yield held
        finally:
            held.release()


class HeldLease:
    """A blob lease that a run of Certroll holds and a background thread renews."""

    def __init__(self, name: str, lease: BlobLeaseClient, taken: float) -> None:
        self._name = name
        self._lease = lease
        self._lost: str | None = None
        self._taken = taken
        self._released = threading.Event()
        self._renewal = threading.Thread(target=self._keep_renewing, name=THREAD, daemon=True)
        self._renewal.start()

    def check(self) -> None:
        """Raise LeaseLost if the lease is lost or was last renewed more than `SAFE_SECONDS` ago."""
        if time.monotonic() - self._taken > SAFE_SECONDS:
            self._lost = self._lost or f"it could not be renewed for {SAFE_SECONDS} s"
        if self._lost is not None:
            raise LeaseLost(f"the lease on {self._name} was lost: {self._lost}")

    def release(self) -> None:
        """Stop the renewal and release the lease.

        If Azure Storage refuses to release the lease, Certroll only logs the error.
        """
        self._released.set()
        self._renewal.join()
        try:
            self._lease.release()
        except SdkError as error:
            event("lease.not_released", lease=self._name, detail=str(error).splitlines()[0])

    def renew(self) -> bool:
        """Renew the blob lease and return True.

        If the renewal fails, return False, and `check` then raises LeaseLost. The time of a renewed blob lease counts
        from the start of the renewal request.
        """
        started = time.monotonic()
        try:
            self._lease.renew()
        except SdkError as error:
            self._lost = str(error).splitlines()[0]
            return False
        self._taken = started
        return True

    def _keep_renewing(self) -> None:
        while not self._released.wait(RENEW_EVERY_SECONDS) and self.renew():
            pass


def _acquire(service: BlobServiceClient, name: str) -> BlobLeaseClient:
    blob = service.get_blob_client(CONTAINER, hashlib.sha256(name.encode()).hexdigest())
    try:
        try:
            return blob.acquire_lease(lease_duration=LEASE_SECONDS)
        except ResourceNotFoundError:
            _create(service, blob)
            return blob.acquire_lease(lease_duration=LEASE_SECONDS)
    except ResourceExistsError as error:
        raise LeaseBusy(f"another instance is at work on {name}") from error


def _create(service: BlobServiceClient, blob: BlobClient) -> None:
    """Create the container and the blob, unless another instance has created them."""
    with suppress(ResourceExistsError):
        service.create_container(CONTAINER)
    with suppress(ResourceExistsError):
        blob.upload_blob(b"", overwrite=False)
