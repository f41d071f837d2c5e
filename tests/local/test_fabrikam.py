"""These tests check that the simulated fleet Fabrikam contains each kind of certificate that its description lists."""

from datetime import timedelta

import pytest

from local.azure.principals import APP_SERVICE
from local.azure.vault.objects import VaultDenied
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import IP_BASED, Host, Site
from local.azure.world import World
from local.worlds import fabrikam as names
from local.worlds.fabrikam import fabrikam
from local.worlds.named import WORLDS


@pytest.fixture(scope="module")
def world() -> World:
    """Build the simulated fleet Fabrikam once for all tests of this module."""
    return fabrikam()


def host_of(world: World, name: str) -> tuple[Site, Host]:
    """Return the site that has that host name, and the host name's binding."""
    site = world.web.site_with_host(name)
    assert site is not None
    return site, site.hosts[name]


def shown_by(world: World, name: str) -> Certificate:
    """Return the certificate that a host name is bound to."""
    site, host = host_of(world, name)
    (found,) = (copy for copy in world.web.certificates_for(site) if copy.thumbprint == host.thumbprint)
    return found


def test_it_can_be_chosen_by_name() -> None:
    """The control port and `--world` can load the simulated fleet `fabrikam` by its name."""
    assert WORLDS["fabrikam"] is fabrikam


@pytest.mark.parametrize(
    ("host", "vault", "imported"),
    [
        ("www.fabrikam.com", names.VAULT, True),
        ("shop.fabrikam.com", None, False),
        ("legacy.fabrikam.com", None, False),
        ("forms.fabrikam.com", None, False),
        ("api.fabrikam.com", names.VAULT, True),
        ("portal.fabrikam.com", names.ORDERS_VAULT, True),
        ("store.fabrikam.com", names.ORDERS_VAULT, True),
        ("jobs.fabrikam.com", names.VAULT, True),
    ],
)
def test_each_kind_is_bound_to_what_covers_it(world: World, host: str, vault: str | None, imported: bool) -> None:  # noqa: FBT001
    """Each bound host name of the simulated fleet Fabrikam is served with a certificate that covers the host name.

    An imported certificate names its vault, and an uploaded certificate names none.
    """
    certificate = shown_by(world, host)
    assert certificate.covers(host)
    assert (certificate.source is not None) is imported
    assert vault is None or (certificate.source and certificate.source.vault_id.endswith(f"/{vault}"))
    served = world.web.served(host, world.web.address_of(host) or "")
    assert served is not None
    assert served.thumbprint == certificate.thumbprint


def test_what_renews_is_in_use_and_nothing_is_expired(world: World) -> None:
    """Every certificate that the demo renews in the simulated fleet is in use, and no bound certificate has expired."""
    used = {copy.thumbprint for copy in world.web.all_certificates()}
    used |= {copy.thumbprint for copy in world.web.public_certificates.values()}
    for vault, name in world.renewing:
        found = world.vaults[vault].secret(name)
        assert found is not None
        assert found.newest.thumbprint in used, name
    for site in world.web.sites.values():
        for host in (candidate for candidate in site.hosts.values() if candidate.is_bound):
            assert shown_by(world, host.name).content.not_after > world.clock.now()


def test_the_upload_is_ip_based_and_pinned(world: World) -> None:
    """The uploaded shop certificate has an IP-based binding, and the setting of an app names its thumbprint."""
    _, host = host_of(world, "shop.fabrikam.com")
    assert host.ssl_state == IP_BASED
    (orders,) = (site for site in world.web.sites.values() if site.name == "orders-fabrikam")
    assert orders.settings[names.PIN_SETTING] == host.thumbprint


def test_uploads_are_what_cannot_be_imported(world: World) -> None:
    """The simulated fleet has uploads of two certificates that App Service cannot import (an EC key, a PEM secret)."""
    vault = world.vaults[names.VAULT]
    assert vault.certificates[names.LEGACY].newest.leaf.key_type == "EC"
    assert vault.secrets[names.FORMS].newest.is_pem


