"""Orders of purchased certificates, which the simulated Azure issues, stores in vaults, renews and expires.

Azure docs ("Create and manage an App Service certificate") and the models of azure-mgmt-certificateregistration
describe orders of purchased certificates. The simulated Azure renews or issues a due order at the next request to ARM,
or at a call of `settle`.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from local.azure.dns.zones import Zones
from local.azure.kernel import Kernel
from local.azure.principals import REGISTRATION
from local.azure.vault.authority import SERVER_AUTH, Leaf, Request, authority
from local.azure.vault.objects import VaultMissing
from local.azure.vault.policy import PKCS12
from local.azure.vault.vault import Vault, find_vault

AUTOMATIC = timedelta(days=32)
MANUAL = timedelta(days=60)
VALIDITY = timedelta(days=198)
REUSE = timedelta(days=198)
"""The time for which a verified domain stays verified (Azure docs, industry-wide changes, 2026)."""
ISSUING = timedelta(minutes=5)
"""The time from a request until the certificate is issued; Azure docs say that a rekey takes one to ten minutes."""
NEEDS = (
    "secrets/get",
    "secrets/list",
    "secrets/set",
    "secrets/delete",
    "certificates/get",
    "certificates/list",
)
"""The rights that the registration's principal needs in a vault, as in the access policy that the portal creates."""
PENDING = frozenset({"Pendingissuance", "PendingRekey"})
WILDCARD = "StandardDomainValidatedWildCardSsl"
STANDARD = "StandardDomainValidatedSsl"
Wish = Literal["issue", "renew", "reissue"]

_COMMON_NAME = re.compile(r"CN=([^,]+)", re.IGNORECASE)


@dataclass(slots=True)
class Stored:
    """The vault secret in which an order stores its certificate, and the thumbprint of the last stored certificate."""

    vault_id: str
    secret_name: str
    status: str = "Initialized"
    thumbprint: str = ""


@dataclass(slots=True)
class Order:
    """One order of a purchased certificate."""

    subscription: str
    resource_group: str
    name: str
    host: str
    token: str
    """The token that verifies the domain, if a TXT record contains it."""
    created: datetime
    product: str = STANDARD
    """The product type: a standard or a wildcard certificate."""
    auto_renew: bool = True
    """True if Azure renews the order by itself before its certificate ends."""
    key_size: int = 2048
    status: str = "Pendingissuance"
    certificate: Leaf | None = None
    """The current certificate, or None before the first certificate is issued."""
    issued_at: datetime | None = None
    verified_at: datetime | None = None
    """The time at which the domain was last verified."""
    wish: Wish | None = None
    """The request in progress: issue, renew or reissue; None if no request is in progress."""
    due: datetime | None = None
    """The time from which the requested certificate can be issued."""
    hidden_until: datetime | None = None
    """The time until which readers do not see that a renewal or reissue is in progress."""
    purchases: int = 1
    """The number of certificates that were paid for."""
    reissues: int = 0
    """The number of reissues that were requested."""
    external_key: bool = False
    """True if the private key is outside of Azure, so that the certificate is stored in no vault."""
    refuses_renewal: tuple[str, ...] = ()
    """The reasons that a test gave for which Azure refuses to renew the order."""
    stored: dict[str, Stored] = field(default_factory=dict)
    """The vault secrets in which the order stores its certificate, by the name of the sub-resource."""
    actions: list[tuple[str, datetime]] = field(default_factory=list)
    """The history of the order: each action with its time."""
    tags: dict[str, str] = field(default_factory=dict)
    in_progress: bool = False
    """True if a long-running write of the order is still in progress."""

    @property
    def id(self) -> str:
        """The resource id of the order."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.CertificateRegistration/certificateOrders/{self.name}"

    @property
    def serial(self) -> str:
        """The serial number of the order's certificate in hexadecimal, or empty before the first certificate."""
        return f"{self.certificate.certificate.serial_number:032X}" if self.certificate else ""

    @property
    def ends(self) -> datetime | None:
        """The time at which the order's current certificate expires, or None before the first certificate."""
        return self.certificate.certificate.not_valid_after_utc if self.certificate else None

    def shown_status(self, now: datetime) -> str:
        """Return the status of the order that clients see, which may lag behind the real status."""
        late = self.hidden_until is not None and now < self.hidden_until and self.status in PENDING
        return "Issued" if late and self.certificate else self.status

    def not_renewable(self, now: datetime) -> tuple[str, ...]:
        """Return the reasons for which Azure would refuse to renew the order now."""
        reasons = list(self.refuses_renewal)
        if self.shown_status(now) != "Issued":
            reasons.append("RegistrationStatusNotSupportedForRenewal")
        if self.ends is None or self.ends - now > MANUAL:
            reasons.append("ExpirationNotInRenewalTimeRange")
        return tuple(reasons)


