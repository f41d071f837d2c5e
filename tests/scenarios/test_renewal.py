"""Check the renewal of a certificate from the vault to every binding, and the events that start a renewal."""

import json
import random
import threading

import pytest

from local.azure.eventgrid.event import Schema, Shape
from local.azure.scripting.knobs import Knobs
from local.stand import Stand
from local.worlds.contoso import WEB_VAULT, contoso
from shared.domain.intent import Mode
from shared.domain.messages import EVENTS
from shared.ports import Ports
from tests.scenarios.conftest import INSTANCE, Install
from tests.scenarios.worlds import MOVING, VAULT, after_renewal, renew, shown, small_world, writes
from tests.soaking import SOAKING


@pytest.mark.parametrize("moves", [True, False], ids=["Azure moves the bindings", "Certroll moves the bindings"])
@pytest.mark.real_storage
@pytest.mark.real_transport
def test_a_renewal_reaches_every_binding(install: Install, stand: Stand, moves: bool) -> None:  # noqa: FBT001
    """After a renewal every binding of the certificate serves the new version, with the same kind and address."""
    world = small_world(Knobs(sync_moves_bindings=moves))
    installation = install(world, watched=True)
    before = shown(world)
    new = renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert {stand.visitor.handshake(name) for name in MOVING} == {new}
    assert installation.errors == []
    assert set(installation.states().values()) == {"Proven"}
    assert before["shop.contoso.com"].ssl_state == "IpBasedEnabled"


@pytest.mark.parametrize("schema", ["CloudEvents", "EventGrid"])
def test_event_by_queue_reaches_every_binding(install: Install, schema: Schema) -> None:
    """An event that Event Grid puts on the queue, in either schema, brings the new version to every binding."""
    world = small_world()
    installation = install(world)
    before = shown(world)
    world.events.shape = Shape(schema=schema)
    world.events.subscribe(lambda event: installation.queue.put(EVENTS, json.dumps(event.payload)))
    new = renew(world)
    assert [message.queue for message in installation.queue.waiting()] == [EVENTS]
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert (installation.errors, installation.kept()) == ([], [])


def test_the_whole_fleet_of_contoso_moves(install: Install) -> None:
    """In a fleet with two subscriptions and three webspaces Certroll moves exactly the certificate's bindings."""
    world = contoso()
    world.knobs.turn(sync_moves_bindings=False)
    installation = install(world, watched=True)
    before = shown(world)
    lineage_of = {copy.thumbprint: copy.source.secret_name for copy in world.web.certificates.values() if copy.source}
    new = {name: world.vaults[vault].renew(name).thumbprint for vault, name in world.renewing}
    for vault, name in world.renewing:
        installation.look_at(vault, name)
    installation.deliver_all()
    expected = {
        name: seen._replace(thumbprint=new.get(lineage_of.get(seen.thumbprint or "", ""), seen.thumbprint))
        for name, seen in before.items()
    }
    assert shown(world) == expected
    assert sum(before[name] != expected[name] for name in before) == 16
    assert installation.errors == []


def test_a_second_run_writes_nothing(install: Install) -> None:
    """After a finished renewal neither an event nor the sweep writes to Azure."""
    world = small_world()
    installation = install(world, watched=True)
    renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    done = writes(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert installation.sweep() == ()
    installation.deliver_all()
    assert writes(world) == done


def test_a_doubled_event_changes_nothing(install: Install) -> None:
    """If the same event arrives twice, Certroll writes to Azure as often as for one event."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    text = json.dumps(world.events.emit(VAULT, "web").payload)
    installation.event(text)
    installation.event(text)
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert writes(world) == 2 + len(MOVING)


def test_reordered_events_end_at_the_newest_version(install: Install) -> None:
    """A late event of an older version does not bring the older version back."""
    world = small_world()
    installation = install(world, watched=True)
    before = shown(world)
    renew(world)
    late = json.dumps(world.events.emit(VAULT, "web").payload)
    world.clock.sleep(60)
    newest = renew(world)
    installation.event(json.dumps(world.events.emit(VAULT, "web").payload))
    installation.deliver_all()
    installation.event(late)
    installation.deliver_all()
    assert shown(world) == after_renewal(before, newest)


def test_a_lost_event_is_found_by_the_sweep(install: Install) -> None:
    """Without any event the sweep queues a message for the certificate that needs work, and for no other."""
    world = small_world()
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    assert [str(ref) for ref in installation.sweep()] == [f"{VAULT}/web"]
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)


@pytest.mark.parametrize("lost", range(8))
def test_a_lost_message_is_made_up_for(install: Install, lost: int) -> None:
    """Whichever one message of a renewal is lost, later sweeps finish the renewal."""
    world = small_world()
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    number = 0
    while (message := installation.queue.take(world.clock.now() + installation.intent.stage_soak)) is not None:
        if number != lost:
            installation.deliver(message)
        number += 1
    for _ in range(3):
        world.clock.sleep(3600)
        installation.sweep()
        installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert set(installation.states().values()) == {"Proven"}


def test_an_emptied_journal_is_rebuilt(install: Install) -> None:
    """If the journal is lost during a rollout, the sweep starts the rollout again and finishes the rollout."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    for _ in range(2):
        message = installation.queue.take(world.clock.now())
        assert message is not None
        installation.deliver(message)
    installation.storage.clear()
    installation.deliver_all()
    installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)


@pytest.mark.parametrize("seed", range(3 if SOAKING else 1))
@pytest.mark.real_storage
@pytest.mark.real_transport
def test_two_instances_at_once_end_where_one_does(install: Install, two_ports: tuple[Ports, Ports], seed: int) -> None:
    """Two instances that work on the same queues at the same time write as often as a single instance."""
    world = small_world(Knobs(sync_moves_bindings=False), seed)
    installation = install(world, watched=True)
    two = installation.another_instance(two_ports[1])
    before, new = shown(world), renew(world)
    for _ in range(3):
        installation.look_at(VAULT, "web")
    threads = [threading.Thread(target=instance.deliver_all, name=INSTANCE) for instance in (installation, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    installation.deliver_all()
    installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert writes(world) == 2 + len(MOVING)
    assert installation.errors == []


def test_observe_mode_plans_and_writes_nothing(install: Install) -> None:
    """Without CERTROLL_MODE=apply Certroll reports its plan and writes nothing."""
    world = small_world()
    installation = install(world, watched=True, mode=Mode.OBSERVE)
    before = shown(world)
    renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert installation.sweep() == ()
    assert shown(world) == before
    assert writes(world) == 0
    assert ("binding shop.contoso.com of shop", "ObserveOnly") in installation.findings()


def test_a_random_order_of_messages_ends_the_same(install: Install) -> None:
    """Certroll finishes all renewals even if the messages arrive in a random order."""
    order = random.Random(7)  # noqa: S311 - a seeded order, not a secret
    world = contoso()
    installation = install(world, watched=True)
    for vault, name in world.renewing:
        world.vaults[vault].renew(name)
        installation.look_at(vault, name)
    pending = []
    until = world.clock.now() + installation.intent.stage_soak
    while True:
        while (message := installation.queue.take(world.clock.now())) is not None:
            pending.append(message)
        if not pending:
            message = installation.queue.take(until)
            if message is None:
                break
            pending.append(message)
        installation.deliver(pending.pop(order.randrange(len(pending))))
    assert set(installation.states().values()) == {"Proven"}
    assert installation.sweep() == ()
    assert WEB_VAULT in world.vaults
