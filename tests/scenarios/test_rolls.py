"""Rolling thumbprints through app settings, as the owner of an app would see it."""


from local.azure.app_watch import AppWatch
from tests.scenarios.app_worlds import CLIENT, LIST, PATH, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.worlds import VAULT


def test_a_linux_app_gets_both_versions_and_uses_the_new_one(install: Install) -> None:
    """The list holds old and new, the pin names the new one, the app restarted once, and its call never failed."""
    town = street()
    town.linux_app("billing")
    age(town)
    installation = install(town.world)
    with AppWatch(town.world) as watch:
        new = town.renew()
        installation.look_at(VAULT, CLIENT)
        installation.deliver_all()
    assert installation.errors == []
    assert town.settings("billing")[LIST] == f"{town.old},{new}"
    assert town.settings("billing")[PATH] == f"/var/ssl/private/{new}.p12"
    assert town.restarts("billing") == 1
    assert watch.troubles == []
    assert installation.rolls() == {"billing": "Validated"}
