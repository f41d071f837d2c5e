"""These tests cover App Service Environments in the local ARM and SDK, and the root certificates of their apps."""

import base64
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.web import WebSiteManagementClient

from local.azure.vault.authority import Authority, Leaf
from local.azure.vault.authority import Request as CertificateRequest
from local.azure.vault.issued import imported
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import Plan
from local.azure.web.uploads import HOLDS_A_KEY, NO_PUBLIC_CERTIFICATE
from local.frontend.visitor import HandshakeFailed, Visitor
from local.stand import Stand
from local.tls import NO_CHECK_TIME
from local.worlds.builders import Builder
from tests.local.arm_client import Client, Json
from tests.local.pfx_files import pfx, upload
from tests.local.sdk import web_client

ROOTS_API = "2024-04-01"
KEYED = b"a key with the certificate"
OLD = datetime(2023, 9, 30, tzinfo=UTC)


class Hosted:
    """An App Service Environment, `ase`, with a Windows and a Linux site, next to a plan outside the environment."""

    def __init__(self, *, internal: bool = True) -> None:
        """Build the App Service Environment, its plans and its sites."""
        self.build = Builder()
        self.world = self.build.world
        self.arm = Client(self.world)
        self.group = self.build.add_group("network")
        self.ase = self.build.add_environment("ase", self.group, internal=internal, tags={"team": "web"})
        self.windows = self.build.add_plan("windows", environment=self.ase)
        self.linux = self.build.add_plan("linux", linux=True, environment=self.ase)
        self.shop = self.build.add_site("shop", self.windows)
        self.api = self.build.add_site("api", self.linux)
        self.plan_outside = self.build.add_plan("outside-plan")
        self.outside = self.build.add_site("outside", self.plan_outside)

    @property
    def roots(self) -> str:
        """The ARM path of the App Service Environment's root certificates."""
        return f"{self.ase.id}/publicCertificates"


@pytest.fixture
def hosted() -> Hosted:
    """Build an internal App Service Environment."""
    return Hosted()


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """Yield a running local Azure that all tests of this module share."""
    with Stand() as stand:
        yield stand


@pytest.fixture
def client(hosted: Hosted, stand: Stand) -> Iterator[WebSiteManagementClient]:
    """Yield the unmodified azure-mgmt-web client, connected to the local Azure."""
    with web_client(stand, hosted.build) as client:
        yield client


def send(
    client: WebSiteManagementClient, method: str, path: str, body: Json = None, api: str = ROOTS_API
) -> HttpResponse:
    """Send a raw request through the SDK client, because the SDK lacks the operation, and return the answer."""
    return client.send_request(HttpRequest(method, f"{path}?api-version={api}", json=body))


def body(der: bytes, **properties: object) -> dict[str, Json]:
    """Return the request body that stores a root certificate."""
    return {
        "location": "West Europe",
        "properties": {"blob": base64.b64encode(der).decode(), "isRoot": True} | properties,
    }


# ------------------------------------------------------------------------------------------------- the environment


@pytest.mark.parametrize("internal", [True, False])
def test_an_environment_says_how_it_is_reached(stand: Stand, *, internal: bool) -> None:
    """ARM shows whether an App Service Environment is internal, with its inbound address and its domain."""
    hosted = Hosted(internal=internal)
    with web_client(stand, hosted.build) as client:
        environments = client.app_service_environments
        found = environments.get("network", "ase")
        networking = environments.get_ase_v3_networking_configuration("network", "ase")
        site = client.web_apps.get("network", "shop")
    assert found.kind == "ASEV3"
    assert found.properties.internal_load_balancing_mode == ("Web, Publishing" if internal else "None")
    domain = "ase.appserviceenvironment.net" if internal else "ase.p.azurewebsites.net"
    assert found.properties.dns_suffix == domain
    inside = networking.properties.internal_inbound_ip_addresses
    outside = networking.properties.external_inbound_ip_addresses
    assert (inside, outside) == (([hosted.ase.address], []) if internal else ([], [hosted.ase.address]))
    assert found.properties.networking_configuration.properties == networking.properties
    assert site.properties.default_host_name == f"shop.{domain}"
    assert f"shop.scm.{domain}" in site.properties.enabled_host_names
    assert hosted.arm.get(hosted.shop.id)["properties"]["inboundIpAddress"] == hosted.ase.address