class Orders:
    """The orders of purchased certificates in a simulated Azure, by resource id in lower case."""

    def __init__(self, kernel: Kernel, vaults: Mapping[str, Vault], zones: Zones) -> None:
        """Begin without orders.

        Purchased certificates are stored in `vaults`, and domains are verified in `zones`, the public DNS of the
        simulated Azure.
        """
        self._kernel = kernel
        self._vaults = vaults
        self._zones = zones
        self._orders: dict[str, Order] = {}

    def __iter__(self) -> Iterator[Order]:
        """Yield the orders, oldest first."""
        return iter(tuple(self._orders.values()))

    def get(self, resource_id: str) -> Order | None:
        """Return the order with this resource id in upper or lower case, or None."""
        return self._orders.get(resource_id.lower())

    def add(self, order: Order) -> Order:
        """Add the order to the simulated Azure, and return the order."""
        self._orders[order.id.lower()] = order
        order.actions.append(("CertificateOrderCreated", order.created))
        return order

    def remove(self, order: Order) -> None:
        """Remove the order from the simulated Azure."""
        del self._orders[order.id.lower()]

    def begin(self, order: Order, wish: Wish) -> None:
        """Begin to issue, renew or reissue the order's certificate.

        A renewal of an order counts as a purchase, even if Azure then issues no certificate.
        """
        now = self._kernel.clock.now()
        order.wish, order.due = wish, now + ISSUING
        order.status = "PendingRekey" if wish == "reissue" else "Pendingissuance"
        order.hidden_until = now + timedelta(seconds=self._kernel.knobs.orders_show_late)
        order.purchases += wish == "renew"
        order.reissues += wish == "reissue"
        self._kernel.journal.note(f"order {order.name}: {wish} begun")

    def verify(self, order: Order) -> bool:
        """Look for the order's token in TXT records of the order's host name and of its parent domains.

        Return True if a TXT record contains the order's token.
        """
        labels = order.host.removeprefix("*.").split(".")
        climbing = (".".join(labels[start:]) for start in range(len(labels) - 1))
        texts = (text for name in climbing for text in self._zones.values(name, "TXT"))
        if not any(order.token in text for text in texts):
            return False
        order.verified_at = self._kernel.clock.now()
        order.actions.append(("DomainValidationComplete", order.verified_at))
        self._kernel.journal.note(f"order {order.name}: domain verified")
        return True

    def settle(self) -> None:
        """Do the due work on every order: expire, renew, issue a certificate, and store the certificate in vaults."""
        now = self._kernel.clock.now()
        with self._kernel.journal.apart():
            for order in self:
                self._settle(order, now)

    def _settle(self, order: Order, now: datetime) -> None:
        if order.status == "Issued" and order.ends is not None and order.ends <= now:
            order.status = "Expired"
        if self._renews_itself(order, now):
            self.begin(order, "renew")
        if order.wish and order.due and order.due <= now and _is_verified(order, now):
            issued = self.issue(order, now)
            self._kernel.journal.note(f"order {order.name}: issued {issued.thumbprint[:8]}")
        for stored in order.stored.values():
            self.store(order, stored)

    def issue(self, order: Order, at: datetime) -> Leaf:
        """Issue a certificate for the order that is valid for 198 days from `at`, and return the certificate."""
        names = (order.host, order.host.removeprefix("*.")) if order.product == WILDCARD else (order.host,)
        wanted = Request(names, at, at + VALIDITY, key_size=order.key_size, usages=(SERVER_AUTH,))
        order.certificate = authority().issue(wanted)
        order.issued_at, order.wish, order.due, order.status = at, None, None, "Issued"
        order.actions.append(("CertificateIssued", at))
        return order.certificate

    def store(self, order: Order, stored: Stored, at: datetime | None = None) -> None:
        """Store the order's certificate in the vault secret, if the certificate is new and the vault allows it."""
        if order.status == "Denied":
            stored.status = "CertificateOrderFailed"
        elif order.external_key:
            stored.status = "ExternalPrivateKey"
        elif order.certificate is None:
            stored.status = "WaitingOnCertificateOrder"
        elif stored.thumbprint != order.certificate.thumbprint or stored.status != "Succeeded":
            self._write(order.certificate, stored, at or self._kernel.clock.now())

    def _write(self, certificate: Leaf, stored: Stored, at: datetime) -> None:
        try:
            vault = find_vault(self._vaults, stored.vault_id)
        except VaultMissing:
            stored.status = "KeyVaultDoesNotExist"
            return
        refusal = _refusal(vault)
        stored.status = refusal or ("Initialized" if self._kernel.knobs.order_store_stays_initialized else "Succeeded")
        if refusal is None and stored.thumbprint != certificate.thumbprint:
            value = base64.b64encode(certificate.pfx()).decode()
            vault.set_secret(stored.secret_name, value, content_type=PKCS12, created=at)
            stored.thumbprint = certificate.thumbprint

    def _renews_itself(self, order: Order, now: datetime) -> bool:
        due = order.ends is not None and order.ends - now <= AUTOMATIC
        works = self._kernel.knobs.orders_renew_themselves and not order.refuses_renewal
        return order.status == "Issued" and order.auto_renew and due and works


def _is_verified(order: Order, now: datetime) -> bool:
    return order.verified_at is not None and now - order.verified_at <= REUSE


def _refusal(vault: Vault) -> str | None:
    """Return the order's status for a vault that refuses certificates, or None if the vault accepts certificates."""
    refusals = (vault.refusal(REGISTRATION, operation) for operation in NEEDS)
    first = next((refusal for refusal in refusals if refusal is not None), None)
    if first is None:
        return None
    return "OperationNotPermittedOnKeyVault" if first.how == "firewall" else "AzureServiceUnauthorizedToAccessKeyVault"


def host_of(distinguished_name: str) -> str | None:
    """Return the common name of a distinguished name in lower case, or None."""
    match = _COMMON_NAME.search(distinguished_name)
    return match[1].strip().lower() if match else None
