"""Check that a freeze (CERTROLL_FREEZE) begins nothing new, finishes what was begun, and ends by itself."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import Authority
from local.azure.web.resources import RUNNING, STOPPED
from shared.domain.freeze import Freeze
from shared.domain.rollout.budget import MaxUnavailable
from tests.scenarios.app_worlds import age, street
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import ROOT, TAGS, Hosted
from tests.scenarios.installation import Crash, Crasher, Installation
from tests.scenarios.test_kind_faults import KINDS, expected, renewed, world_of
from tests.scenarios.test_managed import HOST, Elsewhere, a_world, azure_writes, served
from tests.scenarios.test_open_findings import open_findings
from tests.scenarios.test_orders import LATE, Shop
from tests.scenarios.worlds import MOVING, VAULT, after_renewal, renew, shown, small_world, writes

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ONE, THREE = MaxUnavailable(1), MaxUnavailable(3)
FIRST = ("api.contoso.com",)
"""The host names of the webspace that Certroll takes first in the small fleet."""


def frozen(installation: Installation, lasts: timedelta = 6 * DAY) -> None:
    """Let a freeze begin now, as a restart of the Function App with the new setting does."""
    now = installation.clock.now()
    installation.intent = replace(installation.intent, freeze=Freeze(((now, now + lasts),)))


def swept(installation: Installation) -> None:
    """Run the whole sweep, and deliver all messages that follow."""
    installation.sweep_everything()
    installation.deliver_all()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_new_begins_during_a_freeze(install: Install, kind: str) -> None:
    """During a freeze Certroll writes nothing for a new version of any kind, and afterwards carries it everywhere."""
    world = world_of(kind)
    installation = install(world)
    frozen(installation)
    new = renewed(installation)
    installation.deliver_all()
    swept(installation)
    assert writes(world) == 0
    world.clock.advance(7 * DAY)
    swept(installation)
    assert KINDS[kind].shown(world, new) == expected(kind, world)
    assert installation.errors == []


def test_a_freeze_is_told_once_and_the_plan_shows_what_waits(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    """A freeze is one finding, not one of each step; the log names each step that waits, and until when."""
    world = small_world()
    installation = install(world)
    frozen(installation)
    renew(world)
    with caplog.at_level("INFO", "certroll"):
        installation.look_at(VAULT, "web")
        installation.deliver_all()
        swept(installation)
    assert installation.findings() == {("CERTROLL_FREEZE", "FreezeInForce")}
    lines = [json.loads(line) for line in caplog.messages]
    (outcome, *_) = (line for line in lines if line["event"] == "certificate.reconciled")
    assert (outcome["outcome"], outcome["reason"]) == ("Waiting", "Frozen")
    waiting = {
        row["subject"]
        for line in lines
        if line["event"] == "plan.listed" and line["list"] == "skips"
        for row in line["rows"]
        if row["reason"] == "Frozen" and "CERTROLL_FREEZE lasts until" in row["detail"]
    }
    assert {subject for subject in waiting if subject.startswith("binding")} == {
        "binding shop.contoso.com of shop",
        "binding www.contoso.com of shop",
        "binding staging.contoso.com of shop/staging",
        "binding api.contoso.com of api",
    }


@pytest.mark.parametrize("how", ["it is over", "an operator takes it back"])
def test_the_finding_about_a_freeze_closes_with_the_freeze(install: Install, how: str) -> None:
    """The first sweep after a freeze closes the finding about it, also if an operator removed the setting."""
    installation = install(small_world())
    frozen(installation)
    swept(installation)
    assert open_findings(installation) == {("CERTROLL_FREEZE", "FreezeInForce")}
    if how == "it is over":
        installation.clock.advance(7 * DAY)
    else:
        installation.clock.advance(HOUR)
        installation.intent = replace(installation.intent, freeze=None)
    swept(installation)
    assert open_findings(installation) == set()


def test_what_was_begun_before_a_freeze_is_finished(install: Install) -> None:
    """Certroll finishes the webspace that it had begun before the freeze, and the other webspaces after the freeze."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    message = installation.queue.take(world.clock.now())
    assert message is not None
    installation.deliver(message)  # the first webspace has the version, and its site waits on the queue
    assert shown(world) == before
    frozen(installation)
    installation.deliver_all()
    swept(installation)
    assert shown(world) == after_renewal(before, new, FIRST)
    assert installation.states() == {"api": "Proven"}
    world.clock.advance(7 * DAY)
    swept(installation)
    assert shown(world) == after_renewal(before, new, MOVING)


