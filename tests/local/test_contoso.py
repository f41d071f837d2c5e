"""These tests check that the demo's simulated fleet Contoso matches its description."""

from collections import Counter

import pytest

from local.azure.web.resources import DEFAULT_DOMAIN, IP_BASED, STOPPED, Host, Site, covers
from local.azure.world import World
from local.stand import Stand
from local.worlds.contoso import contoso


@pytest.fixture(scope="module")
def world() -> World:
    """Build the demo's simulated fleet Contoso once for all tests of this module."""
    return contoso()


def custom(world: World) -> list[tuple[Site, Host]]:
    """Return all custom host names of the simulated fleet Contoso, with their sites."""
    hosts = ((site, host) for site in world.web.sites.values() for host in site.hosts.values())
    return [(site, host) for site, host in hosts if not host.name.endswith(DEFAULT_DOMAIN)]


def test_numbers(world: World) -> None:
    """The fleet Contoso has 2 subscriptions, 2 vaults, 3 webspaces, 15 sites, 5 slots and 19 custom host names."""
    slots = Counter(site.slot is not None for site in world.web.sites.values())
    assert (len(world.subscriptions), len(world.vaults)) == (2, 2)
    assert slots == {False: 15, True: 5}
    assert len({plan.webspace.key for plan in world.web.plans.values()}) == 3
    assert len(custom(world)) == 19


def test_kinds_of_bindings(world: World) -> None:
    """The fleet Contoso has three IP-based host names, an unbound host name, a wildcard and a stopped site."""
    states = Counter(host.ssl_state for _, host in custom(world))
    assert (states[IP_BASED], states[None]) == (3, 1)
    assert sum(host.name.startswith("*.") for _, host in custom(world)) == 1
    assert sum(site.state == STOPPED for site in world.web.sites.values()) == 1


def test_a_name_in_unicode_is_served_in_its_ascii_form(world: World) -> None:
    """The fleet Contoso has one host name in Unicode, whose visitors ask for the ASCII form."""
    (bound,) = (host for _, host in custom(world) if not host.name.isascii())
    assert bound.name == "bücher.contoso.com"
    shown = world.web.served("xn--bcher-kva.contoso.com", world.web.address_of("xn--bcher-kva.contoso.com") or "")
    assert (shown and shown.thumbprint) == bound.thumbprint


def test_one_certificate_is_in_every_webspace(world: World) -> None:
    """One vault certificate is imported into all three webspaces. No webspace imports a vault certificate twice."""
    sources = Counter((copy.source, copy.webspace.key) for copy in world.web.certificates.values())
    assert set(sources.values()) == {1}
    assert max(Counter(source for source, _ in sources).values()) == 3


def test_renewals_concern_enough_bindings(world: World) -> None:
    """The demo's renewals concern at least twelve bindings, including the three IP-based bindings."""
    renewed = {world.vaults[vault].certificates[name].newest.thumbprint for vault, name in world.renewing}
    concerned = [host for _, host in custom(world) if host.thumbprint in renewed]
    assert len(concerned) >= 12
    assert sum(host.ssl_state == IP_BASED for host in concerned) == 3


def test_opted_out_site_shares_its_lineage_with_nobody(world: World) -> None:
    """No other site uses the certificate of the fleet's opted-out site, whose binding is outdated.

    The demo does not renew the opted-out site's certificate.
    """
    (site,) = (site for site in world.web.sites.values() if site.tags.get("certroll") == "off")
    (host,) = (host for host in site.hosts.values() if host.is_bound)
    lineage = world.vaults["contoso-web-kv"].certificates["partners-contoso-com"]
    thumbprints = [version.thumbprint for version in lineage.versions]
    assert host.thumbprint == thumbprints[0]
    assert [other.id for other, host in custom(world) if host.thumbprint in thumbprints] == [site.id]
    assert ("contoso-web-kv", lineage.name) not in world.renewing


def test_every_bound_host_is_served_with_a_certificate_that_covers_it(world: World) -> None:
    """Each bound host name of the simulated fleet is served with its bound certificate, which covers that name."""
    for _, host in custom(world):
        name = host.name.replace("*", "any")
        address = world.web.address_of(name)
        assert address in world.web.addresses()
        shown = world.web.served(name, address or "")
        assert (shown and shown.thumbprint) == host.thumbprint
        assert shown is None or any(covers(pattern, name) for pattern in shown.host_names)


def test_addresses_come_from_the_seed(world: World) -> None:
    """The simulated fleet Contoso has the same addresses for the same seed, and other addresses for another seed."""
    assert contoso().web.addresses() == world.web.addresses()
    assert contoso(seed=1).web.addresses() != world.web.addresses()


def test_client_certificates_renew_and_are_in_use(world: World) -> None:
    """The demo renews two client certificates, which partner servers accept from four apps of the simulated fleet."""
    assert ("contoso-web-kv", "partner-client") in world.renewing
    assert ("contoso-web-kv", "bank-client") in world.renewing
    held = {app.site_id.partition("/sites/")[2]: app.answering(world.clock.now())[0] for app in world.apps.all()}
    assert {name: process.certificate and process.certificate.host_names for name, process in held.items()} == {
        "invoices-contoso": ("client.contoso.com",),
        "invoices-contoso/slots/staging": ("client.contoso.com",),
        "ledger-contoso": ("client.contoso.com",),
        "payments-contoso": ("payments.contoso.com",),
    }
    assert {name: process.loaded.platform for name, process in held.items()}["ledger-contoso"] == "windows"
    assert world.apps.troubles() == ()


def test_client_certificates_are_imported_and_probed(world: World) -> None:
    """Every Contoso site with an app has a probe tag, and its certificate is imported from a vault."""
    copies = {copy.thumbprint: copy for copy in world.web.certificates.values()}
    for app in world.apps.all():
        site = world.web.sites.get(app.site_id)
        assert site is not None
        assert site.tags == {"certroll-probe": "/health 200 {thumbprint}"}
        certificate = app.answering(world.clock.now())[0].certificate
        assert certificate is not None
        assert copies[certificate.thumbprint].source is not None


def test_one_partner_takes_the_next_certificate_and_one_does_not() -> None:
    """Partner server `fabrikam` accepts a renewed client certificate, because `fabrikam` trusts the authority.

    Partner server `woodgrove` refuses a renewed client certificate, because `woodgrove` lists the old thumbprint.
    """
    world = contoso()
    partners = {partner.name: partner for partner in world.apps.partners.values()}
    vault = world.vaults["contoso-web-kv"]
    assert partners["fabrikam"].accepts(vault.renew("partner-client").imported())
    assert not partners["woodgrove"].accepts(vault.renew("bank-client").imported())


def test_the_apps_of_contoso_answer() -> None:
    """Every app of the simulated fleet Contoso answers its health probe with 200 before any renewal."""
    world = contoso()
    with Stand(world) as stand:
        for app in world.apps.all():
            site = world.web.sites.get(app.site_id)
            assert site is not None
            status, body = stand.visitor.ask(site.default_host_name, "/health")
            assert (status, body[:3]) == (200, "ok ")
