"""Read and act on the orders of purchased certificates, by azure-mgmt-certificateregistration."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, TypeVar

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError, ServiceResponseError
from azure.mgmt.certificateregistration import CertificateRegistrationMgmtClient
from azure.mgmt.certificateregistration.models import (
    AppServiceCertificateOrderPatchResource,
    ReissueCertificateOrderRequest,
    RenewCertificateOrderRequest,
)
from azure.mgmt.certificateregistration.operations import AppServiceCertificateOrdersOperations as Operations

from shared.clients.arm.requests import PAGES, one_wire, refuse_registration
from shared.clients.arm.tags import merge_tag
from shared.clients.clouds import Cloud
from shared.clients.reading import ODD, readable, texts_of
from shared.clients.retrying import SDK_OPTIONS, Retrying
from shared.domain.errors import NotRegistered, Rejected
from shared.domain.fleet.fleet import BlindSpot, Listing
from shared.domain.names import (
    HostName,
    InvalidNameError,
    VaultCertificateRef,
    parse_host_name,
    parse_thumbprint,
)
from shared.domain.orders.order import Order, OrderRef, OrderStatus, StoredCertificate, StoreStatus

REMEDY = "grant the identity Microsoft.CertificateRegistration/certificateOrders/read on this subscription"
ACTIONS_REMEDY = (
    "grant the identity Microsoft.CertificateRegistration/certificateOrders/retrieveCertificateActions/action"
)
WRITE_REMEDY = "grant the identity the actions on certificateOrders that docs/reference/roles.md lists"
TAGS_REMEDY = "grant the identity Microsoft.Resources/tags/write on the order"
REVOKE_AFTER_HOURS = 72
"""How long the old certificate stays valid after a reissue. In these days App Service gets the new certificate."""
VERIFIED = "domainvalidationcomplete"
WRITABLE = ("distinguishedName", "validityInYears", "keySize", "productType")
KEY_SIZES = frozenset({2048, 3072, 4096})
YEARS = range(1990, 9000)
LONGEST_ID = 400

_COMMON_NAME = re.compile(r"(?:^|,)\s*CN\s*=\s*([^,]+)", re.IGNORECASE)

Json = Mapping[str, Any]
Result = TypeVar("Result")


class OrderClients:
    """The SDK clients of certificate orders, with one client per subscription."""

    def __init__(self, credential: TokenCredential, cloud: Cloud, options: Mapping[str, Any] = SDK_OPTIONS) -> None:
        self._make: Callable[[str], CertificateRegistrationMgmtClient] = lru_cache(maxsize=None)(
            lambda subscription: CertificateRegistrationMgmtClient(
                credential,
                subscription,
                cloud_setting=cloud.arm,
                raw_response_hook=refuse_registration,
                **options,
            )
        )

    def client(self, subscription: str) -> CertificateRegistrationMgmtClient:
        """Return the SDK client for a subscription."""
        return self._make(subscription)

    def operations(self, subscription: str) -> Operations:
        """Return the SDK's operations on the orders of a subscription."""
        return self._make(subscription).app_service_certificate_orders


def _names(ref: OrderRef) -> tuple[str, str]:
    """Return the resource group and the name of the order, as Azure wrote them."""
    group, name = ref.address
    return group, name