@pytest.mark.real_storage
def test_a_crash_before_a_freeze_leaves_nothing_half_done(install: Install, crasher: Crasher) -> None:
    """If Certroll died within its first webspace before the freeze, it finishes this webspace during the freeze."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    with pytest.raises(Crash), crasher.crashing_at("/certificates/web-linux"):
        installation.deliver_all()
    installation.storage.break_leases()
    frozen(installation)
    installation.deliver_all()
    swept(installation)
    assert shown(world) == after_renewal(before, new, FIRST)


def test_a_binding_that_azure_refused_before_a_freeze_is_written_during_it(install: Install) -> None:
    """If Azure refused a binding before the freeze, Certroll writes the binding as soon as Azure allows it."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    world.faults.add(Fault("denied", "PUT", path="/hostNameBindings/api", times=None))
    installation.look_at(VAULT, "web")
    installation.deliver_all(timedelta(minutes=10))
    assert shown(world) == before
    frozen(installation)
    world.faults.clear()
    swept(installation)
    assert shown(world) == after_renewal(before, new, FIRST)


def test_a_certificate_that_ends_soon_is_replaced_during_a_freeze(install: Install) -> None:
    """When less than 72 hours are left on the old certificate, Certroll replaces it during a freeze."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    frozen(installation, lasts=60 * DAY)
    swept(installation)
    assert shown(world) == before
    world.clock.advance(26 * DAY)
    swept(installation)
    assert shown(world) == after_renewal(before, new, MOVING)


def test_an_app_that_fails_gets_its_settings_back_during_a_freeze(install: Install) -> None:
    """If an app fails with the version that Certroll wrote before the freeze, Certroll takes the write back."""
    town = street()
    town.linux_app("orders")
    age(town)
    installation = install(town.world)
    old = town.settings("orders")
    town.renew()
    installation.look_at(VAULT, "client")
    while installation.rolls().get("orders") != "Overlapping":
        message = installation.queue.take(installation.clock.now() + HOUR)
        assert message is not None
        installation.deliver(message)
    assert town.settings("orders") != old
    town.partner.accept_only(town.old)
    frozen(installation)
    installation.deliver_all()
    assert town.settings("orders") == old
    assert installation.rolls() == {"orders": "RolledBack"}
    assert ("app orders", "RolledBack") in installation.findings()


def test_an_app_that_was_only_admitted_waits_for_the_end(install: Install) -> None:
    """An app that Certroll had admitted and not written before the freeze keeps its settings until the freeze ends."""
    town = street()
    town.linux_app("orders")
    age(town)
    installation = install(town.world)
    old = town.settings("orders")
    town.renew()
    installation.look_at(VAULT, "client")
    while "orders" not in installation.rolls():
        message = installation.queue.take(installation.clock.now() + HOUR)
        assert message is not None
        installation.deliver(message)
    assert installation.rolls() == {"orders": "Stale"}
    frozen(installation)
    installation.deliver_all()
    swept(installation)
    assert town.settings("orders") == old
    assert town.restarts("orders") == 0
    assert installation.rolls() == {"orders": "Stale"}
    installation.clock.advance(7 * DAY)
    swept(installation)
    assert installation.rolls() == {"orders": "Validated"}


def test_a_pending_start_is_paid_during_a_freeze(install: Install, crasher: Crasher) -> None:
    """An app that Certroll stopped before the freeze starts during the freeze, and no other app stops."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=ONE)
    hosted.put_new()
    with pytest.raises(Crash), crasher.crashing_at("/stop"):
        swept(installation)
    installation.storage.break_leases()
    frozen(installation)
    installation.minutes(1)
    assert STOPPED not in {state for name, state in hosted.states().items() if name != "quiet"}
    swept(installation)
    installation.minutes(10)
    assert len(hosted.trusting(hosted.new)) == 1
    installation.clock.advance(7 * DAY)
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started
    assert set(hosted.states().values()) == {RUNNING}


