"""Read and request free managed certificates, and read the facts that decide whether Azure can issue them.

Azure answers 202 when Azure begins to issue a managed certificate, and azure-mgmt-web raises an error for the 202.
azure-mgmt-web cannot request a managed certificate without an error. Certroll itself sends and polls the request for a
managed certificate, as az does (azure-cli, `create_managed_ssl_cert`).
"""

from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from azure.core.paging import ItemPaged
from azure.core.rest import HttpRequest

from shared.clients.arm.requests import PAGES, Json, one_wire, plain_list, sent, tags_of, wire_of
from shared.clients.arm.site_requests import REMEDY, SLOT_FILTER, AppServiceClients, site_or_slot
from shared.clients.arm.wire import plan_names, read_site
from shared.clients.reading import readable, text_of
from shared.clients.retrying import Retrying
from shared.domain.api_versions import MANAGED_CERTIFICATES, RESOURCES
from shared.domain.errors import NotFound, Rejected
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.fleet import Listing
from shared.domain.managed.issuance import HostFacts, Place, SeenCertificate
from shared.domain.names import CopyRef, HostName, SiteRef, Webspace, parse_host_name, parse_thumbprint, read_host_name
from shared.domain.reason import Reason
from shared.domain.tags import Tags

VERIFIED = frozenset({"verified", "managed"})


class ManagedCertificates:
    """The client of managed certificates.

    The client's methods translate errors of the Azure SDK into Certroll's own error classes.
    """

    def __init__(self, clients: AppServiceClients, retrying: Retrying) -> None:
        self._clients = clients
        self._retrying = retrying

    def certificates(self, subscription: str) -> Listing[SeenCertificate]:
        """Return all certificates of a subscription, including managed certificates."""
        items = self._clients.client(subscription).certificates.list(**PAGES)
        return self._clients.listed(
            subscription, self._wires(f"certificates of subscription {subscription}", items), _certificate
        )

    def places(self, subscription: str) -> Listing[tuple[Place, tuple[Binding, ...]]]:
        """Return the sites of a subscription with their bindings, without slots."""
        items = self._clients.client(subscription).web_apps.list(**PAGES)
        return self._clients.listed(subscription, self._wires(f"sites of subscription {subscription}", items), _place)

    def slot_tags(self, subscription: str) -> Listing[tuple[SiteRef, Tags]]:
        """Return all slots of a subscription with their tags.

        ARM's list of resources names all slots of a subscription.
        """
        url = f"/subscriptions/{subscription}/resources?$filter={SLOT_FILTER}&api-version={RESOURCES}"
        what, client = f"slots of subscription {subscription}", self._clients.client(subscription)
        found = plain_list(self._retrying, client, url, what, REMEDY)
        return self._clients.listed(subscription, found, _slot_tags)

    def slots(self, site: SiteRef) -> Listing[tuple[Place, tuple[Binding, ...]]]:
        """Return the slots of a site with their bindings."""
        items = self._clients.client(site.subscription).web_apps.list_slots(*site.address, **PAGES)
        return self._clients.listed(site.subscription, self._wires(f"slots of {site}", items), _place)

    def host_facts(self, site: SiteRef) -> Mapping[HostName, HostFacts]:
        """Return the facts that App Service shows about the host names of a site or slot."""
        web_apps = self._clients.client(site.subscription).web_apps
        items = site_or_slot(site, web_apps.list_host_name_bindings, web_apps.list_host_name_bindings_slot)(**PAGES)
        what = f"host names of {site}"
        return dict(self._clients.listed(site.subscription, self._wires(what, items), _host_facts).found)

    def tier(self, plan: str) -> str:
        """Return the tier of an App Service plan, or an empty text if Azure does not show the tier."""
        try:
            subscription, group, name = plan_names(plan)
            plans = self._clients.client(subscription).app_service_plans
            wire = one_wire(self._retrying, f"plan {name}", lambda: plans.get(group, name), REMEDY)
        except (NotFound, ValueError):
            return ""
        return readable(f"plan {name}", _tier, wire)

    def certificate(self, ref: CopyRef) -> SeenCertificate:
        """Read one certificate.

        Raise NotFound if Azure does not know the managed certificate, or has not issued the managed certificate yet.
        """
        certificates = self._clients.client(ref.subscription).certificates
        what = f"certificate {ref}"
        wire = one_wire(self._retrying, what, lambda: certificates.get(*ref.address), REMEDY)
        return readable(what, _certificate, wire)

    def ask_for(self, ref: CopyRef, host_name: HostName, place: Place) -> str:
        """Request a managed certificate.

        Return the path and query of Azure's operation, or an empty text if Azure's answer names no operation.
        """
        properties = {"canonicalName": host_name, "serverFarmId": place.site.plan, "password": ""}
        url = f"{ref.path}?api-version={MANAGED_CERTIFICATES}"
        request = HttpRequest("PUT", url, json={"location": place.location, "properties": properties})
        send = partial(sent, self._clients.client(ref.subscription), request)
        answer = self._retrying.ask(f"managed certificate {ref}", send, REMEDY)
        if answer.status_code != HTTPStatus.ACCEPTED:
            return ""
        return _operation(answer.headers.get("Location") or "")

    def is_done(self, operation: str) -> bool:
        """Return True if Azure no longer works on the operation that issues a managed certificate.

        Raise Rejected with Azure's reason if Azure refused to issue the managed certificate, and Denied if Certroll's
        identity may not read the operation. The operation must be a path below `/subscriptions/`, so that Certroll's
        token goes to no host other than ARM's. An operation counts as finished if Azure no longer knows the operation.
        After Azure has finished issuing a managed certificate, Certroll reads the certificate.
        """
        if not operation.lower().startswith("/subscriptions/"):
            problem = f"{operation[:200]!r} is not an operation of Azure Resource Manager"
            raise Rejected(problem, Reason.ANSWER_UNREADABLE)
        send = partial(sent, self._clients.client(operation.split("/")[2]), HttpRequest("GET", operation))
        try:
            answer = self._retrying.read("the issuing of a managed certificate", send, REMEDY)
        except NotFound:
            return True
        return answer.status_code != HTTPStatus.ACCEPTED

    def _wires(self, what: str, items: ItemPaged[Any]) -> Iterator[Json]:
        return (wire_of(entry) for entry in self._retrying.pages(what, items, REMEDY))


