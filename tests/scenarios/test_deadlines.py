"""Let the time of a run end in the middle of its work: the run stops between two writes, and a later run goes on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.wire import Request, Response
from local.azure.world import World
from local.stand import Stand
from local.worlds.builders import Builder
from shared.clients.connect import Connections
from shared.controllers.orders.controller import look_after_orders
from shared.controllers.sweep import slices
from shared.domain.deadline import RECORD_TIME, REQUEST_TIME, TIME_BUDGET, Deadline
from shared.domain.endpoints import CloudName, StorageAddress
from shared.domain.errors import OutOfTime
from shared.domain.fleet.fleet import Fleet
from shared.domain.messages import CERTIFICATES
from shared.domain.orders.action import OrderRecord
from shared.loop.run import Run
from shared.ports.journal import Requests
from tests.in_process import in_process
from tests.scenarios.app_worlds import CLIENT, LIST, age, street
from tests.scenarios.conftest import NO_STORAGE, Install, WorldClock
from tests.scenarios.installation import WRITING, Installation
from tests.scenarios.test_orders import LATE as ORDER_LATE
from tests.scenarios.worlds import VAULT, after_renewal, renew, shown, small_world, writes

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
MOST_WRITES = 40


class Slow:
    """An Azure that answers one chosen write so late that the time of the run is over, and notes each later request."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self.late_by, self.at = timedelta(0), 0
        self.writes = 0
        self.ended_at: datetime | None = None
        """When the late answer came."""
        self.after: list[str] = []
        """The requests of the run that came after the late answer."""

    def answer(self, request: Request) -> Response:
        """Answer as the local Azure does, but answer the chosen write late."""
        if self.ended_at is not None:
            self.after.append(f"{request.method} {request.path}")
        answer = self._stand.proxy.azure.handle(request)
        if request.method in WRITING and "appsettings/list" not in request.path:
            self.writes += 1
            if self.writes == self.at and self.ended_at is None:
                self._stand.world.clock.advance(self.late_by)
                self.ended_at = self._stand.world.clock.now()
        return answer


class Bounded(Installation):
    """Certroll with the clients that respect the deadline of each run, as the Function App builds them."""

    slow: Slow
    connections: Connections

    @classmethod
    def on(cls, installation: Installation, slow: Slow, connections: Connections) -> "Bounded":
        """Return the installation with other clients."""
        bounded = cls(installation.world, installation.storage, installation.ports, installation.pool)
        bounded.slow, bounded.connections = slow, connections
        return bounded

    def start(self) -> Run:
        """Return a run with a deadline of its own."""
        deadline = Deadline.of_run(self.clock.now())
        ports = replace(self.storage.under(self.connections.ports(deadline)), queue=self.queue)
        return Run.start(ports, self.intent, self.pool, deadline)


Bind = Callable[..., Bounded]


@pytest.fixture
def bounded(install: Install, stand: Stand) -> Bind:
    """Return a function that installs Certroll on a simulated fleet whose Azure may answer late."""

    def on(world: World, **intent: object) -> Bounded:
        slow = Slow(stand)
        connections = Connections(
            CloudName.PUBLIC, None, StorageAddress(NO_STORAGE), WorldClock(stand), transport=in_process(slow.answer)
        )
        return Bounded.on(install(world, **intent), slow, connections)

    return on


LATE = [
    pytest.param(TIME_BUDGET + SECOND, id="no time for new work"),
    pytest.param(REQUEST_TIME + SECOND, id="no time for a request"),
    pytest.param(RECORD_TIME + SECOND, id="no time for records"),
]
"""How late an answer is."""


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("moves", [True, False], ids=["Azure moves the bindings", "Certroll moves the bindings"])
def test_renewal_whose_run_ends_at_any_write_is_completed(bounded: Bind, late: timedelta, moves: bool) -> None:  # noqa: FBT001
    """If the time of a run ends at any write, the run writes nothing more, and the next run completes the renewal."""
    for write in range(1, MOST_WRITES):
        world = small_world(Knobs(sync_moves_bindings=moves))
        certroll = bounded(world)
        certroll.slow.late_by, certroll.slow.at = late, write
        before, new = shown(world), renew(world)
        certroll.look_at(VAULT, "web")
        ended = deliver_until_late(certroll, late)
        certroll.deliver_all()
        assert shown(world) == after_renewal(before, new), f"after write {write}"
        assert set(certroll.states().values()) == {"Proven"}, f"after write {write}"
        assert writes(world) == (2 if moves else 6), f"after write {write}"
        if not ended:
            break
    else:
        pytest.fail(f"{MOST_WRITES} writes and no end: the loop did not see them all")
    assert write == (3 if moves else 7)


