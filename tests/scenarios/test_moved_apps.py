"""Check that no app of an environment is written off because Azure does not show it for a moment."""

from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.scripting.faults import Fault
from shared.domain.rollout.budget import MaxUnavailable
from tests.scenarios.conftest import Install
from tests.scenarios.environment_worlds import Hosted
from tests.scenarios.installation import Crash, Crasher, Installation

HOUR = timedelta(hours=1)


APP = "api"
"""The app that waits for its wave."""


def waving(install: Install, crasher: Crasher) -> tuple[Hosted, Installation]:
    """Return an environment in which Certroll has stopped and started a slot, and died before the wave of `APP`."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=MaxUnavailable(1))
    hosted.put_new()
    installation.sweep()
    with pytest.raises(Crash), crasher.crashing_at("/slots/staging/start"):
        installation.deliver_all(HOUR)
    installation.storage.break_leases()
    hosted.world.clock.advance(timedelta(minutes=1))
    assert hosted.trusting(hosted.new) == {"shop/staging"}
    return hosted, installation


def move(hosted: Hosted, name: str) -> None:
    """Move a site to another resource group, as an operator does: its id changes, and the running app goes on."""
    web, site = hosted.world.web, hosted.site(name)
    elsewhere = replace(site, resource_group=hosted.build.add_group("elsewhere").name)
    hosted.world.apps.move(site.id, elsewhere.id)
    web.sites.put(elsewhere.id, elsewhere)
    web.sites.remove(site.id)


def finished(hosted: Hosted, installation: Installation, sweeps: int = 3) -> None:
    """Run hourly sweeps, and deliver all messages after each."""
    for _ in range(sweeps):
        installation.sweep_everything()
        installation.deliver_all(HOUR)
        hosted.world.clock.advance(HOUR)


@pytest.mark.real_storage
def test_an_app_that_moves_before_its_wave_is_stopped_and_started(install: Install, crasher: Crasher) -> None:
    """An app that moves to another resource group while it waits for its wave is stopped and started there."""
    hosted, installation = waving(install, crasher)
    move(hosted, APP)
    finished(hosted, installation)
    assert hosted.trusting(hosted.new) == set(hosted.apps)


def test_an_app_that_is_between_two_groups_is_not_forgotten(install: Install, crasher: Crasher) -> None:
    """An app that Azure lists nowhere for some minutes, and then in another group, is stopped and started."""
    hosted, installation = waving(install, crasher)
    site = hosted.site(APP)
    hosted.world.web.sites.remove(site.id)
    installation.deliver_all(HOUR / 2)
    assert APP not in hosted.trusting(hosted.new)
    hosted.world.web.sites.put(site.id, site)
    move(hosted, APP)
    finished(hosted, installation)
    assert hosted.trusting(hosted.new) == set(hosted.apps)


def test_a_single_404_right_before_its_stop_writes_no_app_off(install: Install, crasher: Crasher) -> None:
    """If Azure once answers 404 for an app right before its stop, Certroll stops and starts the app later."""
    hosted, installation = waving(install, crasher)
    hosted.world.faults.add(Fault("missing", "GET", path=f"/sites/{APP}$", times=1))
    finished(hosted, installation)
    assert hosted.trusting(hosted.new) == set(hosted.apps)


def test_a_deleted_app_ends_the_round_after_an_hour(install: Install, crasher: Crasher) -> None:
    """A deleted app is a finding for an hour, and then the environment is done."""
    hosted, installation = waving(install, crasher)
    hosted.world.web.sites.remove(hosted.site(APP).id)
    installation.deliver_all(HOUR / 2)
    installation.sweep_everything()
    installation.deliver_all(HOUR / 4)
    assert any(reason == "NoSuchSite" for _, reason in installation.open_findings())
    finished(hosted, installation)
    assert not any(reason == "NoSuchSite" for _, reason in installation.open_findings())
    assert hosted.trusting(hosted.new) == set(hosted.apps) - {APP}


def test_an_app_for_which_azure_always_answers_404_holds_no_other(install: Install, crasher: Crasher) -> None:
    """If Azure lists an app and answers 404 for it, all other apps are stopped and started, and people are told."""
    hosted, installation = waving(install, crasher)
    hosted.world.faults.add(Fault("missing", "GET", path=f"/sites/{APP}$", times=None))
    finished(hosted, installation)
    assert hosted.trusting(hosted.new) == set(hosted.apps) - {APP}
    assert any(reason == "NoSuchSite" for _, reason in installation.open_findings())


def test_an_app_that_moves_while_it_is_stopped_starts_there(install: Install, crasher: Crasher) -> None:
    """An app that moves to another resource group between its stop and its start is started there."""
    hosted = Hosted(apps=3)
    installation = install(hosted.world, ase_max_unavailable=MaxUnavailable(1))
    hosted.put_new()
    installation.sweep()
    with pytest.raises(Crash), crasher.crashing_at(f"/sites/{APP}/stop"):
        installation.deliver_all(HOUR)
    installation.storage.break_leases()
    assert hosted.site(APP).state == "Stopped"
    move(hosted, APP)
    installation.minutes(3)
    assert hosted.site(APP).state == "Running"
