"""Check that one inspection at the fleet answers everything that waited for it, and nothing that came later."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.faults import Fault
from local.azure.wire import Request
from local.azure.world import World
from shared.controllers.intake.dead_letters import replay
from shared.controllers.intake.queues import on_certificate
from shared.domain.messages import CERTIFICATES, EVENTS, SITES, Cause, CertificateMessage
from shared.domain.names import VaultCertificateRef
from tests.scenarios.app_worlds import CLIENT, LIST, Street, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import VAULT

HOURS = timedelta(hours=6)
MANY = 40
LISTED = "/providers/Microsoft.Web/certificates"
REF = VaultCertificateRef.parse(VAULT, "certificate", CLIENT)


def looks(world: World) -> int:
    """Return how often Certroll has listed the certificates of the fleet, which each inspection does once."""
    return sum(entry.method == "GET" and entry.path.endswith(LISTED) for entry in world.journal.entries())


def quiet(install: Install, apps: int = 1) -> tuple[Street, Installation]:
    """Return a fleet whose renewal Certroll has carried, so that nothing is left to do."""
    town = street()
    for number in range(apps):
        town.linux_app(f"app-{number}")
    installation = install(age(town).world, max_restarts=apps)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    town.world.journal.clear()
    return town, installation


def event() -> str:
    """Return an event of Event Grid about a new version of the certificate."""
    data = {"VaultName": VAULT, "ObjectType": "Certificate", "ObjectName": CLIENT, "Version": "0" * 32}
    kind = "Microsoft.KeyVault.CertificateNewVersionCreated"
    return json.dumps({"id": "1", "eventType": kind, "subject": CLIENT, "data": data, "dataVersion": "1"})


@pytest.mark.parametrize("by_queue", [True, False], ids=["by queue", "by webhook"])
@pytest.mark.real_storage
def test_forty_events_cost_two_looks_at_most(install: Install, by_queue: bool) -> None:  # noqa: FBT001
    """Forty events about one certificate cost one inspection, or two if some come while the first goes on."""
    town, installation = quiet(install)
    for _ in range(MANY):
        if by_queue:
            installation.queue.put(EVENTS, event())
        else:
            installation.event(event())
    installation.deliver_all(HOURS)
    assert installation.errors == []
    assert 1 <= looks(town.world) <= 2


def test_newer_version_over_many_queued_sites_costs_few_looks(install: Install) -> None:
    """If a newer version comes while twelve sites wait, their messages together cost three looks at most."""
    town, installation = quiet(install, apps=12)
    for site in town.world.web.sites.values():
        installation.queue.put(SITES, json.dumps(site_fields(site.id)))
    town.world.clock.advance(timedelta(days=40))
    new = town.renew()
    town.world.journal.clear()
    while any(message.queue == SITES for message in installation.queue.waiting()):
        message = installation.queue.take(installation.clock.now())
        assert message is not None
        if message.queue == SITES:
            installation.deliver(message)
        else:
            installation.queue.put(message.queue, message.body, timedelta(seconds=1))
    asked = len(installation.queue)
    installation.deliver_all(timedelta(seconds=30))
    assert asked == 12
    assert looks(town.world) <= 3
    installation.deliver_all(HOURS * 4)
    assert all(town.settings(site.name)[LIST].endswith(new) for site in town.world.web.sites.values())


def site_fields(site: str) -> dict[str, object]:
    """Return the fields of a message about a site."""
    return {"v": 1, "site": site, "vault": VAULT, "kind": "certificate", "name": CLIENT, "waits": 0}


def during_a_look(installation: Installation, act: Callable[[], None]) -> None:
    """Deliver one message, and act while its run lists the certificates of the fleet."""
    acted = list[bool]()

    class During(Fault):
        """A fault that strikes nothing, and acts at the first list."""

        def matches(self, request: Request) -> bool:
            if not acted and request.path.endswith(LISTED):
                acted.append(True)
                act()
            return False

    installation.world.faults.add(During("latency"))
    message = installation.queue.take(installation.clock.now())
    assert message is not None
    installation.deliver(message)
    assert acted


def test_event_during_a_look_is_answered_by_a_look_that_began_later(install: Install) -> None:
    """A version that comes after an inspection has read the vault is carried by the next inspection."""
    town, installation = quiet(install)
    installation.event(event())
    came = list[str]()

    def renew() -> None:
        came.append(town.renew())
        installation.event(event())

    town.world.clock.advance(timedelta(days=40))
    during_a_look(installation, renew)
    installation.deliver_all(HOURS)
    assert looks(town.world) >= 2
    assert came[0] in town.settings("app-0")[LIST]


@pytest.mark.parametrize("lost", [True, False], ids=["before the end of the inspection", "before the inspection"])
def test_lost_journal_loses_no_question(install: Install, lost: bool) -> None:  # noqa: FBT001
    """If the journal is lost during an inspection, an event that comes meanwhile is answered by the next one."""
    town, installation = quiet(install)
    town.world.clock.advance(timedelta(days=40))
    installation.event(event())
    came = list[str]()

    def lose() -> None:
        installation.storage.drop("certrolljournal")
        came.append(town.renew())
        installation.event(event())

    if lost:
        during_a_look(installation, lose)
    else:
        lose()
    installation.deliver_all(HOURS)
    assert came[0] in town.settings("app-0")[LIST]


def test_delivery_after_a_crash_always_looks(install: Install) -> None:
    """A message whose earlier delivery died looks again, because that delivery may have died after its look."""
    town, installation = quiet(install)
    answered = CertificateMessage(REF, Cause.EVENT, after=0)
    on_certificate(installation.start(), answered.body(), 1)
    assert looks(town.world) == 0
    on_certificate(installation.start(), answered.body(), 2)
    assert looks(town.world) == 1


def test_message_by_hand_always_looks(install: Install) -> None:
    """A message that an operator types or replays makes Certroll look, however many looks there were before."""
    town, installation = quiet(install)
    answered = CertificateMessage(REF, Cause.EVENT, after=0)
    on_certificate(installation.start(), replace(answered, after=None).body(), 1)
    assert looks(town.world) == 1
    letter = installation.ports.dead_letters.add(CERTIFICATES, answered.body(), "it failed")
    replay(installation.start(), CERTIFICATES, letter.key)
    installation.deliver_all(HOURS)
    assert looks(town.world) == 2


def test_second_instance_answers_for_the_first(install: Install) -> None:
    """Messages that wait for the lease of an earlier inspection get one inspection together, which begins later."""
    town, installation = quiet(install)
    installation.event(event())

    def more() -> None:
        for _ in range(5):
            installation.event(event())
            waiting = installation.queue.take(installation.clock.now())
            assert waiting is not None
            installation.deliver(waiting)

    during_a_look(installation, more)
    installation.deliver_all(HOURS)
    assert installation.errors == []
    assert looks(town.world) == 2
