"""These tests check that the simulated fleet Northwind, with an App Service Environment, matches its description."""

import http.client
import json

import pytest

from local.azure.vault.authority import Authority
from local.azure.web.resources import RUNNING
from local.azure.world import World
from local.patience import HANG
from local.stand import Stand
from local.worlds import northwind as names
from local.worlds.builders import Builder
from local.worlds.named import WORLDS
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


def ask(stand: Stand, path: str, payload: object) -> tuple[int, dict[str, str]]:
    """Send one POST to the control port, and return the status and JSON of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", stand.control.port, timeout=HANG)
    connection.request("POST", path, json.dumps(payload))
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def test_its_root_renews_as_the_root_of_a_new_authority(world: World) -> None:
    """A renewal of the root at the control port brings the root of a new authority, to which the partner can move.

    Apps that were started without the new root then distrust the partner.
    """
    wanted = {"vault": names.VAULT, "name": names.ROOT}
    with Stand(world) as stand:
        status, refused = ask(stand, f"/partners/{names.PARTNER}/move", wanted)
        assert (status, names.ROOT in refused["error"]) == (400, True), "the root is not renewed yet"
        before = world.vaults[names.VAULT].secrets[names.ROOT].newest
        assert ask(stand, f"/vaults/{names.VAULT}/secrets/{names.ROOT}/renew", {})[0] == 200
        assert world.apps.troubles() == ()
        assert ask(stand, f"/partners/{names.PARTNER}/move", wanted)[0] == 200
        status, refused = ask(stand, "/partners/nobody/move", wanted)
    assert (status, refused["error"]) == (
        400,
        f"There is no partner server named 'nobody'; there are: {names.PARTNER}.",
    )
    root = world.vaults[names.VAULT].secrets[names.ROOT].newest
    assert root.leaf.is_root
    assert root.is_pem
    assert root.thumbprint != before.thumbprint
    assert root.leaf.certificate.subject.rfc4514_string() == f"CN=Northwind {world.clock.now().year} Root CA"
    (partner,) = world.apps.partners.values()
    assert partner.is_trusted_with((root.leaf.der,))
    assert not partner.is_trusted_with((before.leaf.der,))
    assert len(world.apps.troubles()) == 2 * (len(world.apps.all()) - 1)


@pytest.mark.parametrize("form", ["pem", "der", "certificate"])
def test_a_root_keeps_its_form(form: str) -> None:
    """A renewed root is in the form of the root before: PEM, DER, or a vault certificate with its key."""
    build = Builder()
    vault = build.add_vault("kv", build.add_group("security"))
    old = build.add_root_object("root", Authority("Private 2019").root_leaf, form=form)  # type: ignore[arg-type]  # every form
    new = vault.renew("root") if form == "certificate" else vault.renew_secret("root")
    assert new.leaf.is_root
    assert new.thumbprint != old.thumbprint
    assert getattr(new, "is_pem", None) == getattr(old, "is_pem", None)
    assert vault.successors.authority(new.thumbprint) is not None
