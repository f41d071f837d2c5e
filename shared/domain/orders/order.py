"""A purchased App Service certificate: the order, where it is stored, and what is out of order with it.

Facts: Azure docs, "Create and manage an App Service certificate"; the models of azure-mgmt-certificateregistration.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from shared.domain.names import HostName, InvalidNameError, VaultCertificateRef, parse_subscription
from shared.domain.outcome import Converged, Outcome, Stalled
from shared.domain.reason import Reason
from shared.domain.tags import Tag, Tags

AUTOMATIC_WINDOW = timedelta(days=32)
"""How long before the end Azure starts to renew by itself (Azure docs, "Renew an App Service certificate")."""
MANUAL_WINDOW = timedelta(days=60)
"""How long before the end a renewal can be asked for (the same page)."""
DOMAIN_REUSE = timedelta(days=198)
"""How long one proof of domain ownership serves for further certificates, since March 2026 (Azure docs, industry-wide
changes). Re-verification is not automated for purchased certificates."""
AUTOMATIC_DELAY = timedelta(days=2)
"""How late an automatic renewal may be before it counts as one that does not come; Azure looks every eight hours."""
BETWEEN = timedelta(days=1)
"""How much sooner than its order a certificate ends that has another one after it; less is only a matter of hours."""
STORE_DELAY = timedelta(days=1)
"""How long a new certificate may be on its way into the vault, before that is reported."""
ORDER_API = "2024-11-01"
PORTAL = "portal: App Service Certificates"
STORE_STEP = f"{PORTAL}, Certificate Configuration, Step 1: Store"

_ORDER_ID = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([\w.()-]{1,90})"
    r"/providers/microsoft\.certificateregistration/certificateorders/([\w .()-]{1,260})"
)


@dataclass(frozen=True, slots=True, order=True)
class OrderRef:
    """One Microsoft.CertificateRegistration/certificateOrders resource, all in lower case."""

    subscription: str
    resource_group: str
    name: str

    @classmethod
    def parse(cls, resource_id: str) -> Self:
        """Return the reference from a resource id. Raises InvalidNameError."""
        match = _ORDER_ID.fullmatch(resource_id.strip().lower())
        if match is None:
            raise InvalidNameError(f"{resource_id[:200]!r} is not the resource id of a certificate order")
        return cls(parse_subscription(match[1]), match[2], match[3])

    @property
    def resource_id(self) -> str:
        """The resource id, in lower case but for ARM's own words."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.CertificateRegistration/certificateOrders/{self.name}"
        )

    def __str__(self) -> str:
        return f"{self.resource_group}/{self.name}"


class OrderStatus(StrEnum):
    """The status of an order in ARM's own words; what is none of them is UNKNOWN."""

    PENDING = "Pendingissuance"
    ISSUED = "Issued"
    REVOKED = "Revoked"
    CANCELED = "Canceled"
    DENIED = "Denied"
    PENDING_REVOCATION = "Pendingrevocation"
    PENDING_REKEY = "PendingRekey"
    UNUSED = "Unused"
    EXPIRED = "Expired"
    NOT_SUBMITTED = "NotSubmitted"
    UNKNOWN = "Unknown"


class StoreStatus(StrEnum):
    """How far a certificate came on its way into its vault, in ARM's own words (KeyVaultSecretStatus)."""

    INITIALIZED = "Initialized"
    WAITING = "WaitingOnCertificateOrder"
    SUCCEEDED = "Succeeded"
    ORDER_FAILED = "CertificateOrderFailed"
    NOT_PERMITTED = "OperationNotPermittedOnKeyVault"
    UNAUTHORIZED = "AzureServiceUnauthorizedToAccessKeyVault"
    VAULT_GONE = "KeyVaultDoesNotExist"
    OBJECT_GONE = "KeyVaultSecretDoesNotExist"
    UNKNOWN_ERROR = "UnknownError"
    EXTERNAL_KEY = "ExternalPrivateKey"
    UNKNOWN = "Unknown"


UNDER_WAY = frozenset({StoreStatus.INITIALIZED, StoreStatus.WAITING})
STORE_CURES = {
    StoreStatus.ORDER_FAILED: "the order itself failed; see its status",
    StoreStatus.NOT_PERMITTED: "the vault refuses certificate registration; see the findings of the vault",
    StoreStatus.UNAUTHORIZED: "certificate registration lacks rights; see the findings of the vault",
    StoreStatus.VAULT_GONE: f"the vault is gone; choose another ({STORE_STEP})",
    StoreStatus.OBJECT_GONE: f"the secret is gone; recover it, or store again ({STORE_STEP})",
}
FINAL = frozenset(
    {
        OrderStatus.CANCELED,
        OrderStatus.REVOKED,
        OrderStatus.PENDING_REVOCATION,
        OrderStatus.EXPIRED,
        OrderStatus.UNUSED,
    }
)


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """Where an order keeps its certificate. `secret` is None where Azure names no vault object that can be."""

    name: str
    vault_id: str
    secret: VaultCertificateRef | None
    status: StoreStatus


