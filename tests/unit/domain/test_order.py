"""Certroll reports each problem of a purchased App Service certificate with the next step."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.names import HostName, InvalidNameError, VaultCertificateRef
from shared.domain.orders.order import Order, OrderRef, OrderStatus, StoredCertificate, StoreStatus
from shared.domain.orders.problems import asks_when_verified, outcome_of, problems
from shared.domain.outcome import Converged, Stalled
from shared.domain.reason import Reason

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
VAULT_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/kv-rg/providers/Microsoft.KeyVault/vaults/kv-one"
STEP = "in the portal (App Service Certificates, Certificate Configuration, Step 1: Store)"
SECRET = VaultCertificateRef.parse("kv-one", "secret", "shop-guid")
STORED = StoredCertificate("shop", VAULT_ID, SECRET, StoreStatus.SUCCEEDED)
REF = OrderRef(SUBSCRIPTION, "shop-rg", "shop")
GOOD = Order(
    REF,
    HostName("shop.contoso.com"),
    OrderStatus.ISSUED,
    auto_renew=True,
    expires=NOW + timedelta(days=168),
    issued=NOW - timedelta(days=30),
    serial="0A1B",
    token="abc123",  # noqa: S106 - a domain's token is public
    stored=(STORED,),
    last_verified=NOW - timedelta(days=30),
)
NEAR = replace(GOOD, expires=NOW + timedelta(days=50), issued=NOW - timedelta(days=148))


def stored(status: StoreStatus) -> tuple[StoredCertificate, ...]:
    """Return the order's entry for the vault that stores the purchased certificate, with that status."""
    return (replace(STORED, status=status),)


