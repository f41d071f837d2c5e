"""These tests cover Flex Consumption sites and their certificates, which belong to a site and not to a webspace."""

from collections.abc import Iterator

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.models import Certificate, CertificateProperties

from local.azure.principals import APP_SERVICE
from local.azure.web.load_list import LOAD_LIST
from local.azure.web.resources import Site
from local.stand import Stand
from local.worlds.builders import Builder
from tests.local.arm_client import Client, Json
from tests.local.pfx_files import PASSWORD, pfx, upload
from tests.local.sdk import web_client

HOST = "jobs.contoso.com"
LOADING = {"loadCertificateToWebsitesSettings": {"loadToWebsite": True}}


class Flex:
    """A Flex Consumption site, `jobs`, whose host name is bound by SNI to the site's own certificate."""

    def __init__(self) -> None:
        self.build = Builder()
        self.world = self.build.world
        self.arm = Client(self.world)
        self.vault = self.build.add_vault()
        self.first = self.build.add_certificate("jobs", [HOST])
        born = self.build.add_site("jobs", flex=True)
        self.copy = self.build.add_site_certificate(born, "jobs")
        self.born = self.build.add_host(born, HOST, self.copy)

    @property
    def site(self) -> Site:
        """The current state of the simulated site."""
        site = self.world.web.sites.get(self.born.id)
        assert site is not None
        return site

    def path(self, name: str) -> str:
        """Return the ARM path of a certificate of the site."""
        return f"{self.born.id}/certificates/{name}"

    def body(self, **properties: object) -> dict[str, Json]:
        """Return the request body that imports the vault certificate."""
        source = {"keyVaultId": self.vault.resource_id, "keyVaultSecretName": "jobs"}
        return {"location": "West Europe", "properties": source | properties}

    def bind(self, thumbprint: str, site: Site | None = None, host: str = HOST, status: int = 200) -> Json:
        """Bind a host name by SNI to that thumbprint, and return ARM's answer."""
        properties = {"sslState": "SniEnabled", "thumbprint": thumbprint}
        return self.arm.put(f"{(site or self.born).id}/hostNameBindings/{host}", {"properties": properties}, status)

    def served(self, host: str = HOST) -> str | None:
        """Return the thumbprint of the certificate that a visitor of the host name receives."""
        shown = self.world.web.served(host, self.world.web.address_of(host) or "")
        return shown.thumbprint if shown else None

    @property
    def listed(self) -> list[Json]:
        """The site's certificates, as ARM lists them."""
        return self.arm.listed(f"{self.born.id}/certificates")


@pytest.fixture
def flex() -> Flex:
    """Build a Flex Consumption site."""
    return Flex()


@pytest.fixture
def client(flex: Flex) -> Iterator[WebSiteManagementClient]:
    """Yield the unmodified azure-mgmt-web client, connected to the local Azure."""
    with Stand() as stand, web_client(stand, flex.build) as client:
        yield client


# ------------------------------------------------------------------------------------------- what a Flex site is


def test_a_flex_site_shows_its_kind(flex: Flex) -> None:
    """ARM shows kind, tier and size of a Flex Consumption site and its plan."""
    site = flex.arm.get(flex.born.id)
    assert (site["kind"], site["properties"]["sku"]) == ("functionapp,linux", "FlexConsumption")
    plan = flex.arm.get(flex.born.plan_id)
    assert (plan["kind"], plan["properties"]["reserved"]) == ("functionapp", True)
    assert (plan["sku"]["name"], plan["sku"]["tier"], plan["sku"]["family"]) == ("FC1", "FlexConsumption", "FC")


def test_a_flex_plan_makes_flex_sites(flex: Flex) -> None:
    """The builder makes a Flex Consumption site only on a Flex Consumption plan."""
    assert flex.build.add_site("more", flex.world.web.plans.get(flex.born.plan_id)).flex
    assert not flex.build.add_site("plain").flex
    with pytest.raises(ValueError, match="no Flex Consumption plan"):
        flex.build.add_site("wrong", flex.build.add_plan("second"), flex=True)


def test_only_flex_sites_have_certificates_of_their_own(flex: Flex) -> None:
    """A site on a plan other than Flex Consumption lists no certificates of its own, and ARM refuses to add any."""
    plain = flex.build.add_site("plain")
    assert flex.arm.listed(f"{plain.id}/certificates") == []
    error = flex.arm.put(f"{plain.id}/certificates/jobs", flex.body(), 400)
    assert "not on a Flex Consumption plan" in error["Message"]
    with pytest.raises(ValueError, match="not on a Flex Consumption plan"):
        flex.build.add_site_certificate(plain, "jobs")


