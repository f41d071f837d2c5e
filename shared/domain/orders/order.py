"""The order of a purchased App Service certificate, the vaults that store the certificate, and the order's problems.

The sources are the Azure docs "Create and manage an App Service certificate", and the models of the package
azure-mgmt-certificateregistration.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from shared.domain.api_versions import ORDERS
from shared.domain.letter_case import lower_case
from shared.domain.names import HostName, InvalidNameError, Thumbprint, VaultCertificateRef, parse_subscription
from shared.domain.outcome import Converged, Outcome, Stalled
from shared.domain.reason import Reason
from shared.domain.tags import Tag, Tags
from shared.domain.written import Written

AUTOMATIC_WINDOW = timedelta(days=32)
"""How long before the end of an order Azure starts to renew it (Azure docs, "Renew an App Service certificate")."""
MANUAL_WINDOW = timedelta(days=60)
"""How long before the end of an order Azure accepts a manual renewal (Azure docs, "Renew an App Service
certificate")."""
DOMAIN_REUSE = timedelta(days=198)
"""How long a proof of domain ownership counts for further certificates, since March 2026 (Azure docs, industry-wide
changes). Azure does not automate another proof for purchased certificates."""
AUTOMATIC_DELAY = timedelta(days=2)
"""How late an automatic renewal may be before Certroll treats it as missing. Azure checks orders every eight hours."""
BETWEEN = timedelta(days=1)
"""How much earlier than its order a certificate must end to have a successor within the order. The ends of an order and
of its last certificate may differ by hours."""
STORE_DELAY = timedelta(days=1)
"""How long Azure may take to store a new certificate in the vault before Certroll reports a problem."""
CERTIFICATES = "App Service Certificates"
IN_PORTAL = f"in the portal ({CERTIFICATES})"
STORE_STEP = f"in the portal ({CERTIFICATES}, Certificate Configuration, Step 1: Store)"

_ORDER_ID = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([\w.()-]{1,90})"
    r"/providers/microsoft\.certificateregistration/certificateorders/([\w .()-]{1,260})"
)


