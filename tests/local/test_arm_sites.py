"""These tests cover the local ARM's lists, roles, sites and configuration."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from local.azure.resource_manager import Arm
from local.azure.scripting.faults import Fault
from local.azure.wire import Request, Response
from tests.local.arm_client import HOST, PRINCIPAL, Shop, as_principal


@pytest.fixture
def shop() -> Shop:
    """Build a local Azure with the site `shop`."""
    return Shop()


def names(response: Response) -> list[str]:
    """Return the names in an ARM list."""
    return [item["name"] for item in response.json()["value"]]


def test_api_version_is_required(shop: Shop) -> None:
    """ARM refuses a request without an api-version with the error `MissingApiVersionParameter`."""
    response = Arm(shop.world)(Request.to("GET", f"{HOST}/subscriptions"))
    assert (response.status, response.json()["error"]["code"]) == (400, "MissingApiVersionParameter")


@pytest.mark.parametrize(
    ("version", "moment", "status"),
    [
        ("2023-07-01", datetime(2027, 2, 26, 23, 59, tzinfo=UTC), 200),
        ("2023-07-01", datetime(2027, 2, 27, tzinfo=UTC), 400),
        ("2025-05-01", datetime(2027, 2, 27, tzinfo=UTC), 400),
        ("2026-02-01", datetime(2027, 2, 27, tzinfo=UTC), 200),
        ("2026-05-15", datetime(2029, 1, 1, tzinfo=UTC), 200),
    ],
)
def test_api_version_that_has_ended_is_refused(shop: Shop, version: str, moment: datetime, status: int) -> None:
    """ARM refuses every version of Key Vault's management before 2026-02-01, from 2027-02-27 of the simulation on.

    Azure announced this day (azure-cli #34020). ARM still answers the versions of other types, such as the role
    assignments of a vault.
    """
    shop.world.clock.set(moment)
    for path in (shop.vault.resource_id, f"{shop.subscription}/providers/Microsoft.KeyVault/vaults"):
        answer = Arm(shop.world)(Request.to("GET", f"{HOST}{path}?api-version={version}"))
        assert answer.status == status
        if status == 400:
            assert answer.json()["error"]["code"] == "NoRegisteredProviderFound"
            assert f"API version '{version}' for type 'vaults'" in answer.json()["error"]["message"]
    rights = f"{shop.vault.resource_id}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
    assert Arm(shop.world)(Request.to("GET", f"{HOST}{rights}")).status == 200
    assert shop.arm.get(shop.site.id)["name"] == "shop"


@pytest.mark.parametrize(
    ("path", "code"),
    [("/subscriptions/x/providers/Microsoft.Web/sites", "SubscriptionNotFound"), ("/nonsense", "InvalidResourceType")],
)
def test_unknown_scopes_are_not_found(shop: Shop, path: str, code: str) -> None:
    """ARM answers 404 with its own error code for an unknown subscription or resource type."""
    assert shop.arm.get(path, 404)["error"]["code"] == code


@pytest.mark.parametrize("knob", ["ResourceNotFound", "empty"])
@pytest.mark.parametrize("path", ["", "/hostNameBindings", "/slots/blue", "/slots/blue/config/web"])
def test_missing_site_is_a_404_as_the_knob_says(shop: Shop, path: str, knob: str) -> None:
    """The 404 for a missing site or slot has ARM's error ResourceNotFound, or no body; recordings show both."""
    shop.world.knobs.turn(missing_site=knob)
    answer = shop.arm.get(f"{shop.site.id}-gone{path}", 404)
    if knob == "empty":
        assert answer is None
        return
    slot = "/slots/blue" if "blue" in path else ""
    message = f"The Resource 'Microsoft.Web/sites/shop-gone{slot}' under resource group 'contoso' was not found."
    assert answer["error"] == {"code": "ResourceNotFound", "message": message}


def test_missing_plan_is_told_by_microsoft_web_itself(shop: Shop) -> None:
    """The 404 for a missing plan has Microsoft.Web's own error with the extended code 51004 (recorded traffic)."""
    answer = shop.arm.get(f"{shop.plan.id}-gone", 404)
    assert answer["Message"] == f"Cannot find ServerFarm with name {shop.plan.name}-gone."
    assert answer["Details"][2]["ErrorEntity"]["ExtendedCode"] == "51004"


def settings(shop: Shop, **values: str) -> None:
    """Replace all app settings of the site."""
    shop.arm.put(f"{shop.site.id}/config/appsettings", {"properties": values})


def modified(shop: Shop) -> str:
    """Return the time of the site's last change, which reads, lists and the ETag show alike."""
    answer = shop.arm.send("GET", shop.site.id)
    shown: str = answer.json()["properties"]["lastModifiedTimeUtc"]
    (listed,) = shop.arm.listed(f"{shop.subscription}/providers/Microsoft.Web/sites")
    assert listed["properties"]["lastModifiedTimeUtc"] == shown
    moment = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(answer.headers["ETag"].strip('"'), 16) // 10)
    assert moment.replace(tzinfo=None).isoformat(timespec="microseconds") == shown
    return shown


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda shop: settings(shop, A="1"), id="settings"),
        pytest.param(settings, id="settings without a change"),
        pytest.param(lambda shop: shop.arm.post(f"{shop.site.id}/stop"), id="stop"),
        pytest.param(lambda shop: shop.arm.post(f"{shop.site.id}/restart"), id="restart"),
        pytest.param(lambda shop: shop.bind("SniEnabled"), id="binding"),
    ],
)
def test_writes_move_the_time_of_the_last_change(shop: Shop, write: Callable[[Shop], object]) -> None:
    """A write moves the site's lastModifiedTimeUtc, of which the ETag is the Windows file time (recorded traffic)."""
    before = modified(shop)
    write(shop)
    assert modified(shop) > before


