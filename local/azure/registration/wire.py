"""The JSON form in which Microsoft.CertificateRegistration writes an order."""

from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from local.azure.registration.orders import AUTOMATIC, Order, Stored
from local.azure.vault.authority import Leaf

ORDER_TYPE = "Microsoft.CertificateRegistration/certificateOrders"
Item = dict[str, Any]


def order_json(order: Order, now: datetime) -> Item:
    """Return the certificate order in the JSON form of ARM.

    In traffic that azure-cli recorded in 2022, a certificate order has a short `type` and an `expirationTime` without a
    UTC offset. The JSON of an order without a vault secret has no field `certificates`.
    """
    ends = order.ends
    next_renewal = ends - AUTOMATIC if ends and order.auto_renew else None
    certificates = (
        {"certificates": {name: _place(stored) for name, stored in order.stored.items()}} if order.stored else {}
    )
    properties = {
        **certificates,
        "distinguishedName": f"CN={order.host}",
        "domainVerificationToken": order.token,
        "validityInYears": 1,
        "keySize": order.key_size,
        "productType": order.product,
        "autoRenew": order.auto_renew,
        "provisioningState": "InProgress" if order.in_progress else "Succeeded",
        "status": order.shown_status(now),
        "signedCertificate": _details(order.certificate),
        "csr": None,
        "intermediate": None,
        "root": None,
        "serialNumber": order.serial or None,
        "lastCertificateIssuanceTime": zulu(order.issued_at),
        "expirationTime": None if ends is None else f"{ends:%Y-%m-%dT%H:%M:%S}",
        "isPrivateKeyExternal": order.external_key,
        "appServiceCertificateNotRenewableReasons": list(order.not_renewable(now)),
        "nextAutoRenewalTimeStamp": zulu(next_renewal),
    }
    identity = {"id": order.id, "name": order.name, "type": "certificateOrders", "location": "global"}
    return {**identity, "tags": dict(order.tags), "properties": properties}


def _place(stored: Stored) -> Item:
    return {
        "keyVaultId": stored.vault_id,
        "keyVaultSecretName": stored.secret_name,
        "provisioningState": stored.status,
    }


def stored_json(order: Order, name: str) -> Item:
    """Return one of the vault secrets of the order, in the JSON form of ARM."""
    identity = {"id": f"{order.id}/certificates/{name}", "name": name, "type": f"{ORDER_TYPE}/certificates"}
    return {**identity, "location": "global", "properties": _place(order.stored[name])}


def _details(leaf: Leaf | None) -> Item | None:
    if leaf is None:
        return None
    certificate: x509.Certificate = leaf.certificate
    return {
        "version": certificate.version.value + 1,
        "serialNumber": f"{certificate.serial_number:032X}",
        "thumbprint": leaf.thumbprint,
        "subject": certificate.subject.rfc4514_string(),
        "notBefore": zulu(certificate.not_valid_before_utc),
        "notAfter": zulu(certificate.not_valid_after_utc),
        "signatureAlgorithm": "sha256ECDSA",
        "issuer": certificate.issuer.rfc4514_string(),
        "rawData": certificate.public_bytes(Encoding.PEM).decode(),
    }


def zulu(moment: datetime | None) -> str | None:
    """Return the moment in ISO format with seconds and a final Z, or None if `moment` is None."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
