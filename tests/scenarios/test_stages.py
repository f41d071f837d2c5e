"""Check that one webspace gets a new version first, and what decides whether the other webspaces follow."""

from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.knobs import Knobs
from local.stand import Stand
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import VAULT, after_renewal, renew, shown, small_world, writes

A_DAY = 86_400.0
SECOND = ("shop.contoso.com", "staging.contoso.com", "www.contoso.com")


@pytest.mark.real_storage
@pytest.mark.real_transport
def test_the_smallest_webspace_goes_first_and_the_rest_waits_for_proof(install: Install) -> None:
    """Certroll writes nothing in the second webspace before a handshake proves the first webspace."""
    world = small_world()
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    message = installation.queue.take(world.clock.now())
    assert message is not None
    installation.deliver(message)
    assert shown(world) == after_renewal(before, new, ("api.contoso.com",))
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)


def test_a_first_stage_that_serves_another_certificate_holds_the_version(install: Install) -> None:
    """If the first webspace serves another certificate, Certroll writes the version to no other webspace."""
    world = small_world(Knobs(slow_front_end=A_DAY, sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    for _ in range(3):
        installation.sweep()
        installation.deliver_all()
    assert shown(world) == after_renewal(before, new, ("api.contoso.com",))
    assert (f"{VAULT}/web", "VersionHeld") in installation.open_findings()
    assert ("api", "ServedAnother") in installation.findings()


def test_a_newer_version_ends_the_hold(install: Install) -> None:
    """After one certificate version failed, Certroll still moves bindings to a newer version."""
    world = small_world(Knobs(slow_front_end=A_DAY, sync_moves_bindings=False))
    installation = install(world, watched=True)
    before = shown(world)
    renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    world.knobs.slow_front_end = 0.0
    world.clock.sleep(60)
    newer = renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) == after_renewal(before, newer)


def test_what_is_served_late_after_all_releases_the_hold(install: Install) -> None:
    """If a slow front end serves the new version only later, the sweep writes the version to more webspaces."""
    world = small_world(Knobs(slow_front_end=900.0, sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert shown(world) != after_renewal(before, new)
    world.knobs.slow_front_end = 0.0
    installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)
    assert set(installation.states().values()) == {"Proven"}


def _unreachable(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand.proxy, "resolve", lambda _: None)


def test_an_unreachable_host_does_not_freeze_the_stages(
    install: Install, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no handshake proves the first webspace, the second webspace gets the version after the waiting time."""
    world = small_world()
    installation = install(world)
    _unreachable(stand, monkeypatch)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all(timedelta(minutes=45))
    assert shown(world) == after_renewal(before, new, ("api.contoso.com",))
    assert ("api", "Unreachable") in installation.findings()
    world.clock.sleep(1800)
    installation.sweep()
    installation.deliver_all()
    assert shown(world) == after_renewal(before, new)


def test_close_to_expiry_unproven_holds_nothing(
    install: Install, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than 72 hours before expiry Certroll skips the waiting time after an unreachable first webspace."""
    world = small_world()
    installation = install(world)
    _unreachable(stand, monkeypatch)
    world.clock.advance(timedelta(days=26))
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all(timedelta(minutes=5))
    assert shown(world) == after_renewal(before, new)


def test_a_site_message_that_nobody_sent_is_given_back(install: Install) -> None:
    """A forged message for a site whose webspace must still wait makes Certroll change nothing there."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, watched=True)
    before, new = shown(world), renew(world)
    world.nightly_sync()
    shop = next(site for site in world.web.sites.values() if site.full_name == "shop")
    body = f'{{"v":1,"site":"{shop.id}","vault":"{VAULT}","kind":"certificate","name":"web","waits":0}}'
    installation.queue.put("sites", body)
    message = installation.queue.take(world.clock.now())
    assert message is not None
    installation.deliver(message)
    assert all(shown(world)[name].thumbprint in {before[name].thumbprint, new} for name in SECOND)
    assert installation.states() == {}
    assert len(installation.queue) == 1


@pytest.mark.real_storage
def test_a_rollback_by_hand_is_not_undone_while_the_version_is_held(install: Install) -> None:
    """After an operator puts the old certificate back by hand, no sweep writes the failed version again."""
    world = small_world(Knobs(slow_front_end=A_DAY, sync_moves_bindings=False))
    installation = install(world, watched=True)
    before = shown(world)
    renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    site = next(site for site in world.web.sites.values() if site.full_name == "api")
    host = replace(site.hosts["api.contoso.com"], thumbprint=before["api.contoso.com"].thumbprint)
    world.web.put_site(replace(site, hosts={**site.hosts, host.name: host}))
    done = writes(world)
    for _ in range(2):
        installation.sweep()
        installation.deliver_all()
    assert shown(world) == before
    assert writes(world) == done
    assert installation.states() == {"api": "Failed"}
