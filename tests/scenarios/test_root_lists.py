"""Rolling roots through the root lists of apps in an App Service Environment, as the owners of apps would see it."""

from datetime import timedelta

from local.azure.app_watch import AppWatch
from local.azure.vault.authority import Authority
from shared.domain.messages import Cause
from tests.scenarios.app_worlds import owned
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.root_worlds import ROOT, ROOTS, Hosted, two_apps_and_a_slot
from tests.scenarios.worlds import VAULT, writes

HOURS = timedelta(hours=6)


def roll(town: Hosted, installation: Installation, fresh: Authority | None = None, **tags: str) -> str:
    """Put a new root into the vault, deliver everything, and return its thumbprint."""
    new = town.renew(fresh, **tags)
    installation.look_at(VAULT, ROOT, Cause.EVENT, "secret")
    installation.deliver_all(HOURS)
    assert installation.errors == []
    return new


def test_a_root_rolls_over_in_the_lists_of_two_apps_and_a_slot(install: Install) -> None:
    """Old and new stand beside each other everywhere, each app restarted once, and the partner may move."""
    town = two_apps_and_a_slot()
    installation = install(town.world)
    fresh = Authority("Corp 2")
    with AppWatch(town.world) as watch:
        new = roll(town, installation, fresh)
        assert town.settings("billing") == owned({ROOTS: f"{town.old},{new}"})
        assert town.settings("billing/staging") == owned({ROOTS: f"{town.old},{new}"})
        assert town.settings("orders") == owned({ROOTS: f"{'ab' * 20},{town.old.lower()},{new}"})
        town.partner.move_to(fresh)
    assert watch.troubles == []
    assert town.restarts() == {"billing": 1, "orders": 1, "billing/staging": 1}
    assert installation.rolls() == dict.fromkeys(("billing", "billing/staging", "orders"), "Validated")
    assert sorted(map(len, map(town.public, town.restarts()))) == [0, 1, 1]
    assert writes(town.world) == 1 + 3
    assert installation.sweep() == ()
