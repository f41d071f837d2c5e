"""Find the problems of an order of a purchased certificate, with what a person does about each of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from shared.domain.api_versions import ORDERS
from shared.domain.certificates.calendar import MANUAL_WINDOWS, ORDER_REUSE, applying
from shared.domain.orders.order import (
    FINAL,
    STORE_DELAY,
    UNDER_WAY,
    Order,
    OrderStatus,
    StoredCertificate,
    StoreStatus,
)
from shared.domain.outcome import Converged, Outcome, Stalled
from shared.domain.reason import Reason

CERTIFICATES = "App Service Certificates"
IN_PORTAL = f"in the portal ({CERTIFICATES})"
STORE_STEP = f"in the portal ({CERTIFICATES}, Certificate Configuration, Step 1: Store)"
STORE_REMEDIES = {
    StoreStatus.ORDER_FAILED: "the order itself failed; see its status",
    StoreStatus.NOT_PERMITTED: "the vault refuses certificate registration; see the findings of the vault",
    StoreStatus.UNAUTHORIZED: "certificate registration lacks rights; see the findings of the vault",
    StoreStatus.VAULT_GONE: f"the vault is gone; choose another vault {STORE_STEP}",
    StoreStatus.OBJECT_GONE: f"the secret is gone; recover the secret, or store the certificate again {STORE_STEP}",
}


@dataclass(frozen=True, slots=True)
class OrderProblem:
    """A problem of a certificate order, with the exact next step in `detail`."""

    reason: Reason
    detail: str


def asks_when_verified(order: Order, now: datetime) -> bool:
    """Return True if Certroll must read the last proof of domain ownership for the order's next certificate.

    Before that, a new proof would be too old when Azure issues the certificate.
    """
    at = order.next_certificate_at
    if order.status is not OrderStatus.ISSUED or at is None:
        return False
    return at - now <= min(applying(MANUAL_WINDOWS, at), applying(ORDER_REUSE, at))


def problems(order: Order, now: datetime) -> tuple[OrderProblem, ...]:
    """Return the problems of a certificate order; a stopped order gives a single problem."""
    if (stopped := _stopped(order)) is not None:
        return (stopped,)
    return tuple(_of_status(order, now)) + tuple(_of_store(order, now)) + tuple(_of_renewal(order, now))


def outcome_of(found: Iterable[OrderProblem]) -> Outcome:
    """Return Stalled with the first problem that waits for an operator, and Converged if no problem does."""
    stalls = next((problem for problem in found if problem.reason.stalls), None)
    return Stalled(stalls.reason, stalls.detail) if stalls else Converged(Reason.NOTHING_STALE)


def _stopped(order: Order) -> OrderProblem | None:
    if order.status is OrderStatus.DENIED:
        detail = f"the certificate authority denied the order: read the cause {IN_PORTAL}, then order again"
        return OrderProblem(Reason.ORDER_DENIED, detail)
    if order.status in FINAL:
        detail = f"the order is {order.status} and gives no more certificates: move its sites to another certificate"
        return OrderProblem(Reason.ORDER_ENDED, detail)
    return None


def _of_status(order: Order, now: datetime) -> Iterator[OrderProblem]:
    if order.status is OrderStatus.NOT_SUBMITTED:
        yield OrderProblem(Reason.ORDER_PENDING, f"nobody submitted the purchase: finish the purchase {IN_PORTAL}")
    elif order.status in {OrderStatus.PENDING, OrderStatus.PENDING_REKEY}:
        detail = f"Azure waits for the verification of the domain (status {order.status}): {verify(order)}"
        yield OrderProblem(Reason.ORDER_PENDING, detail)
    elif order.status is OrderStatus.UNKNOWN:
        yield OrderProblem(
            Reason.ORDER_UNREADABLE, f"Certroll does not know the status of the order: read the status {IN_PORTAL}"
        )
    elif (ended := min((end for end in (order.expires, order.certificate_ends) if end), default=now)) < now:
        detail = f"the certificate of the order expired on {ended:%Y-%m-%d}: {renew_command(order)}"
        yield OrderProblem(Reason.ORDER_ENDED, detail)


def verify(order: Order) -> str:
    """Return the exact steps by which an operator proves domain ownership to Azure."""
    host = order.host or "its host name"
    value = f"with the value {order.token}" if order.token else "with the value that the portal shows"
    portal = _in_portal(order, "Certificate Configuration, Step 2: Verify")
    record = f"a TXT record @ at the root domain of {host} {value}"
    return f"verify the domain {portal}; or write {record}, then run {_post(order, 'verifyDomainOwnership')}"


def renew_command(order: Order) -> str:
    """Return the steps by which an operator renews a certificate order in the portal."""
    return f"renew the certificate {_in_portal(order, 'Auto Renew Settings, Manual Renew')}"


def _in_portal(order: Order, steps: str) -> str:
    return f"in the portal ({CERTIFICATES}, {order.ref.name}, {steps})"


def _post(order: Order, action: str) -> str:
    address = f"{order.ref.resource_id}/{action}?api-version={ORDERS}"
    return f"az rest --method post --url '{address}'"


def _of_store(order: Order, now: datetime) -> Iterator[OrderProblem]:
    if order.stored and all(stored.is_current for stored in order.stored):
        return
    if order.external_key or any(stored.status is StoreStatus.EXTERNAL_KEY for stored in order.stored):
        detail = "the private key was made outside Azure, so no vault holds it: upload each new certificate by hand"
        yield OrderProblem(Reason.ORDER_NOT_STORED, detail)
    elif not order.stored:
        detail = (
            f"App Service cannot import the certificate before a vault stores the certificate: store it {STORE_STEP}"
        )
        yield OrderProblem(Reason.ORDER_NOT_STORED, detail)
    else:
        yield from (found for stored in order.stored if (found := _stored_badly(order, stored, now)))


def _stored_badly(order: Order, stored: StoredCertificate, now: datetime) -> OrderProblem | None:
    where = stored.vault_id or "a vault"
    succeeded = stored.status is StoreStatus.SUCCEEDED
    if stored.is_current or (succeeded and stored.secret is not None and not stored.is_other):
        return None
    if stored.status in UNDER_WAY or (succeeded and stored.is_other):
        if order.issued is None or now - order.issued <= STORE_DELAY or order.status is not OrderStatus.ISSUED:
            return None
        detail = f"the certificate of {order.issued:%Y-%m-%d} is still not in {where}: {_see_vault()}"
        return OrderProblem(Reason.ORDER_STORE_FAILED, detail)
    remedy = STORE_REMEDIES.get(stored.status, _see_vault())
    detail = f"Azure did not store the certificate in {where} ({stored.status}): {remedy}"
    return OrderProblem(Reason.ORDER_STORE_FAILED, detail)


def _see_vault() -> str:
    return f"store the certificate again {STORE_STEP}"


def _of_renewal(order: Order, now: datetime) -> Iterator[OrderProblem]:
    if order.status is not OrderStatus.ISSUED:
        return
    if not order.auto_renew:
        end = f" on {order.expires:%Y-%m-%d}" if order.expires else ""
        detail = f"the order ends{end} without a renewal: turn on renewal {_in_portal(order, 'Auto Renew Settings')}"
        yield OrderProblem(Reason.AUTO_RENEW_OFF, detail)
    if near_end(order, now) is not None and order.not_renewable:
        causes = ", ".join(order.not_renewable)
        detail = f"Azure will not renew the order: {causes}; ask Azure support, or buy another certificate"
        yield OrderProblem(Reason.ORDER_NOT_RENEWABLE, detail)
    if asks_when_verified(order, now):
        yield from _of_verification(order)


def _of_verification(order: Order) -> Iterator[OrderProblem]:
    at = order.next_certificate_at
    if order.last_verified is None:
        known = "Certroll could not read when the domain was last verified"
    elif at is not None and order.last_verified + (reuse := applying(ORDER_REUSE, at)) <= at:
        lasts = f"a verification lasts {reuse.days} days"
        known = f"the domain was last verified on {order.last_verified:%Y-%m-%d}, and {lasts}"
    else:
        return
    detail = f"{known}, so the certificate of {at:%Y-%m-%d} will wait: {verify(order)}"
    yield OrderProblem(Reason.VERIFICATION_DUE, detail)


def near_end(order: Order, now: datetime) -> datetime | None:
    """Return the end of the order if Azure already accepts a manual renewal, and otherwise None."""
    ends = order.expires
    return ends if ends is not None and ends - now <= applying(MANUAL_WINDOWS, ends) else None
