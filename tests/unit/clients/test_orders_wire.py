"""Certroll reads App Service certificate orders and vault rights from ARM, and names each unreadable answer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.clients.arm.orders import read_order
from shared.clients.arm.vault_rights import read_assignments, read_vault
from shared.domain.fleet.vault_access import CERTIFICATES, VaultRight
from shared.domain.orders.order import OrderStatus, StoreStatus
from shared.domain.tags import OPT_OUT

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
ORDER_ID = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Shop-RG/providers/Microsoft.CertificateRegistration"
    "/certificateOrders/Shop"
)
VAULT_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-one"


def wire(**properties: object) -> dict[str, Any]:
    """Return a certificate order in the JSON form of ARM."""
    return {"id": ORDER_ID, "name": "Shop", "type": "certificateOrders", "location": "global", "properties": properties}


def test_recorded_order_is_read() -> None:
    """Certroll reads every value of a recorded order, and reads a time without an offset as UTC."""
    place = {"keyVaultId": VAULT_ID, "keyVaultSecretName": "Shop8f3a", "provisioningState": "Succeeded"}
    order = read_order(
        wire(
            certificates={"Shop": place},
            distinguishedName="CN=*.Contoso.com",
            domainVerificationToken="abc",
            keySize=4096,
            autoRenew=True,
            status="Issued",
            serialNumber="0A1B",
            signedCertificate={"notAfter": "2022-02-12T00:00:00Z"},
            lastCertificateIssuanceTime="2021-08-12T21:23:30Z",
            expirationTime="2022-08-12T21:23:30",
            isPrivateKeyExternal=False,
            appServiceCertificateNotRenewableReasons=["ExpirationNotInRenewalTimeRange"],
            nextAutoRenewalTimeStamp="2022-07-11T23:23:30.1234567+02:00",
        )
        | {"tags": {"certroll": "off"}}
    )
    assert str(order.ref) == "shop-rg/shop"
    assert (order.host, order.status, order.auto_renew) == ("*.contoso.com", OrderStatus.ISSUED, True)
    assert order.expires == datetime(2022, 8, 12, 21, 23, 30, tzinfo=UTC)
    assert order.issued == datetime(2021, 8, 12, 21, 23, 30, tzinfo=UTC)
    assert order.next_auto_renewal == datetime(2022, 7, 11, 21, 23, 30, 123456, tzinfo=UTC)
    assert order.certificate_ends == datetime(2022, 2, 12, tzinfo=UTC)
    assert (order.serial, order.token, order.key_size) == ("0A1B", "abc", 4096)
    assert order.not_renewable == ("ExpirationNotInRenewalTimeRange",)
    assert order.tag(OPT_OUT) == "off"
    assert (str(order.secret), order.stored[0].status) == ("kv-one/shop8f3a", StoreStatus.SUCCEEDED)


def test_order_that_was_never_stored_has_no_secret() -> None:
    """Certroll reads a certificate order without the key `certificates` as an order without a secret.

    Recorded traffic shows that Azure leaves out the key `certificates` for an order whose certificate was never stored.
    """
    order = read_order(wire(status="Denied"))
    assert (order.status, order.stored, order.secret, order.expires) == (OrderStatus.DENIED, (), None, None)


def test_words_are_read_in_any_case_and_unknown_ones_as_unknown() -> None:
    """Certroll reads an order's status in any letter case, and reads a status that it does not know as `UNKNOWN`."""
    assert read_order(wire(status="issued")).status is OrderStatus.ISSUED
    assert read_order(wire(status="Sparkling")).status is OrderStatus.UNKNOWN
    assert read_order(wire()).status is OrderStatus.UNKNOWN
    place = {"keyVaultId": VAULT_ID, "keyVaultSecretName": "a", "provisioningState": 7}
    assert read_order(wire(certificates={"a": place})).stored[0].status is StoreStatus.UNKNOWN


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00", "9999-12-31T23:59:59Z", None, ""])
def test_moments_that_stand_for_none_are_none(moment: object) -> None:
    """Certroll reads the smallest and the largest .NET date in a certificate order as no date."""
    assert read_order(wire(expirationTime=moment)).expires is None


def test_texts_can_be_written_anywhere() -> None:
    """Certroll escapes lone surrogates and shortens long texts, so that logs and tables accept the texts."""
    order = read_order(wire(serialNumber="\ud8000A", domainVerificationToken="x" * 50_000))
    assert (order.serial, len(order.token)) == (r"\ud8000A", 200)
    with pytest.raises(ValueError, match="is not the name of a certificate order"):
        read_order({"id": ORDER_ID + "\ud800"})


@pytest.mark.parametrize("size", [None, 1, "2048", [2048], True])
def test_odd_key_sizes_become_the_smallest(size: object) -> None:
    """Certroll requests a renewal with 2048 bits if the order's key size is not one that Azure offers."""
    assert read_order(wire(keySize=size)).key_size == 2048


