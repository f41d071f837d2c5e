"""Check updates of app settings by a process that dies at any write, or whose journal is lost."""

from datetime import timedelta

import pytest

from local.azure.watching.app_watch import AppWatch
from tests.scenarios.app_worlds import CLIENT, LIST, PATH, Street, age, owned, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crash, Crasher, Installation
from tests.scenarios.worlds import VAULT
from tests.soaking import crashes

HOURS = timedelta(hours=6)
MOST_WRITES, FEWEST_WRITES, FEWEST_WRITES_BACK = 120, 12, 8
WRITES = [
    pytest.param(crashes(MOST_WRITES), id="in memory"),
    pytest.param(crashes(MOST_WRITES, first=3, step=10), id="on Azurite", marks=pytest.mark.real_storage),
]
"""The writes at which a process dies."""


def deliver_dying(installation: Installation, crasher: Crasher, write: int) -> bool:
    """Deliver all messages, with a crash after the given write; return True if the crash happened.

    If Certroll crashed, the test runs Certroll's sweep an hour later.
    """
    died = False
    with crasher.crashing_after(write):
        try:
            installation.deliver_all(HOURS)
        except Crash:
            died = True
    if died:
        installation.storage.break_leases()
        installation.deliver_all(timedelta(hours=1))
        installation.sweep()
        installation.deliver_all(timedelta(hours=1))
    return died


def roll_dying(
    install: Install, crasher: Crasher, write: int, *, refused: bool
) -> tuple[Street, Installation, str, bool]:
    """Return a fleet whose app got the new version with a crash at the given write, and whether the crash happened."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    if refused:
        town.partner.accept_only(town.old)
    with AppWatch(town.world) as watch:
        new = town.renew()
        installation.look_at(VAULT, CLIENT)
        if refused:  # with `refused=False` the test covers crashes before the write
            installation.deliver_all(timedelta(seconds=30))
        died = deliver_dying(installation, crasher, write)
    assert installation.errors == [], f"after a crash at write {write}"
    assert refused or watch.troubles == [], f"after a crash at write {write}"
    return town, installation, new, died


@pytest.mark.parametrize("deaths", WRITES)
def test_a_crash_after_any_write_leads_to_the_same_end(install: Install, crasher: Crasher, deaths: range) -> None:
    """After a crash at any write the app uses the new version, with at most one extra restart and no failed call."""
    for write in deaths:
        town, installation, new, died = roll_dying(install, crasher, write, refused=False)
        assert town.settings("billing")[LIST] == f"{town.old},{new}", f"after a crash at write {write}"
        assert town.settings("billing")[PATH].endswith(f"{new}.p12"), f"after a crash at write {write}"
        assert installation.rolls() == {"billing": "Validated"}, f"after a crash at write {write}"
        assert town.restarts("billing") <= 1 + 1, f"after a crash at write {write}"
        if not died:
            assert write > FEWEST_WRITES, "hardly anything was written: the loop did not look"
            return
    pytest.fail(f"{MOST_WRITES} writes and no end: the loop did not see them all")


@pytest.mark.parametrize("deaths", WRITES)
def test_a_crash_on_the_way_back_leads_to_the_last_good_values(
    install: Install, crasher: Crasher, deaths: range
) -> None:
    """If Certroll crashes at any write while it restores an app's old settings, the next runs finish the restoring."""
    for write in deaths:
        town, installation, _, died = roll_dying(install, crasher, write, refused=True)
        before = owned({LIST: town.old, PATH: f"/var/ssl/private/{town.old}.p12"})
        assert town.settings("billing") == before, f"after a crash at write {write}"
        assert installation.rolls() == {"billing": "RolledBack"}, f"after a crash at write {write}"
        assert town.restarts("billing") <= 2 + 1, f"after a crash at write {write}"
        if not died:
            assert write > FEWEST_WRITES_BACK, "hardly anything was written: the loop did not look"
            return
    pytest.fail(f"{MOST_WRITES} writes and no end: the loop did not see them all")


@pytest.mark.parametrize("minutes", [0, 1, 10])
def test_a_lost_journal_is_rebuilt_on_the_safe_side(install: Install, minutes: int) -> None:
    """If the journal is lost during a settings update, the app ends on the new version without a second restart."""
    town = street()
    town.linux_app("billing")
    installation = install(age(town).world)
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(timedelta(minutes=minutes))
    installation.storage.drop("certrolljournal")
    installation.deliver_all(HOURS)
    installation.sweep()
    installation.deliver_all(HOURS)
    assert installation.errors == []
    assert town.settings("billing")[LIST] == f"{town.old},{new}"
    assert installation.rolls() == {"billing": "Validated"}
    assert town.restarts("billing") == 1


def test_a_lost_hold_is_found_again(install: Install) -> None:
    """If the journal forgets a failed version, the version fails again on one app, which gets old settings back."""
    town = street()
    town.linux_app("billing")
    town.linux_app("shipping")
    installation = install(age(town).world)
    before = town.settings("shipping")
    town.partner.accept_only(town.old)
    town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    installation.storage.drop("certrolljournal")
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.settings("billing") == town.settings("shipping") == before
    assert list(installation.rolls().values()) == ["RolledBack"]


def test_an_overlap_without_a_record_that_fails_has_nothing_to_go_back_to(install: Install) -> None:
    """Certroll only reports a failing app whose owner wrote the new version into the settings by hand."""
    town = street()
    app = town.linux_app("billing")
    installation = install(age(town).world)
    new = town.renew()
    town.world.nightly_sync()
    both = {LIST: f"{town.old},{new}", PATH: f"/var/ssl/private/{new}.p12"}
    town.world.meddle(town.site("billing"), edit=lambda settings: {**settings, **both})
    app.broken = True
    before = town.settings("billing")
    installation.sweep()
    installation.deliver_all(HOURS)
    assert town.settings("billing") == before
    assert installation.rolls() == {"billing": "Unproven"}
    assert ("app billing", "NotAskedBefore") in installation.findings()