def test_start_moves_the_time_of_the_last_change(shop: Shop) -> None:
    """A start moves the lastModifiedTimeUtc of a stopped site (recorded azure-libraries-for-net traffic)."""
    shop.arm.post(f"{shop.site.id}/stop")
    before = modified(shop)
    shop.arm.post(f"{shop.site.id}/start")
    assert modified(shop) > before


def test_settings_leave_the_time_of_the_last_change_where_the_knob_says_so(shop: Shop) -> None:
    """A write of settings keeps lastModifiedTimeUtc if `settings_write_moves_modified` is off; a stop still moves it.

    In recorded traffic, three of 67 writes of app settings left lastModifiedTimeUtc as it was.
    """
    shop.world.knobs.turn(settings_write_moves_modified=False)
    before = modified(shop)
    settings(shop, A="1")
    assert modified(shop) == before
    shop.arm.post(f"{shop.site.id}/stop")
    assert modified(shop) > before


def test_only_config_web_has_the_right_configuration(shop: Shop) -> None:
    """A list of sites shows a wrong siteConfig, and a read of one site an empty one; only `config/web` is right.

    A cassette of cloud-custodian shows the list. Users of SDKs report the wrong values (azure-sdk-for-js #26876).
    """
    keys = ("minTlsVersion", "http20Enabled", "alwaysOn")
    shop.arm.put(f"{shop.site.id}/config/web", {"properties": {"alwaysOn": True, "http20Enabled": True}})
    web = shop.arm.get(f"{shop.site.id}/config/web")["properties"]
    assert [web[key] for key in keys] == ["1.2", True, True]
    read = shop.arm.get(shop.site.id)["properties"]["siteConfig"]
    assert [read[key] for key in keys] == [None, None, None]
    for path in (f"{shop.subscription}/providers/Microsoft.Web/sites", f"{shop.plan.id}/sites"):
        (listed,) = shop.arm.listed(path)
        assert [listed["properties"]["siteConfig"][key] for key in keys] == [None, False, False]


def test_paths_match_in_any_case(shop: Shop) -> None:
    """ARM accepts resource ids in any letter case, and answers with the original spelling."""
    assert shop.arm.get(shop.site.id.upper())["id"] == shop.site.id


def test_site_list_leaves_out_slots(shop: Shop) -> None:
    """ARM omits slots from the list of sites. ARM's list of all resources and the site's own list contain slots."""
    slot = shop.build.add_slot(shop.site, "staging")
    assert [site["name"] for site in shop.arm.listed(f"{shop.subscription}/providers/Microsoft.Web/sites")] == ["shop"]
    assert [site["id"] for site in shop.arm.listed(f"{shop.site.id}/slots")] == [slot.id]
    path = f"{shop.subscription}/resources?$filter=resourceType eq 'Microsoft.Web/sites/slots'"
    assert [(item["name"], item["type"]) for item in shop.arm.listed(path)] == [
        ("shop/staging", "Microsoft.Web/sites/slots")
    ]


