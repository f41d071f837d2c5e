"""Answers to events and pending starts wait for nobody, even if every thread of the Functions host is occupied."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import requests

from local.app import EVENT_FUNCTION, LocalApp
from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.web.resources import RUNNING, STOPPED
from local.host.timers import utc_now
from local.patience import HANG
from shared.clients.clock import SystemClock
from shared.clients.storage.journal import journal_ports
from shared.clients.storage.tables import StorageTables
from shared.domain.environments.record import PendingStart
from shared.domain.names import EnvironmentRef, SiteRef
from tests.scenarios import worlds
from tests.scenarios.worlds import AGE, VAULT
from tests.triggers.app import CERTIFICATE, ENVIRONMENT, SITE, Storage, eventually
from tests.triggers.test_events import event

THREADS = 5
FULL, BEGUN = 12, 18
"""The messages in each of the three queues, and how many runs the host has begun before the test goes on.

The host hands out 8 messages of a queue before the first has ended (host.json), and sometimes fewer at a time.
"""
FEW_THREADS = {"PYTHON_THREADPOOL_THREAD_COUNT": str(THREADS)}
ENVIRONMENT_ID = (
    "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/rg/providers/Microsoft.Web"
    "/hostingEnvironments/ase"
)


class Full:
    """The hosted app, whose five threads all wait for Azure while more runs wait for a thread."""

    def __init__(self, local: LocalApp, released: threading.Event) -> None:
        assert local.host is not None
        self.local, self.host = local, local.host
        self.released = released
        self.storage = Storage(local.azurite)

    def fill(self) -> None:
        """Fill all queues, and wait until the host has begun the most runs that it begins, and none goes on."""
        slow = {"seconds": 1.0, "times": None}
        vaults, environments = (
            Fault("latency", host="vault", **slow),
            Fault("latency", path="/hostingEnvironments/", **slow),
        )
        self.local.stand.world.faults.add(vaults, environments)
        for queue, body in (("certificates", CERTIFICATE), ("sites", SITE), ("environments", ENVIRONMENT)):
            message = json.loads(body)
            named = {key: value for key, value in message.items() if key in {"name", "environment"}}
            bodies = (
                {**message, **{key: f"{value}-{number}" for key, value in named.items()}} for number in range(FULL)
            )
            self.storage.send(queue, *(json.dumps(body).replace("kv-shop", VAULT) for body in bodies))
        eventually(lambda: self.host.status()["running"] >= BEGUN, told=self.host.log.read_text)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    """Yield the app while all of its threads are occupied, and let them go on afterwards."""
    released = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "Clock", lambda: Clock.real(lambda: utc_now() - AGE, lambda _: released.wait() and None))
        world = worlds.small_world()
    with LocalApp(world, FEW_THREADS, logs=tmp_path_factory.mktemp("few")) as local:
        app = Full(local, released)
        app.fill()
        try:
            yield app
        finally:
            released.set()


def test_event_is_answered_while_every_thread_is_occupied(full: Full) -> None:
    """Certroll accepts an event and queues its certificate while all threads are occupied and all queues are full."""
    before = full.storage.count("certificates")
    body = event("web", VaultName=VAULT)
    answer = requests.post(full.host.webhook(EVENT_FUNCTION), json=[body], headers=NOTIFICATION, timeout=HANG)
    assert answer.status_code == 202
    assert full.storage.count("certificates") == before + 1
    assert not full.released.is_set()
    eventually(lambda: "event.accepted" in full.host.log.read_text())


NOTIFICATION = {"aeg-event-type": "Notification"}


def test_stopped_app_is_started_while_every_thread_is_occupied(full: Full) -> None:
    """The timer starts an app that Certroll left stopped while all threads are occupied and all queues are full."""
    world = full.local.stand.world
    site = next(iter(world.web.sites.values()))
    world.web.put_site(replace(site, state=STOPPED))
    with full.storage.tables() as service:
        tables = StorageTables(service)
        starts = journal_ports(tables, SystemClock())["pending_starts"]
        long_ago = datetime(2026, 1, 1, tzinfo=UTC)
        starts.record(PendingStart(SiteRef.parse(site.id), EnvironmentRef.parse(ENVIRONMENT_ID), long_ago))
    full.host.run("starts_timer")

    def is_running() -> bool:
        return next(found for found in world.web.sites.values() if found.id == site.id).state == RUNNING

    eventually(is_running, told=full.host.log.read_text)
    assert not full.released.is_set()


def test_nothing_that_they_say_is_dropped(full: Full) -> None:
    """Azure's host passes each line of these functions, although other threads do their work."""
    assert full.host.status()["dropped"] == []