@pytest.mark.parametrize("late", LATE)
def test_app_whose_run_ends_at_any_write_is_completed(bounded: Bind, late: timedelta) -> None:
    """If the time of a run ends at any write of an app's settings, the app still gets the new version, in one write."""
    for write in range(1, MOST_WRITES):
        town = street()
        town.linux_app("billing")
        certroll = bounded(age(town).world)
        certroll.slow.late_by, certroll.slow.at = late, write
        new = town.renew()
        certroll.look_at(VAULT, CLIENT)
        ended = deliver_until_late(certroll, late)
        certroll.deliver_all()
        certroll.sweep()
        certroll.deliver_all()
        assert certroll.rolls() == {"billing": "Validated"}, f"after write {write}"
        assert town.settings("billing")[LIST] == f"{town.old},{new}", f"after write {write}"
        assert town.restarts("billing") == 1, f"after write {write}"
        if not ended:
            break
    else:
        pytest.fail(f"{MOST_WRITES} writes and no end: the loop did not see them all")
    assert write > 1


def deliver_until_late(certroll: Bounded, late: timedelta) -> bool:
    """Deliver messages until a run met the late answer, check how the run ended, and return True if a run met it."""
    slow = certroll.slow
    while slow.ended_at is None:
        message = certroll.queue.take(certroll.clock.now() + timedelta(hours=1))
        if message is None:
            return False
        certroll.deliver(message)
    written = [request for request in slow.after if request.partition(" ")[0] in WRITING]
    assert [request for request in written if "appsettings/list" not in request] == [], "a write after the end"
    if late > REQUEST_TIME:
        assert slow.after == [], "a request after the end"
    assert len(certroll.queue) > 0, "the message did not come back"
    assert certroll.queue.dead_letter == []
    return True


class SlowJournal:
    """A journal whose first write of a record takes `late` longer than usual."""

    def __init__(self, requests: Requests, clock: Clock, late: timedelta) -> None:
        self._requests, self._clock, self._late = requests, clock, late

    def __getattr__(self, name: str) -> object:
        return getattr(self._requests, name)

    def put_asked(self, record: OrderRecord) -> OrderRecord:
        """Write the record, and let the time pass."""
        written = self._requests.put_asked(record)
        self._clock.advance(self._late)
        self._late = timedelta(0)
        return written


@pytest.mark.parametrize("age_of_run", [TIME_BUDGET - 2 * MINUTE, TIME_BUDGET - MINUTE], ids=["in time", "too late"])
def test_renewal_that_a_run_has_no_time_to_send_is_sent_by_the_next(bounded: Bind, age_of_run: timedelta) -> None:
    """If the run ends before it sends a paid renewal, the next run sends the renewal, once."""
    world = World(Clock(), 0, Knobs(orders_renew_themselves=False))
    build = Builder(world)
    order = build.add_order("shop", "shop.contoso.com", build.add_vault(by_roles=False), age=ORDER_LATE)
    certroll = bounded(world, order_actions=True)
    certroll.intent = replace(certroll.intent, order_actions=True)
    look_after_orders(certroll.start())  # writes the mark that comes before the request (ADR 50)
    world.clock.advance(5 * MINUTE)
    run = certroll.start()
    world.clock.advance(age_of_run)
    requests = SlowJournal(run.ports.requests, world.clock, REQUEST_TIME - age_of_run + SECOND)
    with pytest.raises((ExceptionGroup, OutOfTime)):
        look_after_orders(replace(run, ports=replace(run.ports, requests=requests)))
    assert order.purchases == 1
    for _ in range(3):
        look_after_orders(certroll.start())
    assert order.purchases == 2


def test_run_that_is_over_leaves_its_message_for_another(bounded: Bind) -> None:
    """If no time is left at the first read, the run ends as OutOfTime, and its message comes back at once."""
    world = small_world()
    certroll = bounded(world)
    renew(world)
    certroll.look_at(VAULT, "web")
    certroll.slow.late_by, certroll.slow.at = TIME_BUDGET, 1
    assert deliver_until_late(certroll, TIME_BUDGET)
    message = certroll.queue.take(certroll.clock.now() + 2 * SECOND)
    assert message is not None
    assert message.queue in {CERTIFICATES, "sites"}


def test_sweep_that_read_the_fleet_late_queues_what_it_found(bounded: Bind, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the time for requests to Azure ends with the read of the fleet, the sweep still queues what it has read."""
    world = small_world()
    certroll = bounded(world)
    renew(world)
    read = slices.observe_fleet

    def late(*given: Any, **named: Any) -> Fleet:  # noqa: ANN401 - the signature of `observe_fleet`
        fleet = read(*given, **named)
        world.clock.advance(REQUEST_TIME + SECOND)
        return fleet

    monkeypatch.setattr(slices, "observe_fleet", late)
    assert [ref.name for ref in certroll.sweep()] == ["web"]
    assert len(certroll.queue) == 1
