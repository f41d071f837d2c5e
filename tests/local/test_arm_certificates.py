"""These tests import, sync, upload and delete certificates in the local App Service."""

import base64

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from local.azure.principals import APP_SERVICE
from local.azure.vault.authority import Leaf
from local.azure.vault.policy import PEM
from tests.local.arm_client import Json, Shop


@pytest.fixture
def shop() -> Shop:
    """Build a local Azure with the site `shop`."""
    return Shop()


def sibling(shop: Shop, name: str) -> str:
    """Return the ARM path of a certificate in the resource group of the site `shop`."""
    return shop.copy.id.rsplit("/", maxsplit=1)[0] + "/" + name


def test_import_answers_with_azures_quirks(shop: Shop) -> None:
    """ARM answers an import as Azure does: with a lower-case vault id, and without plan and secret status.

    ARM shows the field `keyVaultSecretStatus` only in a GET after the import.
    """
    answer = shop.arm.put(sibling(shop, "again"), shop.import_body())
    properties = answer["properties"]
    assert properties["keyVaultId"] == shop.vault.resource_id.lower()
    assert properties["serverFarmId"] is None
    assert properties["webSpace"] == "contoso-WestEuropewebspace"
    assert properties["subjectName"] == "shop.contoso.com,pay.contoso.com"
    assert properties["issueDate"].endswith("+00:00")
    assert "keyVaultSecretStatus" not in properties
    assert shop.arm.get(sibling(shop, "again"))["properties"]["keyVaultSecretStatus"] == "Initialized"


def test_list_has_an_id_of_null(shop: Shop) -> None:
    """ARM's list of certificates has the key `id` with null, as recorded from Azure."""
    page = shop.arm.get(f"{shop.subscription}/providers/Microsoft.Web/certificates")
    assert {"value", "nextLink", "id"} == set(page)
    assert page["id"] is None


@pytest.mark.parametrize("moves", [True, False])
def test_sync_replaces_in_place_and_moves_bindings_as_the_knob_says(shop: Shop, moves: bool) -> None:  # noqa: FBT001 - a knob
    """A repeated import replaces a certificate with the vault's newest version.

    A client's sync moves bindings only if the simulation setting `sync_moves_bindings` is on.
    """
    shop.world.knobs.sync_moves_bindings = moves
    second = shop.vault.renew("shop")
    shop.arm.put(shop.copy.id, shop.import_body())
    assert shop.arm.get(shop.copy.id)["properties"]["thumbprint"] == second.thumbprint
    assert shop.served() == (second if moves else shop.first).thumbprint


def test_reads_lag_by_the_whole_write(shop: Shop) -> None:
    """A delayed read of a site shows all its bindings before a sync, or all of them after the sync."""
    shop.build.add_host(shop.site, "pay.contoso.com", shop.copy)
    shop.world.knobs.reads_until_visible = 1
    second = shop.vault.renew("shop")
    shop.arm.put(shop.copy.id, shop.import_body())
    seen = []
    for _ in range(2):
        states = shop.arm.get(shop.site.id)["properties"]["hostNameSslStates"]
        seen.append({state["thumbprint"] for state in states if state["thumbprint"]})
    assert seen == [{shop.first.thumbprint}, {second.thumbprint}]


def test_sync_leaves_host_names_that_the_new_version_does_not_cover(shop: Shop) -> None:
    """A sync leaves a host name on its old certificate if the new certificate does not cover the name.

    Visitors of an uncovered host name still receive the old certificate.
    """
    shop.vault.renew("shop", host_names=["pay.contoso.com"])
    shop.arm.put(shop.copy.id, shop.import_body())
    assert shop.served() == shop.first.thumbprint


def test_sync_moves_only_bindings_of_its_webspace(shop: Shop) -> None:
    """A sync moves no bindings of another webspace, even if those bindings have the same thumbprint."""
    linux = shop.build.add_plan("linux", linux=True)
    elsewhere = shop.build.add_copy("shop", linux, name="elsewhere")
    shop.build.add_host(shop.build.add_site("pay", linux), "pay.contoso.com", elsewhere)
    shop.vault.renew("shop")
    shop.arm.put(shop.copy.id, shop.import_body())
    assert shop.served("pay.contoso.com") == shop.first.thumbprint


