"""The order of a purchased App Service certificate, the vaults that store the certificate, and the order's problems.

The sources are the Azure docs "Create and manage an App Service certificate", and the models of the package
azure-mgmt-certificateregistration.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from shared.domain.certificates.calendar import AUTOMATIC_WINDOWS, applying
from shared.domain.letter_case import lower_case
from shared.domain.names import HostName, InvalidNameError, Thumbprint, VaultCertificateRef, parse_subscription
from shared.domain.path_names import ORDER, RESOURCE_GROUP
from shared.domain.subject import Subject
from shared.domain.tags import Tag, Tags
from shared.domain.written import Written

AUTOMATIC_DELAY = timedelta(days=2)
"""How late an automatic renewal may be before Certroll treats it as missing. Azure checks orders every eight hours."""
BETWEEN = timedelta(days=1)
"""How much earlier than its order a certificate must end to have a successor within the order. The ends of an order and
of its last certificate may differ by hours."""
STORE_DELAY = timedelta(days=1)
"""How long Azure may take to store a new certificate in the vault before Certroll reports a problem."""

_ORDER_ID = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([^/]+)"
    r"/providers/microsoft\.certificateregistration/certificateorders/([^/]+)"
)


def renewal_begins(ends: datetime) -> datetime:
    """Return when Azure begins to renew an order or a certificate that ends at the moment."""
    return ends - applying(AUTOMATIC_WINDOWS, ends)


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
        for rule, name in ((RESOURCE_GROUP, match[2]), (ORDER, match[3])):
            if problem := rule.problem(name):
                raise InvalidNameError(problem)
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
    is_other: bool = False
    """True if Certroll saw another certificate in the vault secret, whatever Azure says of the secret."""
    is_unread: bool = False
    """True if Certroll could not read the certificate in the vault secret, to compare it with the order."""


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
        return Subject(f"order {self.ref}", self.ref.resource_id)

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
        by_end = renewal_begins(self.expires) if self.expires else None
        return self.next_auto_renewal or by_end

    @property
    def next_certificate_at(self) -> datetime | None:
        """When Azure begins to issue the order's next certificate by itself, None if Azure does not.

        The next certificate belongs to the same order or to the renewed order.
        """
        between = self.certificate_ends and self.expires and self.certificate_ends < self.expires - BETWEEN
        by_certificate = renewal_begins(self.certificate_ends) if self.certificate_ends and between else None
        by_order = self.renews_at if self.auto_renew else None
        return min((time for time in (by_certificate, by_order) if time is not None), default=None)

    def tag(self, tag: Tag) -> str | None:
        """Return the value of a tag of the certificate order, None if the order does not have the tag."""
        return tag.value_in(self.tags)