def test_environments_are_listed(client: WebSiteManagementClient, hosted: Hosted) -> None:
    """ARM lists an environment under subscription and group, and omits an environment that the caller may not read."""
    hosted.build.add_group("empty")
    environments = client.app_service_environments
    assert [environment.name for environment in environments.list()] == ["ase"]
    assert [environment.tags for environment in environments.list_by_resource_group("network")] == [{"team": "web"}]
    assert list(environments.list_by_resource_group("empty")) == []
    with pytest.raises(ResourceNotFoundError):
        environments.get("network", "other")
    hosted.world.roles.hide(hosted.ase.id)
    assert list(environments.list()) == []


def test_plans_and_sites_name_their_environment(client: WebSiteManagementClient, hosted: Hosted) -> None:
    """Plans, sites and slots name their environment, and the environment lists its plans and sites."""
    hosted.build.add_slot(hosted.shop, "staging")
    expected = {"id": hosted.ase.id, "name": "ase", "type": "Microsoft.Web/hostingEnvironments"}
    inside = [
        client.app_service_plans.get("network", "windows").properties.hosting_environment_profile,
        client.web_apps.get("network", "shop").properties.hosting_environment_profile,
        client.web_apps.get_slot("network", "shop", "staging").properties.hosting_environment_profile,
    ]
    assert [profile.as_dict() for profile in inside if profile] == [expected] * 3
    assert client.web_apps.get("network", "outside").properties.hosting_environment_profile is None
    assert client.app_service_plans.get("network", "outside-plan").properties.hosting_environment_profile is None
    environments = client.app_service_environments
    assert [plan.name for plan in environments.list_app_service_plans("network", "ase")] == ["windows", "linux"]
    assert [site.name for site in environments.list_web_apps("network", "ase")] == ["shop", "api"]


@pytest.mark.parametrize(
    ("reading", "spaces"),
    [
        ("per plan group", ["network-aseappseWestEuropewebspace"] * 2 + ["shops-aseappseWestEuropewebspace"]),
        ("one", ["network-aseappseWestEuropewebspace"] * 3),
    ],
)
def test_the_groups_of_plans_decide_the_webspaces_of_an_environment(reading: str, spaces: list[str]) -> None:
    """Each resource group with plans of an environment has a webspace, or all plans of the environment share one.

    The simulation setting `environment_webspaces` decides. All apps of the environment share its address.
    """
    hosted = Hosted()
    hosted.world.knobs.turn(environment_webspaces=reading)
    apart = hosted.build.add_plan("apart", hosted.build.add_group("shops"), environment=hosted.ase)
    far = hosted.build.add_site("far", apart)
    paths = [plan.id for plan in (hosted.windows, hosted.linux, apart)]
    assert [hosted.arm.get(path)["properties"]["webSpace"] for path in paths] == spaces
    assert hosted.arm.get(far.id)["properties"]["webSpace"] == spaces[-1]
    assert hosted.outside.webspace not in {plan.webspace for plan in (hosted.windows, apart)}
    assert {hosted.world.web.address_of(site.default_host_name) for site in (hosted.shop, far)} == {hosted.ase.address}


