"""These tests check that the simulated fleet Northwind, with an App Service Environment, matches its description."""

import pytest

from local.azure.web.resources import RUNNING
from local.azure.world import World
from local.stand import WORLDS
from local.worlds import northwind as names
from local.worlds.northwind import northwind, put_next_root


@pytest.fixture
def world() -> World:
    """Build the simulated fleet Northwind again for each test."""
    return northwind()


def test_it_can_be_chosen_by_name() -> None:
    """The control port and `--world` can load the simulated fleet `northwind` by its name."""
    assert WORLDS["northwind"] is northwind


def test_every_app_trusts_its_partner_at_first(world: World) -> None:
    """No app of the simulated fleet Northwind fails at the start.

    One site of the simulated fleet Northwind is stopped, and another site has opted out of Certroll.

    The two sites with the tag `certroll-group` in the simulated fleet Northwind are on different plans.
    """
    assert world.apps.troubles() == ()
    sites = {site.full_name: site for site in world.web.sites.values()}
    assert {name for name, site in sites.items() if site.state != RUNNING} == {names.STOPPED_SITE}
    assert {name for name, site in sites.items() if site.tags.get("certroll") == "off"} == {names.EXCLUDED}
    grouped = {site.plan_id for name, site in sites.items() if name in names.GROUP and "certroll-group" in site.tags}
    assert len(grouped) == len(names.GROUP)
    assert len(sites) == 9


def test_the_next_root_is_in_the_vault_alone(world: World) -> None:
    """The demo first puts a new root certificate into the vault, and nowhere else.

    Before Certroll adds the new root, the running apps distrust a partner server with a certificate of that root.
    """
    coming = put_next_root(world)
    assert world.vaults[names.VAULT].secrets[names.ROOT].newest.thumbprint == coming.root_leaf.thumbprint
    assert {root.thumbprint for root in world.web.roots.values()} != {coming.root_leaf.thumbprint}
    (partner,) = world.apps.partners.values()
    partner.move_to(coming)
    assert len(world.apps.troubles()) == 2 * (len(world.apps.all()) - 1), "each in its process and in a new one"
