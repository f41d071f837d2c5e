"""These tests cover host name bindings in the local ARM, and the addresses that belong to the bindings."""

from datetime import timedelta

import pytest

from local.azure.web.resources import IP_BASED
from tests.local.arm_client import Shop


@pytest.fixture
def shop() -> Shop:
    """Build a local Azure with the site `shop`."""
    return Shop()


def test_never_bound_host_has_no_ssl_state_at_all(shop: Shop) -> None:
    """ARM omits sslState and thumbprint of a host name that was never bound."""
    default = shop.arm.get(f"{shop.site.id}/hostNameBindings/shop.azurewebsites.net")
    assert default["name"] == "shop/shop.azurewebsites.net"
    assert set(default["properties"]) == {"siteName", "domainId", "hostNameType"}


def test_etag_of_a_binding_is_the_sites(shop: Shop) -> None:
    """A binding and its site have the same ETag, and every write changes the ETag, even at the same moment."""
    before = shop.arm.send("GET", shop.binding).headers["ETag"]
    assert before == shop.arm.send("GET", shop.site.id).headers["ETag"]
    shop.bind("SniEnabled")
    assert shop.arm.send("GET", shop.binding).headers["ETag"] != before


def test_rebinding_serves_the_other_certificate(shop: Shop) -> None:
    """A PUT with another thumbprint changes the certificate that visitors receive.

    The request journal describes the changed binding in words.
    """
    second = shop.vault.renew("shop")
    other = shop.build.add_copy("shop", name="other")
    shop.bind("SniEnabled", other.thumbprint)
    assert shop.served() == second.thumbprint
    change = f"binding shop.contoso.com SniEnabled {shop.first.thumbprint[:8]}->{second.thumbprint[:8]}"
    assert shop.world.journal.writes()[-1].change == change


def test_unknown_thumbprint_is_not_found(shop: Shop) -> None:
    """ARM refuses to bind a thumbprint that the webspace lacks, with the extended code 51004."""
    error = shop.bind("SniEnabled", "AB" * 20, status=404)
    assert error["Details"][2]["ErrorEntity"]["ExtendedCode"] == "51004"
    assert shop.served() == shop.first.thumbprint


def test_certificate_of_another_webspace_is_not_found(shop: Shop) -> None:
    """ARM refuses to bind a certificate of another webspace."""
    linux = shop.build.add_plan("linux", linux=True)
    shop.build.add_certificate("pay", ["pay.contoso.com", "shop.contoso.com"])
    elsewhere = shop.build.add_copy("pay", linux)
    shop.bind("SniEnabled", elsewhere.thumbprint, status=404)


@pytest.mark.parametrize(("refused", "status"), [(True, 409), (False, 200)])
def test_mismatch_is_refused_as_the_knob_says(shop: Shop, refused: bool, status: int) -> None:  # noqa: FBT001 - a knob
    """The simulation setting `mismatch_refused` makes ARM refuse a certificate that does not cover the host name.

    ARM's refusal of a certificate that does not cover the host name has the extended code 04030.
    """
    shop.world.knobs.mismatch_refused = refused
    shop.build.add_certificate("wild", ["*.shop.contoso.com"])
    wild = shop.build.add_copy("wild")
    answer = shop.bind("SniEnabled", wild.thumbprint, status=status)
    code = answer["Details"][2]["ErrorEntity"]["ExtendedCode"] if refused else None
    assert code == ("04030" if refused else None)


def test_binding_without_thumbprint_finds_a_certificate_by_host_name(shop: Shop) -> None:
    """A binding without a thumbprint gets a certificate that covers the host name."""
    pay = f"{shop.site.id}/hostNameBindings/pay.contoso.com"
    answer = shop.arm.put(pay, {"properties": {"siteName": "shop", "sslState": "SniEnabled"}})
    assert answer["properties"]["thumbprint"] == shop.first.thumbprint


def test_put_without_ssl_state_keeps_an_sni_binding(shop: Shop) -> None:
    """A PUT of a host name without sslState keeps an SNI binding, in its answer and in two later reads.

    The azure-libraries-for-net recording ManageLinuxWebAppWithTrafficManagerTest shows the answer and the two reads.
    """
    before = shop.arm.get(shop.binding)
    answer = shop.arm.put(shop.binding, {"properties": {"siteName": "shop"}})
    assert [answer, shop.arm.get(shop.binding), shop.arm.get(shop.binding)] == [before] * 3
    assert shop.served() == shop.first.thumbprint
    assert shop.world.journal.writes()[-1].change == "host name shop.contoso.com written without sslState"


@pytest.mark.parametrize("knob", ["unbound", "kept"])
def test_put_without_ssl_state_meets_the_knob_for_an_ip_based_binding(shop: Shop, knob: str) -> None:
    """Without sslState, the simulation setting `ip_binding_without_state` decides about an IP-based binding."""
    address = shop.bind("IpBasedEnabled")["properties"]["virtualIP"]
    shop.world.knobs.turn(ip_binding_without_state=knob)
    properties = shop.arm.put(shop.binding, {"properties": {"siteName": "shop"}})["properties"]
    expected = ("IpBasedEnabled", address) if knob == "kept" else ("Disabled", None)
    assert (properties["sslState"], properties.get("virtualIP")) == expected
    assert (address in shop.world.web.addresses()) == (knob == "kept")