def test_plan_names_its_sites_without_slots(shop: Shop) -> None:
    """A plan lists its sites from all resource groups, and omits slots."""
    shop.build.add_slot(shop.site, "staging")
    shop.build.add_site("pay", group=shop.build.add_group("contoso-pay"))
    shop.build.add_site("other", shop.build.add_plan("other"))
    assert [site["name"] for site in shop.arm.listed(f"{shop.plan.id}/sites")] == ["shop", "pay"]


def test_group_lists_hold_that_group_alone(shop: Shop) -> None:
    """ARM's list of a resource group omits sites of a group whose name begins with the same letters."""
    shop.build.add_site("pay", group=shop.build.add_group("contoso-pay"))
    path = f"{shop.subscription}/resourceGroups/contoso/providers/Microsoft.Web/sites"
    assert [site["name"] for site in shop.arm.listed(path)] == ["shop"]


def test_created_time_comes_only_when_asked_for(shop: Shop) -> None:
    """ARM's list of all resources shows createdTime only if the request has `$expand=createdTime`."""
    path = f"{shop.subscription}/resources"
    assert not any("createdTime" in item for item in shop.arm.listed(path))
    assert any(item.get("createdTime") for item in shop.arm.listed(f"{path}?$expand=createdTime"))


def test_pages_follow_one_another(shop: Shop) -> None:
    """ARM's pages together contain every site exactly once, and the next page keeps the filter."""
    for number in range(5):
        shop.build.add_site(f"site{number}")
    shop.world.knobs.page_size = 2
    path = f"{shop.subscription}/providers/Microsoft.Web/sites"
    assert len(shop.arm.get(path)["value"]) == 2
    found = [site["name"] for site in shop.arm.listed(path)]
    assert sorted(found) == ["shop", "site0", "site1", "site2", "site3", "site4"]
    filtered = f"{shop.subscription}/resources?$filter=resourceType eq 'Microsoft.Web/sites'"
    assert len(shop.arm.listed(filtered)) == 6


def test_hidden_site_is_left_out_silently_but_named_by_its_plan(shop: Shop) -> None:
    """ARM's lists omit a site that the principal may not read, and a GET answers 403.

    A plan's list of sites names even a site that the principal may not read.
    """
    shop.world.roles.hide(shop.site.id, PRINCIPAL)
    assert names(as_principal(shop.world, "GET", f"{shop.subscription}/providers/Microsoft.Web/sites")) == []
    assert as_principal(shop.world, "GET", shop.site.id).json()["error"]["code"] == "AuthorizationFailed"
    assert as_principal(shop.world, "GET", f"{shop.site.id}/hostNameBindings").status == 403
    assert names(as_principal(shop.world, "GET", f"{shop.plan.id}/sites")) == ["shop"]
    assert [site["name"] for site in shop.arm.listed(f"{shop.subscription}/providers/Microsoft.Web/sites")] == ["shop"]


def test_hidden_subscription_is_not_listed(shop: Shop) -> None:
    """ARM omits a subscription that the caller may not read from the list, and refuses requests inside it."""
    shop.world.roles.hide(shop.subscription, PRINCIPAL)
    assert as_principal(shop.world, "GET", "/subscriptions").json()["value"] == []
    assert as_principal(shop.world, "GET", f"{shop.subscription}/providers/Microsoft.Web/sites").status == 403


def test_hidden_group_hides_what_is_in_it(shop: Shop) -> None:
    """ARM's lists omit the sites, certificates and vaults of a resource group that the caller may not read."""
    shop.world.roles.hide(f"{shop.subscription}/resourceGroups/contoso", PRINCIPAL)
    for kind in ("Microsoft.Web/certificates", "Microsoft.Web/sites", "Microsoft.KeyVault/vaults"):
        assert names(as_principal(shop.world, "GET", f"{shop.subscription}/providers/{kind}")) == []
    assert names(as_principal(shop.world, "GET", f"{shop.subscription}/resources")) == []


