"""These tests cover purchased certificates (App Service Certificate orders) of the local Azure."""

from datetime import timedelta
from typing import Any

import pytest
from azure.identity import ManagedIdentityCredential  # noqa: TID251 - a client from outside
from azure.mgmt.certificateregistration import CertificateRegistrationMgmtClient
from azure.mgmt.certificateregistration.models import AppServiceCertificateOrder

from local.azure.eventgrid.event import Event
from local.azure.principals import REGISTRATION
from local.azure.registration.orders import ISSUING, Order
from local.azure.scripting.knobs import Knobs
from local.azure.world import World
from local.fleet import fleet
from local.stand import Stand
from local.worlds.builders import Builder
from tests.local.arm_client import Client

HOST = "www.contoso.com"
DAY = timedelta(days=1)


class Office:
    """A simulated Azure with a vault and one App Service Certificate order."""

    def __init__(self, knobs: Knobs | None = None, host: str = HOST, **differences: Any) -> None:  # noqa: ANN401 - the builder's
        """Build the vault and the order."""
        self.build = Builder(World(knobs=knobs))
        self.world = self.build.world
        self.arm = Client(self.world)
        self.vault = self.build.add_vault(by_roles=False)
        self.order: Order = self.build.add_order("web", host, self.vault, **differences)
        self.events: list[Event] = []
        self.world.events.subscribe(self.events.append)

    @property
    def properties(self) -> dict[str, Any]:
        """The properties of the order, as ARM answers a GET."""
        found: dict[str, Any] = self.arm.get(self.order.id)["properties"]
        return found

    @property
    def versions(self) -> int:
        """The number of versions of the secret that holds the order's certificate."""
        (stored,) = self.order.stored.values()
        secret = self.vault.secrets.get(stored.secret_name.lower())
        return len(secret.versions) if secret else 0

    def post(self, action: str, status: int = 204) -> Any:  # noqa: ANN401 - what a service answers
        """Send a POST with the given action to the order, and return ARM's answer."""
        return self.arm.post(f"{self.order.id}/{action}", status)

    def patch(self, **properties: object) -> int:
        """Send a PATCH with the given properties to the order, and return the status of ARM's answer."""
        return self.arm.send("PATCH", self.order.id, {"properties": properties}).status

    def pass_(self, time: timedelta) -> None:
        """Advance the clock, and let the local Azure do everything that has become due."""
        self.world.clock.advance(time)
        self.world.orders.settle()


def test_order_is_shown_as_it_was_recorded() -> None:
    """ARM shows an order in the form that was recorded from Azure.

    An order's expiry has no time zone, its location is `global`, and its vault secret is named.
    """
    office = Office()
    shown = office.arm.get(office.order.id)
    assert (shown["type"], shown["location"]) == ("certificateOrders", "global")
    assert shown["properties"]["expirationTime"] == "2027-04-19T09:00:00"
    assert shown["properties"]["nextAutoRenewalTimeStamp"] == "2027-03-18T09:00:00Z"
    place = shown["properties"]["certificates"]["web"]
    assert (place["keyVaultId"], place["provisioningState"]) == (office.vault.resource_id, "Succeeded")
    assert place["keyVaultSecretName"].startswith("web")
    assert shown["properties"]["signedCertificate"]["serialNumber"] == shown["properties"]["serialNumber"]


def test_order_that_was_never_stored_has_no_certificates() -> None:
    """An order that was never stored in a vault lacks the key `certificates` altogether."""
    assert "certificates" not in Office(stored=False).properties


def test_denied_order_has_no_certificate_and_its_store_failed() -> None:
    """A denied order has no certificate, and its entry for the vault shows the state `CertificateOrderFailed`."""
    shown = Office(status="Denied").properties
    assert (shown["status"], shown["signedCertificate"], shown["expirationTime"]) == ("Denied", None, None)
    assert shown["certificates"]["web"]["provisioningState"] == "CertificateOrderFailed"


def test_order_is_bought_verified_stored_and_announced() -> None:
    """An order is purchased, verified, issued, stored in the vault and announced by an event.

    Azure issues a purchased certificate only after the domain verification, and then stores the certificate in the
    vault.
    """
    office = Office()
    body = {"location": "global", "properties": {"distinguishedName": "CN=New.contoso.com", "autoRenew": True}}
    path = office.order.id.replace("/web", "/new")
    assert office.arm.put(path, body, 201)["properties"]["provisioningState"] == "InProgress"
    office.arm.get(path)
    shown = office.arm.get(path)["properties"]
    assert (shown["provisioningState"], shown["status"]) == ("Succeeded", "Pendingissuance")
    place = {"keyVaultId": office.vault.resource_id, "keyVaultSecretName": "new-secret"}
    stored = office.arm.put(f"{path}/certificates/new", {"properties": place})
    assert stored["properties"]["provisioningState"] == "WaitingOnCertificateOrder"
    office.pass_(DAY)
    assert office.arm.get(path)["properties"]["status"] == "Pendingissuance"
    office.build.add_record("contoso.com", "TXT", f'"{shown["domainVerificationToken"]}"')
    office.arm.post(f"{path}/verifyDomainOwnership", 204)
    assert office.arm.get(path)["properties"]["status"] == "Issued"
    assert office.arm.get(f"{path}/certificates/new")["properties"]["provisioningState"] == "Succeeded"
    assert office.vault.newest_importable("new-secret").host_names == ("new.contoso.com",)
    assert [(event.object_type, event.object_name) for event in office.events] == [("Secret", "new-secret")]


