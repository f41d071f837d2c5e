"""The thread that renews a lease says nothing itself, because Azure's Functions host would drop what it says."""

import logging
import threading
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from shared.clients.storage import leases
from shared.clients.storage.leases import HeldLease
from shared.domain.errors import LeaseLost

TIME_OUT = 30.0


class Refusing:
    """This fake blob lease fails at each renewal and at its release."""

    def __init__(self) -> None:
        self.refused = threading.Event()

    def renew(self) -> None:
        """Fail as the SDK does when nothing answers."""
        self.refused.set()
        raise ServiceRequestError("nobody is there")

    def release(self) -> None:
        """Fail as the SDK does when nothing answers."""
        raise ServiceRequestError("nobody is there")


def test_lost_lease_is_told_by_the_run_that_holds_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed renewal stops the run with an error, and only the run's own thread logs."""
    monkeypatch.setattr(leases, "RENEW_EVERY_SECONDS", 0.0)
    caplog.set_level(logging.DEBUG)
    blob: Any = Refusing()
    held = HeldLease("site shop", blob, leases.time.monotonic())
    assert blob.refused.wait(TIME_OUT)
    held._renewal.join()
    assert caplog.records == []
    with pytest.raises(LeaseLost, match="nobody is there"):
        held.check()
    held.release()
    assert [(record.thread, "lease.not_released" in record.message) for record in caplog.records] == [
        (threading.get_ident(), True)
    ]
