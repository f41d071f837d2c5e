"""A lease lasts as long as it is safe, and its thread says nothing, because Azure's Functions host would drop it."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.core.pipeline.transport import HttpRequest, RequestsTransportResponse

from shared.clients.storage import leases
from shared.clients.storage.leases import LEASE_SECONDS, RENEWAL_TRY_SECONDS, SAFE_SECONDS, TRY_AGAIN_SECONDS, HeldLease
from shared.domain.errors import LeaseLost

TIME_OUT = 30.0
NOBODY = ServiceRequestError("nobody is there")


def refusal(status: int) -> HttpResponseError:
    """Return the SDK's error for an answer of Azure Storage without a body."""
    wire = requests.Response()
    wire.status_code, wire._content = status, b""
    return HttpResponseError(response=RequestsTransportResponse(HttpRequest("PUT", "https://x"), wire))


class Blob:
    """This fake blob lease answers each renewal with the next given error, and later renewals with success."""

    def __init__(self, *errors: Exception) -> None:
        self.renewals = 0
        self.failed, self.renewed = threading.Event(), threading.Event()
        self._errors = list(errors)

    def renew(self) -> None:
        """Fail with the next error, or succeed."""
        self.renewals += 1
        if self._errors:
            self.failed.set()
            raise self._errors.pop(0)
        self.renewed.set()

    def release(self) -> None:
        """Fail as the SDK does when nothing answers."""
        raise NOBODY


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch, blob: Blob, pause: float) -> Iterator[tuple[HeldLease, SimpleNamespace]]:
    """Yield a lease that is renewed after each pause, and the clock of the lease."""
    clock = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    for name in ("RENEW_EVERY_SECONDS", "TRY_AGAIN_SECONDS"):
        monkeypatch.setattr(leases, name, pause)
    client: Any = blob
    lease = HeldLease("site shop", client, clock.seconds)
    try:
        yield lease, clock
    finally:
        lease.release()


@pytest.mark.parametrize(
    "error",
    [NOBODY, refusal(500), refusal(503), refusal(403), refusal(429)],
    ids=["nobody", "500", "503", "403", "429"],
)
def test_lease_survives_a_failed_renewal(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A lease whose renewal fails is still held, and the renewal is tried again until it succeeds."""
    blob = Blob(error, error)
    with held(monkeypatch, blob, 0.0) as (lease, clock):
        assert blob.renewed.wait(TIME_OUT)
        clock.seconds += SAFE_SECONDS - 1
        lease.check()
    assert blob.renewals >= 3


@pytest.mark.parametrize("status", [404, 409, 412])
def test_lease_that_another_client_has_is_lost_at_once(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """If storage says that the lease belongs to another client, the run stops at once, and nobody renews the lease."""
    blob = Blob(refusal(status))
    with held(monkeypatch, blob, 0.0) as (lease, _):
        lease._renewal.join(TIME_OUT)
        with pytest.raises(LeaseLost, match=f"site shop was lost: renewal: {status}"):
            lease.check()
    assert blob.renewals == 1


def test_lease_is_given_up_when_it_is_no_longer_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 50 seconds without a renewal the run stops, with the cause of the last failure, and nobody renews more."""
    blob = Blob(*[NOBODY] * 100_000)
    with held(monkeypatch, blob, 0.0) as (lease, clock):
        assert blob.failed.wait(TIME_OUT)
        lease.check()
        clock.seconds += SAFE_SECONDS + 1
        with pytest.raises(LeaseLost, match=r"could not be renewed for 50.0 s: renewal: .*nobody is there"):
            lease.check()
        lease._renewal.join(TIME_OUT)
        assert not lease._renewal.is_alive()


def test_several_renewals_fit_into_the_time_of_a_lease() -> None:
    """After the first renewal fails slowly, there is time for at least four more while the lease is safe."""
    left = SAFE_SECONDS - LEASE_SECONDS / 3
    assert left // (RENEWAL_TRY_SECONDS + TRY_AGAIN_SECONDS) >= 5


def test_lost_lease_is_told_by_the_run_that_holds_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that renews a lease logs nothing; the run's own thread logs that it could not release the lease."""
    caplog.set_level(logging.DEBUG)
    blob = Blob(NOBODY, refusal(409))
    with held(monkeypatch, blob, 0.0) as (lease, _):
        lease._renewal.join(TIME_OUT)
        assert caplog.records == []
        with pytest.raises(LeaseLost, match="renewal: 409"):
            lease.check()
    assert [(record.thread, "lease.not_released" in record.message) for record in caplog.records] == [
        (threading.get_ident(), True)
    ]