def reasons(order: Order) -> list[Reason]:
    """Return the reasons of the problems that Certroll finds in the order."""
    return [found.reason for found in problems(order, NOW)]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param(GOOD, [], id="issued, stored, renewing by itself: nothing"),
        pytest.param(
            replace(GOOD, status=OrderStatus.PENDING), [Reason.ORDER_PENDING], id="pending issuance waits for a person"
        ),
        pytest.param(replace(GOOD, status=OrderStatus.PENDING_REKEY), [Reason.ORDER_PENDING], id="so does a rekey"),
        pytest.param(
            replace(GOOD, status=OrderStatus.NOT_SUBMITTED), [Reason.ORDER_PENDING], id="never submitted: finish it"
        ),
        pytest.param(
            replace(GOOD, status=OrderStatus.DENIED, stored=(), auto_renew=False, expires=None),
            [Reason.ORDER_DENIED],
            id="denied: nothing else is said of it",
        ),
        *(
            pytest.param(replace(GOOD, status=status, stored=()), [Reason.ORDER_ENDED], id=f"{status}: over")
            for status in (
                OrderStatus.CANCELED,
                OrderStatus.REVOKED,
                OrderStatus.PENDING_REVOCATION,
                OrderStatus.EXPIRED,
                OrderStatus.UNUSED,
            )
        ),
        pytest.param(
            replace(GOOD, expires=NOW - timedelta(seconds=1), not_renewable=()),
            [Reason.ORDER_ENDED],
            id="issued by its status, expired by its date",
        ),
        pytest.param(
            replace(GOOD, status=OrderStatus.UNKNOWN), [Reason.ORDER_UNREADABLE], id="a status that nobody knows"
        ),
        pytest.param(replace(GOOD, stored=()), [Reason.ORDER_NOT_STORED], id="in no vault"),
        pytest.param(replace(GOOD, external_key=True), [Reason.ORDER_NOT_STORED], id="its key is elsewhere"),
        pytest.param(
            replace(GOOD, stored=stored(StoreStatus.EXTERNAL_KEY)), [Reason.ORDER_NOT_STORED], id="as well, by status"
        ),
        *(
            pytest.param(replace(GOOD, stored=stored(status)), [Reason.ORDER_STORE_FAILED], id=f"store: {status}")
            for status in (
                StoreStatus.NOT_PERMITTED,
                StoreStatus.UNAUTHORIZED,
                StoreStatus.VAULT_GONE,
                StoreStatus.OBJECT_GONE,
                StoreStatus.ORDER_FAILED,
                StoreStatus.UNKNOWN_ERROR,
                StoreStatus.UNKNOWN,
            )
        ),
        pytest.param(
            replace(GOOD, stored=(replace(STORED, secret=None),)),
            [Reason.ORDER_STORE_FAILED],
            id="stored, but under no name that can be",
        ),
        pytest.param(
            replace(GOOD, stored=stored(StoreStatus.INITIALIZED)),
            [Reason.ORDER_STORE_FAILED],
            id="a month on its way into the vault",
        ),
        *(
            pytest.param(
                replace(GOOD, stored=(replace(STORED, status=status, is_current=True),)),
                [],
                id=f"{status}, and it is there",
            )
            for status in StoreStatus
        ),
        pytest.param(
            replace(GOOD, external_key=True, stored=(replace(STORED, is_current=True),)),
            [],
            id="its key is elsewhere by Azure's word, and it is there",
        ),
        pytest.param(
            replace(GOOD, stored=(replace(STORED, is_current=True), replace(STORED, status=StoreStatus.EXTERNAL_KEY))),
            [Reason.ORDER_NOT_STORED],
            id="it is in one vault, and its key is elsewhere for the other",
        ),
        pytest.param(
            replace(GOOD, stored=(replace(STORED, status=StoreStatus.NOT_PERMITTED, is_other=True),), issued=NOW),
            [Reason.ORDER_STORE_FAILED],
            id="Azure may not store, and another certificate is there",
        ),
        pytest.param(
            replace(GOOD, stored=stored(StoreStatus.WAITING), issued=NOW - timedelta(days=1)),
            [],
            id="a day on its way into the vault",
        ),
        pytest.param(
            replace(
                GOOD,
                issued=NOW - timedelta(hours=1),
                stored=(replace(STORED, status=StoreStatus.UNAUTHORIZED, is_other=True),),
            ),
            [Reason.ORDER_STORE_FAILED],
            id="Azure may not write the vault, which still has another certificate",
        ),
        pytest.param(
            replace(GOOD, stored=stored(StoreStatus.WAITING), issued=NOW - timedelta(days=1, seconds=1)),
            [Reason.ORDER_STORE_FAILED],
            id="more than a day on its way into the vault",
        ),
        pytest.param(
            replace(GOOD, stored=stored(StoreStatus.WAITING), issued=None),
            [],
            id="on its way into the vault, and nobody knows since when",
        ),
        pytest.param(
            replace(GOOD, stored=(STORED, *stored(StoreStatus.EXTERNAL_KEY))),
            [Reason.ORDER_NOT_STORED],
            id="its key is elsewhere for one of two vaults",
        ),
        pytest.param(
            replace(GOOD, stored=stored(StoreStatus.WAITING), issued=NOW - timedelta(hours=1)),
            [],
            id="an hour on its way into the vault",
        ),
        pytest.param(
            replace(GOOD, status=OrderStatus.PENDING, stored=stored(StoreStatus.WAITING)),
            [Reason.ORDER_PENDING],
            id="pending: that the vault waits for it is no second fault",
        ),
        pytest.param(replace(GOOD, auto_renew=False), [Reason.AUTO_RENEW_OFF], id="renews only by hand"),
        pytest.param(
            replace(GOOD, auto_renew=False, expires=None), [Reason.AUTO_RENEW_OFF], id="as well, end not known"
        ),
        pytest.param(
            replace(GOOD, not_renewable=("ExpirationNotInRenewalTimeRange",)), [], id="too early to renew: nothing"
        ),
        pytest.param(
            replace(NEAR, not_renewable=("SubscriptionNotActive",)),
            [Reason.ORDER_NOT_RENEWABLE],
            id="time to renew, and Azure will not",
        ),
        pytest.param(
            replace(NEAR, last_verified=NOW - timedelta(days=181)),
            [Reason.VERIFICATION_DUE],
            id="198 days since the proof of the domain when it renews",
        ),
        pytest.param(
            replace(NEAR, last_verified=NOW - timedelta(days=180)),
            [Reason.VERIFICATION_DUE],
            id="198 days to the second",
        ),
        pytest.param(
            replace(NEAR, last_verified=NOW - timedelta(days=179)), [], id="197 days since the proof when it renews"
        ),
        pytest.param(
            replace(NEAR, last_verified=None), [Reason.VERIFICATION_DUE], id="when it was verified is not known"
        ),
        pytest.param(
            replace(GOOD, auto_renew=False, certificate_ends=NOW - timedelta(minutes=1)),
            [Reason.ORDER_ENDED, Reason.AUTO_RENEW_OFF],
            id="the certificate has expired though the order has not",
        ),
        pytest.param(
            replace(GOOD, certificate_ends=NOW + timedelta(days=40), last_verified=NOW - timedelta(days=195)),
            [Reason.VERIFICATION_DUE],
            id="the second certificate of the year needs a new proof",
        ),
        pytest.param(
            replace(GOOD, certificate_ends=NOW + timedelta(days=40), last_verified=NOW - timedelta(days=100)),
            [],
            id="the second certificate of the year has its proof",
        ),
        pytest.param(replace(GOOD, last_verified=None), [], id="as well, but months before it renews"),
        pytest.param(replace(GOOD, expires=None, last_verified=None), [], id="nothing says when it ends"),
    ],
)
def test_what_is_out_of_order(order: Order, expected: list[Reason]) -> None:
    """Certroll reports the exact reason for each problem of an order, and no problem of a healthy order."""
    assert reasons(order) == expected