# ------------------------------------------------------------------------------------------------------- the wire


def test_an_import_answers_201_then_200(flex: Flex) -> None:
    """ARM answers 201 to the first import of a certificate into a Flex Consumption site.

    A repeated import into a Flex Consumption site syncs the certificate, and ARM answers 200.
    """
    made = flex.arm.put(flex.path("new"), flex.body(), 201)
    assert (made["id"], made["name"], made["type"]) == (flex.path("new"), "new", "Microsoft.Web/sites/certificates")
    properties = made["properties"]
    assert properties["thumbprint"] == flex.first.thumbprint
    assert properties["keyVaultId"] == flex.vault.resource_id.lower()
    assert properties["hostNames"] == [HOST]
    assert "keyVaultSecretStatus" not in properties
    second = flex.vault.renew("jobs")
    assert flex.arm.put(flex.path("new"), flex.body())["properties"]["thumbprint"] == second.thumbprint
    read = flex.arm.get(flex.path("new"))["properties"]
    assert (read["thumbprint"], read["keyVaultSecretStatus"]) == (second.thumbprint, "Initialized")


def test_the_two_switches_are_shown_and_written(flex: Flex) -> None:
    """A PUT of a site's certificate sets its two Boolean properties to false if the request body omits them.

    A PATCH of a site's certificate leaves properties that the request body omits unchanged.
    """
    on = LOADING | {"enableKeyVaultAccessUsingMSI": True}
    made = flex.arm.put(flex.path("new"), flex.body(**on), 201)["properties"]
    assert {name: made[name] for name in on} == on
    patched = flex.arm.send("PATCH", flex.path("new"), {"tags": {"a": "b"}}).json()
    assert patched["tags"] == {"a": "b"}
    assert {name: patched["properties"][name] for name in on} == on
    again = flex.arm.send("PATCH", flex.path("new"), {"properties": {"enableKeyVaultAccessUsingMSI": False}}).json()
    assert (again["tags"], again["properties"]["enableKeyVaultAccessUsingMSI"]) == ({"a": "b"}, False)
    silent = flex.arm.put(flex.path("new"), flex.body())["properties"]
    assert silent["loadCertificateToWebsitesSettings"] == {"loadToWebsite": False}
    assert silent["enableKeyVaultAccessUsingMSI"] is False


def test_no_list_of_a_webspace_shows_them(flex: Flex) -> None:
    """A Flex Consumption site's certificate is in no list of the subscription's certificates or resources."""
    subscription = f"/subscriptions/{flex.born.subscription}"
    assert [certificate["name"] for certificate in flex.listed] == ["jobs"]
    assert flex.arm.listed(f"{subscription}/providers/Microsoft.Web/certificates") == []
    kinds = {item["type"] for item in flex.arm.listed(f"{subscription}/resources")}
    assert "Microsoft.Web/certificates" not in kinds
    assert "Microsoft.Web/sites/certificates" not in kinds


def test_a_hidden_one_is_missing_silently(flex: Flex) -> None:
    """ARM omits a certificate from the site's list if the caller may not read it.

    ARM answers 403 to a GET of a site's certificate that the caller may not read.
    """
    flex.world.roles.hide(flex.copy.id)
    assert flex.listed == []
    flex.arm.get(flex.copy.id, 403)


def test_an_import_without_a_plan_is_not_for_flex_sites(flex: Flex) -> None:
    """An import that names only a location goes to a webspace of ordinary plans.

    An import without a plan never goes to a webspace that only Flex Consumption plans use.
    """
    path = f"/subscriptions/{flex.born.subscription}/resourceGroups/contoso/providers/Microsoft.Web/certificates/plain"
    assert flex.arm.put(path, flex.body())["properties"]["webSpace"] == "contoso-WestEuropewebspace"


def test_host_names_may_be_hidden(flex: Flex) -> None:
    """The simulation setting `site_certificates_hide_host_names` hides a certificate's host names.

    A site's certificate whose host names ARM hides can still be bound by its thumbprint.
    """
    flex.world.knobs.turn(site_certificates_hide_host_names=True)
    assert flex.listed[0]["properties"]["hostNames"] == []
    flex.bind(flex.first.thumbprint)