class Orders:
    """The client of certificate orders.

    The client's methods translate errors of the Azure SDK into Certroll's own error classes.
    """

    def __init__(self, clients: OrderClients | None, retrying: Retrying) -> None:
        """Store the clients. `clients` is None in a cloud where Azure sells no certificates and so has no orders."""
        self._clients = clients
        self._retrying = retrying

    def orders(self, subscription: str) -> Listing[Order]:
        """Return the orders of a subscription. Each page of ARM's list of orders costs one request."""
        if self._clients is None:
            return Listing(())
        what = f"certificate orders of subscription {subscription}"
        try:
            items = self._clients.operations(subscription).list(**PAGES)
            wires = [_wire(model) for model in self._retrying.pages(what, items, REMEDY)]
        except NotRegistered:  # most subscriptions have not registered Microsoft.CertificateRegistration
            return Listing(())
        return _listing(subscription, wires)

    def order(self, ref: OrderRef) -> Order:
        """Read one certificate order."""
        return readable(f"order {ref}", read_order, self._read(ref))

    def last_verified(self, ref: OrderRef) -> datetime | None:
        """Return when the operator last proved control of an order's domain, or None if the history has no proof."""
        operations = self._operations(ref)

        what = f"history of order {ref}"
        read = partial(operations.retrieve_certificate_actions, *_names(ref))
        return readable(what, _newest_proof, self._retrying.read(what, read, ACTIONS_REMEDY))

    def mark(self, ref: OrderRef, tag: str, text: str) -> None:
        """Set one tag of an order by the Tags API, and leave the order itself and all other tags unchanged.

        Certroll sends no PATCH of the order, because Azure does not document that a PATCH keeps where the certificate
        is stored. Raises OutcomeUnknown if Azure's answer does not show the tag.
        """
        if self._clients is None:
            raise Rejected(f"order {ref}: this cloud sells no certificates")
        send = partial(merge_tag, self._clients.client(ref.subscription), ref.path, tag, text)
        self._retrying.write(f"tags of order {ref}", send, TAGS_REMEDY)

    def turn_on_auto_renew(self, ref: OrderRef) -> None:
        """Turn on automatic renewal, and leave all other fields of the order unchanged.

        Certroll sends a PATCH, because a PUT of a deleted order would buy a new certificate. The PATCH repeats the
        order's writable fields, because Azure does not document that a PATCH preserves omitted fields.
        """
        body = {**readable(f"order {ref}", _writable, self._read(ref)), "autoRenew": True}
        patch = AppServiceCertificateOrderPatchResource({"properties": body})
        self._write(ref, lambda on: on.update(*_names(ref), patch))

    def renew(self, order: Order) -> None:
        """Buy the next certificate of an order.

        Azure creates the private key of an order's next certificate with the order's key size.
        """
        ref = order.ref
        body = RenewCertificateOrderRequest({"properties": {"keySize": order.key_size, "isPrivateKeyExternal": False}})
        self._write(ref, lambda on: on.renew(*_names(ref), body))

    def reissue(self, order: Order) -> None:
        """Request a new certificate with a new key for the order.

        Azure revokes the order's old certificate 72 hours after the reissue.
        """
        ref = order.ref
        properties = {
            "keySize": order.key_size,
            "isPrivateKeyExternal": False,
            "delayExistingRevokeInHours": REVOKE_AFTER_HOURS,
        }
        body = ReissueCertificateOrderRequest({"properties": properties})
        self._write(ref, lambda on: on.reissue(*_names(ref), body))

    def _operations(self, ref: OrderRef) -> Operations:
        if self._clients is None:
            raise Rejected(f"order {ref}: this cloud sells no certificates")
        return self._clients.operations(ref.subscription)

    def _read(self, ref: OrderRef) -> Json:
        operations = self._operations(ref)
        return one_wire(self._retrying, f"order {ref}", lambda: operations.get(*_names(ref)), REMEDY)

    def _write(self, ref: OrderRef, ask: Callable[[Operations], object]) -> None:
        operations = self._operations(ref)
        self._retrying.write(f"order {ref}", lambda: _asked(ask, operations), WRITE_REMEDY)


def _asked(ask: Callable[[Operations], Result], operations: Operations) -> Result:
    """Send a write on an order, and return Azure's answer.

    Raise ServiceResponseError for an undocumented status below 400. If Azure answers a write with an undocumented
    status, Azure may have applied the write, so the outcome is unknown.
    """
    try:
        return ask(operations)
    except HttpResponseError as odd:
        if (odd.status_code or 0) < HTTPStatus.BAD_REQUEST:
            raise ServiceResponseError(f"answered {odd.status_code}, which is not documented") from odd
        raise


def _wire(model: Any) -> object:  # noqa: ANN401 - the SDK passes on whatever the list holds
    return model.as_dict() if hasattr(model, "as_dict") else model


def _listing(subscription: str, wires: Iterable[object]) -> Listing[Order]:
    """Return the readable orders.

    Each unreadable order becomes a `BlindSpot` in the listing, and the readable orders stay in the listing.
    """
    found, blind = [], []
    for wire in wires:
        try:
            found.append(read_order(wire))
        except ODD as error:
            name = wire.get("id") if isinstance(wire, Mapping) else repr(wire)
            blind.append(BlindSpot(_text(name) or "without an id", str(error), subscription))
    return Listing(tuple(found), tuple(blind))


def _writable(wire: Json) -> dict[str, Any]:
    """Return the writable fields of a certificate order unchanged.

    Raise ValueError if `properties` or `certificates` of the order is not an object.
    """
    properties = _mapping(wire, "properties")
    kept = {name: properties[name] for name in WRITABLE if properties.get(name) is not None}
    stored = {name: _place(place) for name, place in _mapping(properties, "certificates").items()}
    return {**kept, "certificates": stored} if stored else kept