def test_the_apps_are_well_and_follow_their_certificates() -> None:
    """No app of the simulated fleet Fabrikam fails at the start.

    An app of the simulated fleet Fabrikam trusts the signer's current certificate.

    A partner server of the simulated fleet Fabrikam accepts the renewed shop certificate.
    """
    world = fabrikam()
    assert world.apps.troubles() == ()
    trusted = {process.trusted for app in world.apps.all() for process in app.answering(world.clock.now())}
    assert world.vaults[names.VAULT].certificates[names.SIGNER].newest.thumbprint in trusted
    new = world.vaults[names.VAULT].renew(names.SHOP)
    assert world.apps.partners["contoso.partner.example"].accepts(new.imported())


def test_one_order_is_renewed_when_asked_and_one_waits_for_its_domain() -> None:
    """A renewal issues a certificate only for the order whose domain was recently verified."""
    world = fabrikam()
    orders = {order.name: order for order in world.orders}
    before = {name: order.serial for name, order in orders.items()}
    assert orders[names.WAITS].status == "Pendingissuance"
    world.orders.begin(orders[names.RENEWS], "renew")
    world.clock.advance(timedelta(hours=1))
    world.orders.settle()
    assert (orders[names.RENEWS].status, orders[names.WAITS].status) == ("Issued", "Pendingissuance")
    assert {name for name, order in orders.items() if order.serial != before[name]} == {names.RENEWS}
    (stored,) = orders[names.RENEWS].stored.values()
    assert len(world.vaults[names.ORDERS_VAULT].secrets[stored.secret_name.lower()].versions) == 2


def test_dns_allows_one_managed_certificate_and_forbids_two(world: World) -> None:
    """DNS lets Azure issue a managed certificate for only one of the fleet's three unbound host names.

    A CAA record forbids a managed certificate for the second unbound host name. The CNAME of the third unbound host
    name does not lead to its site.
    """
    hosts = (names.MANAGED_HOST, names.FORBIDDEN_HOST, names.LEADS_AWAY)
    trouble = {name: world.managed.dns_trouble(host_of(world, name)[0], name) for name in hosts}
    assert trouble[names.MANAGED_HOST] is None
    assert "CAA" in str(trouble[names.FORBIDDEN_HOST])
    assert "CNAME" in str(trouble[names.LEADS_AWAY])
    assert not any(host_of(world, name)[1].is_bound for name in hosts)
    assert host_of(world, names.MANAGED_HOST)[0].tags["certroll-managed"] == "on"


def test_imports_are_missing_and_one_vault_is_closed(world: World) -> None:
    """Two vault certificates of the fleet are not imported, and App Service may read only one of their two vaults."""
    held = {copy.source.secret_name for copy in world.web.all_certificates() if copy.source}
    assert held.isdisjoint({names.INTRANET, names.EXCHANGE})
    assert world.vaults[names.VAULT].newest_importable(names.INTRANET, APP_SERVICE)
    with pytest.raises(VaultDenied):
        world.vaults[names.CLOSED_VAULT].newest_importable(names.EXCHANGE, APP_SERVICE)


def test_two_uploads_are_superseded_and_used_by_nobody(world: World) -> None:
    """The simulated fleet Fabrikam has two unused uploads whose newer versions are more than thirty days old.

    Certroll made the first of the two unused uploads, as the upload's name and tag show. An operator made the second of
    the two unused uploads.
    """
    old = {copy.name: copy for copy in world.web.certificates.values() if copy.content.not_after < world.clock.now()}
    (own,) = (copy for name, copy in old.items() if name.startswith("certroll-"))
    assert set(old) == {own.name, names.THEIRS}
    assert own.tags == {"certroll-lineage": f"{names.VAULT}/{names.WWW}"}
    named = " ".join(value for site in world.web.sites.values() for value in site.settings.values())
    bound = {host.thumbprint for site in world.web.sites.values() for host in site.hosts.values()}
    for name, copy in ((names.WWW, own), (names.SHOP, old[names.THEIRS])):
        first, second = world.vaults[names.VAULT].certificates[name].versions
        assert copy.thumbprint == first.thumbprint
        assert world.clock.now() - second.created > timedelta(days=30)
        assert copy.thumbprint not in named
        assert copy.thumbprint not in bound


def test_the_site_with_its_own_certificate_is_on_a_flex_plan(world: World) -> None:
    """The certificate of the fleet's Flex Consumption site is in no list of the webspace's certificates."""
    certificate = shown_by(world, "jobs.fabrikam.com")
    site, _ = host_of(world, "jobs.fabrikam.com")
    assert site.flex
    assert certificate.site_id == site.id
    assert certificate.id not in {copy.id for copy in world.web.certificates.values()}