def test_reader_may_read_and_nothing_else(shop: Shop) -> None:
    """ARM refuses writes and the listing of app settings to a principal with read access."""
    shop.world.roles.read_only(shop.subscription, PRINCIPAL)
    assert as_principal(shop.world, "GET", shop.site.id).status == 200
    assert as_principal(shop.world, "POST", f"{shop.site.id}/config/appsettings/list").status == 403
    assert as_principal(shop.world, "DELETE", shop.binding).status == 403
    assert shop.served() == shop.first.thumbprint


def test_site_names_webspace_and_plan(shop: Shop) -> None:
    """ARM shows a site's webspace, plan and tier. The name of a Linux webspace ends in `-Linux`."""
    linux = shop.build.add_plan("linux", linux=True)
    properties = shop.arm.get(shop.build.add_site("pay", linux).id)["properties"]
    assert properties["webSpace"] == "contoso-WestEuropewebspace-Linux"
    assert properties["serverFarmId"] == linux.id
    assert shop.arm.get(linux.id)["properties"]["webSpace"] == properties["webSpace"]
    assert properties["sku"] == "PremiumV3"


def test_kinds_of_sites(shop: Shop) -> None:
    """ARM shows whether a site is Windows, Linux or a Windows container, in a GET and in the list of all resources."""
    linux = shop.build.add_plan("linux", linux=True)
    sites = (
        shop.site,
        shop.build.add_site("penguin", linux),
        shop.build.add_site("box", shop.plan, windows_container=True),
    )
    answers = [shop.arm.get(site.id) for site in sites]
    assert [site["kind"] for site in answers] == ["app", "app,linux", "app,container,windows"]
    shown = [[site["properties"][name] for name in ("reserved", "isXenon", "hyperV")] for site in answers]
    assert shown == [[False, False, False], [True, False, False], [False, True, True]]
    listed = shop.arm.listed(f"{shop.subscription}/resources?$filter=resourceType eq 'Microsoft.Web/sites'")
    assert [item["kind"] for item in listed] == ["app", "app,linux", "app,container,windows"]


def test_put_replaces_tags_and_patch_keeps_them(shop: Shop) -> None:
    """A PUT of a site without tags in its body removes the site's tags.

    A PATCH of a site without tags in its body keeps the site's tags.
    """
    shop.arm.send("PATCH", shop.site.id, {"tags": {"certroll": "off"}})
    shop.arm.send("PATCH", shop.site.id, {"properties": {"httpsOnly": True}})
    assert shop.arm.get(shop.site.id)["tags"] == {"certroll": "off"}
    shop.arm.put(shop.site.id, {"location": "West Europe"})
    site = shop.arm.get(shop.site.id)
    assert (site["tags"], site["properties"]["httpsOnly"]) == ({}, True)


def test_stop_and_start(shop: Shop) -> None:
    """A stopped site still serves its certificate, and a start counts as a restart."""
    shop.arm.post(f"{shop.site.id}/stop")
    assert shop.arm.get(shop.site.id)["properties"]["state"] == "Stopped"
    assert shop.served() == shop.first.thumbprint
    shop.arm.post(f"{shop.site.id}/start")
    shop.arm.post(f"{shop.site.id}/restart")
    site = shop.world.web.sites.get(shop.site.id)
    assert site is not None
    assert (site.state, site.restarts) == ("Running", 2)
    assert [entry.method for entry in shop.world.journal.writes()] == ["POST", "POST", "POST"]


def test_settings_are_replaced_whole_and_restart_the_site_once(shop: Shop) -> None:
    """A PUT of app settings replaces all settings, and restarts the site only if a setting changed.

    The request journal names the changed settings without their values.
    """
    path = f"{shop.site.id}/config/appsettings"
    shop.arm.put(path, {"properties": {"A": "secret", "B": "2"}})
    shop.arm.put(path, {"properties": {"A": "secret"}})
    shop.arm.put(path, {"properties": {"A": "secret"}})
    assert shop.arm.post(f"{path}/list")["properties"] == {"A": "secret"}
    assert [entry.method for entry in shop.world.journal.writes()] == ["PUT", "PUT", "PUT"]
    site = shop.world.web.sites.get(shop.site.id)
    assert site is not None
    assert site.restarts == 2
    assert "secret" not in json.dumps(shop.world.journal.to_json())