@dataclass(frozen=True, slots=True)
class Order:
    """A purchased certificate as it was read.

    `host` is the common name, None where the order has none that is a host name. Moments are aware, UTC; None where
    Azure says nothing. `certificate_ends` is the end of the certificate itself: since certificates are good for 198
    days, an order of a year has a second one in between. `serial` is that of the current certificate, empty before the
    first. `token` is what a TXT record has to hold for the domain to be verified: it is meant to be public.
    `last_verified` is when somebody last proved the domain, as far as that was asked and answered.
    """

    ref: OrderRef
    host: HostName | None
    status: OrderStatus
    auto_renew: bool
    expires: datetime | None = None
    issued: datetime | None = None
    next_auto_renewal: datetime | None = None
    certificate_ends: datetime | None = None
    serial: str = ""
    token: str = ""
    key_size: int = 2048
    external_key: bool = False
    stored: tuple[StoredCertificate, ...] = ()
    not_renewable: tuple[str, ...] = ()
    tags: Tags = ()
    last_verified: datetime | None = None

    @property
    def subject(self) -> str:
        """The order, for people."""
        return f"order {self.ref}"

    @property
    def secret(self) -> VaultCertificateRef | None:
        """The vault secret that holds its certificate and key; None where it was never stored."""
        return next((one.secret for one in self.stored if one.secret is not None), None)

    @property
    def renews_at(self) -> datetime | None:
        """When Azure begins to renew by itself, if it is asked to; None where nothing says when it ends."""
        by_end = self.expires - AUTOMATIC_WINDOW if self.expires else None
        return self.next_auto_renewal or by_end

    @property
    def next_certificate_at(self) -> datetime | None:
        """When Azure begins to issue another certificate by itself, paid for or not; None where it will not."""
        between = self.certificate_ends and self.expires and self.certificate_ends < self.expires - BETWEEN
        by_certificate = self.certificate_ends - AUTOMATIC_WINDOW if self.certificate_ends and between else None
        by_order = self.renews_at if self.auto_renew else None
        return min((one for one in (by_certificate, by_order) if one is not None), default=None)

    def tag(self, tag: Tag) -> str | None:
        """Return the value of a tag, None without it."""
        return tag.value_in(self.tags)


@dataclass(frozen=True, slots=True)
class OrderProblem:
    """Something about an order that a person should know; `detail` holds the exact next step."""

    reason: Reason
    detail: str


def asks_when_verified(order: Order, now: datetime) -> bool:
    """Say whether the next certificate is near enough that it matters when the domain was last verified."""
    at = order.next_certificate_at
    return order.status is OrderStatus.ISSUED and at is not None and at - now <= MANUAL_WINDOW


def problems(order: Order, now: datetime) -> tuple[OrderProblem, ...]:
    """Return what is out of order, gravest first; nothing where all is well."""
    if (stopped := _stopped(order)) is not None:
        return (stopped,)
    return tuple(_of_status(order, now)) + tuple(_of_store(order, now)) + tuple(_of_renewal(order, now))


def outcome_of(found: Iterable[OrderProblem]) -> Outcome:
    """Return Stalled with the first problem that waits for a person; without one all goes on by itself."""
    stalls = next((one for one in found if one.reason.stalls), None)
    return Stalled(stalls.reason, stalls.detail) if stalls else Converged(Reason.NOTHING_STALE)


def _stopped(order: Order) -> OrderProblem | None:
    if order.status is OrderStatus.DENIED:
        detail = f"the certificate authority denied the order: {PORTAL}, its status says why; order again once mended"
        return OrderProblem(Reason.ORDER_DENIED, detail)
    if order.status in FINAL:
        detail = f"the order is {order.status} and gives no certificate any more: move its sites to another one"
        return OrderProblem(Reason.ORDER_ENDED, detail)
    return None


