"""The demo's world is what its description says."""

from collections import Counter

import pytest

from local.azure.web.resources import DEFAULT_DOMAIN, IP_BASED, STOPPED, Host, Site, covers
from local.azure.world import World
from local.stand import Stand
from local.worlds.contoso import contoso


@pytest.fixture(scope="module")
def world() -> World:
    """Contoso, built once."""
    return contoso()


def custom(world: World) -> list[tuple[Site, Host]]:
    """Return the custom host names, with their sites."""
    hosts = ((site, host) for site in world.web.sites.values() for host in site.hosts.values())
    return [(site, host) for site, host in hosts if not host.name.endswith(DEFAULT_DOMAIN)]


def test_numbers(world: World) -> None:
    """Contoso has 2 subscriptions, 2 vaults, 3 webspaces, 15 sites, 5 slots, 18 custom host names."""
    slots = Counter(site.slot is not None for site in world.web.sites.values())
    assert (len(world.subscriptions), len(world.vaults)) == (2, 2)
    assert slots == {False: 15, True: 5}
    assert len({plan.webspace.key for plan in world.web.plans.values()}) == 3
    assert len(custom(world)) == 18


def test_kinds_of_bindings(world: World) -> None:
    """Three host names are IP-based, one has no binding, one is a wildcard; one site is stopped."""
    states = Counter(host.ssl_state for _, host in custom(world))
    assert (states[IP_BASED], states[None]) == (3, 1)
    assert sum(host.name.startswith("*.") for _, host in custom(world)) == 1
    assert sum(site.state == STOPPED for site in world.web.sites.values()) == 1


def test_one_certificate_is_in_every_webspace(world: World) -> None:
    """One vault certificate is imported into all three webspaces, and no webspace holds one twice."""
    sources = Counter((copy.source, copy.webspace.key) for copy in world.web.certificates.values())
    assert set(sources.values()) == {1}
    assert max(Counter(source for source, _ in sources).values()) == 3


def test_renewals_concern_enough_bindings(world: World) -> None:
    """At least twelve bindings, the three IP-based ones included, are on certificates that the demo renews."""
    renewed = {world.vaults[vault].certificates[name].newest.thumbprint for vault, name in world.renewing}
    concerned = [host for _, host in custom(world) if host.thumbprint in renewed]
    assert len(concerned) >= 12
    assert sum(host.ssl_state == IP_BASED for host in concerned) == 3


def test_opted_out_site_shares_its_lineage_with_nobody(world: World) -> None:
    """The site that opted out has a lineage to itself, which the demo does not renew, and its binding is behind."""
    (site,) = (site for site in world.web.sites.values() if site.tags.get("certroll") == "off")
    (host,) = (host for host in site.hosts.values() if host.is_bound)
    lineage = world.vaults["contoso-web-kv"].certificates["partners-contoso-com"]
    thumbprints = [version.thumbprint for version in lineage.versions]
    assert host.thumbprint == thumbprints[0]
    assert [other.id for other, one in custom(world) if one.thumbprint in thumbprints] == [site.id]
    assert ("contoso-web-kv", lineage.name) not in world.renewing


def test_every_bound_host_is_served_with_a_certificate_that_covers_it(world: World) -> None:
    """Before anything happens each bound host name shows its bound certificate, which covers it."""
    for _, host in custom(world):
        name = host.name.replace("*", "any")
        address = world.web.address_of(name)
        assert address in world.web.addresses()
        shown = world.web.served(name, address or "")
        assert (shown and shown.thumbprint) == host.thumbprint
        assert shown is None or any(covers(pattern, name) for pattern in shown.host_names)


def test_addresses_come_from_the_seed(world: World) -> None:
    """Another world of the same seed has the same addresses, one of another seed does not."""
    assert contoso().web.addresses() == world.web.addresses()
    assert contoso(seed=1).web.addresses() != world.web.addresses()


def test_client_certificates_renew_and_are_in_use(world: World) -> None:
    """Two client certificates renew; four apps on three sites hold them, by path or thumbprint, without a trouble."""
    assert ("contoso-web-kv", "partner-client") in world.renewing
    assert ("contoso-web-kv", "bank-client") in world.renewing
    held = {app.site_id.partition("/sites/")[2]: app.answering(world.clock.now())[0] for app in world.apps.all()}
    assert {name: one.certificate and one.certificate.host_names for name, one in held.items()} == {
        "invoices-contoso": ("client.contoso.com",),
        "invoices-contoso/slots/staging": ("client.contoso.com",),
        "ledger-contoso": ("client.contoso.com",),
        "payments-contoso": ("payments.contoso.com",),
    }
    assert {name: one.loaded.platform for name, one in held.items()}["ledger-contoso"] == "windows"
    assert world.apps.troubles() == ()


def test_client_certificates_are_imported_and_probed(world: World) -> None:
    """Every site with an app carries the probe's tag, and its certificate is a copy from the vault."""
    copies = {one.thumbprint: one for one in world.web.certificates.values()}
    for app in world.apps.all():
        site = world.web.sites.get(app.site_id)
        assert site is not None
        assert site.tags == {"certroll-probe": "/health 200 {thumbprint}"}
        certificate = app.answering(world.clock.now())[0].certificate
        assert certificate is not None
        assert copies[certificate.thumbprint].source is not None


def test_one_partner_takes_the_next_certificate_and_one_does_not() -> None:
    """After a renewal the authority's partner accepts the new version, the bank still the old one alone."""
    world = contoso()
    partners = {partner.name: partner for partner in world.apps.partners.values()}
    vault = world.vaults["contoso-web-kv"]
    assert partners["fabrikam"].accepts(vault.renew("partner-client").imported())
    assert not partners["woodgrove"].accepts(vault.renew("bank-client").imported())


def test_the_apps_of_contoso_answer() -> None:
    """Asked on its own host name each app says that its partner accepted it."""
    world = contoso()
    with Stand(world) as stand:
        for app in world.apps.all():
            site = world.web.sites.get(app.site_id)
            assert site is not None
            status, body = stand.visitor.ask(site.default_host_name, "/health")
            assert (status, body[:3]) == (200, "ok ")