@pytest.mark.parametrize(
    "names", [{"keyVaultId": "x", "keyVaultSecretName": "a"}, {"keyVaultSecretName": "a"}, {}, None]
)
def test_place_that_is_no_vault_has_no_secret(names: object) -> None:
    """Certroll reads a purchased certificate with a malformed vault id as stored without a secret."""
    (stored,) = read_order(wire(certificates={"a": names})).stored
    assert stored.secret is None


@pytest.mark.parametrize(
    ("found", "message"),
    [
        pytest.param(None, "it is not an object", id="nothing"),
        pytest.param(3, "it is not an object", id="a number"),
        pytest.param(["x"], "it is not an object", id="a list"),
        pytest.param({}, "is not the resource id of a certificate order", id="no id"),
        pytest.param({"id": VAULT_ID}, "is not the resource id of a certificate order", id="another resource"),
        pytest.param({"id": ORDER_ID, "properties": []}, "its properties is not an object", id="properties as a list"),
        pytest.param({"id": ORDER_ID, "tags": "x"}, "its tags is not an object", id="tags as a text"),
        pytest.param(wire(certificates=[1]), "its certificates is not an object", id="certificates as a list"),
        pytest.param(wire(certificates={"a": 1}), "its a is not an object", id="a place as a number"),
        pytest.param(wire(expirationTime="soon"), "'soon' is not a date and time", id="an end that is no moment"),
        pytest.param(wire(expirationTime={"a": 1}), "is not a date and time", id="an end that is an object"),
        pytest.param(wire(autoRenew="yes"), "its autoRenew is 'yes'", id="a switch as a text"),
        pytest.param(
            wire(appServiceCertificateNotRenewableReasons=3),
            "its list of reasons against a renewal is not a list",
            id="reasons as a number",
        ),
    ],
)
def test_what_cannot_be_read_says_why(found: object, message: str) -> None:
    """Certroll refuses an unreadable certificate order with a sentence that names the problem."""
    with pytest.raises(ValueError, match=message):
        read_order(found)


# ------------------------------------------------------------------------------------------------------------ vaults


def test_vault_with_policies_is_read() -> None:
    """Certroll reads vault rights in any letter case, reads `all` as every right, and ignores unknown rights."""
    policies = [
        {"objectId": "A", "permissions": {"secrets": ["Get", "list", "Purge"], "certificates": None}},
        {"objectId": "B", "permissions": {"certificates": ["all"], "keys": ["get"]}, "applicationId": "C"},
    ]
    vault = read_vault(VAULT_ID, {"properties": {"accessPolicies": policies, "enableRbacAuthorization": None}})
    first, second = vault.policies
    assert not vault.uses_roles
    assert first.rights == {VaultRight.SECRETS_GET, VaultRight.SECRETS_LIST}
    assert (second.rights, second.application_id) == (CERTIFICATES, "C")


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param({}, (True, True), id="no rules: everybody gets through"),
        pytest.param({"networkAcls": {"defaultAction": "Allow", "bypass": "None"}}, (True, False), id="open anyway"),
        pytest.param({"networkAcls": {"defaultAction": "Deny"}}, (False, True), id="bypass not said: trusted services"),
        pytest.param({"networkAcls": {"defaultAction": "deny", "bypass": "None"}}, (False, False), id="closed to all"),
        pytest.param({"publicNetworkAccess": "Disabled"}, (False, True), id="no public access, trusted services do"),
        pytest.param(
            {"publicNetworkAccess": "disabled", "networkAcls": {"bypass": "none"}}, (False, False), id="neither"
        ),
    ],
)
def test_firewall_is_read(properties: dict[str, Any], expected: tuple[bool, bool]) -> None:
    """Certroll decides from three vault properties whether a vault's firewall lets Azure services in.

    Default action, public access and bypass decide whether a vault's firewall lets Azure services in.
    """
    vault = read_vault(VAULT_ID, {"properties": properties})
    assert (vault.open_to_all, vault.trusted_services) == expected


@pytest.mark.parametrize(
    "properties",
    [
        {"accessPolicies": "x"},
        {"accessPolicies": [1]},
        {"accessPolicies": [{"permissions": {"secrets": "all"}}]},
        {"networkAcls": []},
    ],
)
def test_odd_vaults_are_refused(properties: dict[str, Any]) -> None:
    """Certroll refuses an unreadable vault instead of reading the vault as a vault without rights."""
    with pytest.raises(ValueError, match="its "):
        read_vault(VAULT_ID, {"properties": properties})


def test_assignments_are_read() -> None:
    """Certroll reads a role assignment's role from the role's id, and whether it is for a group or has a condition."""
    properties = {
        "principalId": "A",
        "principalType": "Group",
        "roleDefinitionId": "/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/DB79E9A7",
        "scope": VAULT_ID,
        "condition": "@Resource",
    }
    (found,) = read_assignments([{"properties": properties}])
    assert (found.role_id, found.group, found.conditional, found.scope) == ("db79e9a7", True, True, VAULT_ID)
    with pytest.raises(ValueError, match="its entry"):
        read_assignments([3])