def test_wrong_echo_shows_another_copy_and_the_old_thumbprint(shop: Shop) -> None:
    """The simulation setting `wrong_echo` makes ARM answer a sync with another certificate's data.

    After a wrong answer to a sync, a GET of the certificate shows its true thumbprint and vault.
    """
    shop.world.knobs.wrong_echo = True
    other = shop.build.add_vault("other-kv")
    shop.build.add_certificate("pay", ["pay.contoso.com"], other)
    shop.build.add_copy("pay", shop.plan, other)
    second = shop.vault.renew("shop")
    echo = shop.arm.put(shop.copy.id, shop.import_body())["properties"]
    assert (echo["thumbprint"], echo["keyVaultId"]) == (shop.first.thumbprint, other.resource_id.lower())
    truth = shop.arm.get(shop.copy.id)["properties"]
    assert (truth["thumbprint"], truth["keyVaultId"]) == (second.thumbprint, shop.vault.resource_id.lower())


def test_nightly_sync_moves_copy_and_bindings(shop: Shop) -> None:
    """Azure's nightly sync renews an imported certificate and moves the certificate's bindings.

    The nightly sync appears in the request journal without a client's write.
    """
    shop.world.knobs.sync_moves_bindings = False
    second = shop.vault.renew("shop")
    shop.world.nightly_sync()
    assert shop.served() == second.thumbprint
    assert shop.world.journal.writes() == ()
    assert any("moved by the sync" in change for change in shop.world.journal.changes())


@pytest.mark.parametrize(
    ("cause", "status"),
    [("denied", "AzureServiceUnauthorizedToAccessKeyVault"), ("deleted", "KeyVaultSecretDoesNotExist")],
)
def test_nightly_sync_tells_a_lost_source_by_the_status_alone(shop: Shop, cause: str, status: str) -> None:
    """A certificate keeps serving if the nightly sync cannot read its vault secret.

    After a failed nightly sync, ARM shows a certificate status that names the cause.
    """
    if cause == "denied":
        shop.vault.deny(APP_SERVICE)
    else:
        shop.vault.delete("shop")
    shop.world.nightly_sync()
    properties = shop.arm.get(shop.copy.id)["properties"]
    assert (properties["keyVaultSecretStatus"], properties["thumbprint"]) == (status, shop.first.thumbprint)


def test_nightly_sync_without_news_changes_nothing(shop: Shop) -> None:
    """Azure's nightly sync leaves no entry in the request journal if every certificate is current.

    A certificate's status becomes `Initialized` again when App Service may read the vault again.
    """
    shop.world.nightly_sync()
    assert shop.world.journal.changes() == ()
    shop.vault.deny(APP_SERVICE)
    shop.world.nightly_sync()
    shop.vault.allow()
    shop.world.nightly_sync()
    assert shop.arm.get(shop.copy.id)["properties"]["keyVaultSecretStatus"] == "Initialized"


def test_import_needs_the_vaults_permission(shop: Shop) -> None:
    """ARM refuses an import if App Service may not read the vault, and names the vault."""
    shop.vault.deny(APP_SERVICE)
    shop.vault.renew("shop")
    error = shop.arm.put(shop.copy.id, shop.import_body(), 400)
    assert f"does not have access to '{shop.vault.resource_id.lower()}' Key Vault" in error["Message"]
    assert shop.arm.get(shop.copy.id)["properties"]["thumbprint"] == shop.first.thumbprint


def test_import_takes_only_what_app_service_can_use(shop: Shop) -> None:
    """ARM refuses to import elliptic-curve keys, PEM secrets, and disabled or unknown objects."""
    shop.build.add_certificate("curve", ["a.contoso.com"], key_type="EC")
    shop.build.add_certificate("pem", ["a.contoso.com"], content_type=PEM)
    shop.build.add_certificate("off", ["a.contoso.com"], enabled=False)
    for name in ("curve", "pem", "off", "unknown"):
        shop.arm.put(sibling(shop, name), shop.import_body(keyVaultSecretName=name), 400)
    assert len(shop.arm.listed(f"{shop.subscription}/providers/Microsoft.Web/certificates")) == 1


def test_unknown_vault_and_unknown_plan_are_refused(shop: Shop) -> None:
    """ARM refuses an import that names an unknown plan, or a vault with a wrong resource id."""
    wrong = shop.vault.resource_id.replace("/contoso/", "/elsewhere/")
    shop.arm.put(sibling(shop, "x"), shop.import_body(keyVaultId=wrong), 400)
    shop.arm.put(sibling(shop, "x"), shop.import_body(serverFarmId=f"{shop.plan.id}-gone"), 404)