@pytest.mark.parametrize("by_identity", [False, True])
def test_who_reads_the_vault(flex: Flex, *, by_identity: bool) -> None:
    """The property `enableKeyVaultAccessUsingMSI` makes Azure read the vault as the site's managed identity.

    Without the property `enableKeyVaultAccessUsingMSI`, Azure reads the vault as App Service. An import fails if the
    vault denies access to the identity that reads the vault.
    """
    flex.vault.deny(APP_SERVICE if by_identity else flex.born.id)
    body = flex.body(enableKeyVaultAccessUsingMSI=by_identity)
    flex.arm.put(flex.path("new"), body, 201)
    second = flex.vault.renew("jobs")
    flex.world.nightly_sync()
    assert flex.arm.get(flex.path("new"))["properties"]["thumbprint"] == second.thumbprint
    flex.vault.deny(flex.born.id if by_identity else APP_SERVICE)
    assert "does not have access" in flex.arm.put(flex.path("new"), body, 400)["Message"]
    flex.world.nightly_sync()
    status = flex.arm.get(flex.path("new"))["properties"]["keyVaultSecretStatus"]
    assert status == "AzureServiceUnauthorizedToAccessKeyVault"


def test_uploads_are_judged_like_others(flex: Flex) -> None:
    """A Flex Consumption site accepts and refuses the same PFX files as a webspace.

    ARM refuses to replace an upload that a host name is bound to.
    """
    first, second = (flex.vault.renew("jobs").leaf for _ in range(2))
    flex.arm.put(flex.path("up"), upload(pfx(first), "wrong"), 400)
    flex.arm.put(flex.path("up"), upload(pfx(first)), 201)
    flex.bind(first.thumbprint)
    error = flex.arm.put(flex.path("up"), upload(pfx(second)), 409)
    assert error["Message"].startswith("Cannot remove certificate with thumbprint")


def test_slots_have_their_own(flex: Flex) -> None:
    """A slot's certificates are separate from its site's certificates."""
    slot = flex.build.add_slot(flex.site, "staging")
    made = flex.arm.put(f"{slot.id}/certificates/jobs", flex.body(), 201)
    assert made["type"] == "Microsoft.Web/sites/slots/certificates"
    assert len(flex.listed) == 1
    flex.arm.delete(f"{slot.id}/certificates/jobs")
    assert len(flex.listed) == 1


# --------------------------------------------------------------------------------------------- bindings and syncs


@pytest.mark.parametrize("moves", [True, False])
def test_a_sync_moves_the_bindings_of_its_site(flex: Flex, *, moves: bool) -> None:
    """A repeated import replaces a site's certificate in place.

    The site's bindings move to the new certificate if the simulation setting `sync_moves_bindings` is on.
    """
    flex.world.knobs.turn(sync_moves_bindings=moves)
    second = flex.vault.renew("jobs")
    flex.arm.put(flex.copy.id, flex.body())
    assert flex.served() == (second if moves else flex.first).thumbprint


def test_the_night_moves_them_too(flex: Flex) -> None:
    """Azure's nightly sync renews the certificates of Flex Consumption sites."""
    second = flex.vault.renew("jobs")
    flex.world.nightly_sync()
    assert flex.served() == second.thumbprint


def test_nobody_else_may_bind_them(flex: Flex) -> None:
    """ARM refuses to bind another site or a slot to a site's own certificate.

    A sync of a site's own certificate moves no binding of another site.
    """
    plain = flex.build.add_site("plain", flex.build.add_plan("plain", linux=True))
    assert plain.webspace == flex.born.webspace
    slot = flex.build.add_slot(flex.site, "staging")
    for other in (plain, slot):
        error = flex.bind(flex.first.thumbprint, other, "other.contoso.com", 404)
        assert error["Details"][2]["ErrorEntity"]["ExtendedCode"] == "51004"
    upload_of_same = flex.build.add_upload(flex.first, flex.world.web.plans.get(plain.plan_id))
    flex.build.add_host(plain, "shop.contoso.com", upload_of_same)
    flex.vault.renew("jobs")
    flex.arm.put(flex.copy.id, flex.body())
    assert flex.served("shop.contoso.com") == flex.first.thumbprint


@pytest.mark.parametrize(("knob", "status"), [(False, 404), (True, 200)])
def test_what_the_webspace_holds_meets_the_knob(flex: Flex, status: int, *, knob: bool) -> None:
    """A simulation setting decides whether a Flex Consumption site may bind certificates of its webspace.

    If `flex_uses_webspace_certificates` is on, a sync of a webspace's certificate moves a Flex site's binding.
    """
    flex.world.knobs.turn(flex_uses_webspace_certificates=knob)
    plan = flex.build.add_plan("plain", linux=True)
    shared = flex.build.add_copy("jobs", plan)
    other = flex.build.add_certificate("other", [HOST])
    upload_of_other = flex.build.add_upload(other, plan)
    flex.bind(upload_of_other.thumbprint, status=status)
    flex.bind(flex.first.thumbprint)
    second = flex.vault.renew("jobs")
    body = flex.body(serverFarmId=plan.id)
    flex.arm.put(shared.id, body)
    assert flex.served() == (second if knob else flex.first).thumbprint


