"""These tests make real TLS handshakes with the simulated front ends."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.principals import APP_SERVICE
from local.azure.vault.issued import ImportedCertificate
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import IP_BASED, SNI, STOPPED, Host, Plan, Site, Webspace
from local.azure.world import World
from local.frontend.visitor import Canary, HandshakeFailed
from local.patience import HANG
from local.stand import Stand

SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
GROUP = "rg-shop"
SPACE = Webspace(SUBSCRIPTION, "rg-shop-WestEuropewebspace")
HOST = "shop.contoso.com"


class Fleet:
    """A webspace with one site whose host name is bound to a vault certificate."""

    def __init__(self) -> None:
        self.world = World()
        self.vault = self.world.new_vault("kv", subscription=SUBSCRIPTION, resource_group=GROUP)
        self.world.vaults["kv"] = self.vault
        self.vault.assign(APP_SERVICE)
        plan = Plan(SUBSCRIPTION, GROUP, "plan", "westeurope", SPACE)
        self.world.web.plans.put(plan.id, plan)
        self.site = Site(SUBSCRIPTION, GROUP, "shop", plan.id, "westeurope", SPACE)
        self.first = self.vault.add("shop", [HOST, "*.wild.contoso.com"]).imported()
        self.bind(self.first, Host(HOST, SNI, self.first.thumbprint))

    def bind(self, shown: ImportedCertificate, *hosts: Host) -> None:
        """Install the given certificate, and give the site only the given custom host names."""
        default = Host(self.site.default_host_name)
        with self.world.lock:
            copy = Certificate(SUBSCRIPTION, GROUP, "copy", "westeurope", SPACE, shown)
            self.world.web.put_certificate(copy)
            named = {host.name: host for host in (default, *hosts)}
            self.site = self.world.web.put_site(replace(self.site, hosts=named))


@pytest.fixture
def fleet() -> Fleet:
    """Build a simulated fleet with one site."""
    return Fleet()


@pytest.fixture
def stand(fleet: Fleet) -> Iterator[Stand]:
    """Yield a running local Azure that serves the simulated fleet."""
    with Stand(fleet.world) as stand:
        yield stand


def test_bound_certificate_is_served(fleet: Fleet, stand: Stand) -> None:
    """A visitor of a bound host name receives and trusts the bound certificate."""
    assert stand.visitor.handshake(HOST) == fleet.first.thumbprint
    assert stand.visitor.fetch(HOST) == 200


def test_next_handshake_shows_the_next_certificate(fleet: Fleet, stand: Stand) -> None:
    """The front ends choose the certificate at each handshake, so a new binding takes effect at once."""
    assert stand.visitor.handshake(HOST) == fleet.first.thumbprint
    second = fleet.vault.renew("shop").imported()
    fleet.bind(second, Host(HOST, SNI, second.thumbprint))
    assert stand.visitor.handshake(HOST) == second.thumbprint


def test_slow_front_end_serves_the_old_one_for_a_while(fleet: Fleet, stand: Stand) -> None:
    """A slow front end serves the old certificate for as long as the simulation setting `slow_front_end` says."""
    fleet.world.knobs.slow_front_end = 30
    fleet.world.clock.advance(timedelta(hours=1))
    second = fleet.vault.renew("shop").imported()
    fleet.bind(second, Host(HOST, SNI, second.thumbprint))
    assert stand.visitor.handshake(HOST) == fleet.first.thumbprint
    fleet.world.clock.advance(timedelta(seconds=31))
    assert stand.visitor.handshake(HOST) == second.thumbprint


def test_default_host_name_shows_the_platforms_certificate(fleet: Fleet, stand: Stand) -> None:
    """A site's azurewebsites.net host name is served with the platform's wildcard certificate."""
    assert stand.visitor.handshake("shop.azurewebsites.net") != fleet.first.thumbprint


def test_probe_connects_by_default_host_name(fleet: Fleet, stand: Stand) -> None:
    """A connection to the site's default host name serves the certificate of the host name in SNI.

    A site's default host name with the prefix `sni.` serves the certificate of the host name in SNI.
    """
    for target in ("shop.azurewebsites.net", "sni.shop.azurewebsites.net"):
        assert stand.visitor.handshake(HOST, connect_to=target) == fleet.first.thumbprint


def test_wildcard_binding_serves_the_names_it_stands_for(fleet: Fleet, stand: Stand) -> None:
    """A wildcard binding serves names with one more label, and the canary (a test visitor) visits such a name."""
    fleet.bind(fleet.first, Host("*.wild.contoso.com", SNI, fleet.first.thumbprint))
    assert stand.visitor.handshake("any.wild.contoso.com") == fleet.first.thumbprint
    assert tuple(stand.canary().hosts()) == ("canary.wild.contoso.com",)


def test_unbound_host_name_fails_for_a_visitor(fleet: Fleet, stand: Stand) -> None:
    """A visitor of an unbound host name fails, because the platform's certificate does not cover the name."""
    fleet.bind(fleet.first, Host(HOST))
    with pytest.raises(HandshakeFailed, match=r"(?i)hostname mismatch"):
        stand.visitor.handshake(HOST)