def test_name_taken_in_another_region_is_refused(shop: Shop) -> None:
    """ARM refuses a certificate name that the resource group already uses in another region."""
    error = shop.arm.put(shop.copy.id, shop.import_body() | {"location": "Japan West"}, 409)
    assert error["error"]["code"] == "InvalidResourceLocation"


def test_same_name_in_a_second_webspace_updates_the_first(shop: Shop) -> None:
    """An import under an existing name updates that certificate, even if the request names another webspace.

    Azure also updates an existing certificate under the name of an import (azure-powershell, issue 17347).
    """
    linux = shop.build.add_plan("linux", linux=True)
    answer = shop.arm.put(shop.copy.id, shop.import_body(serverFarmId=linux.id))
    assert answer["properties"]["webSpace"] == shop.plan.webspace.name


def test_without_a_plan_the_location_picks_the_webspace(shop: Shop) -> None:
    """An import without serverFarmId, as newer az sends it, goes to the group's webspace in that region."""
    body = shop.import_body(serverFarmId=None)
    answer = shop.arm.put(sibling(shop, "planless"), body)
    assert answer["properties"]["webSpace"] == shop.plan.webspace.name


@pytest.mark.parametrize(("knob", "status"), [("accept", 200), ("refuse", 409)])
def test_second_copy_of_one_thumbprint_meets_the_knob(shop: Shop, knob: str, status: int) -> None:
    """A simulation setting decides whether ARM accepts a second import of the same version of a vault certificate.

    ARM always accepts a sync of an existing import.
    """
    shop.world.knobs.turn(second_import_same_thumbprint=knob)
    shop.arm.put(sibling(shop, "second"), shop.import_body(), status)
    if status == 409:
        shop.arm.put(shop.copy.id, shop.import_body())


@pytest.mark.parametrize("upload", [False, True])
@pytest.mark.parametrize(("knob", "status"), [("accept", 200), ("refuse", 409), ("resolve", 200)])
def test_second_copy_by_import_or_upload(shop: Shop, knob: str, status: int, *, upload: bool) -> None:
    """The setting `second_import_same_thumbprint` decides on a second certificate with the same thumbprint.

    With the value `resolve` of a simulation setting, ARM answers an import with the existing certificate.
    """
    shop.world.knobs.turn(second_import_same_thumbprint=knob)
    body = pfx_of(shop.first.leaf, "secret") if upload else shop.import_body()
    answer = shop.arm.put(sibling(shop, "second"), body, status)
    if knob == "resolve":
        assert answer["id"] == shop.copy.id
    made = knob == "accept"
    assert (shop.world.web.certificates.get(sibling(shop, "second")) is not None) == made


def test_resolving_concerns_second_copies_alone(shop: Shop) -> None:
    """`resolve` applies only to a second certificate with equal subscription, location and thumbprint.

    `resolve` is a value of the simulation setting `second_import_same_thumbprint`.
    """
    shop.world.knobs.turn(second_import_same_thumbprint="resolve")
    shop.build.add_upload(shop.vault.renew("shop"), shop.plan)
    synced = shop.arm.put(shop.copy.id, shop.import_body())
    assert synced["properties"]["thumbprint"] == shop.vault.certificates["shop"].newest.thumbprint
    upload = pfx_of(shop.first.leaf, "secret")
    assert shop.arm.put(sibling(shop, "new"), upload)["name"] == "new"
    assert shop.arm.put(sibling(shop, "far"), upload | {"location": "North Europe"})["name"] == "far"
    twin = shop.build.add_group("contoso", shop.build.add_subscription("Twin"))
    assert shop.arm.put(f"{twin.id}/providers/Microsoft.Web/certificates/twin", upload)["name"] == "twin"


def test_bound_certificate_cannot_be_deleted(shop: Shop) -> None:
    """ARM refuses in Azure's words to delete a bound certificate, and deletes the certificate after unbinding."""
    error = shop.arm.delete(shop.copy.id, 409)
    thumbprint = shop.first.thumbprint
    expected = (
        f"Cannot remove certificate with thumbprint {thumbprint} because it is used for hostname shop.contoso.com."
    )
    assert error["Message"] == expected
    shop.bind("Disabled")
    shop.arm.delete(shop.copy.id, 200)
    shop.arm.delete(shop.copy.id, 204)
    assert shop.arm.get(shop.copy.id, 404)["error"]["code"] == "ResourceNotFound"