@dataclass(frozen=True, slots=True, order=True)
class OrderRef(Written):
    """The reference to one Microsoft.CertificateRegistration/certificateOrders resource, in lower case."""

    subscription: str
    resource_group: str
    name: str
    written: str = field(default="", compare=False, repr=False)
    """The resource id in the letters in which Azure wrote it, empty if Azure did not show it."""

    @classmethod
    def parse(cls, resource_id: str) -> Self:
        """Return the reference to the certificate order that a resource id names. Raises InvalidNameError."""
        match = _ORDER_ID.fullmatch(lower_case(resource_id.strip()))
        if match is None:
            raise InvalidNameError(f"{resource_id[:200]!r} is not the resource id of a certificate order")
        return cls(parse_subscription(match[1]), match[2], match[3], resource_id.strip())

    @property
    def resource_id(self) -> str:
        """The resource id in ARM, with the names in lower case."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.CertificateRegistration/certificateOrders/{self.name}"
        )

    def __str__(self) -> str:
        return f"{self.resource_group}/{self.name}"


class OrderStatus(StrEnum):
    """The status of a certificate order in ARM's own words, with UNKNOWN for a word that Certroll does not know."""

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
    """How far Azure has stored a purchased certificate in its vault, in ARM's own words (KeyVaultSecretStatus)."""

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
STORE_REMEDIES = {
    StoreStatus.ORDER_FAILED: "the order itself failed; see its status",
    StoreStatus.NOT_PERMITTED: "the vault refuses certificate registration; see the findings of the vault",
    StoreStatus.UNAUTHORIZED: "certificate registration lacks rights; see the findings of the vault",
    StoreStatus.VAULT_GONE: f"the vault is gone; choose another vault {STORE_STEP}",
    StoreStatus.OBJECT_GONE: f"the secret is gone; recover the secret, or store the certificate again {STORE_STEP}",
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
    """A vault secret in which Azure stores the certificate of an order."""

    name: str
    vault_id: str
    secret: VaultCertificateRef | None
    """The vault secret, None if Azure returns no valid name of a secret."""
    status: StoreStatus
    """What Azure says of the secret. The secret itself overrules the word, which may stay `Initialized` for ever."""
    is_current: bool = False
    """True if Certroll saw the order's current certificate in the vault secret."""


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a purchased certificate as Certroll read the order from Azure.

    The times of an order are in UTC, and None if Azure shows no time.
    """

    ref: OrderRef
    host: HostName | None
    """The common name, None if it is not a host name."""
    status: OrderStatus
    auto_renew: bool
    """True if Azure renews the order automatically."""
    expires: datetime | None = None
    """The end of the order."""
    issued: datetime | None = None
    """The time at which the current certificate was issued."""
    next_auto_renewal: datetime | None = None
    """The time of the next automatic renewal, as Azure shows it."""
    certificate_ends: datetime | None = None
    """The end of the current certificate. A certificate lasts 198 days, so an order of a year has two certificates."""
    thumbprint: Thumbprint | None = None
    """The thumbprint of the current certificate, None if Azure shows no valid thumbprint."""
    serial: str = ""
    """The serial number of the current certificate, empty before the first certificate."""
    token: str = ""
    """The public value of the TXT record that proves domain ownership."""
    key_size: int = 2048
    """The size of the RSA key in bits."""
    external_key: bool = False
    """True if the private key was made outside Azure."""
    stored: tuple[StoredCertificate, ...] = ()
    not_renewable: tuple[str, ...] = ()
    """The causes for which Azure does not renew the order."""
    tags: Tags = ()
    last_verified: datetime | None = None
    """The time of the last proof of domain ownership, None if Certroll did not read it."""

    @property
    def subject(self) -> str:
        """The name of the certificate order in messages for operators."""
        return f"order {self.ref}"

    @property
    def secret(self) -> VaultCertificateRef | None:
        """The vault secret with the certificate and its private key, None if the order is not stored in a vault."""
        return next((stored.secret for stored in self.stored if stored.secret is not None), None)

    def stores_in(self, ref: VaultCertificateRef) -> bool:
        """Return True if Azure stores the certificate of the order in the vault secret."""
        return any(stored.secret == ref for stored in self.stored)

    @property
    def renews_at(self) -> datetime | None:
        """When Azure begins the order's automatic renewal, None if Azure shows neither that nor the order's end."""
        by_end = self.expires - AUTOMATIC_WINDOW if self.expires else None
        return self.next_auto_renewal or by_end

    @property
    def next_certificate_at(self) -> datetime | None:
        """When Azure begins to issue the order's next certificate by itself, None if Azure does not.

        The next certificate belongs to the same order or to the renewed order.
        """
        between = self.certificate_ends and self.expires and self.certificate_ends < self.expires - BETWEEN
        by_certificate = self.certificate_ends - AUTOMATIC_WINDOW if self.certificate_ends and between else None
        by_order = self.renews_at if self.auto_renew else None
        return min((time for time in (by_certificate, by_order) if time is not None), default=None)

    def tag(self, tag: Tag) -> str | None:
        """Return the value of a tag of the certificate order, None if the order does not have the tag."""
        return tag.value_in(self.tags)


@dataclass(frozen=True, slots=True)
class OrderProblem:
    """A problem of a certificate order, with the exact next step in `detail`."""

    reason: Reason
    detail: str


def asks_when_verified(order: Order, now: datetime) -> bool:
    """Return True if Certroll must read the last proof of domain ownership for the order's next certificate."""
    at = order.next_certificate_at
    return order.status is OrderStatus.ISSUED and at is not None and at - now <= MANUAL_WINDOW


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
    if stored.is_current or (stored.status is StoreStatus.SUCCEEDED and stored.secret is not None):
        return None
    if stored.status in UNDER_WAY:
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
    elif at is not None and order.last_verified + DOMAIN_REUSE <= at:
        known = f"the domain was last verified on {order.last_verified:%Y-%m-%d}, and a verification lasts 198 days"
    else:
        return
    detail = f"{known}, so the certificate of {at:%Y-%m-%d} will wait: {verify(order)}"
    yield OrderProblem(Reason.VERIFICATION_DUE, detail)


def near_end(order: Order, now: datetime) -> datetime | None:
    """Return the end of the order if Azure already accepts a manual renewal, and otherwise None."""
    near = order.expires is not None and order.expires - now <= MANUAL_WINDOW
    return order.expires if near else None
