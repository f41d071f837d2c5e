"""Read App Service Environments, and read and write the root certificates that their apps trust.

The SDK lacks `hostingEnvironments/publicCertificates`, so Certroll itself sends the requests for root certificates by
the SDK's client. Certroll retries the requests for root certificates like all other requests to ARM. Azure does not
document its answers about root certificates (Azure docs, "Certificates in App Service Environment", Root Certificate
API). Because Azure does not document its answer, Certroll reads a root's thumbprint from the first of three fields with
a value: thumbprint, blob, or a name that Certroll chose.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from azure.core.rest import HttpRequest, HttpResponse

from shared.clients.arm.requests import PAGES, Found, Json, one_wire, plain_list, plain_read, sent, tags_of, wire_of
from shared.clients.arm.site_requests import REMEDY, AppServiceClients
from shared.clients.arm.wire import read_site
from shared.clients.reading import readable, text_of
from shared.clients.retrying import Retrying
from shared.clients.vault.x509_fields import thumbprint_of
from shared.domain.api_versions import ENVIRONMENT_ROOTS
from shared.domain.fleet.copies import OWN_PREFIX, RootCertificate
from shared.domain.fleet.fleet import Listing
from shared.domain.fleet.sites import Environment, Site
from shared.domain.names import EnvironmentRef, RootRef, Thumbprint, parse_thumbprint

_OWN_NAME = re.compile(rf"{re.escape(OWN_PREFIX)}.*-([0-9a-f]{{40}})")


class Environments:
    """The client of environments and their root certificates.

    The client translates errors of the Azure SDK into Certroll's own error classes.
    """

    def __init__(self, clients: AppServiceClients, retrying: Retrying) -> None:
        self._clients = clients
        self._retrying = retrying

    def environments(self, subscription: str) -> Listing[Environment]:
        """Return the App Service Environments of a subscription."""
        items = self._clients.client(subscription).app_service_environments.list(**PAGES)
        pages = self._retrying.pages(f"environments of subscription {subscription}", items, REMEDY)
        return _without_webspace(self._clients.listed(subscription, map(wire_of, pages), _environment))

    def environment(self, ref: EnvironmentRef) -> Environment:
        """Read one App Service Environment."""
        client = self._clients.client(ref.subscription).app_service_environments
        what = f"environment {ref}"
        wire = one_wire(self._retrying, what, lambda: client.get(*ref.address), REMEDY)
        return readable(what, _environment, wire)

    def inbound_addresses(self, ref: EnvironmentRef) -> tuple[str, ...]:
        """Return the inbound addresses of an App Service Environment.

        The addresses of an internal environment are private addresses in its virtual network.
        """
        client = self._clients.client(ref.subscription).app_service_environments
        what = f"networking of environment {ref}"
        read = partial(client.get_ase_v3_networking_configuration, *ref.address)
        return readable(what, _inbound, one_wire(self._retrying, what, read, REMEDY))

    def sites(self, ref: EnvironmentRef) -> Listing[Site]:
        """Return the sites in an App Service Environment, without slots."""
        items = self._clients.client(ref.subscription).app_service_environments.list_web_apps(*ref.address, **PAGES)
        pages = self._retrying.pages(f"sites of environment {ref}", items, REMEDY)
        return self._clients.listed(ref.subscription, map(wire_of, pages), lambda wire: read_site(wire)[0])

    def roots(self, ref: EnvironmentRef) -> Listing[RootCertificate]:
        """Return the public certificates of an App Service Environment, which include the root certificates."""
        url = f"{ref.path}/publicCertificates?api-version={ENVIRONMENT_ROOTS}"
        what = f"root certificates of environment {ref}"
        found = plain_list(self._retrying, self._clients.client(ref.subscription), url, what, REMEDY)
        return _without_webspace(self._clients.listed(ref.subscription, found, _root))

    def root(self, ref: RootRef) -> RootCertificate:
        """Read one public certificate of an App Service Environment."""
        client, what = self._clients.client(ref.environment.subscription), f"root certificate {ref}"
        return readable(what, _root, plain_read(self._retrying, client, _url(ref), what, REMEDY))

    def put_root(self, root: RootCertificate, der: bytes) -> None:
        """Upload a root certificate to an App Service Environment.

        An app of the environment trusts a new root certificate after the app's next stop and start.
        """
        content = {"blob": base64.b64encode(der).decode(), "isRoot": root.is_root}
        body = {"location": root.location, "properties": content}
        self._retrying.write(f"root certificate {root.ref}", self._request("PUT", root.ref, body), REMEDY)

    def delete_root(self, ref: RootRef) -> None:
        """Delete a root certificate of an App Service Environment.

        A running app trusts a deleted root certificate until the app's next stop and start.
        """
        self._retrying.write(f"root certificate {ref}", self._request("DELETE", ref), REMEDY)

    def _request(self, method: str, ref: RootRef, body: Json | None = None) -> Callable[[], HttpResponse]:
        request = HttpRequest(method, _url(ref), json=body)
        return partial(sent, self._clients.client(ref.environment.subscription), request)


def _url(ref: RootRef) -> str:
    return f"{ref.environment.path}/publicCertificates/{quote(ref.name, safe='')}?api-version={ENVIRONMENT_ROOTS}"


def _without_webspace(listed: Listing[Found]) -> Listing[Found]:
    """Return the listing with each blind spot (an unreadable entry) marked as one that hides only root certificates.

    An unreadable entry in a list of an environment hides no certificate of a webspace (App Service's place for
    certificates).
    """
    return Listing(listed.found, tuple(replace(spot, webspace=None, roots_only=True) for spot in listed.blind_spots))


def _environment(wire: Json) -> Environment:
    """Return an App Service Environment from Azure's JSON. Raise ValueError if the environment's id is invalid."""
    properties = wire.get("properties") or {}
    balancing = str(properties.get("internalLoadBalancingMode") or "None")
    ref = EnvironmentRef.parse(str(wire.get("id")))
    shown = {name: properties[name] for name in ("clusterSettings",) if name in properties}
    return Environment(ref, text_of(wire, "location"), balancing.lower() != "none", tags_of(wire), shown)


def _inbound(wire: Json) -> tuple[str, ...]:
    properties: dict[str, Any] = wire.get("properties") or {}
    kinds = ("internalInboundIpAddresses", "externalInboundIpAddresses")
    return tuple(str(address) for kind in kinds for address in properties.get(kind) or () if address)


def _root(wire: Json) -> RootCertificate:
    """Return a root certificate from Azure's JSON.

    Raise ValueError if the root certificate's id, thumbprint or blob is unreadable.
    """
    properties, ref = wire.get("properties") or {}, RootRef.parse(str(wire.get("id")))
    return RootCertificate(ref, text_of(wire, "location"), _thumbprint(ref, properties), bool(properties.get("isRoot")))


def _thumbprint(ref: RootRef, properties: Json) -> Thumbprint | None:
    """Return a root's thumbprint from Azure's field, else from the blob, else from a name that Certroll chose."""
    if properties.get("thumbprint"):
        return parse_thumbprint(str(properties["thumbprint"]))
    if properties.get("blob"):
        return thumbprint_of(_decoded(str(properties["blob"])))
    own = _OWN_NAME.fullmatch(ref.name)
    return parse_thumbprint(own[1]) if own else None


def _decoded(blob: str) -> bytes:
    try:
        return base64.b64decode(blob, validate=True)
    except binascii.Error as error:
        raise ValueError(f"its blob is not base64: {error}") from error