def test_a_bound_one_cannot_be_deleted(flex: Flex) -> None:
    """ARM refuses to delete a certificate that a host name is bound to, and deletes it after unbinding.

    A second deletion answers 204.
    """
    error = flex.arm.delete(flex.copy.id, 409)
    assert error["Message"].endswith(f"because it is used for hostname {HOST}.")
    unbound = {"properties": {"sslState": "Disabled"}}
    flex.arm.put(f"{flex.born.id}/hostNameBindings/{HOST}", unbound)
    flex.arm.delete(flex.copy.id, 200)
    flex.arm.delete(flex.copy.id, 204)
    flex.arm.get(flex.copy.id, 404)


def test_a_full_webspace_does_not_concern_them(flex: Flex) -> None:
    """The limit of certificates per webspace does not count certificates of Flex Consumption sites."""
    flex.world.knobs.turn(certificates_per_webspace=1)
    shared = flex.build.add_copy("jobs", flex.build.add_plan("plain", linux=True))
    assert shared.webspace == flex.born.webspace
    flex.arm.put(flex.path("new"), flex.body(), 201)


# ------------------------------------------------------------------------------------------------- in the app


def test_the_switch_loads_and_the_load_list_does_not(flex: Flex) -> None:
    """A Flex Consumption app loads a certificate whose property `loadToWebsite` is true.

    A Flex Consumption app loads certificates at its next start, and ignores WEBSITE_LOAD_CERTIFICATES.
    """
    settings = {LOAD_LIST: "*", "PIN": flex.first.thumbprint}
    site = flex.build.add_site("worker", flex.world.web.plans.get(flex.born.plan_id), settings=settings)
    copy = flex.build.add_site_certificate(site, "jobs")
    app = flex.build.add_app(site, setting="PIN")
    assert flex.world.apps.troubles()[0] == "worker: the running process has no certificate under its setting PIN"
    flex.arm.put(copy.id, flex.body(**LOADING))
    assert app.processes[-1].certificate is None
    flex.arm.post(f"{site.id}/restart")
    assert flex.world.apps.troubles() == ()


# ---------------------------------------------------------------------------------------------------- by the SDK


def test_the_sdk_manages_certificates_of_sites(flex: Flex, client: WebSiteManagementClient) -> None:
    """azure-mgmt-web imports, syncs, uploads, patches, lists and deletes certificates of sites and slots."""
    flex.world.knobs.turn(page_size=1)
    flex.build.add_slot(flex.site, "staging")
    own = client.site_certificates
    source = CertificateProperties(key_vault_id=flex.vault.resource_id, key_vault_secret_name="jobs")  # noqa: S106 - a name
    wanted = Certificate(location="westeurope", properties=source)
    assert own.create_or_update("contoso", "jobs", "sdk", wanted).name == "sdk"
    second = flex.vault.renew("jobs")
    synced = own.create_or_update("contoso", "jobs", "sdk", wanted)
    assert synced.properties is not None
    assert synced.properties.thumbprint == second.thumbprint
    leaf = flex.vault.renew("jobs").leaf
    packed = CertificateProperties(pfx_blob=pfx(leaf), password=PASSWORD)
    own.create_or_update_slot("contoso", "jobs", "staging", "up", Certificate(location="westeurope", properties=packed))
    own.update("contoso", "jobs", "sdk", {"properties": LOADING})  # type: ignore[call-overload] # JSON, as az sends it
    raw = own.get("contoso", "jobs", "sdk").as_dict()["properties"]
    assert raw["loadCertificateToWebsitesSettings"] == {"loadToWebsite": True}
    assert sorted(str(certificate.name) for certificate in own.list("contoso", "jobs")) == ["jobs", "sdk"]
    assert [certificate.name for certificate in own.list_slot("contoso", "jobs", "staging")] == ["up"]
    own.delete_slot("contoso", "jobs", "staging", "up")
    own.delete("contoso", "jobs", "jobs")
    own.delete("contoso", "jobs", "jobs")
    with pytest.raises(ResourceNotFoundError):
        own.get("contoso", "jobs", "jobs")
    with pytest.raises(HttpResponseError, match="Cannot remove certificate"):
        own.delete("contoso", "jobs", "sdk")