def read_order(wire: object) -> Order:
    """Return a certificate order from Azure's JSON.

    Raise ValueError if the order is not a JSON object or if, for example, a date of the order is unreadable.
    """
    if not isinstance(wire, Mapping):
        raise ValueError("it is not an object")  # noqa: TRY004 - callers expect ValueError for every unreadable field
    properties = _mapping(wire, "properties")
    certificates = _mapping(properties, "certificates")
    return Order(
        ref=OrderRef.parse(str(wire.get("id"))),
        host=_common_name(properties.get("distinguishedName")),
        status=_member(OrderStatus, properties.get("status"), OrderStatus.UNKNOWN),
        auto_renew=_switch(properties.get("autoRenew")),
        expires=_moment(properties.get("expirationTime")),
        issued=_moment(properties.get("lastCertificateIssuanceTime")),
        next_auto_renewal=_moment(properties.get("nextAutoRenewalTimeStamp")),
        certificate_ends=_moment(_mapping(properties, "signedCertificate").get("notAfter")),
        thumbprint=_parsed(parse_thumbprint, _mapping(properties, "signedCertificate").get("thumbprint")),
        serial=_text(properties.get("serialNumber")),
        token=_text(properties.get("domainVerificationToken")),
        key_size=_key_size(properties.get("keySize")),
        external_key=properties.get("isPrivateKeyExternal") is True,
        stored=tuple(_stored(str(name), certificates) for name in sorted(certificates, key=str)),
        not_renewable=_texts(properties.get("appServiceCertificateNotRenewableReasons")),
        tags=texts_of(_mapping(wire, "tags")),
    )


def _key_size(found: object) -> int:
    return found if isinstance(found, int) and found in KEY_SIZES else min(KEY_SIZES)


def _stored(name: str, certificates: Json) -> StoredCertificate:
    place = _mapping(certificates, name)
    vault, secret = _text(place.get("keyVaultId"), LONGEST_ID), _text(place.get("keyVaultSecretName"))
    ref = _parsed(lambda found: VaultCertificateRef.parse(vault, "secret", found), secret if vault else None)
    status = _member(StoreStatus, place.get("provisioningState"), StoreStatus.UNKNOWN)
    return StoredCertificate(_text(name), vault, ref, status)


def _place(stored: Any) -> dict[str, Any]:  # noqa: ANN401 - as it was read
    names = ("keyVaultId", "keyVaultSecretName")
    return {name: stored[name] for name in names if isinstance(stored, Mapping) and stored.get(name)}


def _mapping(wire: Json, name: str) -> Json:
    found = wire.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ValueError(f"its {name} is not an object")  # noqa: TRY004 - see read_order
    return found


def _text(found: object, most: int = 200) -> str:
    """Return a value as a text of valid Unicode with at most `most` characters."""
    return str(found or "").encode("utf-8", "backslashreplace").decode()[:most].strip()


def _texts(found: object) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list):
        raise ValueError("its list of reasons against a renewal is not a list")  # noqa: TRY004 - see read_order
    return tuple(sorted({_text(reason) for reason in found}))


def _switch(found: object) -> bool:
    """Return True if automatic renewal is on; a missing `autoRenew` means on, which is the API's default."""
    if found is None or isinstance(found, bool):
        return found is not False
    raise ValueError(f"its autoRenew is {found!r:.40}")


Member = TypeVar("Member", OrderStatus, StoreStatus)


def _member(kind: type[Member], found: object, unknown: Member) -> Member:
    """Return the enum member whose value Azure wrote in upper or lower case, or `unknown` for any other word."""
    text = str(found or "").strip().lower()
    return next((member for member in kind if member.lower() == text), unknown)


def _moment(found: object) -> datetime | None:
    """Return the date and time that Azure wrote, or None if Azure has no value.

    A date without an offset from Azure's orders API is in UTC (seen in recorded traffic). This function returns None
    for a year outside 1990 to 8999, because the first and last dates of .NET mean "no value".
    """
    if not found:
        return None
    try:
        read = datetime.fromisoformat(str(found))
        if read.year not in YEARS:
            return None
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except ValueError as error:
        raise ValueError(f"{str(found)[:40]!r} is not a date and time") from error


def _common_name(found: object) -> HostName | None:
    match = _COMMON_NAME.search(str(found or ""))
    return _parsed(parse_host_name, match[1]) if match else None


def _parsed(parse: Callable[[str], Result], found: object) -> Result | None:
    """Return the parsed value, or None if Azure shows no valid value."""
    try:
        return parse(str(found)) if found else None
    except InvalidNameError:
        return None


def _newest_proof(actions: Iterable[object]) -> datetime | None:
    moments = (
        _moment(action.get("createdAt"))
        for action in map(_wire, actions)
        if isinstance(action, Mapping) and str(action.get("actionType")).lower() == VERIFIED
    )
    return max((moment for moment in moments if moment is not None), default=None)
