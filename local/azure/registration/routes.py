"""The routes of ARM for orders of purchased certificates."""

from collections.abc import Callable, Mapping
from typing import Any

from local.azure.front_door.call import GROUP, SUBSCRIPTION, Call, Route
from local.azure.registration.orders import STANDARD, Order, Stored, host_of
from local.azure.registration.wire import ORDER_TYPE, order_json, stored_json, zulu
from local.azure.web import refusals
from local.azure.wire import Refused, Response, arm_error, json_response

ORDERS = f"/providers/{ORDER_TYPE}"
ORDER = f"{GROUP}{ORDERS}/{{order}}"
STORED = f"{ORDER}/certificates"
TAGS = "/providers/Microsoft.Resources/tags/default"
LONGEST_TAG = 256


def list_orders(call: Call) -> Response:
    """Respond with the certificate orders of a subscription or a resource group."""
    orders = (order for order in call.world.orders if call.within(order.subscription, order.resource_group))
    now = call.world.clock.now()
    return call.page(order_json(order, now) for order in orders if call.sees(order.id))


def get_order(call: Call) -> Response:
    """Respond with one certificate order.

    After a PUT, only the first read of an order shows the provisioning state `InProgress`.
    """
    order = _found(call)
    answer = order_json(order, call.world.clock.now())
    order.in_progress = False
    return json_response(200, answer)


def put_order(call: Call) -> Response:
    """Buy a certificate, or change an existing order; the response to an accepted request is a 201.

    After a PUT, the order's provisioning state is `InProgress` until a client has read the order.
    """
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
    return json_response(201, order_json(order, call.world.clock.now()))


def patch_order(call: Call) -> Response:
    """Change the properties of the order that the request names.

    A PATCH keeps the order's other properties, unless the simulation's knob `order_patch_forgets` is on.

    Azure requires the product type in every PATCH of an order (azure-rest-api-specs).
    """
    order, properties = _found(call), _properties(call)
    if not properties.get("productType"):
        raise refusals.invalid("ProductType", "It is required.")
    if call.world.knobs.order_patch_forgets and "certificates" not in properties:
        order.stored = {}
    _change(call, order, properties)
    return json_response(200, order_json(order, call.world.clock.now()))


def patch_tags(call: Call) -> Response:
    """Merge, replace or delete tags of the order, and leave the order itself as it is (Tags API, update at scope)."""
    order, payload = _found(call), call.payload()
    tags = (_properties(call).get("tags")) or {}
    changes: dict[str, Callable[[], dict[str, str]]] = {
        "merge": lambda: _merged(order.tags, tags),
        "replace": lambda: dict(tags),
        "delete": lambda: {name: value for name, value in order.tags.items() if tags.get(name) != value},
    }
    change = changes.get(str(payload.get("operation")).lower())
    if change is None or not all(isinstance(value, str) and len(value) <= LONGEST_TAG for value in tags.values()):
        raise Refused(arm_error(400, "InvalidRequestContent", "An operation and tags of 256 characters are required."))
    order.tags = change()
    tagged = {"id": f"{order.id}{TAGS}", "name": "default", "type": "Microsoft.Resources/tags"}
    return json_response(200, {**tagged, "properties": {"tags": order.tags}})


def _merged(known: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """Return all tags. The names of tags ignore upper and lower case, and a name keeps the case that it has."""
    names = {name.lower(): name for name in known}
    return {**known, **{names.get(name.lower(), name): value for name, value in tags.items()}}


def delete_order(call: Call) -> Response:
    """Delete the order, unless App Service still has a certificate that was imported from this order.

    According to Azure docs, "Delete an App Service certificate", Azure refuses to delete an order whose certificate is
    imported.
    """
    order = call.world.orders.get(_id(call))
    if order is None:
        return Response(204)
    names = {stored.secret_name.lower() for stored in order.stored.values()}
    copies = (copy for copy in call.world.web.certificates.values() if copy.source is not None)
    if any(copy.source is not None and copy.source.secret_name.lower() in names for copy in copies):
        raise refusals.bad(
            f"Delete for '{order.name}' App Service Certificate failed because there are still imported certificates "
            "derived from the App Service Certificate in the source subscription."
        )
    call.world.orders.remove(order)
    return Response(200)


def renew(call: Call) -> Response:
    """Begin to renew the order, which counts as one more purchase."""
    order = _found(call)
    if reasons := order.not_renewable(call.world.clock.now()):
        raise refusals.bad(f"The certificate order {order.name} cannot be renewed: {', '.join(reasons)}.")
    call.world.orders.begin(order, "renew")
    return Response(204)


def reissue(call: Call) -> Response:
    """Begin to issue the order's certificate again (reissue) with another private key."""
    order = _found(call)
    if order.shown_status(call.world.clock.now()) != "Issued":
        raise refusals.bad(f"The certificate order {order.name} is {order.status} and cannot be rekeyed.")
    call.world.orders.begin(order, "reissue")
    return Response(204)


def verify(call: Call) -> Response:
    """Look for the order's token in public DNS, and respond without telling whether a TXT record has the token."""
    call.world.orders.verify(_found(call))
    call.world.orders.settle()
    return Response(204)


def actions(call: Call) -> Response:
    """Respond with the history of the order: each action with its time."""
    shown = [{"actionType": kind, "createdAt": zulu(at)} for kind, at in _found(call).actions]
    return json_response(200, shown)


def list_stored(call: Call) -> Response:
    """Respond with the vault secrets in which the order stores its certificate."""
    order = _found(call)
    return call.page(stored_json(order, name) for name in order.stored)


def get_stored(call: Call) -> Response:
    """Respond with one of the vault secrets in which the order stores its certificate."""
    order = _found(call)
    if call["name"] not in order.stored:
        raise refusals.absent(f"{ORDER_TYPE}/certificates", call["name"], call["group"])
    return json_response(200, stored_json(order, call["name"]))


def put_stored(call: Call) -> Response:
    """Store the order's certificate in the vault secret that the request names, now and after each renewal."""
    order, properties = _found(call), _properties(call)
    vault, secret = properties.get("keyVaultId"), properties.get("keyVaultSecretName")
    if not vault or not secret:
        raise refusals.invalid("Certificate", "A Key Vault and the name of a secret are required.")
    order.stored[call["name"]] = Stored(str(vault), str(secret))
    call.world.orders.store(order, order.stored[call["name"]])
    return json_response(200, stored_json(order, call["name"]))


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


ROUTES: tuple[Route, ...] = (
    ("GET", f"{SUBSCRIPTION}{ORDERS}", list_orders),
    ("GET", f"{GROUP}{ORDERS}", list_orders),
    ("GET", ORDER, get_order),
    ("PUT", ORDER, put_order),
    ("PATCH", ORDER, patch_order),
    ("DELETE", ORDER, delete_order),
    ("PATCH", f"{ORDER}{TAGS}", patch_tags),
    ("POST", f"{ORDER}/renew", renew),
    ("POST", f"{ORDER}/reissue", reissue),
    ("POST", f"{ORDER}/verifyDomainOwnership", verify),
    ("POST", f"{ORDER}/retrieveCertificateActions", actions),
    ("GET", STORED, list_stored),
    ("GET", f"{STORED}/{{name}}", get_stored),
    ("PUT", f"{STORED}/{{name}}", put_stored),
)
