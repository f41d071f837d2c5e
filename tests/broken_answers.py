"""Give Certroll's clients broken answers: every kind of nonsense in place of Azure's JSON, XML, headers and errors.

All SDKs, the endpoint of the managed identity and the probe of apps send their requests by `HTTPAdapter` of the package
requests. So one replaced method breaks the answers to all of them.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from random import Random
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from tests.build import NEW, SUBSCRIPTION

Answer = tuple[int, Mapping[str, str], bytes]
Dice = Random

LEAVES: Final = (
    None,
    True,
    0,
    -1,
    5,
    1e308,
    10**30,
    "",
    " ",
    "text",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-12:00",
    "2026-13-45T00:00:00",
    "9" * 40,
    "x" * 3000,
    "\ud800\x00\u202e",
    "<html>",
    [],
    [None],
    [[]],
    ["text", 5, None],
    {},
    {"": None},
    {"id": 5},
)
"""The values that take the place of a good value, such as dates that Python cannot move to UTC."""
TEXTS: Final = (
    b"",
    b" ",
    b"null",
    b"[]",
    b"[null]",
    b"5",
    b'"text"',
    b"{}",
    b'{"value": null}',
    b'{"value": {}}',
    b'{"value": [null]}',
    b'{"value": [5, "text", [], {}]}',
    b"<html><body>502 Bad Gateway</body></html>",
    b"<?xml version='1.0'?><Error><Code>Nonsense</Code>",
    b"\xff\xfe\x00{",
    b"\xef\xbb\xbf{}",
    b"NaN",
    b"[" * 20_000,
    b'{"error": null}',
    b'{"error": "text"}',
    b'{"error": {"code": 5, "message": ["text"]}}',
    b'{"error": [{"code": "x"}]}',
    b'{"Code": null, "Details": [null, {"ErrorEntity": 5}]}',
)
"""Bodies that are no answer at all."""
UNREGISTERED: Final = (
    409,
    {"Content-Type": "application/json"},
    b'{"error": {"code": "MissingSubscriptionRegistration", "message": "not registered to use \'Microsoft.Web\'."}}',
)
"""The answer after which azure-mgmt-core by itself registers a resource provider."""
STATUSES: Final = (
    *(200,) * 12,
    *(201, 202, 204, 206, 302, 304, 400, 401, 403, 404, 409, 412, 418, 429, 500, 502, 503, 504),
)
HEADERS: Final[tuple[Mapping[str, str], ...]] = (
    *({},) * 8,
    {"Retry-After": "-1"},
    {"Retry-After": "99999999999"},
    {"Retry-After": "Mon, 99 Foo 99999 99:99:99"},
    {"Retry-After": "Mon, 01 Jan 0001 00:00:00 GMT"},
    {"Content-Encoding": "gzip"},
    {"Content-Type": "text/html; charset=nonsense"},
    {"Content-Type": ""},
    {"Location": "::nonsense::"},
    {"Location": "http://[nonsense"},
    {"WWW-Authenticate": "Bearer"},
    {"WWW-Authenticate": "Bearer authorization=nonsense, resource="},
    {"x-ms-error-code": "Nonsense"},
)
FAILURES: Final[tuple[Callable[[], Exception], ...]] = (
    lambda: requests.exceptions.ConnectionError("nobody is there"),
    lambda: requests.exceptions.ReadTimeout("no answer"),
    lambda: requests.exceptions.ChunkedEncodingError("cut off"),
    lambda: requests.exceptions.InvalidURL("not an address"),
    lambda: requests.exceptions.TooManyRedirects("round and round"),
    lambda: ConnectionResetError("reset by peer"),
)
QUEUES: Final = (
    b"<?xml version='1.0' encoding='utf-8'?><EnumerationResults ServiceEndpoint='https://x/'><Queues><Queue>"
    b"<Name>certificates</Name></Queue></Queues><NextMarker /></EnumerationResults>"
)
SENT: Final = (
    b"<?xml version='1.0' encoding='utf-8'?><QueueMessagesList><QueueMessage><MessageId>1</MessageId>"
    b"<InsertionTime>Sat, 21 Nov 2026 12:00:00 GMT</InsertionTime><ExpirationTime>Sat, 28 Nov 2026 12:00:00 GMT"
    b"</ExpirationTime><PopReceipt>x</PopReceipt><TimeNextVisible>Sat, 21 Nov 2026 12:00:00 GMT</TimeNextVisible>"
    b"</QueueMessage></QueueMessagesList>"
)


def broken_answer(request: requests.PreparedRequest, dice: Dice) -> Answer:
    """Return a broken answer to the request. Raise an error instead if the connection itself breaks."""
    kind = dice.random()
    if kind < 0.05:
        broken = dice.choice(FAILURES)()
        raise broken
    if kind < 0.08:
        return UNREGISTERED
    status, headers = dice.choice(STATUSES), {"Content-Type": "application/json", **dice.choice(HEADERS)}
    if kind < 0.35:
        return status, headers, dice.choice(TEXTS)
    if ".queue." in str(request.url) or ".blob." in str(request.url):
        return status, {**headers, "Content-Type": "application/xml"}, _broken_xml(dice)
    return status, headers, _text(broken_json(good_body(request), dice))


def broken_json(found: Any, dice: Dice) -> Any:  # noqa: ANN401 - a JSON value
    """Return the JSON value with up to three broken places."""
    whole = json.loads(_text({"": found}))
    for _ in range(dice.choice((0, 1, 1, 1, 2, 3))):
        places: list[tuple[Any, Any]] = []
        _add_places(whole, places)
        holder, key = dice.choice(places)
        if isinstance(holder, dict) and dice.random() < 0.2:
            holder.pop(key)
        else:
            holder[key] = deepcopy(dice.choice(LEAVES))
    return whole.get("")


def _add_places(found: Any, places: list[tuple[Any, Any]]) -> None:  # noqa: ANN401 - a JSON value
    for key, value in found.items() if isinstance(found, dict) else enumerate(found):
        places.append((found, key))
        if isinstance(value, dict | list):
            _add_places(value, places)


def _broken_xml(dice: Dice) -> bytes:
    text = dice.choice((QUEUES, SENT))
    place = dice.randrange(len(text))
    return dice.choice((text, text[:place], text[:place] + b"<x>&" + text[place:], text.replace(b"Nov", b"Foo")))


def _text(found: object) -> bytes:
    return json.dumps(found).encode("utf-8", "surrogatepass")


# ------------------------------------------------------------------------------------------------------- good answers

HOST: Final = "shop.contoso.com"
PLAN: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Web/serverfarms/plan"
VAULT_ID: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv-shop"
KEY_VAULT: Final = "https://kv-shop.vault.azure.net"
PROPERTIES: Final[Mapping[str, Any]] = {
    "webSpace": "rg-westeuropewebspace",
    "serverFarmId": PLAN,
    "state": "Running",
    "defaultHostName": "shop.azurewebsites.net",
    "hostNameSslStates": [{"name": HOST, "sslState": "SniEnabled", "thumbprint": NEW, "hostType": "Standard"}],
    "sslState": "SniEnabled",
    "hostNameType": "Verified",
    "virtualIP": "10.0.0.4",
    "thumbprint": NEW,
    "hostNames": [HOST],
    "canonicalName": HOST,
    "expirationDate": "2027-01-01T00:00:00+00:00",
    "keyVaultId": VAULT_ID,
    "keyVaultSecretName": "shop",
    "loadCertificateToWebsitesSettings": {"loadToWebsite": True},
    "hostingEnvironmentProfile": {
        "id": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-network/providers/Microsoft.Web/hostingEnvironments/ase"
    },
    "inboundIpAddress": "10.0.0.4",
    "possibleInboundIpAddresses": "10.0.0.4,10.0.0.5",
    "internalLoadBalancingMode": "Web",
    "internalInboundIpAddresses": ["10.0.0.4"],
    "externalInboundIpAddresses": ["20.0.0.4"],
    "blob": "AAAA",
    "isRoot": True,
    "activeVersion": "0123456789abcdef0123456789abcdef",
    "WEBSITE_LOAD_CERTIFICATES": NEW,
    "distinguishedName": f"CN={HOST}",
    "certificates": {"shop": {"keyVaultId": VAULT_ID, "keyVaultSecretName": "shop", "provisioningState": "Succeeded"}},
    "signedCertificate": {"notAfter": "2027-02-12T00:00:00Z"},
    "status": "Issued",
    "autoRenew": True,
    "keySize": 2048,
    "serialNumber": "0A1B",
    "expirationTime": "2027-08-12T21:23:30",
    "lastCertificateIssuanceTime": "2026-08-12T21:23:30",
    "nextAutoRenewalTimeStamp": "2027-07-11T23:23:30Z",
    "appServiceCertificateNotRenewableReasons": ["Expired"],
    "enableRbacAuthorization": True,
    "accessPolicies": [{"objectId": "a", "permissions": {"secrets": ["get"], "certificates": ["all"]}}],
    "networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices"},
    "principalId": "a",
    "roleDefinitionId": "/x/y",
    "scope": VAULT_ID,
    "principalType": "Group",
}
ATTRIBUTES: Final[Mapping[str, Any]] = {"enabled": True, "nbf": 1700000000, "exp": 1800000000, "created": 1799999999}


def good_body(request: requests.PreparedRequest) -> Any:  # noqa: ANN401 - a JSON value
    """Return a body that a client can read, whatever it asked for: one resource that is also a list of resources.

    The ids follow the address of the request, as they do in Azure.
    """
    parts = urlsplit(str(request.url))
    entry = item(unquote(parts.path), parts.query)
    if ".table." in parts.netloc:
        return {"value": [_row(), _row()], "odata.etag": "W/x", **_row()}
    if ".vault." in parts.netloc:
        return _vault_object(parts.path)
    if "metadata" in parts.netloc or "identity" in parts.netloc:
        return {
            "access_token": "x",
            "expires_in": "3600",
            "expires_on": "1800000000",
            "resource": "x",
            "token_type": "B",
        }
    whole = f"{parts.path}" if parts.path.count("/") % 2 == 0 else ""
    return {**entry, **({"id": unquote(whole)} if whole else {}), "value": [entry, deepcopy(entry)], "nextLink": None}


def item(path: str, query: str = "") -> dict[str, Any]:
    """Return one entry of the list at the given path."""
    below = path.rpartition("/providers/")[2] if "/providers/" in path else ""
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web/providers"
    resource_id = f"{path}/shop" if "/resourceGroups/" in path else f"{group}/{below}/shop"
    if path.endswith("/sites") and ("/serverfarms/" in path or "/hostingEnvironments/" in path):
        resource_id = f"{group}/Microsoft.Web/sites/shop"
    if path.endswith("/resources"):
        kinds = {"slots": "sites/shop/slots/next", "certificates": "certificates/shop", "KeyVault": "vaults/kv-shop"}
        kind = next((kind for word, kind in kinds.items() if word in query), "sites/shop")
        resource_id = f"{group}/Microsoft.{'KeyVault' if 'vaults' in kind else 'Web'}/{kind}"
    return {
        "id": resource_id,
        "name": HOST,
        "subscriptionId": SUBSCRIPTION,
        "location": "West Europe",
        "kind": "app",
        "tags": {"certroll": "on"},
        "createdTime": "2026-01-01T00:00:00Z",
        "sku": {"tier": "Standard"},
        "properties": dict(PROPERTIES),
        "actionType": "DomainValidationComplete",
        "createdAt": "2026-01-01T00:00:00Z",
    }


def _vault_object(path: str) -> dict[str, Any]:
    kind = "secrets" if path.startswith("/secrets") else "certificates"
    version = {
        "id": f"{KEY_VAULT}/{kind}/shop/0123456789abcdef0123456789abcdef",
        "x5t": "vLu7u7u7u7u7u7u7u7u7u7u7u7s",
        "attributes": dict(ATTRIBUTES),
        "tags": {"certroll": "on"},
        "contentType": "application/x-pkcs12",
    }
    held = {"cer": "AAAA", "policy": {"key_props": {"exportable": True}, "secret_props": {"contentType": "x"}}}
    return {**version, **held, "value": "AAAA" if path.count("/") > 3 else [version, deepcopy(version)]}


def _row() -> dict[str, Any]:
    """Return a row of Table storage with the properties of all of the journal's records."""
    site = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Web/sites/shop"
    at = {f"{name}@odata.type": "Edm.DateTime" for name in ("at", "looked_at")}
    moments = dict.fromkeys(("at", "looked_at"), "2026-11-21T12:00:00.0000000Z")
    texts = dict.fromkeys(("since", "done_at", "requested_at", "failing_since"), "2026-11-21T12:00:00+00:00")
    lists = dict.fromkeys(
        ("copies", "replaces", "undone", "proven", "edits_0", "rebound_0", "last_good_0", "roots", "wants", "groups"),
        "[]",
    )
    ase = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-network/providers/Microsoft.Web/hostingEnvironments/ase"
    order = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.CertificateRegistration"
        "/certificateOrders/shop"
    )
    about = {
        "PartitionKey": "p",
        "RowKey": "r",
        "odata.etag": "W/x",
        "site": site,
        "app": site,
        "environment": ase,
        "order": order,
        "action": "renew",
        "current": "0A1B",
        "certificate": "kv-shop/shop",
        "version": "v2",
        "subscription": SUBSCRIPTION,
        "webspace": "rg-westeuropewebspace",
        "state": "Pending",
        "plan": PLAN,
        "rebind": "no",
        "detail": "",
        "operation": "",
        "refused": "",
        "cause": "x",
        "body_0": "x",
        "hidden": 0,
        "asked": False,
        "runs": True,
        "settings": "",
        "missing": 0,
        "retiring": False,
        "wants_root": False,
        "broken_before": "null",
        "answered": "null",
        "budget": "null",
        "held": "[]",
    }
    return {**about, **at, **moments, **texts, **lists}


# --------------------------------------------------------------------------------------------------------- the network


@contextmanager
def answering(answer: Callable[[requests.PreparedRequest], Answer]) -> Iterator[list[str]]:
    """Answer all HTTP requests of the process by the given function, and yield the list of what was requested.

    No request goes to a proxy. The package requests reads the whole environment for each request to find one, which
    takes as long as the answer.
    """
    asked: list[str] = []

    def send(adapter: HTTPAdapter, request: requests.PreparedRequest, **_: object) -> requests.Response:
        asked.append(f"{request.method} {request.url}")
        status, headers, body = answer(request)
        raw = HTTPResponse(
            io.BytesIO(body), dict(headers), status, preload_content=False, decode_content=False, reason="Nonsense"
        )
        return adapter.build_response(request, raw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HTTPAdapter, "send", send)
        patch.setattr(requests.sessions, "get_environ_proxies", lambda *_, **__: {})
        yield asked
