"""Let Azure limit requests, and count what it refuses: hardly anything, and a third stays for renewals."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.world import World
from local.stand import Stand
from local.worlds.builders import Builder
from shared.clients.connect import Connections
from shared.clients.vault.certificates import KeyVault
from shared.domain.deadline import Deadline
from shared.domain.endpoints import CloudName, StorageAddress
from shared.loop.pool import Pool
from shared.loop.run import Run
from tests.in_process import in_process
from tests.scenarios.conftest import NO_STORAGE, Install, WorldClock
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import AGE, NAME, VAULT, renew, shown

SITES = 300
"""More sites than a sweep may read from the bucket of writes without a wait, which is 133."""
SMALL = 40
REFUSED, MOST_REFUSED = 429, 0.02
ARM = "management.azure.com"
BUCKETS = {"own": ("settings", 12_000), "writes": ("writes", 200)}
"""The bucket of reads of settings under each setting of the knob, and its size."""


class Paced(Installation):
    """Certroll with the clients of one process, whose sweep spares Azure's limits, as the Function App builds them."""

    connections: Connections
    sparing = False

    def start(self) -> Run:
        """Return a run with a deadline of its own."""
        deadline = Deadline.of_run(self.clock.now())
        ports = replace(self.storage.under(self.connections.ports(deadline, sparing=self.sparing)), queue=self.queue)
        return Run.start(ports, self.intent, self.pool, deadline)

    def sweep_everything(self) -> None:
        """Run a whole sweep, whose parts spare Azure's limits."""
        self.sparing = True
        try:
            super().sweep_everything()
        finally:
            self.sparing = False

    @property
    def subscription(self) -> str:
        """The only subscription of the fleet."""
        return next(iter(self.world.subscriptions))

    def share_refused(self) -> float:
        """Return the share of the requests to Azure Resource Manager that Azure has refused."""
        statuses = [entry.status for entry in self.world.journal.entries() if entry.host == ARM]
        return statuses.count(REFUSED) / len(statuses)


Begin = Callable[..., Paced]


def wide_world(knobs: Knobs, sites: int = SITES) -> World:
    """Return a webspace with many sites, of which one has a host name with a binding."""
    build = Builder(World(Clock(), knobs=knobs))
    build.add_certificate(NAME, ("*.contoso.com", "contoso.com"))
    plan = build.add_plan("windows")
    build.add_host(build.add_site("shop", plan), "shop.contoso.com", build.add_copy(NAME, plan))
    for number in range(sites - 1):
        build.add_site(f"site-{number}", plan)
    build.world.clock.advance(AGE)
    return build.world


@pytest.fixture(scope="module")
def one_thread() -> Iterator[Pool]:
    """Yield a single thread, because the clock of the simulation adds up what several threads sleep at once."""
    with Pool(1, "reader") as running:
        yield running


@pytest.fixture
def begin(install: Install, stand: Stand, one_thread: Pool) -> Begin:
    """Return a function that installs Certroll, with clients of its own, in a fleet with the given knobs."""

    def on(world: World) -> Paced:
        transport = in_process(lambda request: stand.proxy.azure.handle(request))  # noqa: PLW0108 - the fleet changes
        connections = Connections(
            CloudName.PUBLIC, None, StorageAddress(NO_STORAGE), WorldClock(stand), transport=transport
        )
        installed = install(world)
        cast("KeyVault", connections.ports().vault).forget()
        certroll = Paced(world, installed.storage, installed.ports, one_thread)
        certroll.connections = connections
        world.journal.clear()
        return certroll

    return on


@pytest.mark.parametrize("posts", BUCKETS)
def test_sweep_of_a_wide_fleet_is_not_refused_and_leaves_a_third(begin: Begin, posts: str) -> None:
    """A sweep that reads the settings of 300 sites looks at all of them, and leaves a third of every limit."""
    certroll = begin(wide_world(Knobs(throttling=True, settings_posts=posts)))  # type: ignore[arg-type]
    certroll.sweep_everything()
    read = [entry for entry in certroll.world.journal.reads(ARM) if entry.path.endswith("/appsettings/list")]
    assert len({entry.path for entry in read}) == SITES
    assert certroll.share_refused() < MOST_REFUSED
    name, size = BUCKETS[posts]
    limits = certroll.world.limits
    assert limits.lowest(certroll.subscription, name) >= size / 3
    assert limits.lowest(certroll.subscription, "reads") >= 250 / 3


def test_renewal_after_a_sweep_waits_for_nothing(begin: Begin) -> None:
    """A renewal that begins when a sweep has used two thirds of a limit takes as long as without limits."""
    took = {}
    for throttling in (False, True):
        certroll = begin(wide_world(Knobs(throttling=throttling, settings_posts="writes"), 140))
        certroll.sweep_everything()
        renew(certroll.world)
        certroll.look_at(VAULT, NAME)
        before, began = shown(certroll.world), certroll.clock.now()
        message = certroll.queue.take(began + timedelta(hours=1))
        assert message is not None
        certroll.deliver(message)
        took[throttling] = certroll.clock.now() - began
        assert certroll.errors == []
        assert shown(certroll.world) != before
    assert took[True] - took[False] < timedelta(seconds=20)


def test_sweep_of_a_subscription_that_others_use_up_is_told_and_ends(
    begin: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    """A sweep that finds its limit used up for long says what it could not look at, and is not refused."""
    certroll = begin(wide_world(Knobs(throttling=True, settings_posts="own"), SMALL))
    certroll.intent = replace(certroll.intent, settings_reread=timedelta(0))
    caplog.set_level(logging.INFO, logger="certroll")
    certroll.sweep_everything()
    certroll.world.limits.use_up(certroll.subscription, "settings", 0.95)
    began = certroll.clock.now()
    for _ in range(2):  # the first of them learns how slowly the limit is refilled
        certroll.sweep_everything()
    assert certroll.clock.now() - began < timedelta(minutes=10)
    assert certroll.share_refused() < MOST_REFUSED
    told = [line for line in map(json.loads, caplog.messages) if line["event"] == "sweep.completed"]
    assert [line["unseen_in_all"] for line in told][::2] == [0, SMALL]
