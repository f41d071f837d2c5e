"""Test that Certroll reads or refuses certificate orders of any shape, and pays for no certificate twice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.clients.arm.orders import read_order
from shared.clients.arm.vault_rights import read_assignments, read_vault
from shared.domain.fleet.vault_access import AccessVerdict, judge, registration
from shared.domain.orders.action import (
    AskedState,
    OrderAction,
    OrderRecord,
    certificate_of,
    next_action,
    open_questions,
)
from shared.domain.orders.order import Order, OrderStatus
from shared.domain.orders.problems import problems
from shared.domain.reason import Reason
from tests.properties.promises import times

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers"
ORDER_ID = f"{SUBSCRIPTION}/Microsoft.CertificateRegistration/certificateOrders/shop"
VAULT_ID = f"{SUBSCRIPTION}/Microsoft.KeyVault/vaults/kv-one"
VALID: dict[str, Any] = {
    "certificates": {"shop": {"keyVaultId": VAULT_ID, "keyVaultSecretName": "s", "provisioningState": "Succeeded"}},
    "distinguishedName": "CN=shop.contoso.com",
    "domainVerificationToken": "abc",
    "keySize": 2048,
    "autoRenew": False,
    "status": "Issued",
    "serialNumber": "0A1B",
    "lastCertificateIssuanceTime": "2026-10-03T09:00:00Z",
    "expirationTime": "2026-11-20T09:00:00",
    "isPrivateKeyExternal": False,
    "appServiceCertificateNotRenewableReasons": [],
    "nextAutoRenewalTimeStamp": "2026-10-19T09:00:00Z",
}
WORDS = [str(word) for word in OrderStatus] + [
    "",
    "2026-02-30T00:00:00",
    "9999-12-31T23:59:59.9999999Z",
    "\ud800",
    "CN=",
]
SCALARS = st.sampled_from([None, True, False, 0, 7, -1.5, float("nan"), *WORDS])
JUNK = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from(["", "objectId"]), SCALARS, max_size=1)
SPOILT = st.dictionaries(st.sampled_from([*VALID, "id"]), JUNK, max_size=3)


def _say(odd: ValueError) -> None:
    assert str(odd)


@given(SPOILT, JUNK)
def test_order_of_any_shape_is_read_or_named(spoilt: dict[str, Any], place: object) -> None:
    """Certroll judges a certificate order with spoilt fields without a crash, or says in a sentence what is odd."""
    certificates = {"shop": {**VALID["certificates"]["shop"], "provisioningState": place}}
    properties = {**VALID, "certificates": certificates, **spoilt}
    wire = {"id": spoilt.get("id", ORDER_ID), "properties": properties}
    try:
        order = read_order(wire)
    except ValueError as odd:
        return _say(odd)
    assert all(problem.reason in Reason and problem.detail for problem in problems(order, NOW))
    next_action(order, (), NOW)
    return None


@given(
    st.dictionaries(st.sampled_from(["accessPolicies", "enableRbacAuthorization", "networkAcls"]), JUNK), st.lists(JUNK)
)
def test_vault_of_any_shape_is_judged_or_named(properties: dict[str, Any], entries: list[Any]) -> None:
    """Certroll never reports a vault with odd properties as surely accessible."""
    try:
        vault = replace(read_vault(VAULT_ID, {"properties": properties}), assignments=read_assignments(entries))
    except ValueError as odd:
        return _say(odd)
    assert judge(vault, registration("aaaaaaaa-0000-0000-0000-000000000001")).verdict is not AccessVerdict.ALLOWED
    return None


LIVES = st.lists(
    st.tuples(
        st.sampled_from(OrderStatus),
        st.booleans(),
        st.integers(0, 2),
        st.integers(-2, 70),
        st.sampled_from(AskedState),
        st.integers(0, 80),
    ),
    max_size=12,
)


@times(0.5, soak=1)
@given(LIVES)
def test_money_is_asked_for_once_for_each_certificate(life: list[tuple[Any, ...]]) -> None:
    """Certroll does not repeat a renewal or reissue of a certificate if Azure may have received the first request."""
    records: tuple[OrderRecord, ...] = ()
    heard: set[tuple[OrderAction, str]] = set()
    now = NOW
    for status, auto_renew, serial, days, outcome, hours in life:
        now += timedelta(hours=hours)
        order = _order(status, serial, now + timedelta(days=days), auto_renew=auto_renew)
        action = next_action(order, records, now)
        open_questions(order, records, now)
        if action is None:
            continue
        asked = (action, certificate_of(order))
        assert action is OrderAction.AUTO_RENEW or asked not in heard
        if outcome in {AskedState.ASKED, AskedState.ACCEPTED}:
            heard.add(asked)
        kept = tuple(record for record in records if (record.action, record.certificate) != asked)
        records = (*kept, OrderRecord(order.ref, *asked, outcome, now))


def _order(status: OrderStatus, serial: int, expires: datetime, *, auto_renew: bool) -> Order:
    tags = (("certroll-reissue", "1"),)
    order = read_order({"id": ORDER_ID, "properties": VALID})
    return replace(
        order,
        status=status,
        serial=str(serial),
        expires=expires,
        auto_renew=auto_renew,
        tags=tags,
        next_auto_renewal=None,
    )
