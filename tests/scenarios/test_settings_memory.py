"""Check that Certroll reads app settings only after they changed, and writes nothing from what it remembers."""

from collections import Counter
from datetime import timedelta

import pytest

from local.azure.scripting.knobs import Knobs
from local.azure.world import World
from tests.scenarios.app_worlds import CLIENT, LIST, PIN, Street, age, owned, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.test_cleanup import names, renewed, unlist, uploaded_world
from tests.scenarios.worlds import VAULT

HOUR, HOURS = timedelta(hours=1), timedelta(hours=6)
READ = "/config/appsettings/list"
MOMENTS = pytest.mark.parametrize("moves", [True, False], ids=["writes move the moment", "writes move no moment"])


def reads(world: World) -> Counter[str]:
    """Return how often Certroll read the settings of each site and slot since the last call, and begin again."""
    found = Counter(
        entry.path.removesuffix(READ).rpartition("/sites/")[2]
        for entry in world.journal.entries()
        if entry.path.endswith(READ)
    )
    world.journal.clear()
    return found


def quiet_street(apps: int, knobs: Knobs | None = None) -> Street:
    """Return a fleet in which nothing is stale and some apps name the current certificate."""
    town = street(knobs)
    for number in range(apps):
        named = {LIST: town.old, PIN: town.old} if number % 2 else {"LOG": "on"}
        town.build.add_site(f"app{number:02}", town.linux, settings=owned(named))
    return age(town)


def edit(town: Street, name: str, **settings: str) -> None:
    """Change settings of an app, as the owner of the app does."""
    town.world.meddle(town.site(name), edit=lambda values: {**values, **settings})


def test_unchanged_settings_are_read_once_a_day(install: Install) -> None:
    """A sweep reads no settings that did not change, and within a day it reads each app's settings once."""
    town = quiet_street(24)
    town.build.add_slot(town.site("app01"), "staging", settings={LIST: town.old})
    installation = install(town.world)
    installation.sweep()
    everything = {*(f"app{number:02}" for number in range(24)), "app01/slots/staging"}
    assert reads(town.world) == dict.fromkeys(everything, 1)
    installation.sweep()
    assert reads(town.world) == {}
    hourly = []
    for _ in range(24):
        installation.clock.advance(HOUR)
        installation.sweep()
        hourly.append(reads(town.world))
    assert sum(hourly, Counter()) == dict.fromkeys(everything, 1)
    assert max(map(len, hourly)) <= 6, "the reads are spread over the day"


@pytest.mark.real_storage
def test_changed_settings_are_read_at_the_next_sweep(install: Install) -> None:
    """A sweep reads the settings of the one app whose settings somebody changed since the sweep before."""
    town = quiet_street(5)
    installation = install(town.world)
    installation.sweep()
    edit(town, "app02", LOG="off")
    reads(town.world)
    installation.sweep()
    assert reads(town.world) == {"app02": 1}
    installation.sweep()
    assert reads(town.world) == {}


def test_the_setting_turns_the_memory_off(install: Install) -> None:
    """With CERTROLL_SETTINGS_REREAD=0 each sweep reads all settings, and Certroll stores none."""
    town = quiet_street(3)
    installation = install(town.world, settings_reread=timedelta(0))
    installation.sweep()
    installation.sweep()
    assert reads(town.world) == dict.fromkeys(("app00", "app01", "app02"), 2)
    assert installation.rows("certrollsettings") == []


def test_apps_that_are_gone_are_forgotten(install: Install) -> None:
    """Certroll forgets the settings of sites and slots that somebody deleted, and of no others."""
    town = quiet_street(3)
    town.build.add_slot(town.site("app01"), "staging", settings={LIST: town.old})
    installation = install(town.world)
    installation.sweep()
    for name in ("app00", "app01/staging"):
        town.world.web.sites.remove(town.site(name).id)
    installation.sweep()
    assert {str(row["site"]).rpartition("/")[2] for row in installation.rows("certrollsettings")} == {"app01", "app02"}


