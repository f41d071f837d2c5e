"""Check that a failure holds a version only as long as the site, host name or app setting that failed is there."""

from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.faults import Fault
from local.azure.scripting.knobs import Knobs
from local.azure.web.resources import Site
from local.azure.world import World
from tests.scenarios.app_worlds import CLIENT, LIST, PIN, Street, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import VAULT, renew, shown, small_world

A_DAY = 86_400.0
HOUR = timedelta(hours=1)
API, SHOP = "api.contoso.com", "shop.contoso.com"


def site_of(world: World, name: str) -> Site:
    """Return a site of the simulated fleet by its name."""
    return next(site for site in world.web.sites.values() if site.full_name == name)


def held(install: Install, *, mended: bool = True, **how: object) -> tuple[World, Installation, str]:
    """Return a fleet in which the new version failed at the first site, so that Certroll holds it everywhere."""
    world = small_world(Knobs(slow_front_end=A_DAY, sync_moves_bindings=False))
    installation = install(world, **how)
    new = renew(world)
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert installation.states() == {"api": "Failed"}
    world.knobs.slow_front_end = 0.0 if mended else A_DAY
    return world, installation, new


def swept(installation: Installation, sweeps: int = 3) -> None:
    """Run hourly sweeps, and deliver all messages after each."""
    for _ in range(sweeps):
        installation.clock.advance(HOUR)
        installation.sweep()
        installation.deliver_all(HOUR)
    assert installation.errors == []


def without_host(world: World, name: str, host: str) -> None:
    """Remove a host name from a site, as its owners do."""
    site = site_of(world, name)
    world.web.put_site(replace(site, hosts={each: seen for each, seen in site.hosts.items() if each != host}))


@pytest.mark.real_storage
def test_a_removed_host_name_holds_nobody(install: Install) -> None:
    """If owners remove the host name that failed, all other sites get the version, and the history says why."""
    world, installation, new = held(install, meddled=True)
    without_host(world, "api", API)
    swept(installation)
    assert shown(world)[SHOP].thumbprint == new
    assert "HoldEnded" in {row.get("reason") for row in installation.rows("certrollhistory")}
    assert ("api", "ServedAnother") not in installation.open_findings()


def test_a_host_name_with_a_certificate_of_its_own_holds_nobody(install: Install) -> None:
    """If owners bind another certificate to the host name that failed, all other sites get the version."""
    world, installation, new = held(install, meddled=True)
    site = site_of(world, "api")
    other = replace(site.hosts[API], thumbprint="AB" * 20)
    world.web.put_site(replace(site, hosts={**site.hosts, API: other}))
    swept(installation)
    assert shown(world)[SHOP].thumbprint == new
    assert shown(world)[API].thumbprint == "AB" * 20


def test_a_deleted_site_holds_nobody_after_an_hour(install: Install) -> None:
    """If owners delete the site that failed, the version stays held for an hour, and then goes on."""
    world, installation, new = held(install, meddled=True)
    world.web.sites.remove(site_of(world, "api").id)
    installation.sweep()
    installation.deliver_all(HOUR / 2)
    assert shown(world)[SHOP].thumbprint != new
    swept(installation)
    assert shown(world)[SHOP].thumbprint == new


def test_a_site_that_may_not_be_read_still_holds(install: Install) -> None:
    """If Certroll loses the right to read the site that failed, the version stays held."""
    world, installation, new = held(install)
    world.faults.add(Fault("denied", "GET", path="/sites/api$", times=None))
    swept(installation)
    assert shown(world)[SHOP].thumbprint != new
    assert installation.states() == {"api": "Failed"}


def test_a_site_that_still_fails_holds(install: Install) -> None:
    """A site that goes on serving another certificate holds the version, however often Certroll looks."""
    world, installation, new = held(install, mended=False)
    swept(installation)
    assert shown(world)[SHOP].thumbprint != new
    assert installation.states() == {"api": "Failed"}


# ------------------------------------------------------------------------------------------------------ app settings


def an_app_failed(install: Install) -> tuple[Street, Installation, str]:
    """Return two apps, of which the first does not survive the new version, so that Certroll holds the version."""
    town = street()
    town.app("alpha", {LIST: town.old, PIN: town.old}, setting=PIN)
    town.app("beta", {LIST: town.old, PIN: town.old}, setting=PIN)
    town.partner.accept_only(town.old)
    installation = install(age(town).world, meddled=True)
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOUR)
    assert installation.rolls() == {"alpha": "RolledBack"}
    town.partner.accept_authority()
    return town, installation, new


def renamed(town: Street, **changes: object) -> None:
    """Change the site of the app that failed."""
    town.world.web.put_site(replace(town.site("alpha"), **changes))


