"""Check that a run changes no host name of another certificate, and no app after the version has failed."""

from datetime import timedelta

import pytest

from local.azure.scripting.knobs import Knobs
from local.worlds.builders import Builder
from tests.scenarios.app_worlds import CLIENT, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import AGE, MOVING, NAME, VAULT, after_renewal, renew, shown, small_world

HOURS = timedelta(hours=6)


@pytest.mark.real_storage
def test_host_name_that_may_be_another_certificates_stays_while_its_site_moves(install: Install) -> None:
    """Certroll moves only host names that surely belong to the certificate, and no ambiguous host name.

    Certroll's run for one site does not read the certificates of other vault objects. Certroll's run for one site
    changes only the host names that the run for the certificate recorded in the journal.
    """
    world = small_world(Knobs(sync_moves_bindings=False))
    build, vault = Builder(world), world.vaults[VAULT]
    windows = next(plan for plan in world.web.plans.values() if not plan.linux)
    shared = vault.certificates[NAME].newest
    build.add_certificate("twin", ("*.contoso.com", "contoso.com"))
    vault.certificates["twin"].versions[:] = [shared]
    build.add_copy("twin", windows)
    renew(world)
    world.nightly_sync()
    shop = next(site for site in world.web.sites.values() if site.full_name == "shop")
    build.add_host(shop, "www.contoso.com", shared)
    world.clock.advance(AGE)
    installation = install(world)
    before, new = shown(world), renew(world)
    installation.look_at(VAULT, NAME)
    installation.deliver_all(HOURS)
    assert shown(world) == after_renewal(before, new, tuple(name for name in MOVING if name != "www.contoso.com"))
    assert ("binding www.contoso.com of shop", "AmbiguousLineage") in installation.findings()


def test_app_that_was_told_to_go_is_not_written_once_the_version_failed(install: Install) -> None:
    """If the version fails on the first of two waiting apps, the second app keeps its settings and does not restart."""
    town = street()
    names = ("a", "b", "c")
    for name in names:
        town.linux_app(name)
    installation = install(age(town).world, max_restarts=1)
    before = {name: town.settings(name) for name in names}
    town.renew()
    installation.look_at(VAULT, CLIENT)
    while list(installation.rolls().values()).count("Stale") != 2:
        message = installation.queue.take(town.world.clock.now() + HOURS)
        assert message is not None
        installation.deliver(message)
    (first,) = (name for name, state in installation.rolls().items() if state == "Validated")
    town.partner.accept_only(town.old)
    installation.deliver_all(HOURS)
    told = {name: state for name, state in installation.rolls().items() if name != first}
    assert sorted(told.values()) == ["Refused", "RolledBack"]
    excluded = next(name for name, state in told.items() if state == "Refused")
    assert town.restarts(excluded) == 0
    assert town.settings(excluded) == before[excluded]
    assert (f"{VAULT}/{CLIENT}", "VersionHeld") in installation.open_findings()