def test_no_app_stops_for_a_root_during_a_freeze(install: Install) -> None:
    """During a freeze Certroll adds no root and stops no app, unless the old root ends soon."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=THREE)
    frozen(installation)
    hosted.put_new()
    before = writes(hosted.world)
    swept(installation)
    assert writes(hosted.world) == before
    installation.clock.advance(7 * DAY)
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


def test_apps_stop_for_a_root_during_a_freeze_if_the_old_root_ends_soon(install: Install) -> None:
    """When less than 72 hours are left on the old root, Certroll adds the new root and stops apps during a freeze."""
    hosted = Hosted(apps=3)
    now = hosted.world.clock.now()
    ending = Authority("Corp 2025", (now - 300 * DAY, now + 30 * DAY))
    hosted.build.add_root_object(ROOT, ending.root_leaf, tags=dict(TAGS))
    installation = install(hosted.world, ase_max_unavailable=THREE)
    swept(installation)
    assert hosted.trusting(ending) == hosted.stopped_and_started
    hosted.put_new()
    frozen(installation, lasts=60 * DAY)
    swept(installation)
    assert hosted.trusting(hosted.new) == set()
    installation.clock.advance(28 * DAY)
    swept(installation)
    assert hosted.trusting(hosted.new) == hosted.stopped_and_started


@pytest.mark.parametrize("leaked", ["the root in use", "an earlier root"])
def test_only_the_root_in_use_opens_a_freeze_if_it_is_disabled(install: Install, leaked: str) -> None:
    """During a freeze apps stop for the successor of a disabled root, not because an earlier root is disabled."""
    hosted = Hosted(apps=3)
    now = hosted.world.clock.now()
    for name in ("Corp 2023", "Corp 2025"):
        known = Authority(name, (now - 300 * DAY, now + 900 * DAY))
        hosted.build.add_root_object(ROOT, known.root_leaf, tags=dict(TAGS))
        if name == "Corp 2023":
            installation = install(hosted.world, ase_max_unavailable=THREE)
        swept(installation)
        installation.clock.advance(2 * DAY)
    versions = hosted.world.vaults[VAULT].secrets[ROOT].versions
    hosted.put_new()
    versions[-2 if leaked == "the root in use" else -3].enabled = False
    frozen(installation, lasts=60 * DAY)
    swept(installation)
    assert bool(hosted.trusting(hosted.new)) is (leaked == "the root in use")
    assert (hosted.new.root_leaf.thumbprint in hosted.roots()) is (leaked == "the root in use")


def test_no_managed_certificate_is_asked_for_during_a_freeze(install: Install) -> None:
    """During a freeze Certroll asks for no managed certificate, and binds one that it asked for before the freeze."""
    world = a_world(Knobs(managed_issuance_seconds=600.0), root=False).world
    installation = install(world, meddled=True)
    frozen(installation, lasts=HOUR)
    swept(installation)
    assert azure_writes(world) == 0
    installation.clock.advance(2 * HOUR)
    installation.sweep_everything()
    assert azure_writes(world) == 1
    assert served(world, HOST) is None
    frozen(installation)
    installation.clock.advance(HOUR)
    installation.sweep_everything()
    assert served(world, HOST)


@pytest.mark.parametrize("seconds", [60.0, 600.0], ids=["issued in the first sweep", "issued later"])
@pytest.mark.parametrize("later", [HOUR, 2 * DAY])
def test_a_managed_certificate_whose_binding_failed_is_bound_during_a_freeze(
    install: Install, seconds: float, later: timedelta
) -> None:
    """During a freeze Certroll tries again to bind a managed certificate that it asked for before the freeze."""
    world = a_world(Knobs(managed_issuance_seconds=seconds), root=False).world
    installation = install(world, meddled=True)
    world.faults.add(Fault("denied", "PUT", path="/hostNameBindings/", times=None))
    installation.sweep_everything()
    frozen(installation)
    installation.clock.advance(HOUR)
    installation.sweep_everything()
    assert served(world, HOST) is None
    world.faults.clear()
    installation.clock.advance(later)
    installation.sweep_everything()
    assert served(world, HOST)


def test_a_refused_managed_certificate_stays_told_during_a_freeze(install: Install) -> None:
    """During a freeze Certroll does not ask again, so it does not say either that Azure refuses no more."""
    build = a_world(root=False)
    build.world.dns.remove(HOST, "CNAME")
    installation = install(build.world, meddled=True)
    installation.ports = replace(installation.ports, dns=Elsewhere())
    installation.sweep_everything()
    refused = (f"host name {HOST} of shop", "RejectedByAzure")
    assert refused in open_findings(installation)
    frozen(installation)
    installation.clock.advance(7 * HOUR)
    installation.sweep_everything()
    assert refused in open_findings(installation)


def test_no_order_is_renewed_during_a_freeze(install: Install) -> None:
    """During a freeze Certroll requests nothing for an order until the order or its certificate ends soon."""
    shop = Shop(install, Knobs(orders_renew_themselves=False), age=LATE)
    frozen(shop.installation, lasts=60 * DAY)
    shop.sweeps(3)
    assert shop.writes() == 0
    shop.world.clock.advance(27 * DAY)
    shop.sweeps(2)  # the first sweep writes the mark (ADR 50)
    assert shop.asked("renew") == 1
