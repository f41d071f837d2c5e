"""Certificate orders over the wire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from local.azure.arm import refusals
from local.azure.arm.call import GROUP, SUBSCRIPTION, Call, Route
from local.azure.registration.orders import AUTOMATIC, STANDARD, Order, Stored, host_of
from local.azure.vault.authority import Leaf
from local.azure.wire import Refused, Response, arm_error, json_response

ORDER_TYPE = "Microsoft.CertificateRegistration/certificateOrders"
ORDERS = f"/providers/{ORDER_TYPE}"
ORDER = f"{GROUP}{ORDERS}/{{order}}"
STORED = f"{ORDER}/certificates"
Item = dict[str, Any]


def list_orders(call: Call) -> Response:
    """Answer the orders of a subscription or a group."""
    orders = (one for one in call.world.orders if call.within(one.subscription, one.resource_group))
    return call.page(order_json(call, one) for one in orders if call.sees(one.id))


def get_order(call: Call) -> Response:
    """Answer one order; a long-running write is over once somebody looked."""
    order = _found(call)
    answer = order_json(call, order)
    order.in_progress = False
    return json_response(200, answer)


def put_order(call: Call) -> Response:
    """Buy, or write an order that is there. It runs on: 201 and `InProgress`, until somebody looks."""
    properties = _properties(call)
    order = call.world.orders.get(_id(call))
    host = host_of(str(properties.get("distinguishedName") or ""))
    if order is None and host is None:
        raise refusals.invalid("DistinguishedName", "A common name is required.")
    if order is None:
        order = call.world.orders.add(_bought(call, str(host), properties))
        call.world.orders.begin(order, "issue")
    _change(call, order, properties)
    order.in_progress = True
    return json_response(201, order_json(call, order))


def patch_order(call: Call) -> Response:
    """Write what the request names. The product type is required (azure-rest-api-specs)."""
    order, properties = _found(call), _properties(call)
    if not properties.get("productType"):
        raise refusals.invalid("ProductType", "It is required.")
    if call.world.knobs.order_patch_forgets and "certificates" not in properties:
        order.stored = {}
    _change(call, order, properties)
    return json_response(200, order_json(call, order))


def delete_order(call: Call) -> Response:
    """Delete an order that no imported copy comes from (Azure docs, "Delete an App Service certificate")."""
    order = call.world.orders.get(_id(call))
    if order is None:
        return Response(204)
    names = {one.secret_name.lower() for one in order.stored.values()}
    copies = (one for one in call.world.web.certificates.values() if one.source is not None)
    if any(one.source is not None and one.source.secret_name.lower() in names for one in copies):
        raise refusals.bad(
            f"Delete for '{order.name}' App Service Certificate failed because there are still imported certificates "
            "derived from the App Service Certificate in the source subscription."
        )
    call.world.orders.remove(order)
    return Response(200)


def renew(call: Call) -> Response:
    """Begin a renewal, which is paid for."""
    order = _found(call)
    if reasons := order.not_renewable(call.world.clock.now()):
        raise refusals.bad(f"The certificate order {order.name} cannot be renewed: {', '.join(reasons)}.")
    call.world.orders.begin(order, "renew")
    return Response(204)


def reissue(call: Call) -> Response:
    """Begin to issue the certificate again with a new key."""
    order = _found(call)
    if order.shown_status(call.world.clock.now()) != "Issued":
        raise refusals.bad(f"The certificate order {order.name} is {order.status} and cannot be rekeyed.")
    call.world.orders.begin(order, "reissue")
    return Response(204)


def verify(call: Call) -> Response:
    """Look for the token in public DNS; the answer does not say whether it was there."""
    call.world.orders.verify(_found(call))
    call.world.orders.settle()
    return Response(204)


def actions(call: Call) -> Response:
    """Answer what happened to the order."""
    shown = [{"actionType": kind, "createdAt": _zulu(at)} for kind, at in _found(call).actions]
    return json_response(200, shown)


def list_stored(call: Call) -> Response:
    """Answer where the certificate is kept."""
    order = _found(call)
    return call.page(_stored_json(order, name) for name in order.stored)


def get_stored(call: Call) -> Response:
    """Answer one place where the certificate is kept."""
    order = _found(call)
    if call["name"] not in order.stored:
        raise refusals.absent(f"{ORDER_TYPE}/certificates", call["name"], call["group"])
    return json_response(200, _stored_json(order, call["name"]))


def put_stored(call: Call) -> Response:
    """Keep the certificate in that vault from now on."""
    order, properties = _found(call), _properties(call)
    vault, secret = properties.get("keyVaultId"), properties.get("keyVaultSecretName")
    if not vault or not secret:
        raise refusals.invalid("Certificate", "A Key Vault and the name of a secret are required.")
    order.stored[call["name"]] = Stored(str(vault), str(secret))
    call.world.orders.store(order, order.stored[call["name"]])
    return json_response(200, _stored_json(order, call["name"]))


def _id(call: Call) -> str:
    return f"/subscriptions/{call['subscription']}/resourceGroups/{call['group']}{ORDERS}/{call['order']}"


def _found(call: Call) -> Order:
    order = call.world.orders.get(_id(call))
    if order is None:
        raise refusals.absent(ORDER_TYPE, call["order"], call["group"])
    return order


def _properties(call: Call) -> Mapping[str, Any]:
    properties = call.payload().get("properties") or {}
    if not isinstance(properties, dict):
        raise Refused(arm_error(400, "InvalidRequestContent", "The properties are an object."))
    return properties


def _bought(call: Call, host: str, properties: Mapping[str, Any]) -> Order:
    return Order(
        call["subscription"],
        call["group"],
        call["order"],
        host,
        token=call.world.new_id().hex[:22],
        created=call.world.clock.now(),
        product=str(properties.get("productType") or STANDARD),
    )


def _change(call: Call, order: Order, properties: Mapping[str, Any]) -> None:
    if isinstance(properties.get("autoRenew"), bool) and properties["autoRenew"] != order.auto_renew:
        order.auto_renew = properties["autoRenew"]
        call.world.journal.note(f"order {order.name}: automatic renewal {'on' if order.auto_renew else 'off'}")
    tags = call.payload().get("tags")
    order.tags = order.tags if tags is None else dict(tags)
    for name, place in (properties.get("certificates") or {}).items():
        if name not in order.stored:
            order.stored[name] = Stored(str(place["keyVaultId"]), str(place["keyVaultSecretName"]))


def order_json(call: Call, order: Order) -> Item:
    """Return the order as ARM writes it.

    Recorded in 2022 (azure-cli test traffic): a short type, no offset in expirationTime, and `certificates` only where
    it was ever stored.
    """
    now = call.world.clock.now()
    ends = order.ends
    next_renewal = ends - AUTOMATIC if ends and order.auto_renew else None
    certificates = {"certificates": {name: _place(one) for name, one in order.stored.items()}} if order.stored else {}
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
        "lastCertificateIssuanceTime": _zulu(order.issued_at),
        "expirationTime": None if ends is None else f"{ends:%Y-%m-%dT%H:%M:%S}",
        "isPrivateKeyExternal": order.external_key,
        "appServiceCertificateNotRenewableReasons": list(order.not_renewable(now)),
        "nextAutoRenewalTimeStamp": _zulu(next_renewal),
    }
    identity = {"id": order.id, "name": order.name, "type": "certificateOrders", "location": "global"}
    return {**identity, "tags": dict(order.tags), "properties": properties}


def _place(stored: Stored) -> Item:
    return {
        "keyVaultId": stored.vault_id,
        "keyVaultSecretName": stored.secret_name,
        "provisioningState": stored.status,
    }


def _stored_json(order: Order, name: str) -> Item:
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
        "notBefore": _zulu(certificate.not_valid_before_utc),
        "notAfter": _zulu(certificate.not_valid_after_utc),
        "signatureAlgorithm": "sha256ECDSA",
        "issuer": certificate.issuer.rfc4514_string(),
        "rawData": certificate.public_bytes(Encoding.PEM).decode(),
    }


def _zulu(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


ROUTES: tuple[Route, ...] = (
    ("GET", f"{SUBSCRIPTION}{ORDERS}", list_orders),
    ("GET", f"{GROUP}{ORDERS}", list_orders),
    ("GET", ORDER, get_order),
    ("PUT", ORDER, put_order),
    ("PATCH", ORDER, patch_order),
    ("DELETE", ORDER, delete_order),
    ("POST", f"{ORDER}/renew", renew),
    ("POST", f"{ORDER}/reissue", reissue),
    ("POST", f"{ORDER}/verifyDomainOwnership", verify),
    ("POST", f"{ORDER}/retrieveCertificateActions", actions),
    ("GET", STORED, list_stored),
    ("GET", f"{STORED}/{{name}}", get_stored),
    ("PUT", f"{STORED}/{{name}}", put_stored),
)
