"""Let only one instance at a time write to a resource, by a blob lease for each name."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from http import HTTPStatus
from math import inf

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobLeaseClient, BlobServiceClient

from shared.clients.storage.edge import storage_edge
from shared.domain.errors import LeaseBusy, LeaseLost, OutOfTime, StorageFailed
from shared.telemetry import event

CONTAINER = "certroll-leases"
THREAD = "lease"
"""The name of the threads that renew leases."""
LEASE_SECONDS = 60
"""How long a lease lasts without a renewal. Azure Storage allows no longer lease that ends (Azure docs, "Lease Blob").
After a run dies, the next run waits for as long as the lease of the dead run lasts."""
RENEW_EVERY_SECONDS = LEASE_SECONDS / 3
"""How often Certroll renews a lease, so that a slow renewal is still in time."""
RENEWAL_TRY_SECONDS = 5.0
"""How long a renewal may take before Certroll sends it again; storage in the region usually answers within a second."""
TRY_AGAIN_SECONDS = 1.0
"""How long Certroll waits before it repeats a failed renewal. The lease lasts on, so there is time for several."""
LOST = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})
"""The answers of Azure Storage to a renewal of a lease that another client has or may have (Azure docs, "Lease
Blob"). After any other failure the lease is still held."""
RENEWAL_SECONDS = 2.0
"""How long a run waits for a renewal under way before it releases the lease all the same."""
SAFE_SECONDS = LEASE_SECONDS - 10.0
"""How long after its last renewal a lease lets a write begin; the rest of the lease is for a write in progress."""


class BlobLeases:
    """Blob leases of 60 s on empty blobs; Certroll renews each held lease every 20 s."""

    def __init__(self, service: BlobServiceClient) -> None:
        self._service = service
        self._seconds_left: Callable[[], float] = lambda: inf

    def until(self, seconds_left: Callable[[], float]) -> "BlobLeases":
        """Return the same leases for a run, whose calls take no longer than `seconds_left` returns."""
        leases = copy(self)
        leases._seconds_left = seconds_left  # noqa: SLF001 - a copy of this object
        return leases

    @contextmanager
    def hold(self, name: str) -> Iterator["HeldLease"]:
        """Hold the lease of a name until the context ends. Raise LeaseBusy if another instance holds the lease."""
        started = time.monotonic()
        with storage_edge(f"lease on {name}", self._seconds_left()):
            acquired = _acquire(self._service, name)
        held = HeldLease(name, acquired, started, self._seconds_left)
        try:
            yield held
        finally:
            held.release()


class HeldLease:
    """A blob lease that a run of Certroll holds and a background thread renews."""

    def __init__(
        self, name: str, lease: BlobLeaseClient, taken: float, seconds_left: Callable[[], float] = lambda: inf
    ) -> None:
        self._name = name
        self._lease = lease
        self._seconds_left = seconds_left
        self._lost: str | None = None
        self._trouble = ""
        self._taken = taken
        self._released = threading.Event()
        self._renewal = threading.Thread(target=self._keep_renewing, name=THREAD, daemon=True)
        self._renewal.start()

    def check(self) -> None:
        """Raise LeaseLost if the lease is lost or was last renewed more than `SAFE_SECONDS` ago."""
        if self._safe_for() < 0:
            self._lost = self._lost or f"it could not be renewed for {SAFE_SECONDS} s: {self._trouble}"
        if self._lost is not None:
            raise LeaseLost(f"the lease on {self._name} was lost: {self._lost}")

    def release(self) -> None:
        """Stop the renewal and release the lease.

        If Azure Storage refuses to release the lease, or if the run has no time left, Certroll only logs the error. The
        lease then ends by itself within a minute. A renewal that is still under way does not keep the run waiting,
        because Azure Storage renews no released lease (Azure docs, "Lease Blob").
        """
        self._released.set()
        try:
            left = self._seconds_left()
            self._renewal.join(min(left, RENEWAL_SECONDS))
            with storage_edge("release", left):
                self._lease.release()
        except (StorageFailed, OutOfTime) as error:
            event("lease.not_released", lease=self._name, detail=str(error).splitlines()[0])

    def renew(self) -> bool:
        """Renew the blob lease and return True, or return False if the renewal failed.

        The time of a renewed blob lease counts from the start of the renewal request. If another client has the lease,
        `check` raises LeaseLost from now on. After any other failure the lease lasts for the rest of its time.
        """
        started = time.monotonic()
        try:
            with storage_edge("renewal", RENEWAL_TRY_SECONDS):
                self._lease.renew()
        except StorageFailed as error:
            self._trouble = str(error)
            if getattr(error.__cause__, "status_code", None) in LOST:
                self._lost = self._trouble
            return False
        self._taken = started
        return True

    def _safe_for(self) -> float:
        """Return for how many seconds a write may still begin under the lease."""
        return SAFE_SECONDS - (time.monotonic() - self._taken)

    def _keep_renewing(self) -> None:
        """Renew the lease until it is released or lost. Repeat a failed renewal as long as the lease is safe."""
        pause = RENEW_EVERY_SECONDS
        while not self._released.wait(pause) and self._lost is None and self._safe_for() >= 0:
            pause = RENEW_EVERY_SECONDS if self.renew() else TRY_AGAIN_SECONDS


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