def test_filters_of_the_list(shop: Shop) -> None:
    """ARM filters the list of certificates by vault and by plan in any letter case, and refuses unknown filters."""
    path = f"{shop.subscription}/providers/Microsoft.Web/certificates?$filter="
    assert len(shop.arm.listed(f"{path}KeyVaultId eq '{shop.vault.resource_id.upper()}'")) == 1
    assert shop.arm.listed(f"{path}KeyVaultId eq '/elsewhere'") == []
    assert len(shop.arm.listed(f"{path}ServerFarmId eq '{shop.plan.id}'")) == 1
    assert shop.arm.get(f"{path}Nonsense", 400)["error"]["code"] == "InvalidFilterInQueryString"


def pfx_of(leaf: Leaf, password: str) -> dict[str, object]:
    """Return the request body that uploads the leaf as a PFX."""
    blob = pkcs12.serialize_key_and_certificates(
        None, leaf.private_key, leaf.certificate, list(leaf.chain), BestAvailableEncryption(password.encode())
    )
    properties = {"pfxBlob": base64.b64encode(blob).decode(), "password": password}
    return {"location": "West Europe", "properties": properties}


def test_upload_has_no_source(shop: Shop) -> None:
    """An upload has empty vault keys in ARM's answer, and no vault keys but a status in later reads, as recorded.

    ARM refuses a PFX with a wrong password.
    """
    body = pfx_of(shop.first.leaf, "secret")
    answer = shop.arm.put(sibling(shop, "upload"), body)
    assert about_vault(answer) == {"keyVaultId": "", "keyVaultSecretName": ""}
    listed = shop.arm.listed(f"{shop.subscription}/providers/Microsoft.Web/certificates")
    reads = [shop.arm.get(sibling(shop, "upload")), *(seen for seen in listed if seen["name"] == "upload")]
    assert [about_vault(seen) for seen in reads] == [{"keyVaultSecretStatus": "Initialized"}] * 2
    assert answer["properties"]["thumbprint"] == shop.first.thumbprint
    shop.arm.put(sibling(shop, "broken"), body | {"properties": body["properties"] | {"password": "wrong"}}, 400)


def about_vault(certificate: Json) -> dict[str, Json]:
    """Return the properties about a vault in ARM's answer for a certificate."""
    return {key: value for key, value in certificate["properties"].items() if key.startswith("keyVault")}


def test_bound_upload_cannot_be_replaced_under_its_name(shop: Shop) -> None:
    """ARM refuses to replace a bound upload with another certificate under the same name."""
    shop.arm.put(sibling(shop, "upload"), pfx_of(shop.vault.renew("shop").leaf, "secret"))
    upload = shop.world.web.certificates.get(sibling(shop, "upload"))
    assert upload is not None
    shop.bind("SniEnabled", upload.thumbprint)
    error = shop.arm.put(sibling(shop, "upload"), pfx_of(shop.vault.renew("shop").leaf, "secret"), 409)
    assert error["Message"].startswith("Cannot remove certificate with thumbprint")


def test_self_signed_certificate_is_taken_with_a_warning(shop: Shop) -> None:
    """App Service accepts an upload of a self-signed certificate and warns in a header of its answer."""
    shop.vault.renew("shop", self_signed=True)
    response = shop.arm.send("PUT", shop.copy.id, shop.import_body())
    assert (response.status, "self-signed" in response.headers["warning"]) == (200, True)


def test_tagging_leaves_a_managed_certificate_managed(shop: Shop) -> None:
    """A PATCH of tags keeps a managed certificate managed. An upload replaces a managed certificate."""
    managed = shop.build.add_managed(shop.site, "pay.contoso.com", bound=False)
    tagged = shop.arm.send("PATCH", managed.id, {"tags": {"team": "pay"}})
    assert (tagged.status, tagged.json()["tags"], tagged.json()["properties"]["thumbprint"]) == (
        200,
        {"team": "pay"},
        "",
    )
    shop.arm.put(managed.id, pfx_of(shop.first.leaf, "secret"))
    assert shop.arm.get(managed.id)["properties"]["thumbprint"] == shop.first.thumbprint