def test_settings_of_any_json_value_are_shown_as_they_were_written(shop: Shop) -> None:
    """A read of app settings shows null, numbers and objects as a PUT wrote them."""
    path, values = f"{shop.site.id}/config/appsettings", {"A": None, "B": 2, "C": {"x": [True]}, "D": "text"}
    shop.arm.put(path, {"properties": values})
    assert shop.arm.post(f"{path}/list")["properties"] == values


def test_sticky_names_have_no_id(shop: Shop) -> None:
    """ARM returns the names of slot-sticky settings as written, with a null id as recorded from Azure."""
    path = f"{shop.site.id}/config/slotConfigNames"
    assert shop.arm.get(path)["id"] is None
    shop.arm.put(path, {"properties": {"appSettingNames": ["A"]}})
    assert shop.arm.get(path)["properties"]["appSettingNames"] == ["A"]


def test_web_configuration_keeps_what_is_not_named(shop: Shop) -> None:
    """A PATCH of `config/web` changes only the properties in its body."""
    path = f"{shop.site.id}/config/web"
    shop.arm.send("PATCH", path, {"properties": {"minTlsVersion": "1.3"}})
    properties = shop.arm.get(path)["properties"]
    assert (properties["minTlsVersion"], properties["http20Enabled"]) == ("1.3", True)


def test_publish_profile_is_a_list_in_xml(shop: Shop) -> None:
    """ARM answers `publishxml`, which az calls after a bind, with three publish profiles. One profile is for FTP."""
    body = shop.arm.send("POST", f"{shop.site.id}/publishxml").body.decode()
    assert body.count("<publishProfile ") == 3
    assert 'publishMethod="FTP"' in body


def test_vault_is_listed_with_its_address(shop: Shop) -> None:
    """ARM shows a vault's data plane address, and answers 404 for the vault under another group."""
    vault = shop.arm.get(shop.vault.resource_id)
    assert vault["properties"]["vaultUri"] == "https://contoso-kv.vault.azure.net/"
    shop.build.add_group("other")
    shop.arm.get(shop.vault.resource_id.replace("/contoso/", "/other/"), 404)


def test_malformed_body_is_refused(shop: Shop) -> None:
    """ARM refuses a body that is no JSON object, and changes nothing."""
    assert shop.arm.put(shop.binding, [], 400)["error"]["code"] == "InvalidRequestContent"
    assert shop.served() == shop.first.thumbprint


def test_stale_list_shows_the_time_before_the_last_writes(shop: Shop) -> None:
    """A stale list of sites shows the state before the last write.

    A sync of a certificate and the bindings that it moves count as one write.
    """
    second = shop.vault.renew("shop")
    shop.arm.put(shop.copy.id, shop.import_body())
    shop.world.faults.add(Fault("stale_list", method="GET", times=2))
    listed = shop.arm.listed(f"{shop.subscription}/providers/Microsoft.Web/certificates")
    assert listed[0]["properties"]["thumbprint"] == shop.first.thumbprint
    states = shop.arm.listed(f"{shop.subscription}/providers/Microsoft.Web/sites")[0]["properties"]["hostNameSslStates"]
    assert states[1]["thumbprint"] == shop.first.thumbprint
    assert shop.arm.get(shop.copy.id)["properties"]["thumbprint"] == second.thumbprint


def test_lists_elsewhere_are_no_reads(shop: Shop) -> None:
    """Only reads of a resource count against the simulation setting `reads_until_visible`.

    Reads of another subscription's list or of the list of all resources do not count as reads of a resource.
    """
    other = shop.build.add_subscription("other")
    shop.world.knobs.reads_until_visible = 1
    shop.arm.send("PATCH", shop.site.id, {"tags": {"new": "yes"}})
    shop.arm.listed(f"/subscriptions/{other.id}/providers/Microsoft.Web/sites")
    shop.arm.listed(f"{shop.subscription}/resources")
    assert [shop.arm.get(shop.site.id)["tags"] for _ in range(2)] == [{}, {"new": "yes"}]


def test_one_seed_makes_one_world() -> None:
    """Two simulated Azures of the same seed have the same ids and addresses."""
    first, other = Shop(), Shop()
    assert first.site.id == other.site.id
    assert (
        first.bind("IpBasedEnabled")["properties"]["virtualIP"]
        == other.bind("IpBasedEnabled")["properties"]["virtualIP"]
    )