def test_one_vault_certificate_is_in_two_webspaces_of_an_environment(hosted: Hosted) -> None:
    """Two webspaces of an environment take the same version of a vault certificate, and each binds its own copy.

    Both copies name the environment, and a certificate outside of environments names none. A certificate may be in
    another resource group than the plans of its webspace. The three facts are recorded (azure-powershell
    TestRemoveAzWebAppCertificate).
    """
    hosted.build.add_certificate("shop", ["shop.contoso.com", "far.contoso.com"])
    apart = hosted.build.add_plan("apart", hosted.build.add_group("shops"), environment=hosted.ase)
    vault = hosted.build.add_group("vaults")
    answers = [
        hosted.arm.put(f"{group.id}/providers/Microsoft.Web/certificates/shop", imported_into(hosted, plan))
        for group, plan in ((hosted.group, hosted.windows), (vault, apart), (hosted.build.add_group("out"), None))
    ]
    seen = [answer["properties"] for answer in answers]
    assert len({properties["thumbprint"] for properties in seen}) == 1
    assert [properties["webSpace"] for properties in seen] == [
        "network-aseappseWestEuropewebspace",
        "shops-aseappseWestEuropewebspace",
        "out-WestEuropewebspace",
    ]
    profile = {"id": hosted.ase.id, "name": "ase", "type": "Microsoft.Web/hostingEnvironments"}
    assert [properties["hostingEnvironmentProfile"] for properties in seen] == [profile, profile, None]
    far, wish = hosted.build.add_site("far", apart), {"siteName": "far", "sslState": "SniEnabled"}
    hosted.arm.put(
        f"{far.id}/hostNameBindings/far.contoso.com",
        {"properties": wish | {"thumbprint": seen[1]["thumbprint"]}},
    )
    hosted.arm.delete(answers[0]["id"])
    hosted.arm.delete(answers[1]["id"], 409)


def imported_into(hosted: Hosted, plan: Plan | None) -> dict[str, Json]:
    """Return the request body that imports the vault certificate `shop` into the webspace of a plan."""
    properties = {"keyVaultId": hosted.world.vaults["contoso-kv"].resource_id, "keyVaultSecretName": "shop"}
    named = {"serverFarmId": plan.id} if plan else {}
    return {"location": "West Europe", "properties": properties | named}


@pytest.mark.parametrize("group", ["network", "shops"])
def test_a_certificate_for_no_plan_goes_outside(hosted: Hosted, group: str) -> None:
    """An upload without a plan goes to a webspace outside of environments, even if the group has no plan outside.

    An upload that names an environment instead of a plan goes to the environment's webspace for its resource group
    (azure-powershell #7537). ARM refuses an unknown environment.
    """
    hosted.build.add_plan("apart", hosted.build.add_group("shops"), environment=hosted.ase)
    leaf = hosted.build.add_certificate("shop", ["shop.contoso.com"]).leaf
    path = f"/subscriptions/{hosted.ase.subscription}/resourceGroups/{group}/providers/Microsoft.Web/certificates"
    wish = upload(pfx(leaf))
    outside = hosted.arm.put(f"{path}/outside", wish)["properties"]
    assert (outside["webSpace"], outside["hostingEnvironmentProfile"]) == (f"{group}-WestEuropewebspace", None)
    wish["properties"]["hostingEnvironmentProfile"] = {"id": hosted.ase.id}
    inside = hosted.arm.put(f"{path}/inside", wish)["properties"]
    assert inside["webSpace"] == f"{group}-aseappseWestEuropewebspace"
    assert inside["hostingEnvironmentProfile"]["id"] == hosted.ase.id
    wish["properties"]["hostingEnvironmentProfile"] = {"id": f"{hosted.ase.id}-gone"}
    assert "ase-gone" in hosted.arm.put(f"{path}/nowhere", wish, 404)["Message"]


def test_a_tagged_environment_keeps_its_plans_and_sites(hosted: Hosted) -> None:
    """An environment lists its plans and sites, and hides them from the internet, after its tags changed, too."""
    hosted.world.web.environments.put(hosted.ase.id, replace(hosted.ase, tags={"certroll": "off"}))
    assert [plan["name"] for plan in hosted.arm.listed(f"{hosted.ase.id}/serverfarms")] == ["windows", "linux"]
    assert [site["name"] for site in hosted.arm.listed(f"{hosted.ase.id}/sites")] == ["shop", "api"]
    assert hosted.arm.get(hosted.ase.id)["properties"]["hasLinuxWorkers"] is True
    assert not hosted.world.web.is_public(hosted.shop.default_host_name)


