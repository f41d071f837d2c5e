"""The base class of the App Service client's parts, and the SDK clients that all parts share."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, TypeVar
from urllib.parse import quote

from azure.core.credentials import TokenCredential
from azure.core.paging import ItemPaged
from azure.mgmt.web import WebSiteManagementClient

from shared.clients.arm.requests import Found, Json, listing, plain_list, refuse_registration, wire_of
from shared.clients.clouds import Cloud
from shared.clients.retrying import SDK_OPTIONS, Retrying
from shared.domain.errors import NotRegistered
from shared.domain.fleet.fleet import Listing
from shared.domain.names import SiteRef, Webspace
from shared.telemetry import event

REMEDY = "grant the identity the roles that docs/reference/roles.md lists, on this subscription"
SLOT_FILTER = quote("resourceType eq 'Microsoft.Web/sites/slots'")

Result = TypeVar("Result")


class AppServiceClients:
    """The SDK clients of App Service, with one client per subscription."""

    def __init__(self, credential: TokenCredential, cloud: Cloud, options: Mapping[str, Any] = SDK_OPTIONS) -> None:
        self._make: Callable[[str], WebSiteManagementClient] = lru_cache(maxsize=None)(
            lambda subscription: WebSiteManagementClient(
                credential,
                subscription,
                cloud_setting=cloud.arm,
                raw_response_hook=refuse_registration,
                **options,
            )
        )
        self._unregistered: set[str] = set()

    def client(self, subscription: str) -> WebSiteManagementClient:
        """Return the SDK client for a subscription."""
        return self._make(subscription)

    def listed(
        self,
        subscription: str,
        wires: Iterable[Json],
        read: Callable[[Json], Found],
        webspace: Webspace | None = None,
    ) -> Listing[Found]:
        """Return the readable entries of a list.

        A subscription that has not registered Microsoft.Web has no resource of App Service, so its lists are empty.
        This process logs once that the subscription is not registered.
        """
        try:
            return listing(subscription, wires, read, webspace)
        except NotRegistered as missing:
            if subscription not in self._unregistered:
                self._unregistered.add(subscription)
                event("subscription.not_registered", subscription=subscription, detail=str(missing))
            return Listing(())


class AppServicePart:
    """The base of each part of the App Service client.

    All parts of the App Service client translate errors of the Azure SDK into Certroll's own error classes.
    """

    def __init__(self, clients: AppServiceClients, retrying: Retrying) -> None:
        self._clients = clients
        self._retrying = retrying

    def _wires(self, what: str, items: ItemPaged[Any]) -> Iterator[Json]:
        return (wire_of(entry) for entry in self._retrying.pages(what, items, REMEDY))

    def _plain(self, subscription: str, url: str, what: str) -> tuple[Json, ...]:
        return plain_list(self._retrying, self._clients.client(subscription), url, what, REMEDY)


def site_or_slot(
    site: SiteRef, of_site: Callable[..., Result], of_slot: Callable[..., Result]
) -> Callable[..., Result]:
    """Return the SDK's method for a site or its method for a slot, with the names of the site or slot filled in."""
    group, name, *slots = site.address
    names = {"resource_group_name": group, "name": name}
    return partial(of_slot, **names, slot=slots[0]) if slots else partial(of_site, **names)