def test_site_entry_without_ssl_state_unbinds(shop: Shop) -> None:
    """A site's entry with `toUpdate` and without sslState removes the TLS binding, a case that no recording shows."""
    entry = {"name": "shop.contoso.com", "toUpdate": True}
    shop.arm.send("PATCH", shop.site.id, {"properties": {"hostNameSslStates": [entry]}})
    assert shop.served() is None


def test_ip_based_binding_keeps_its_address_while_it_is_overwritten(shop: Shop) -> None:
    """An IP-based binding keeps its address when its thumbprint changes.

    Visitors of an IP-based address receive the bound certificate even if the visitors send no SNI.
    """
    address = shop.bind("IpBasedEnabled")["properties"]["virtualIP"]
    assert shop.world.web.address_of("shop.contoso.com") == address
    second = shop.vault.renew("shop")
    shop.build.add_copy("shop", name="other")
    assert shop.bind("IpBasedEnabled", second.thumbprint)["properties"]["virtualIP"] == address
    shown = shop.world.web.served("", address)
    assert shown is not None
    assert shown.thumbprint == second.thumbprint


@pytest.mark.parametrize("how", ["SniEnabled", "Disabled", "delete"])
def test_ip_based_binding_loses_its_address(shop: Shop, how: str) -> None:
    """An IP-based binding loses its address for good if it becomes SNI, is unbound or is deleted."""
    address = shop.bind("IpBasedEnabled")["properties"]["virtualIP"]
    assert address in shop.world.web.addresses()
    if how == "delete":
        shop.arm.delete(shop.binding)
    else:
        shop.bind(how)
    assert address not in shop.world.web.addresses()
    assert shop.bind("IpBasedEnabled")["properties"]["virtualIP"] != address


def test_default_host_name_moves_to_the_dedicated_address(shop: Shop) -> None:
    """An IP-based binding moves the site's default host name to the dedicated address.

    The site's default host name with the prefix `sni.` keeps the shared address.
    """
    shared = shop.world.web.address_of("shop.azurewebsites.net")
    address = shop.bind("IpBasedEnabled")["properties"]["virtualIP"]
    assert shop.world.web.address_of("shop.azurewebsites.net") == address
    assert shop.world.web.address_of("sni.shop.azurewebsites.net") == shared != address


def test_shared_address_serves_only_sni_host_names_of_its_webspace(shop: Shop) -> None:
    """A webspace's shared address serves only host names that are bound by SNI in that webspace."""
    web = shop.world.web
    home = web.shared_address(shop.plan.webspace)
    elsewhere = web.shared_address(shop.build.add_plan("linux", linux=True).webspace)
    assert web.served("shop.contoso.com", home) is not None
    assert web.served("shop.contoso.com", elsewhere) is None
    shop.bind("IpBasedEnabled")
    assert web.served("shop.contoso.com", home) is None


def test_second_dedicated_address_of_a_site_is_refused(shop: Shop) -> None:
    """ARM refuses a second IP-based binding on the same site."""
    shop.bind("IpBasedEnabled")
    body = {"properties": {"sslState": "IpBasedEnabled", "thumbprint": shop.first.thumbprint}}
    error = shop.arm.put(f"{shop.site.id}/hostNameBindings/pay.contoso.com", body, 409)
    assert "allowed IP addresses" in error["Message"]


def test_host_name_belongs_to_one_site(shop: Shop) -> None:
    """ARM refuses to add a host name that another site already has."""
    other = shop.build.add_site("other")
    shop.arm.put(f"{other.id}/hostNameBindings/shop.contoso.com", {"properties": {}}, 409)


def test_slot_has_bindings_of_its_own(shop: Shop) -> None:
    """A binding that is written on a slot's path changes only the slot.

    The binding of a slot has the type of a site's binding, and names the slot in siteName (recorded azure-cli traffic).
    """
    slot = shop.build.add_slot(shop.site, "staging")
    path = f"{slot.id}/hostNameBindings/pay.contoso.com"
    body = {"properties": {"siteName": "shop", "sslState": "SniEnabled", "thumbprint": shop.first.thumbprint}}
    answer = shop.arm.put(path, body)
    assert answer["name"] == "shop/staging/pay.contoso.com"
    assert (answer["type"], answer["properties"]["siteName"]) == (
        "Microsoft.Web/sites/hostNameBindings",
        "shop(staging)",
    )
    assert shop.served("pay.contoso.com") == shop.first.thumbprint
    assert [host["name"] for host in shop.arm.listed(f"{shop.site.id}/hostNameBindings")] == [
        "shop/shop.azurewebsites.net",
        "shop/shop.contoso.com",
    ]