def test_pending_order_says_how_to_verify_the_domain() -> None:
    """The finding about a pending order names the host, the TXT record, and the command that makes Azure check it."""
    (found,) = problems(replace(GOOD, status=OrderStatus.PENDING), NOW)
    assert found.detail.startswith(
        "Azure waits for the verification of the domain (status Pendingissuance): verify the domain in the portal ("
    )
    assert "TXT record @ at the root domain of shop.contoso.com with the value abc123" in found.detail
    assert (
        f"az rest --method post --url '{REF.resource_id}/verifyDomainOwnership?api-version=2024-11-01'" in found.detail
    )


def test_pending_order_without_a_token_says_where_it_is() -> None:
    """The finding about a pending order without a token refers to the portal."""
    (found,) = problems(replace(GOOD, status=OrderStatus.PENDING, token="", host=None), NOW)
    assert "with the value that the portal shows" in found.detail


def test_late_store_says_since_when() -> None:
    """The finding about a certificate that has not reached its vault names the date of issue and the vault."""
    (found,) = problems(replace(GOOD, stored=stored(StoreStatus.INITIALIZED)), NOW)
    assert "certificate of 2026-10-03 is still not in" in found.detail
    assert VAULT_ID in found.detail


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (StoreStatus.ORDER_FAILED, "the order itself failed; see its status"),
        (StoreStatus.NOT_PERMITTED, "the vault refuses certificate registration; see the findings of the vault"),
        (StoreStatus.UNAUTHORIZED, "certificate registration lacks rights; see the findings of the vault"),
        (StoreStatus.VAULT_GONE, f"the vault is gone; choose another vault {STEP}"),
        (StoreStatus.OBJECT_GONE, f"the secret is gone; recover the secret, or store the certificate again {STEP}"),
        (StoreStatus.UNKNOWN_ERROR, f"store the certificate again {STEP}"),
    ],
)
def test_failed_store_says_what_to_do(status: StoreStatus, remedy: str) -> None:
    """For each failure to store a purchased certificate in its vault, Certroll names a separate next step."""
    (found,) = problems(replace(GOOD, stored=stored(status)), NOW)
    assert found.detail == f"Azure did not store the certificate in {VAULT_ID} ({status}): {remedy}"


def test_failed_store_without_a_vault_says_so() -> None:
    """If an order's certificate was not stored and Azure names no vault, the finding says "a vault"."""
    (found,) = problems(replace(GOOD, stored=(replace(STORED, vault_id="", status=StoreStatus.VAULT_GONE),)), NOW)
    assert found.detail.startswith("Azure did not store the certificate in a vault (KeyVaultDoesNotExist): ")


def test_verification_due_says_when_it_renews() -> None:
    """The finding about a due domain verification names the next renewal and the last verification."""
    (found,) = problems(replace(NEAR, last_verified=NOW - timedelta(days=190)), NOW)
    assert "last verified on 2026-04-26" in found.detail
    assert "certificate of 2026-11-20" in found.detail


def test_own_date_of_the_next_renewal_wins() -> None:
    """Certroll prefers the renewal date that Azure announces to the renewal date that Certroll computes."""
    announced = replace(NEAR, next_auto_renewal=NOW + timedelta(days=3))
    assert announced.renews_at == NOW + timedelta(days=3)
    assert NEAR.renews_at == NOW + timedelta(days=18)
    assert replace(NEAR, expires=None).renews_at is None