def test_an_environment_has_no_dedicated_addresses(client: WebSiteManagementClient, hosted: Hosted) -> None:
    """ARM refuses an IP-based binding in an App Service Environment.

    A certificate bound by SNI is served at the App Service Environment's address.
    """
    copy = bound(hosted)
    web = client.web_apps
    wish = {"properties": {"siteName": "shop", "thumbprint": copy.thumbprint, "sslState": "IpBasedEnabled"}}
    with pytest.raises(HttpResponseError, match="not supported in an App Service Environment"):
        web.create_or_update_host_name_binding("network", "shop", "shop.contoso.com", wish)
    served = hosted.world.web.served("shop.contoso.com", hosted.ase.address)
    assert served is not None
    assert served.thumbprint == copy.thumbprint


def bound(hosted: Hosted) -> Certificate:
    """Bind the host name of the site `shop` to an imported certificate, and return that certificate."""
    hosted.build.add_certificate("shop", ["shop.contoso.com"])
    copy = hosted.build.add_copy("shop", hosted.windows)
    hosted.build.add_host(hosted.shop, "shop.contoso.com", copy)
    return copy


def test_an_environment_has_no_managed_certificates(hosted: Hosted) -> None:
    """ARM refuses a free managed certificate for a host name in an App Service Environment."""
    hosted.build.add_host(hosted.shop, "shop.contoso.com")
    hosted.build.add_record("shop.contoso.com", "CNAME", hosted.shop.default_host_name)
    properties = {"canonicalName": "shop.contoso.com", "serverFarmId": hosted.windows.id}
    path = f"{hosted.group.id}/providers/Microsoft.Web/certificates/shop.contoso.com"
    error = hosted.arm.put(path, {"location": "West Europe", "properties": properties}, 400)
    assert "App Service Environment" in error["Message"]


def test_the_generic_list_says_when_certificates_were_created(hosted: Hosted) -> None:
    """`$expand=createdTime` shows when each certificate was first created, and a sync keeps that time.

    The simulation setting `certificates_show_created` can hide the creation time of certificates.
    """
    copy = bound(hosted)
    old = hosted.build.add_upload(hosted.build.add_certificate("old", ["old.contoso.com"]), name="old", created=OLD)
    born = hosted.world.clock.now()
    hosted.world.clock.sleep(3600)
    hosted.world.vaults["contoso-kv"].renew("shop")
    hosted.world.nightly_sync()
    assert times(hosted) == {copy.name: born.isoformat(), old.name: OLD.isoformat()}
    hosted.world.knobs.turn(certificates_show_created=False)
    assert times(hosted) == {copy.name: None, old.name: None}


def times(hosted: Hosted) -> dict[str, str | None]:
    """Return the creation time of each certificate, as ARM's generic list shows it."""
    path = f"/subscriptions/{hosted.ase.subscription}/resources?$expand=createdTime"
    items = hosted.arm.listed(path)
    return {item["name"]: item.get("createdTime") for item in items if item["type"] == "Microsoft.Web/certificates"}


def test_the_generic_list_has_environments(hosted: Hosted) -> None:
    """ARM's generic list of resources contains the App Service Environment."""
    items = hosted.arm.listed(f"/subscriptions/{hosted.ase.subscription}/resources")
    assert [item["id"] for item in items if item["type"].endswith("hostingEnvironments")] == [hosted.ase.id]


# ----------------------------------------------------------------------------------- private server certificates