def _operation(location: str) -> str:
    """Return the path and query of the address of an operation, or an empty text if there is none or if it is broken.

    Azure has accepted the request, whatever the address says.
    """
    try:
        there = urlsplit(location)
    except ValueError:
        return ""
    return f"{there.path}?{there.query}" if there.path else ""


def _tier(wire: Json) -> str:
    return str((wire.get("sku") or {}).get("tier") or "")


def _certificate(wire: Json) -> SeenCertificate:
    """Return a certificate from Azure's JSON.

    Raise ValueError if the certificate's id, webspace, host name or thumbprint is invalid.
    """
    properties = wire.get("properties") or {}
    ref, thumbprint = CopyRef.parse(str(wire.get("id"))), properties.get("thumbprint")
    return SeenCertificate(
        ref,
        Webspace.parse(ref.subscription, properties.get("webSpace") or ""),
        _managed_for(properties),
        parse_thumbprint(thumbprint) if thumbprint else None,
    )


def _managed_for(properties: Json) -> HostName | None:
    """Return the host name that Azure manages a certificate for.

    If Azure does not show `canonicalName`, a managed certificate has three signs: a single host name, no thumbprint and
    no secret in a vault.
    """
    if properties.get("canonicalName"):
        return parse_host_name(str(properties["canonicalName"]))
    names = list(properties.get("hostNames") or ())
    hides = not properties.get("thumbprint") and not properties.get("keyVaultSecretName")
    return parse_host_name(names[0]) if hides and len(names) == 1 else None


def _place(wire: Json) -> tuple[Place, tuple[Binding, ...]]:
    """Return a site or slot from Azure's JSON.

    Raise ValueError if an id or a thumbprint of the site or slot is invalid.
    """
    properties = wire.get("properties") or {}
    site, bindings = read_site(wire)
    possible = str(properties.get("possibleInboundIpAddresses") or "").split(",")
    inbound = dict.fromkeys(text.strip() for text in (str(properties.get("inboundIpAddress") or ""), *possible))
    addresses = tuple(address for address in inbound if address)
    return Place(
        site, text_of(wire, "location"), addresses, bool(properties.get("hostingEnvironmentProfile"))
    ), bindings


def _slot_tags(wire: Json) -> tuple[SiteRef, Tags]:
    return SiteRef.parse(str(wire.get("id"))), tags_of(wire)


def _host_facts(wire: Json) -> tuple[HostName, HostFacts]:
    properties = wire.get("properties") or {}
    name = read_host_name(text_of(wire, "name").rpartition("/")[2])
    verified = str(properties.get("hostNameType") or "").lower() in VERIFIED
    by_traffic_manager = str(properties.get("azureResourceType") or "").lower() == "trafficmanager"
    return name, HostFacts(verified, by_traffic_manager)