def test_an_app_that_no_longer_names_the_certificate_holds_nobody(install: Install) -> None:
    """If owners take the certificate out of the settings of the app that failed, the other apps get the version."""
    town, installation, new = an_app_failed(install)
    renamed(town, settings={"FEATURE": "on"})
    swept(installation)
    assert town.settings("beta")[PIN] == new
    assert installation.rolls() == {"beta": "Validated"}
    assert ("app alpha", "RolledBack") not in installation.open_findings()
    assert "HoldEnded" in {row.get("reason") for row in installation.rows("certrollhistory")}


def test_an_app_with_a_certificate_of_its_own_holds_nobody(install: Install) -> None:
    """If owners give the app that failed another certificate, the other apps get the version."""
    town, installation, new = an_app_failed(install)
    renamed(town, settings={LIST: "AB" * 20, PIN: "AB" * 20})
    swept(installation)
    assert town.settings("beta")[PIN] == new


def test_a_deleted_app_holds_nobody_after_an_hour(install: Install) -> None:
    """If owners delete the app that failed, the version stays held for an hour, and then goes on."""
    town, installation, new = an_app_failed(install)
    town.world.web.sites.remove(town.site("alpha").id)
    installation.sweep()
    installation.deliver_all(HOUR / 2)
    assert town.settings("beta")[PIN] == town.old
    swept(installation, 4)
    assert town.settings("beta")[PIN] == new


def test_an_app_that_still_names_the_certificate_holds(install: Install) -> None:
    """As long as the app that failed names the old version, Certroll holds the new version, and asks no whole fleet."""
    town, installation, _ = an_app_failed(install)
    swept(installation)
    assert town.settings("beta")[PIN] == town.old
    assert installation.rolls() == {"alpha": "RolledBack"}


@pytest.mark.parametrize("kind", ["missing", "denied"])
def test_an_app_that_azure_does_not_show_for_a_moment_still_holds(install: Install, kind: str) -> None:
    """A single 404 for the app that failed, or a lost right to read it, does not end the hold."""
    town, installation, _ = an_app_failed(install)
    times = 1 if kind == "missing" else None
    town.world.faults.add(Fault(kind, "GET", path="/sites/alpha$", times=times))
    swept(installation)
    assert town.settings("beta")[PIN] == town.old
    assert installation.rolls() == {"alpha": "RolledBack"}


def test_an_app_that_is_missing_for_a_moment_is_still_taken_back(install: Install) -> None:
    """A single 404 for an app that fails with the new version does not keep Certroll from restoring its settings."""
    town = street()
    town.app("alpha", {LIST: town.old, PIN: town.old}, setting=PIN)
    town.partner.accept_only(town.old)
    installation = install(age(town).world)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(seconds=100))
    assert installation.rolls() == {"alpha": "Overlapping"}
    town.world.faults.add(Fault("missing", "GET", path="/sites/alpha$", times=1))
    installation.deliver_all(HOUR)
    assert town.settings("alpha")[PIN] != town.old
    swept(installation)
    assert town.settings("alpha")[PIN] == town.old
    assert installation.rolls() == {"alpha": "RolledBack"}


# -------------------------------------------------------------------------------------- the same certificate once more


def imported_again(world: World, name: str) -> None:
    """Import the newest certificate once more, as a new version, an hour later."""
    world.clock.advance(HOUR)
    versions, now = world.vaults[VAULT].certificates[name].versions, world.clock.now()
    versions.append(replace(versions[-1], id=f"{len(versions):032x}", created=now, updated=now))


def test_same_certificate_as_a_new_version_stays_held(install: Install) -> None:
    """If an operator imports the certificate that failed once more, no other app gets it, until a release."""
    town, installation, new = an_app_failed(install)
    imported_again(town.world, CLIENT)
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOUR)
    swept(installation)
    assert {town.settings(name)[PIN] for name in ("alpha", "beta")} == {town.old}
    assert ("contoso-kv/client", "VersionHeld") in installation.open_findings()
    assert installation.release(VAULT, CLIENT) == "alpha"
    swept(installation)
    assert {town.settings(name)[PIN] for name in ("alpha", "beta")} == {new}


def test_app_that_failed_with_the_same_certificate_ends_its_hold(install: Install) -> None:
    """The hold of a certificate that was imported once more ends, too, if the app no longer names the certificate."""
    town, installation, new = an_app_failed(install)
    imported_again(town.world, CLIENT)
    renamed(town, settings={"FEATURE": "on"})
    swept(installation)
    assert town.settings("beta")[PIN] == new


@pytest.mark.parametrize("mended", [False, True], ids=["the site still fails", "the site serves it now"])
def test_same_certificate_stays_held_by_a_binding_that_failed(install: Install, *, mended: bool) -> None:
    """A site that served another certificate holds the same certificate as a new version, until the site serves it."""
    world, installation, new = held(install, mended=mended)
    imported_again(world, "web")
    installation.look_at(VAULT, "web")
    installation.deliver_all(HOUR)
    swept(installation)
    assert (shown(world)[SHOP].thumbprint == new) is mended
