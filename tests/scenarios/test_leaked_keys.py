"""Check the way out of a leaked key: an operator issues a new version, and disables the version in use."""

import json
import logging
from datetime import timedelta

import pytest

from local.azure.world import World
from local.stand import Stand
from tests.scenarios.app_worlds import CLIENT, LIST, PATH, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.test_uploads import one_upload
from tests.scenarios.test_uploads import renew as renew_upload
from tests.scenarios.worlds import NAME, VAULT, after_renewal, renew, shown, small_world

HOURS = timedelta(hours=6)
LONG_SOAK = timedelta(days=2)


def disable_in_use(world: World, name: str) -> None:
    """Disable the version that the newest version of the vault certificate supersedes."""
    world.vaults[VAULT].certificates[name].versions[-2].enabled = False


@pytest.mark.parametrize("leaked", [True, False], ids=["the old version is disabled", "the old version is enabled"])
def test_a_disabled_version_leaves_every_webspace_without_the_soak(
    install: Install, stand: Stand, monkeypatch: pytest.MonkeyPatch, *, leaked: bool
) -> None:
    """If nothing proves the first webspace, the others wait for the soak, unless the old version is disabled."""
    world = small_world()
    installation = install(world, stage_soak=LONG_SOAK)
    monkeypatch.setattr(stand.proxy, "resolve", lambda _: None)
    before, new = shown(world), renew(world)
    if leaked:
        disable_in_use(world, NAME)
    installation.look_at(VAULT, NAME)
    installation.deliver_all(HOURS)
    moved = after_renewal(before, new) if leaked else after_renewal(before, new, ("api.contoso.com",))
    assert shown(world) == moved
    assert installation.errors == []


@pytest.mark.real_storage
def test_apps_leave_a_disabled_version_at_once_and_keep_nothing_of_it(install: Install) -> None:
    """Apps without a probe do not wait for each other, and neither their lists nor App Service keep the old version."""
    town = street()
    town.linux_app("alpha", tags={})
    town.linux_app("beta", tags={})
    installation = install(age(town).world, stage_soak=LONG_SOAK)
    new = town.renew()
    disable_in_use(town.world, CLIENT)
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert installation.rolls() == {"alpha": "Unproven", "beta": "Unproven"}
    for app in ("alpha", "beta"):
        assert town.settings(app)[LIST] == new
        assert town.settings(app)[PATH] == f"/var/ssl/private/{new}.p12"
    assert town.kept() == []
    assert town.old not in {copy.thumbprint for copy in town.world.web.certificates.values()}


def test_a_version_that_is_disabled_after_the_roll_leaves_lists_and_app_service(install: Install) -> None:
    """If the old version is disabled only later, a sweep takes it out of the lists and deletes the kept copy."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert town.settings("billing")[LIST] == f"{town.old},{new}"
    assert [copy.thumbprint for copy in town.kept()] == [town.old]
    disable_in_use(town.world, CLIENT)
    for _ in range(3):
        installation.sweep()
        installation.deliver_all(HOURS)
    assert town.settings("billing")[LIST] == new
    assert town.kept() == []
    assert installation.errors == []


def test_no_failure_brings_a_disabled_version_back(install: Install) -> None:
    """An app that fails with the new version does not go back to a disabled version, and Certroll reports the app."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    town.partner.accept_only(town.old)
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(seconds=30))
    assert new in town.settings("billing")[LIST]
    disable_in_use(town.world, CLIENT)
    installation.deliver_all(HOURS)
    assert installation.rolls() == {"billing": "NoLastGood"}
    assert town.settings("billing")[PATH] == f"/var/ssl/private/{new}.p12"
    assert ("app billing", "NoLastGood") in installation.findings()
    assert "the old version is disabled in the vault" in installation.details()


def test_one_cause_is_one_finding_for_a_failed_app(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """Only `NoLastGood` and the hold of the version open if Certroll cannot restore an app."""
    caplog.set_level(logging.INFO, logger="certroll")
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    town.partner.accept_only(town.old)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(seconds=30))
    disable_in_use(town.world, CLIENT)
    for _ in range(3):
        installation.sweep()
        installation.deliver_all(HOURS)
    lines = [json.loads(line) for line in caplog.messages]
    told = {(line["subject"], line["reason"]) for line in lines if line["event"] == "finding.reported"}
    about = {pair for pair in told if "billing" in pair[0] or pair[1] == "VersionHeld"}
    assert about == {("app billing", "NoLastGood"), (f"{VAULT}/{CLIENT}", "VersionHeld")}
    assert about <= installation.open_findings()
    assert [line for line in lines if line["event"] == "finding.closed" and line["reason"] != "NoOverlap"] == []


def test_a_disabled_version_of_a_plain_secret_is_replaced_by_its_successor(install: Install) -> None:
    """Certroll replaces the upload of a secret's disabled version, whose thumbprint the process read before."""
    world = one_upload("secret")
    installation = install(world)
    installation.sweep()
    world.clock.advance(timedelta(hours=1))
    new = renew_upload(world)
    world.vaults[VAULT].secrets[NAME].versions[-2].enabled = False
    installation.look_at(VAULT, NAME, kind="secret")
    installation.deliver_all(HOURS)
    assert {host.thumbprint for host in shown(world).values()} == {new}
    assert installation.errors == []