def test_untrusted_certificate_fails_for_a_visitor(fleet: Fleet, stand: Stand) -> None:
    """The front ends serve a bound self-signed certificate, and a visitor rejects it."""
    own = fleet.vault.renew("shop", self_signed=True).imported()
    fleet.bind(own, Host(HOST, SNI, own.thumbprint))
    with pytest.raises(HandshakeFailed, match=r"(?i)self-signed"):
        stand.visitor.handshake(HOST)


def test_unknown_host_name_is_refused(stand: Stand) -> None:
    """The proxy answers 502 for a host name that does not resolve."""
    with pytest.raises(HandshakeFailed, match="502"):
        stand.visitor.handshake("nowhere.contoso.com")


def test_stopped_site_still_shakes_hands(fleet: Fleet, stand: Stand) -> None:
    """A stopped site still serves its certificate, and answers requests with 403."""
    fleet.world.web.put_site(replace(fleet.site, state=STOPPED))
    assert stand.visitor.handshake(HOST) == fleet.first.thumbprint
    assert stand.visitor.fetch(HOST) == 403


def test_dedicated_address_lives_as_long_as_its_binding(fleet: Fleet, stand: Stand) -> None:
    """An IP-based binding is served at its own IP address.

    A dedicated IP address refuses connections as soon as its binding becomes an SNI binding.
    """
    address = fleet.world.web.new_address()
    fleet.bind(fleet.first, Host(HOST, IP_BASED, fleet.first.thumbprint, virtual_ip=address))
    assert stand.visitor.handshake(HOST, connect_to=address) == fleet.first.thumbprint
    assert stand.visitor.handshake(HOST) == fleet.first.thumbprint
    fleet.bind(fleet.first, Host(HOST, SNI, fleet.first.thumbprint))
    with pytest.raises(HandshakeFailed, match="502"):
        stand.visitor.handshake(HOST, connect_to=address)
    assert address not in stand.front_ends._listener.addresses


def test_canary_counts_what_it_sees(fleet: Fleet, stand: Stand) -> None:
    """A running canary (a test visitor) counts handshakes, records each new certificate, and reports every failure."""
    with stand.canary() as canary:
        _wait_for(canary, lambda: canary.handshakes > 2)
        second = fleet.vault.renew("shop").imported()
        fleet.bind(second, Host(HOST, SNI, second.thumbprint))
        _wait_for(canary, lambda: len(canary.served[HOST]) == 2)
    assert canary.served[HOST] == [fleet.first.thumbprint, second.thumbprint]
    assert canary.failures == []
    with Canary(stand.visitor, lambda: [HOST, "nowhere.contoso.com"]) as unlucky:
        _wait_for(unlucky, lambda: bool(unlucky.failures))
    assert unlucky.failures[0].startswith("nowhere.contoso.com")


def _wait_for(canary: Canary, condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end, "the canary has not got there"
        canary._stopped.wait(0.001)


INTERNATIONAL = {
    "bücher.example": "xn--bcher-kva.example",
    "*.bücher.example": "*.xn--bcher-kva.example",
    "straße.example": "xn--strae-oqa.example",
    "BÜCHER.example": "xn--bcher-kva.example",
}


@pytest.mark.parametrize("held", INTERNATIONAL)
def test_unicode_host_name_is_served_to_who_asks_for_its_ascii_form(fleet: Fleet, stand: Stand, held: str) -> None:
    """A front end serves a host name that App Service holds in Unicode to clients that send its A-labels."""
    asked = INTERNATIONAL[held]
    shown = fleet.vault.add("books", [asked]).imported()
    fleet.bind(shown, Host(held, SNI, shown.thumbprint))
    visited = asked.replace("*", "any")
    assert stand.visitor.handshake(visited, connect_to="shop.azurewebsites.net") == shown.thumbprint
    assert stand.visitor.fetch(visited) == 200
    assert stand.visitor.handshake(held.replace("*", "any")) == shown.thumbprint


def test_two_unicode_host_names_that_old_codecs_mixed_up_are_two(fleet: Fleet, stand: Stand) -> None:
    """The host name `straße.example` is not `strasse.example`, as in IDNA 2008."""
    shown = fleet.vault.add("street", ["strasse.example"]).imported()
    fleet.bind(shown, Host("strasse.example", SNI, shown.thumbprint))
    with pytest.raises(HandshakeFailed):
        stand.visitor.handshake("straße.example", connect_to="shop.azurewebsites.net")