def test_wildcard_host_name_serves_each_label(shop: Shop) -> None:
    """The host name `*.x` serves names with exactly one more label than `x`."""
    shop.build.add_certificate("brands", ["*.brands.contoso.com"])
    brands = shop.build.add_copy("brands")
    shop.build.add_host(shop.site, "*.brands.contoso.com", brands)
    assert shop.served("one.brands.contoso.com") == brands.thumbprint
    assert shop.world.web.address_of("a.one.brands.contoso.com") is None


def test_site_put_binds_only_entries_marked_for_update(shop: Shop) -> None:
    """A PUT of a site binds only the host names whose entry has `toUpdate`."""
    shop.build.add_host(shop.site, "pay.contoso.com")
    entry = {"name": "pay.contoso.com", "sslState": "SniEnabled", "thumbprint": shop.first.thumbprint}
    body = {"location": "West Europe", "properties": {"hostNameSslStates": [entry]}}
    shop.arm.put(shop.site.id, body)
    assert shop.served("pay.contoso.com") is None
    entry["toUpdate"] = True
    answer = shop.arm.put(shop.site.id, body)
    states = {state["name"]: state["sslState"] for state in answer["properties"]["hostNameSslStates"]}
    assert states == {
        "shop.azurewebsites.net": "Disabled",
        "shop.contoso.com": "SniEnabled",
        "pay.contoso.com": "SniEnabled",
        "shop.scm.azurewebsites.net": "Disabled",
    }


def test_unbinding_as_az_does_it(shop: Shop) -> None:
    """A PATCH of the site with sslState `Disabled` unbinds a host name, as az sends it."""
    entry = {"name": "shop.contoso.com", "sslState": "Disabled", "thumbprint": shop.first.thumbprint, "toUpdate": True}
    shop.arm.send("PATCH", shop.site.id, {"properties": {"hostNameSslStates": [entry]}})
    assert shop.served() is None
    assert shop.arm.get(shop.binding)["properties"]["sslState"] == "Disabled"


@pytest.mark.parametrize(("honoured", "status"), [(True, 412), (False, 200)])
def test_stale_if_match_meets_the_knob(shop: Shop, honoured: bool, status: int) -> None:  # noqa: FBT001 - a knob
    """ARM refuses a write with an outdated ETag in If-Match only if the simulation setting `if_match_honoured` is on.

    ARM always accepts a write whose If-Match header has the current ETag.
    """
    shop.world.knobs.if_match_honoured = honoured
    etag = shop.arm.send("GET", shop.binding).headers["ETag"]
    shop.bind("SniEnabled", **{"If-Match": etag})
    shop.bind("SniEnabled", status=status, **{"If-Match": etag})


def test_reads_lag_as_the_knob_says(shop: Shop) -> None:
    """After a write, ARM shows the old binding for as many reads as the simulation setting `reads_until_visible` says.

    Visitors of the host name receive the newly bound certificate at once.
    """
    shop.world.knobs.reads_until_visible = 2
    shop.vault.renew("shop")
    other = shop.build.add_copy("shop", name="other")
    shop.bind("SniEnabled", other.thumbprint)
    seen = [shop.arm.get(shop.binding)["properties"]["thumbprint"] for _ in range(3)]
    assert seen == [shop.first.thumbprint, shop.first.thumbprint, other.thumbprint]
    assert shop.served() == other.thumbprint


def test_front_ends_lag_as_the_knob_says(shop: Shop) -> None:
    """A slow front end serves the old certificate for as long as the simulation setting `slow_front_end` says."""
    shop.world.knobs.slow_front_end = 20.0
    shop.world.clock.advance(timedelta(minutes=5))
    shop.vault.renew("shop")
    other = shop.build.add_copy("shop", name="other")
    shop.bind("SniEnabled", other.thumbprint)
    assert shop.served() == shop.first.thumbprint
    shop.world.clock.advance(timedelta(seconds=20))
    assert shop.served() == other.thumbprint


def test_default_host_name_stays(shop: Shop) -> None:
    """ARM refuses to delete a site's azurewebsites.net host name."""
    shop.arm.delete(f"{shop.site.id}/hostNameBindings/shop.azurewebsites.net", 400)


def test_site_shows_the_address_of_its_ip_based_binding(shop: Shop) -> None:
    """A site shows its IP-based address in hostNameSslStates and in inboundIpAddress."""
    address = shop.bind(IP_BASED)["properties"]["virtualIP"]
    properties = shop.arm.get(shop.site.id)["properties"]
    assert {state["virtualIP"] for state in properties["hostNameSslStates"]} == {None, address}
    assert properties["inboundIpAddress"] == address


def test_host_name_is_found_by_the_name_with_which_it_was_added(shop: Shop) -> None:
    """ARM finds an international host name by its Unicode form, and answers 404 for its ASCII form."""
    added = shop.arm.put(f"{shop.site.id}/hostNameBindings/b%C3%BCcher.example", {"properties": {}})
    assert added["name"].endswith("/bücher.example")
    found = shop.arm.get(f"{shop.site.id}/hostNameBindings/b%C3%BCcher.example")
    assert found["id"].endswith("/hostNameBindings/bücher.example")
    shop.arm.get(f"{shop.site.id}/hostNameBindings/xn--bcher-kva.example", 404)
