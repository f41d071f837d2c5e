"""Check what becomes of a change in the middle of which an operator takes Certroll's hands off."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.entra.tokens import CERTROLL
from local.azure.scripting.knobs import Knobs
from local.azure.world import World
from shared.domain.intent import Mode, Scope
from shared.domain.rollout.budget import MaxUnavailable
from tests.scenarios.app_worlds import CLIENT, LIST, PIN, SECRET, Street, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import ROOT, TAGS, Hosted
from tests.scenarios.installation import Crash, Crasher, Installation
from tests.scenarios.test_uploads import uploads
from tests.scenarios.worlds import VAULT, renew, shown, small_world, writes

HOUR = timedelta(hours=1)
IN = {"certroll": "on"}
Hands = Callable[[Installation, World, str], None]


def leave(installation: Installation, _: World, __: str) -> None:
    """Take the vault out of CERTROLL_VAULTS."""
    installation.intent = replace(installation.intent, vaults=frozenset())


def tag(world: World, name: str, tags: dict[str, str]) -> None:
    """Replace the tags of all versions of a vault object."""
    vault = world.vaults[VAULT]
    held = vault.certificate(name) or vault.secrets[name]
    for version in held.versions:
        version.tags = dict(tags)


def delete(_: Installation, world: World, name: str) -> None:
    """Delete a vault certificate or a secret."""
    vault = world.vaults[VAULT]
    vault.delete(name) if vault.certificate(name) else vault.delete_secret(name)


HANDS: dict[str, Hands] = {
    "the vault leaves CERTROLL_VAULTS": leave,
    "the certificate is tagged off": lambda _, world, name: tag(world, name, {"certroll": "off"}),
    "the certificate is deleted": delete,
    "the vault denies": lambda _, world, __: world.vaults[VAULT].deny(CERTROLL.object_id),
    "the tag of the pilot is gone": lambda _, world, name: tag(world, name, {}),
}
everyone = pytest.mark.parametrize("how", HANDS)


def swept(installation: Installation, sweeps: int = 2) -> None:
    """Run hourly sweeps, and deliver all messages after each."""
    for _ in range(sweeps):
        installation.sweep_everything()
        installation.deliver_all(HOUR)
        installation.clock.advance(HOUR)


def scope(how: str) -> dict[str, object]:
    """Return the settings of an installation in which the hands can come off."""
    return {"scope": Scope.TAGGED} if "pilot" in how else {}


def an_app(install: Install, how: str = "", *, survives: bool) -> tuple[Street, Installation, str]:
    """Return an app with new settings that Certroll has not judged yet."""
    town = street()
    town.app("orders", {LIST: town.old, PIN: town.old}, setting=PIN)
    town.app("zebra", {LIST: town.old, PIN: town.old}, setting=PIN)
    if not survives:
        town.partner.accept_only(town.old)
    installation = install(age(town).world, **scope(how))
    new = town.renew(tags=IN if "pilot" in how else {})
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(seconds=100))
    assert installation.rolls() == {"orders": "Overlapping"}
    assert town.settings("orders")[PIN] == new
    return town, installation, new


@everyone
def test_an_app_that_fails_gets_its_settings_back(install: Install, how: str) -> None:
    """If an app fails with what Certroll wrote, Certroll takes the write back, also after it lost the certificate."""
    town, installation, _ = an_app(install, how, survives=False)
    HANDS[how](installation, town.world, CLIENT)
    swept(installation)
    assert town.settings("orders")[PIN] == town.old
    assert installation.rolls() == {"orders": "RolledBack"}
    assert town.settings("zebra")[PIN] == town.old


@everyone
def test_an_app_that_works_keeps_its_settings_and_no_other_follows(install: Install, how: str) -> None:
    """Certroll finishes the app that it has begun, and begins no other app."""
    town, installation, new = an_app(install, how, survives=True)
    HANDS[how](installation, town.world, CLIENT)
    before = writes(town.world)
    swept(installation)
    assert town.settings("orders")[PIN] == new
    assert installation.rolls() == {"orders": "Validated"}
    assert town.settings("zebra")[PIN] == town.old
    assert writes(town.world) == before


STOPS: dict[str, Callable[[Installation, Street], None]] = {
    "observe": lambda installation, _: setattr(installation, "intent", replace(installation.intent, mode=Mode.OBSERVE)),
    "site off": lambda _, town: town.world.web.put_site(
        replace(town.site("orders"), tags={**town.site("orders").tags, "certroll": "off"})
    ),
}


@pytest.mark.parametrize("how", STOPS)
def test_an_app_that_may_not_be_written_is_told_with_its_last_good_values(install: Install, how: str) -> None:
    """In observe mode or with `certroll: off` on the site, Certroll writes nothing, and says how to take it back."""
    town, installation, new = an_app(install, survives=False)
    STOPS[how](installation, town)
    before = writes(town.world)
    swept(installation)
    assert writes(town.world) == before
    assert town.settings("orders")[PIN] == new
    assert ("app orders", "WritesStopped") in installation.open_findings()
    assert f"in {PIN} put {town.old} in place of {new}" in installation.details()
    assert f"az webapp config appsettings set --subscription {town.site('orders').id.split('/')[2]}" in (
        installation.details()
    )
    assert f"{PIN}={town.old}" in installation.details()
    assert SECRET not in installation.details()


@pytest.mark.real_storage
def test_what_observe_mode_left_is_taken_back_in_apply_mode(install: Install) -> None:
    """After observe mode, Certroll restores the settings of the app, and the finding closes."""
    town, installation, _ = an_app(install, survives=False)
    STOPS["observe"](installation, town)
    swept(installation)
    installation.intent = replace(installation.intent, mode=Mode.APPLY)
    swept(installation)
    assert town.settings("orders")[PIN] == town.old
    assert ("app orders", "WritesStopped") not in installation.open_findings()


@pytest.mark.parametrize("how", ["the vault leaves CERTROLL_VAULTS", "the certificate is deleted"])
def test_a_write_of_which_certroll_knows_no_outcome_is_judged(install: Install, crasher: Crasher, how: str) -> None:
    """If Certroll died right after it wrote an app's settings, it judges the app also without the certificate."""
    town = street()
    town.app("orders", {LIST: town.old, PIN: town.old}, setting=PIN)
    town.partner.accept_only(town.old)
    installation = install(age(town).world)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    with pytest.raises(Crash), crasher.crashing_at("/sites/orders/config/appsettings"):
        installation.deliver_all(HOUR)
    installation.storage.break_leases()
    assert installation.rolls() == {"orders": "Stale"}
    HANDS[how](installation, town.world, CLIENT)
    swept(installation)
    assert town.settings("orders")[PIN] == town.old