def _of_status(order: Order, now: datetime) -> Iterator[OrderProblem]:
    if order.status is OrderStatus.NOT_SUBMITTED:
        yield OrderProblem(Reason.ORDER_PENDING, f"the purchase was never submitted: finish it ({PORTAL})")
    elif order.status in {OrderStatus.PENDING, OrderStatus.PENDING_REKEY}:
        yield OrderProblem(Reason.ORDER_PENDING, f"it is {order.status} until the domain is verified: {verify(order)}")
    elif order.status is OrderStatus.UNKNOWN:
        yield OrderProblem(Reason.ORDER_UNREADABLE, "its status is none that is known; look at it in the portal")
    elif (ended := min((one for one in (order.expires, order.certificate_ends) if one), default=now)) < now:
        detail = f"its certificate expired on {ended:%Y-%m-%d}: {renew_command(order)}"
        yield OrderProblem(Reason.ORDER_ENDED, detail)


def verify(order: Order) -> str:
    """Return the exact steps that prove the ownership of the domain."""
    host = order.host or "its host name"
    value = f"with the value {order.token}" if order.token else "with the value that the portal shows"
    portal = f"{PORTAL}, {order.ref.name}, Certificate Configuration, Step 2: Verify"
    record = f"a TXT record @ at the root domain of {host} {value}"
    return f"{portal}; or {record}, then {_post(order, 'verifyDomainOwnership')}"


def renew_command(order: Order) -> str:
    """Return how a person renews an order."""
    return f"{PORTAL}, {order.ref.name}, Auto Renew Settings, Manual Renew"


def _post(order: Order, action: str) -> str:
    address = f"{order.ref.resource_id}/{action}?api-version={ORDER_API}"
    return f"az rest --method post --url '{address}'"


def _of_store(order: Order, now: datetime) -> Iterator[OrderProblem]:
    if order.external_key or any(one.status is StoreStatus.EXTERNAL_KEY for one in order.stored):
        detail = "its private key was made outside Azure, so no vault holds it: upload each new certificate by hand"
        yield OrderProblem(Reason.ORDER_NOT_STORED, detail)
    elif not order.stored:
        detail = f"it is in no vault, so no app can import it: {STORE_STEP}"
        yield OrderProblem(Reason.ORDER_NOT_STORED, detail)
    else:
        yield from (found for one in order.stored if (found := _stored_badly(order, one, now)))


def _stored_badly(order: Order, stored: StoredCertificate, now: datetime) -> OrderProblem | None:
    where = stored.vault_id or "no vault"
    if stored.status is StoreStatus.SUCCEEDED and stored.secret is not None:
        return None
    if stored.status in UNDER_WAY:
        if order.issued is None or now - order.issued <= STORE_DELAY or order.status is not OrderStatus.ISSUED:
            return None
        detail = f"the certificate of {order.issued:%Y-%m-%d} is still not in {where}: {_see_vault()}"
        return OrderProblem(Reason.ORDER_STORE_FAILED, detail)
    remedy = STORE_CURES.get(stored.status, _see_vault())
    return OrderProblem(Reason.ORDER_STORE_FAILED, f"{where} does not get it ({stored.status}): {remedy}")


def _see_vault() -> str:
    return f"store it again ({STORE_STEP})"


def _of_renewal(order: Order, now: datetime) -> Iterator[OrderProblem]:
    if order.status is not OrderStatus.ISSUED:
        return
    if not order.auto_renew:
        ends = f"it ends on {order.expires:%Y-%m-%d}" if order.expires else "it ends one day"
        detail = f"{ends} and renews only by hand: {PORTAL}, {order.ref.name}, Auto Renew Settings, On"
        yield OrderProblem(Reason.AUTO_RENEW_OFF, detail)
    if near_end(order, now) is not None and order.not_renewable:
        detail = f"Azure will not renew it: {', '.join(order.not_renewable)}; ask Azure support, or buy another"
        yield OrderProblem(Reason.ORDER_NOT_RENEWABLE, detail)
    if asks_when_verified(order, now):
        yield from _of_verification(order)


def _of_verification(order: Order) -> Iterator[OrderProblem]:
    at = order.next_certificate_at
    if order.last_verified is None:
        known = "when the domain was last verified could not be read"
    elif at is not None and order.last_verified + DOMAIN_REUSE <= at:
        known = f"the domain was last verified on {order.last_verified:%Y-%m-%d}, which is good for 198 days"
    else:
        return
    detail = (
        f"{known}, and the certificate of {at:%Y-%m-%d} will wait for it unless it is verified again: {verify(order)}"
    )
    yield OrderProblem(Reason.VERIFICATION_DUE, detail)


def near_end(order: Order, now: datetime) -> datetime | None:
    """Return the order's end where it is near enough that a renewal can be asked for; None where it is not."""
    near = order.expires is not None and order.expires - now <= MANUAL_WINDOW
    return order.expires if near else None