def test_domain_is_verified_only_with_the_token_in_dns() -> None:
    """The local Azure verifies a domain only if DNS holds the order's token as a TXT record."""
    office = Office(status="Pendingissuance")
    office.build.add_record("contoso.com", "TXT", '"something else"')
    office.post("verifyDomainOwnership")
    assert office.order.verified_at is None


def test_order_renews_itself_32_days_before_its_end() -> None:
    """An automatic renewal counts as a purchase and stores a new version of the secret."""
    office = Office(age=timedelta(days=165))
    first = office.properties["serialNumber"]
    assert (office.order.purchases, office.versions) == (1, 1)
    office.pass_(DAY)
    assert office.properties["status"] == "Pendingissuance"
    office.pass_(ISSUING)
    assert (office.properties["status"], office.order.purchases, office.versions) == ("Issued", 2, 2)
    assert office.properties["serialNumber"] != first


@pytest.mark.parametrize(
    "differences", [{"auto_renew": False}, {"knobs": Knobs(orders_renew_themselves=False)}], ids=["off", "it fails"]
)
def test_order_that_does_not_renew_expires(differences: dict[str, Any]) -> None:
    """An order without automatic renewal expires without another purchase."""
    office = Office(age=timedelta(days=165), **differences)
    office.pass_(timedelta(days=40))
    assert (office.properties["status"], office.order.purchases) == ("Expired", 1)


def test_renewal_waits_for_a_proof_of_the_domain_that_is_too_old() -> None:
    """A renewal stays pending if the domain was verified more than 198 days ago.

    A new TXT record and a new domain verification complete the pending renewal of an order.
    """
    office = Office(age=timedelta(days=165), verified=timedelta(days=197))
    office.pass_(2 * DAY)
    office.pass_(2 * DAY)
    assert office.properties["status"] == "Pendingissuance"
    office.build.add_record(HOST, "TXT", office.order.token)
    office.post("verifyDomainOwnership")
    assert office.properties["status"] == "Issued"
    kinds = [action["actionType"] for action in office.post("retrieveCertificateActions", 200)]
    assert kinds[-2:] == ["DomainValidationComplete", "CertificateIssued"]


def test_renewal_is_refused_before_its_window_and_while_one_is_under_way() -> None:
    """An order can be renewed from 60 days before its expiry on, and only once at a time."""
    office = Office(age=timedelta(days=137), auto_renew=False)
    assert office.properties["appServiceCertificateNotRenewableReasons"] == ["ExpirationNotInRenewalTimeRange"]
    office.post("renew", 400)
    office.pass_(DAY)
    office.post("renew")
    assert "RegistrationStatusNotSupportedForRenewal" in str(office.post("renew", 400))
    assert office.order.purchases == 2


def test_order_that_shows_late_takes_another_payment() -> None:
    """A second renewal request is charged again while the order still reads as `Issued`.

    The simulation setting `orders_show_late` makes an order read as `Issued` for some time after its renewal began.
    """
    office = Office(Knobs(orders_show_late=600.0), age=timedelta(days=140), auto_renew=False)
    office.post("renew")
    assert office.properties["status"] == "Issued"
    office.post("renew")
    assert office.order.purchases == 3


def test_reissue_gives_a_new_key_for_no_money() -> None:
    """A reissue of a purchased certificate is free and gives a new certificate.

    ARM refuses a second reissue while the first reissue is pending.
    """
    office = Office()
    first = office.properties["serialNumber"]
    office.post("reissue")
    assert office.properties["status"] == "PendingRekey"
    office.post("reissue", 400)
    office.pass_(ISSUING)
    assert office.properties["serialNumber"] != first
    assert (office.order.purchases, office.versions) == (1, 2)


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        (lambda office: office.vault.permit(REGISTRATION, secrets=["get"]), "AzureServiceUnauthorizedToAccessKeyVault"),
        (lambda office: office.vault.close(bypass="None"), "OperationNotPermittedOnKeyVault"),
        (lambda office: office.world.vaults.clear(), "KeyVaultDoesNotExist"),
    ],
    ids=["rights taken away", "the firewall closed", "the vault gone"],
)
def test_certificate_does_not_reach_a_vault_that_refuses_it(spoil: Any, status: str) -> None:  # noqa: ANN401
    """An issued certificate is not stored in a vault that refuses access, and the order shows why.

    As soon as the vault is accessible again, the local Azure stores an issued certificate.
    """
    office = Office(age=timedelta(days=166))
    vaults = dict(office.world.vaults)
    spoil(office)
    office.pass_(timedelta(0))
    office.pass_(ISSUING)
    assert (office.properties["status"], office.versions) == ("Issued", 1)
    assert office.properties["certificates"]["web"]["provisioningState"] == status
    office.world.vaults.update(vaults)
    office.vault.close()
    office.vault.permit(REGISTRATION, secrets=["all"], certificates=["all"])
    assert office.properties["certificates"]["web"]["provisioningState"] == "Succeeded"
    assert office.versions == 2