# ---------------------------------------------------------------------------------------------------------- bindings


def half_bound(install: Install, crasher: Crasher, how: str = "") -> tuple[World, Installation, str]:
    """Return a fleet in which Certroll has bound one of two host names of a site, and died."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, **scope(how))
    new = renew(world, tags=IN if "pilot" in how else {})
    installation.look_at(VAULT, "web")
    with pytest.raises(Crash), crasher.crashing_at("/hostNameBindings/shop.contoso.com"):
        installation.deliver_all()
    installation.storage.break_leases()
    assert shown(world)["shop.contoso.com"].thumbprint == new
    assert shown(world)["www.contoso.com"].thumbprint != new
    return world, installation, new


@everyone
def test_a_rebind_that_is_half_done_is_finished(install: Install, crasher: Crasher, how: str) -> None:
    """Certroll binds the other host names of the webspace that it has begun, also after it lost the certificate."""
    world, installation, new = half_bound(install, crasher, how)
    HANDS[how](installation, world, "web")
    swept(installation)
    names = ("api.contoso.com", "shop.contoso.com", "www.contoso.com", "staging.contoso.com")
    assert {name: shown(world)[name].thumbprint for name in names} == dict.fromkeys(names, new)


@pytest.mark.parametrize("how", ["observe", "site off"])
def test_a_rebind_that_may_not_be_finished_is_told(install: Install, crasher: Crasher, how: str) -> None:
    """In observe mode or with `certroll: off` on the site, the other host name is not bound, and people are told."""
    world, installation, new = half_bound(install, crasher)
    if how == "observe":
        installation.intent = replace(installation.intent, mode=Mode.OBSERVE)
    else:
        site = next(site for site in world.web.sites.values() if site.full_name == "shop")
        world.web.put_site(replace(site, tags={"certroll": "off"}))
    old = shown(world)["www.contoso.com"].thumbprint
    swept(installation)
    assert shown(world)["www.contoso.com"].thumbprint == old
    assert ("shop", "WritesStopped") in installation.open_findings()
    assert f"www.contoso.com shows {old} and not {new}" in installation.details()
    assert "az webapp config ssl bind" in installation.details()


@everyone
def test_nothing_new_begins_after_the_hands_are_off(install: Install, how: str) -> None:
    """In a webspace that Certroll has not begun, it writes nothing after the hands came off."""
    world = small_world(Knobs(sync_moves_bindings=False))
    installation = install(world, **scope(how))
    before = shown(world)
    renew(world, tags=IN if "pilot" in how else {})
    installation.look_at(VAULT, "web")
    message = installation.queue.take(world.clock.now())
    assert message is not None
    installation.deliver(message)
    HANDS[how](installation, world, "web")
    swept(installation)
    after = shown(world)
    assert {name for name in after if after[name] != before[name]} == {"api.contoso.com"}


@pytest.mark.parametrize("how", [how for how in HANDS if "pilot" not in how])
def test_an_upload_that_was_begun_gets_its_bindings(install: Install, crasher: Crasher, how: str) -> None:
    """If Certroll died right after it uploaded a version, it moves the bindings of that webspace, and no others."""
    quarter = uploads()
    installation = install(quarter.world)
    new = renew(quarter.world)
    installation.look_at(VAULT, "web")
    with pytest.raises(Crash), crasher.crashing_at(f"-{new}".lower()):
        installation.deliver_all()
    installation.storage.break_leases()
    HANDS[how](installation, quarter.world, "web")
    swept(installation)
    assert new in {seen.thumbprint for seen in shown(quarter.world).values()}


# ------------------------------------------------------------------------------------------------------------- waves


def waving(install: Install, crasher: Crasher, how: str = "") -> tuple[Hosted, Installation]:
    """Return an environment in which Certroll has stopped and started one slot, and died."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=MaxUnavailable(1), **scope(how))
    hosted.put_new({**TAGS, **(IN if "pilot" in how else {})})
    installation.sweep()
    with pytest.raises(Crash), crasher.crashing_at("/slots/staging/start"):
        installation.deliver_all(HOUR)
    installation.storage.break_leases()
    hosted.world.clock.advance(timedelta(minutes=1))
    assert hosted.trusting(hosted.new) == {"shop/staging"}
    return hosted, installation


@pytest.mark.parametrize("how", HANDS)
def test_waves_that_have_begun_end(install: Install, crasher: Crasher, how: str) -> None:
    """Once Certroll has stopped an app for a root, all apps of the environment are stopped and started."""
    hosted, installation = waving(install, crasher, how)
    HANDS[how](installation, hosted.world, ROOT)
    swept(installation)
    assert hosted.trusting(hosted.new) == set(hosted.apps)


@pytest.mark.parametrize("how", ["observe", "environment off"])
def test_waves_that_may_not_end_are_told(install: Install, crasher: Crasher, how: str) -> None:
    """In observe mode or with `certroll: off` on the environment, no further app stops, and people are told which."""
    hosted, installation = waving(install, crasher)
    if how == "observe":
        installation.intent = replace(installation.intent, mode=Mode.OBSERVE)
    else:
        hosted.close()
    swept(installation)
    assert hosted.trusting(hosted.new) == {"shop/staging"}
    assert ("environment network/ase", "WritesStopped") in installation.open_findings()
    assert set(hosted.states().values()) == {"Running"}
