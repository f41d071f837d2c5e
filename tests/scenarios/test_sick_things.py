"""Let each request of Certroll about one thing fail for good, and check that all other things get what they need."""

import time
from collections.abc import Callable
import pytest

from local.stand import Stand
from shared.clients.connect import Connections
from shared.domain.endpoints import CloudName, StorageAddress
from tests.in_process import in_process
from tests.scenarios.conftest import NO_STORAGE, Install, WorldClock
from tests.scenarios.sick_fleets import FLEETS, Fleet, AGE
from tests.scenarios.sick_things import ANSWERS, Bounded, Sick, Thing, Trial, excused_by, flat
from shared.domain.endpoints import DnsServer

Begin = Callable[[str], Trial]


@pytest.fixture
def begin(install: Install, stand: Stand) -> Begin:
    """Return a function that simulates a fleet by name, with Certroll installed in it."""
    dns = (DnsServer("127.0.0.1", stand.dns.port),)
    transport = in_process(lambda request: stand.proxy.azure.handle(request))

    def on(name: str) -> Trial:
        fleet = FLEETS[name]()
        fleet.world.clock.advance(AGE)
        fleet.world.faults = Sick(fleet.world)
        installed = install(fleet.world, meddled=True, **fleet.intent)
        certroll = Bounded(fleet.world, installed.storage, installed.ports, installed.pool, **fleet.intent)
        certroll.connections = Connections(
            CloudName.PUBLIC, None, StorageAddress(NO_STORAGE), WorldClock(stand), dns_servers=dns, transport=transport
        )
        return Trial(fleet, fleet.world.faults, certroll)

    return on


@pytest.mark.parametrize("name", FLEETS)
def test_baseline(begin: Begin, name: str) -> None:
    t = time.process_time()
    trial = begin(name)
    print("build", time.process_time() - t)
    trial.carry()
    print("carry", time.process_time() - t, sum(trial.sick.seen.values()))
    for thing, n in sorted(trial.sick.seen.items(), key=str):
        print(n, thing.template, thing.path[-60:], thing.resource)
    for p in trial.broken():
        print("BROKEN", p.what)
    for e in flat(trial.certroll.errors):
        print("ERR", repr(e)[:300])
    for r in trial.certroll.rows("certrollfindings"):
        if r.get("state") == "open": print("FIND", r.get("subject"), r.get("reason"), str(r.get("detail"))[:150])
    assert not trial.broken()
