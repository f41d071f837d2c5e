"""While an app waits for its start, the log says so each minute, so that an alert lasts as long as the app is down."""

import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.controllers.environment.pending_starts import complete_pending_starts
from shared.domain.environments.record import PendingStart
from shared.domain.errors import Denied
from shared.loop.pool import Pool
from tests.build import ASE, NOW
from tests.unit.controllers.test_wave import A, B, Estate, _pool, desk, hosted

__all__ = ["_pool"]


def test_pending_starts_are_logged_each_minute(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    """Each call of the timer logs how many apps wait and which waits longest, until no app waits."""
    caplog.set_level(logging.INFO, logger="certroll")
    street = desk(pool, *(hosted(name, running=False) for name in "ab"))
    estate: Estate = street.estate
    estate.fails = {("start", A): Denied("no right"), ("start", B): Denied("no right")}
    for ref, minutes in ((A, 9), (B, 20)):
        street.run().ports.pending_starts.record(PendingStart(ref, ASE, NOW - timedelta(minutes=minutes)))
    for fails in (estate.fails, {("start", A): Denied("no right")}, {}, {}):
        estate.fails = dict(fails)
        try:
            complete_pending_starts(replace(street.run()))
        except ExceptionGroup:
            assert fails
    lines = [json.loads(line) for line in caplog.messages]
    waiting = [(line["count"], line["oldest"], line["site"]) for line in lines if line["event"] == "starts.owed"]
    first, second = ((NOW - timedelta(minutes=minutes)).isoformat() for minutes in (20, 9))
    assert waiting == [(2, first, str(B)), (2, first, str(B)), (1, second, str(A))]