class Private(Hosted):
    """An App Service Environment whose shop serves an uploaded certificate of a private authority."""

    def __init__(self, created: datetime | None, *, chained: bool = True) -> None:
        """Build the App Service Environment, and upload the certificate with the given creation time."""
        super().__init__()
        self.corp = Authority("Corp")
        now = self.world.clock.now()
        self.leaf = self.corp.issue(CertificateRequest(("shop.corp.example",), now, now + timedelta(days=90)))
        self.content = imported(self.leaf if chained else Leaf(self.leaf.certificate, self.leaf.private_key))
        self.upload = self.build.add_upload(self.content, self.windows, name="private", created=created)
        self.build.add_host(self.shop, "shop.corp.example", self.upload)

    @property
    def path(self) -> str:
        """The ARM path under which `upload_again` uploads the PFX."""
        return f"{self.group.id}/providers/Microsoft.Web/certificates/again"

    def upload_again(self) -> None:
        """Upload the same PFX under another name."""
        wish = upload(pfx(self.leaf))
        wish["properties"]["serverFarmId"] = self.windows.id
        self.arm.put(self.path, wish)

    def bind_again(self) -> None:
        """Write the host name binding again with the same certificate."""
        properties = {"siteName": "shop", "sslState": "SniEnabled", "thumbprint": self.leaf.thumbprint}
        self.arm.put(f"{self.shop.id}/hostNameBindings/shop.corp.example", {"properties": properties})

    def convinces(self, stand: Stand) -> bool:
        """Return True if a visitor that trusts only the private root completes the TLS handshake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.corp.root_pem.decode())
        context.verify_flags |= NO_CHECK_TIME
        try:
            Visitor(stand.proxy.address, context).handshake("shop.corp.example")
        except HandshakeFailed:
            return False
        return True


@pytest.mark.parametrize(
    ("created", "chained", "through"),
    [(None, True, True), (None, False, False), (OLD, True, False), (OLD + timedelta(days=1), True, True)],
)
def test_the_chain_of_an_upload_gets_to_the_servers(
    stand: Stand, created: datetime | None, *, chained: bool, through: bool
) -> None:
    """In an App Service Environment, front ends send the full chain of an upload from October 2023 or later.

    In an environment, front ends omit the chain of a private authority's certificate uploaded before October 2023.
    """
    hosted = Private(created, chained=chained)
    stand.use(hosted.world)
    assert hosted.convinces(stand) == through
    hosted.arm.put(hosted.upload.id, {"location": "West Europe", "tags": {"team": "web"}})
    assert hosted.convinces(stand) == through


def test_an_early_upload_has_to_be_uploaded_and_bound_again(stand: Stand) -> None:
    """The front ends send the chain of an upload before October 2023 only after another upload and another binding."""
    hosted = Private(OLD)
    stand.use(hosted.world)
    hosted.bind_again()
    assert not hosted.convinces(stand)
    hosted.upload_again()
    assert not hosted.convinces(stand)
    hosted.bind_again()
    assert hosted.convinces(stand)


def test_chains_of_public_authorities_need_nothing(hosted: Hosted, stand: Stand) -> None:
    """The front ends send the chain of a public authority's certificate even if it was uploaded before October 2023.

    Outside an App Service Environment, front ends send the chain of any upload, even from before October 2023.
    """
    public = hosted.build.add_certificate("old", ["old.contoso.com"])
    hosted.build.add_host(hosted.shop, "old.contoso.com", hosted.build.add_upload(public, hosted.windows, created=OLD))
    stand.use(hosted.world)
    assert shown(stand, "old.contoso.com") == public.thumbprint
    elsewhere = Private(OLD)
    early = elsewhere.build.add_upload(elsewhere.content, elsewhere.plan_outside, created=OLD)
    elsewhere.build.add_host(elsewhere.outside, "far.corp.example", early)
    served = elsewhere.world.web.served("far.corp.example", elsewhere.world.web.address_of("far.corp.example") or "")
    assert served == elsewhere.content


# ---------------------------------------------------------------------------------------------- the way to the names


@pytest.mark.parametrize(
    ("standing", "by_name", "by_address"),
    [("resolved", True, True), ("by address", False, True), ("unreachable", False, False)],
)
def test_internal_names_lead_nowhere_from_outside(
    hosted: Hosted, stand: Stand, standing: str, *, by_name: bool, by_address: bool
) -> None:
    """The simulation setting `internal_environments` decides whether a caller reaches an internal environment.

    The simulation setting `internal_environments` allows connections by host name and address, by address, or none.
    """
    copy = bound(hosted)
    hosted.world.knobs.turn(internal_environments=standing)
    stand.use(hosted.world)
    assert shown(stand, "shop.contoso.com") == (copy.thumbprint if by_name else None)
    assert shown(stand, "shop.contoso.com", hosted.ase.address) == (copy.thumbprint if by_address else None)
    assert (shown(stand, hosted.shop.default_host_name) is not None) == by_name
    assert shown(stand, hosted.outside.default_host_name) is not None
    assert hosted.world.dns.values(hosted.shop.default_host_name, "A") == ()


def test_an_external_environment_is_on_the_internet(stand: Stand) -> None:
    """Public DNS resolves the host names of an external App Service Environment, and visitors reach its sites."""
    hosted = Hosted(internal=False)
    copy = bound(hosted)
    hosted.world.knobs.turn(internal_environments="unreachable")
    stand.use(hosted.world)
    assert shown(stand, "shop.contoso.com") == copy.thumbprint
    assert stand.visitor.fetch(hosted.shop.default_host_name) == 200
    assert hosted.world.dns.values(hosted.shop.default_host_name, "A") == (hosted.ase.address,)


def shown(stand: Stand, host_name: str, connect_to: str | None = None) -> str | None:
    """Return the thumbprint that a visitor receives, or None if the handshake fails."""
    try:
        return stand.visitor.handshake(host_name, connect_to)
    except HandshakeFailed:
        return None


# ------------------------------------------------------------------------------------------------ roots on the wire


def test_roots_are_put_read_listed_and_deleted(client: WebSiteManagementClient, hosted: Hosted) -> None:
    """ARM stores, reads, lists and deletes a root certificate. A second deletion answers 204."""
    root, path = Authority("Corp").root_leaf, f"{hosted.roots}/corp"
    stored = send(client, "PUT", path, body(root.der)).json()
    assert (stored["id"], stored["name"], stored["location"]) == (path, "corp", "West Europe")
    assert stored["type"] == "Microsoft.Web/hostingEnvironments/publicCertificates"
    assert base64.b64decode(stored["properties"]["blob"]) == root.der
    assert stored["properties"]["thumbprint"] == root.thumbprint
    assert stored["properties"]["isRoot"] is True
    assert send(client, "GET", path).json() == stored
    assert send(client, "GET", hosted.roots).json()["value"] == [stored]
    assert [send(client, "DELETE", path).status_code for _ in range(2)] == [200, 204]
    assert send(client, "GET", hosted.roots).json()["value"] == []
    assert send(client, "GET", path).status_code == 404
    assert send(client, "PUT", f"{hosted.ase.id}-gone/publicCertificates/corp", body(root.der)).status_code == 404


def test_a_root_is_replaced_in_place(client: WebSiteManagementClient, hosted: Hosted) -> None:
    """A PUT under an existing name, in any letter case, replaces the environment's root certificate.

    ARM accepts a root certificate as PEM and as DER.
    """
    old, new = Authority("Corp").root_leaf, Authority("Corp").root_leaf
    hosted.build.add_root_certificate(hosted.ase, old.der, name="corp")
    assert send(client, "PUT", f"{hosted.roots}/CORP", body(new.certificate_pem)).status_code == 200
    (only,) = send(client, "GET", hosted.roots).json()["value"]
    assert (only["name"], only["properties"]["thumbprint"]) == ("corp", new.thumbprint)
    assert hosted.world.journal.changes()[-1] == f"root corp of ase {old.thumbprint[:8]}->{new.thumbprint[:8]}"


@pytest.mark.parametrize(
    ("blob", "words"),
    [(b"hello", NO_PUBLIC_CERTIFICATE), (b"", NO_PUBLIC_CERTIFICATE), (KEYED, HOLDS_A_KEY)],
)
def test_what_is_no_certificate_is_no_root(
    client: WebSiteManagementClient, hosted: Hosted, blob: bytes, words: str
) -> None:
    """ARM refuses a root certificate with 400 if its blob has no certificate, a private key, or invalid base64."""
    root = Authority("Corp").root_leaf
    data = root.private_key_pem + root.certificate_pem if blob is KEYED else blob
    refused = [send(client, "PUT", f"{hosted.roots}/corp", wish) for wish in (body(data), body(b"", blob="#"))]
    assert [response.status_code for response in refused] == [400, 400]
    assert refused[0].json()["Message"] == words
    assert "Base64 is required" in refused[1].json()["Message"]
    assert send(client, "GET", hosted.roots).json()["value"] == []


def test_a_root_needs_a_location_and_the_documented_version(client: WebSiteManagementClient, hosted: Hosted) -> None:
    """ARM refuses a root certificate without a location, or with an undocumented api-version."""
    wish = body(Authority("Corp").root_leaf.der)
    refused = send(client, "PUT", f"{hosted.roots}/corp", {"properties": wish["properties"]})
    assert refused.json()["error"]["code"] == "LocationRequired"
    for method in ("GET", "PUT", "DELETE"):
        refused = send(client, method, f"{hosted.roots}/corp", wish, api="2023-12-01")
        assert refused.json()["error"]["code"] == "NoRegisteredProviderFound"
    assert send(client, "GET", hosted.roots, api="2025-05-01").status_code == 400


@pytest.mark.parametrize(("blob", "thumbprint"), [(True, False), (False, True), (False, False)])
def test_what_a_root_shows_is_open(
    client: WebSiteManagementClient, hosted: Hosted, *, blob: bool, thumbprint: bool
) -> None:
    """Two simulation settings hide a root's blob and thumbprint in ARM's answers."""
    hosted.world.knobs.turn(roots_show_blob=blob, roots_show_thumbprint=thumbprint)
    put = send(client, "PUT", f"{hosted.roots}/corp", body(Authority("Corp").root_leaf.der)).json()
    (listed,) = send(client, "GET", hosted.roots).json()["value"]
    assert put == listed
    expected = {"isRoot"} | ({"blob"} if blob else set()) | ({"thumbprint"} if thumbprint else set())
    assert set(listed["properties"]) == expected


@pytest.mark.parametrize("said", [{"isRoot": False}, {}])
def test_not_every_certificate_is_a_root(
    client: WebSiteManagementClient, hosted: Hosted, said: dict[str, object]
) -> None:
    """ARM stores a certificate with `isRoot` false unless the request sets `isRoot` to true."""
    wish = body(Authority("Corp").root_leaf.der)
    wish["properties"] = {"blob": wish["properties"]["blob"]} | said
    assert send(client, "PUT", f"{hosted.roots}/corp", wish).json()["properties"]["isRoot"] is False


def test_roots_have_pages_and_roles(client: WebSiteManagementClient, hosted: Hosted) -> None:
    """ARM lists an environment's root certificates in pages, and omits roots that the caller may not read.

    ARM does not let a caller with only read access delete a root certificate.
    """
    for name in ("one", "two", "three"):
        hosted.build.add_root_certificate(hosted.ase, Authority(name).root_leaf.der, name=name)
    hosted.world.knobs.turn(page_size=1)
    hosted.world.roles.hide(f"{hosted.roots}/two")
    hosted.world.roles.read_only(hosted.ase.id)
    first = send(client, "GET", hosted.roots).json()
    second = client.send_request(HttpRequest("GET", first["nextLink"])).json()
    assert [root["name"] for page in (first, second) for root in page["value"]] == ["one", "three"]
    assert second["nextLink"] is None
    assert send(client, "DELETE", f"{hosted.roots}/one").status_code == 403
