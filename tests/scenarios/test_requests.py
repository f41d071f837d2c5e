"""Requests are counted as money is."""

import re

import pytest

from local.azure.arm.resources import IP_BASED
from local.azure.clock import Clock
from local.azure.journal import Entry
from local.azure.knobs import Knobs
from local.azure.world import World
from local.worlds.builders import Builder
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import AGE, MOVING, VAULT, renew, small_world, writes

ARM = "management.azure.com"
LISTING = re.compile(
    r"/subscriptions$|/resources$|/Microsoft\.Web/(sites|certificates|serverfarms)$|/slots$|/serverfarms/[^/]+/sites$",
    re.IGNORECASE,
)


def _reads(world: World) -> list[Entry]:
    return [entry for entry in world.journal.reads(ARM) if not LISTING.search(entry.path)]


@pytest.mark.parametrize("moves", [True, False], ids=["Azure moves the bindings", "Certroll moves the bindings"])
def test_a_renewal_costs_no_more_than_it_must(install: Install, moves: bool) -> None:  # noqa: FBT001
    """Writes: one per stale copy, and one per stale binding that Azure has not moved.

    Reads beside the listings: two per affected site, one more for a slot, whose site may be opted out; one per binding
    that is overwritten, one per copy before it is synced; then the verifying pass, which reads each copy once and,
    where a binding was overwritten, its site again.
    """
    world = small_world(Knobs(sync_moves_bindings=moves))
    installation = install(world)
    renew(world)
    world.journal.clear()
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    copies, sites, slots, bindings = 2, 3, 1, 0 if moves else len(MOVING)
    verifying = copies + (0 if moves else 2 * sites + slots)
    assert writes(world) == copies + bindings
    assert len(_reads(world)) == 2 * sites + slots + bindings + copies + verifying


def _fleet_with(lineages: int) -> World:
    """Return one fleet of 20 sites; only the number of vault certificates behind its copies differs."""
    world = World(Clock(), knobs=Knobs())
    build = Builder(world)
    plan = build.add_plan()
    for number in range(100):
        if number < lineages:
            build.add_certificate(f"c{number}", (f"c{number}.contoso.com",))
    copies = [build.add_copy(f"c{number % lineages}", plan, name=f"copy-{number}") for number in range(100)]
    for number in range(20):
        site = build.add_site(f"site{number}", plan)
        build.add_host(site, f"c{number % lineages}.contoso.com" if number < lineages else f"x{number}.contoso.com")
    assert len(copies) == 100
    world.clock.advance(AGE)
    return world


def test_a_sweep_reads_azure_the_same_for_10_and_for_100_lineages(install: Install) -> None:
    """The fleet is observed once: the number of lineages does not matter to ARM."""
    counts = []
    for lineages in (10, 100):
        world = _fleet_with(lineages)
        installation = install(world, watched=False)
        world.journal.clear()
        installation.sweep()
        counts.append(world.journal.counts(ARM))
    assert counts[0] == counts[1]
    assert sum(counts[0].values()) < 10


def test_an_installation_without_a_subscription_setting_sees_all_subscriptions(install: Install) -> None:
    """Empty CERTROLL_SUBSCRIPTIONS costs one more read, and leaves subscriptions without a copy unlisted."""
    world = small_world()
    build = Builder(world)
    build.add_group("elsewhere", build.add_subscription("Elsewhere"))
    installation = install(world)
    world.journal.clear()
    installation.sweep()
    paths = [entry.path for entry in world.journal.reads(ARM)]
    assert sum(path == "/subscriptions" for path in paths) == 1
    assert sum(path.lower().endswith("/sites") and "serverfarms" not in path for path in paths) == 1
    assert IP_BASED


def test_waiting_for_sites_costs_no_request(install: Install) -> None:
    """While sites are on their way, the certificate's own run asks ARM nothing."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world)
    renew(world)
    installation.look_at(VAULT, "web")
    first = installation.queue.take(world.clock.now())
    assert first is not None
    installation.deliver(first)
    site = installation.queue.take(world.clock.now())
    assert site is not None
    assert site.queue == "sites"
    world.journal.clear()
    again = installation.queue.take(world.clock.now() + AGE)
    assert again is not None
    assert again.queue == "certificates"
    installation.deliver(again)
    assert world.journal.counts(ARM) == {}