def test_no_secret_is_remembered(install: Install) -> None:
    """The table of remembered settings has no value of 40 hex digits, which may be a secret, alone or within a text."""
    town = street()
    marker, inside, key = "5EC2E7" + "0" * 34, "5EC2E7" + "1" * 34, "5EC2E7" + "2" * 34
    settings = {LIST: town.old, "KEY": marker, "LOWER": key.lower(), "URL": f"https://x/?key={inside}&b", PIN: town.old}
    town.app("billing", settings, setting=PIN)
    installation = install(age(town).world)
    for _ in range(2):
        installation.sweep()
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    installation.sweep()
    kept = str(installation.rows("certrollsettings")).upper()
    assert "BILLING" in kept
    assert "5EC2E7" not in kept
    assert "MARKER-7F3A" not in kept


@MOMENTS
def test_app_that_names_the_old_version_since_a_sweep_keeps_it(install: Install, moves: bool) -> None:  # noqa: FBT001
    """A sync takes no version away from an app that names it only since the last sweep, whatever Azure's moments do."""
    town = street(Knobs(settings_write_moves_modified=moves))
    town.app("billing", {"LOG": "on"}, setting=PIN)
    installation = install(age(town).world)
    installation.sweep()
    edit(town, "billing", **{LIST: town.old, PIN: town.old})
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert [copy.thumbprint for copy in town.kept()] == [town.old]
    assert town.settings("billing")[LIST] == f"{town.old},{new}"
    assert installation.rolls() == {"billing": "Validated"}
    assert town.world.apps.troubles() == ()


@MOMENTS
@pytest.mark.parametrize("naming", ["a list", "everything", "a mention"])
def test_app_that_names_an_upload_since_a_sweep_keeps_it(install: Install, moves: bool, naming: str) -> None:  # noqa: FBT001
    """Certroll deletes no upload that an app names, loads or mentions only since the last sweep."""
    world = uploaded_world()
    world.knobs.turn(settings_write_moves_modified=moves)
    old = world.vaults[VAULT].certificates["web"].newest.thumbprint
    installation = renewed(install, world, delete_grace=timedelta(days=10))
    unlist(world, old)
    installation.clock.advance(timedelta(days=9))
    installation.sweep()
    installation.deliver_all()
    assert names(world) == {"by-hand", "ours"}
    value = {"a list": old, "everything": "*", "a mention": ""}[naming]
    quiet = next(site for site in world.web.sites.values() if site.name == "quiet")
    named = {LIST: value} if value else {"URL": f"https://vault.example/{old}/pfx"}
    world.meddle(quiet, edit=lambda values: {**values, **named})
    installation.clock.advance(timedelta(days=1, hours=1))
    installation.look_at(VAULT, "web")
    installation.deliver_all()
    assert names(world) == {"by-hand", "ours"}
    assert deletions(world) == 0, "Certroll plans no deletion, instead of refusing it at the last moment"


def deletions(world: World) -> int:
    """Return how often Certroll asked Azure to delete a certificate."""
    return sum(entry.method == "DELETE" for entry in world.journal.entries())


def test_app_that_names_a_stale_version_is_found_within_a_day(install: Install) -> None:
    """If a settings write moves no moment, Certroll finds the change within a day and brings the app up to date."""
    town = street(Knobs(settings_write_moves_modified=False))
    town.app("billing", {"LOG": "on"}, setting=PIN)
    town.app("other", {LIST: town.old, PIN: town.old}, setting=PIN)
    installation = install(age(town).world)
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    installation.sweep()
    edit(town, "billing", **{LIST: town.old, PIN: town.old})
    for _ in range(24):
        installation.clock.advance(HOUR)
        installation.sweep()
        installation.deliver_all(timedelta(minutes=50))
    installation.deliver_all(HOURS)
    assert town.settings("billing")[PIN] == new
    assert installation.errors == []


@MOMENTS
def test_own_write_is_no_surprise(install: Install, moves: bool) -> None:  # noqa: FBT001
    """After Certroll rolled an app, the next sweeps find nothing to do, whether or not the write moved the moment."""
    town = street(Knobs(settings_write_moves_modified=moves))
    town.linux_app("billing")
    installation = install(age(town).world)
    installation.sweep()
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    written = rolled_settings(installation)
    for _ in range(3):
        assert installation.sweep() == ()
        installation.deliver_all(HOURS)
    assert rolled_settings(installation) == written
    assert installation.rolls() == {"billing": "Validated"}


def rolled_settings(installation: Installation) -> int:
    """Return how often somebody wrote app settings."""
    paths = (entry for entry in installation.world.journal.entries() if entry.method == "PUT")
    return sum(entry.path.endswith("/config/appsettings") for entry in paths)