def test_history_is_read_only_near_a_renewal() -> None:
    """Certroll requests an order's history only if a renewal is near."""
    assert asks_when_verified(NEAR, NOW)
    assert not asks_when_verified(replace(GOOD, expires=NOW + timedelta(days=93)), NOW)
    assert asks_when_verified(replace(GOOD, expires=NOW + timedelta(days=92)), NOW)
    assert not asks_when_verified(replace(NEAR, auto_renew=False), NOW)
    assert asks_when_verified(replace(GOOD, auto_renew=False, certificate_ends=NOW + timedelta(days=90)), NOW)
    assert not asks_when_verified(replace(NEAR, auto_renew=False, certificate_ends=NEAR.expires), NOW)
    assert not asks_when_verified(replace(NEAR, status=OrderStatus.PENDING), NOW)


def test_outcome_is_stalled_by_the_first_thing_that_waits_for_a_person() -> None:
    """A problem that only an operator can solve makes the outcome of an order's run `Stalled`.

    Certroll reports an order that only lacks automatic renewal, and its run does not stall.
    """
    by_hand = problems(replace(GOOD, auto_renew=False), NOW)
    assert outcome_of(by_hand) == Converged(Reason.NOTHING_STALE)
    found = outcome_of((*by_hand, *problems(replace(GOOD, stored=()), NOW)))
    assert isinstance(found, Stalled)
    assert found.reason is Reason.ORDER_NOT_STORED
    assert not Reason.AUTO_RENEW_OFF.stalls


@pytest.mark.parametrize(("before", "another"), [(DAY, False), (DAY + timedelta(seconds=1), True)])
def test_certificate_that_ends_well_before_its_order_has_another_one(before: timedelta, *, another: bool) -> None:
    """If an order ends more than a day after its certificate, Certroll expects another certificate of the order.

    The end dates of a certificate and its order may differ by a day, because authorities round end dates.
    """
    assert GOOD.expires is not None
    order = replace(GOOD, auto_renew=False, certificate_ends=GOOD.expires - before)
    assert (order.next_certificate_at is not None) is another


def test_order_without_an_end_has_no_second_certificate() -> None:
    """If Azure does not report an order's end, Certroll expects no further certificate of the order."""
    assert replace(GOOD, auto_renew=False, expires=None, certificate_ends=NOW).next_certificate_at is None


def test_ended_order_says_how_to_renew_it() -> None:
    """The finding about an expired order names the portal page for a manual renewal."""
    (found,) = problems(replace(GOOD, expires=NOW - timedelta(seconds=1)), NOW)
    assert found.detail.endswith(
        "renew the certificate in the portal (App Service Certificates, shop, Auto Renew Settings, Manual Renew)"
    )


def test_order_yields_the_secret_that_holds_its_certificate() -> None:
    """Certroll finds an order's certificate in the vault secret that stores it."""
    nameless = replace(STORED, secret=None)
    assert replace(GOOD, stored=(nameless, STORED)).secret == SECRET
    assert GOOD.secret == SECRET
    assert GOOD.secret is not None
    assert GOOD.secret.kind == "secret"
    assert replace(GOOD, stored=()).secret is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/subscriptions/x",
        REF.resource_id + "/certificates/a",
        REF.resource_id[1:],
    ],
)
def test_what_is_no_order_is_refused(text: str) -> None:
    """Certroll refuses a resource id of anything other than a certificate order."""
    with pytest.raises(InvalidNameError):
        OrderRef.parse(text)


def test_order_id_is_read_in_any_case() -> None:
    """Certroll reads an order's resource id in any letter case, because Azure changes the letter case."""
    assert OrderRef.parse(REF.resource_id.upper()) == REF
    assert OrderRef.parse(f" {REF.resource_id}\n") == REF


def test_order_id_is_read_with_blanks_around_it() -> None:
    """Certroll reads an order's resource id that somebody copied with blanks or a line break around it."""
    assert OrderRef.parse(f" {REF.resource_id}\n") == REF
    assert str(REF) == "shop-rg/shop"


def test_order_is_told_with_its_group() -> None:
    """Certroll shows an order with its resource group, because two groups may have orders of the same name."""
    assert GOOD.subject == "order shop-rg/shop"