def test_patch_changes_what_it_names() -> None:
    """A PATCH of an order changes only the properties in its body. ARM refuses a PATCH without `productType`."""
    office = Office(auto_renew=False)
    assert office.patch(autoRenew=True) == 400
    assert office.patch(autoRenew=True, productType="StandardDomainValidatedSsl") == 200
    assert office.order.auto_renew
    assert "web" in office.properties["certificates"]


def test_wildcard_covers_its_root_too() -> None:
    """A wildcard order has its own product type, and its certificate also covers the bare domain."""
    office = Office(host="*.contoso.com")
    assert office.properties["productType"] == "StandardDomainValidatedWildCardSsl"
    assert office.order.certificate is not None
    assert office.order.certificate.host_names == ("*.contoso.com", "contoso.com")


def test_order_with_imported_copies_is_not_deleted() -> None:
    """ARM refuses to delete an order while App Service has certificates imported from it."""
    office = Office()
    (stored,) = office.order.stored.values()
    copy = office.build.add_copy(stored.secret_name)
    assert "still imported certificates" in str(office.arm.delete(office.order.id, 400))
    office.world.web.certificates.remove(copy.id)
    office.arm.delete(office.order.id, 200)
    office.arm.delete(office.order.id, 204)
    office.arm.get(office.order.id, 404)


def test_orders_are_listed_by_subscription_and_group() -> None:
    """ARM lists orders by subscription and by group, page by page, without orders that the caller may not read."""
    office = Office(Knobs(page_size=1))
    office.build.add_order("other", "other.contoso.com", office.vault)
    scope = f"/subscriptions/{office.order.subscription}"
    provider = "/providers/Microsoft.CertificateRegistration/certificateOrders"
    assert [order["name"] for order in office.arm.listed(f"{scope}{provider}")] == ["web", "other"]
    assert len(office.arm.listed(f"{scope}/resourceGroups/contoso{provider}")) == 2
    assert [stored["name"] for stored in office.arm.listed(f"{office.order.id}/certificates")] == ["web"]
    office.world.roles.hide(office.order.id)
    assert [order["name"] for order in office.arm.listed(f"{scope}{provider}")] == ["other"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "-none", {"properties": {}}, 400),
        ("PUT", "/certificates/web", {"properties": {"keyVaultId": "x"}}, 400),
        ("PATCH", "", {"properties": []}, 400),
        ("PATCH", "", {"properties": "x"}, 400),
        ("GET", "/certificates/none", None, 404),
    ],
)
def test_odd_requests_are_refused(method: str, path: str, body: object, status: int) -> None:
    """ARM answers a malformed request for a certificate order with an error."""
    office = Office()
    assert office.arm.send(method, f"{office.order.id}{path}", body).status == status


def test_orders_are_seen_from_outside() -> None:
    """GET /state on the control port shows an order's status, serial number, secret and number of purchases."""
    office = Office()
    (seen,) = fleet(office.world)["orders"]
    (stored,) = office.order.stored.values()
    assert (seen["host_name"], seen["status"], seen["purchases"]) == (HOST, "Issued", 1)
    assert (seen["serial"], seen["stored"]) == (office.order.serial, {stored.secret_name: "Succeeded"})


def test_unmodified_sdk_buys_and_stores() -> None:
    """The unmodified SDK of Microsoft.CertificateRegistration buys an order and stores its certificate.

    The SDK polls the purchase of an order to its end. The SDK does not poll the storing of the certificate, because
    `WaitingOnCertificateOrder` is not a final state (pulumi-azure-native, issue 1292).
    """
    office = Office()
    group, subscription = office.order.resource_group, office.order.subscription
    wanted = AppServiceCertificateOrder(
        location="global",
        properties={"distinguishedName": "CN=sdk.contoso.com", "productType": "StandardDomainValidatedSsl"},
    )
    with Stand(office.world) as stand, pytest.MonkeyPatch.context() as patch:
        for name, value in stand.environment().items():
            patch.setenv(name, value)
        with (
            ManagedIdentityCredential() as credential,
            CertificateRegistrationMgmtClient(credential, subscription, polling_interval=0) as client,
        ):
            orders = client.app_service_certificate_orders
            bought = orders.begin_create_or_update(group, "sdk", wanted).result()
            place = {"properties": {"keyVaultId": office.vault.resource_id, "keyVaultSecretName": "sdk"}}
            stored = orders.begin_create_or_update_certificate(group, "sdk", "sdk", place, polling=False).result()
            assert [order.name for order in orders.list()] == ["web", "sdk"]
    assert (bought.provisioning_state, bought.status) == ("Succeeded", "Pendingissuance")
    assert stored.properties.provisioning_state == "WaitingOnCertificateOrder"
