"""List the resources of App Service: subscriptions, plans, sites and certificates."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from urllib.parse import quote

from shared.clients.arm.requests import PAGES, Json, one_wire, wire_of
from shared.clients.arm.site_requests import REMEDY, SLOT_FILTER, AppServicePart, site_or_slot
from shared.clients.arm.wire import plan_names, read_certificate, read_date, read_plan, read_site, read_site_ref
from shared.clients.reading import readable
from shared.domain.api_versions import RESOURCES, SUBSCRIPTIONS
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Listing, SeenSite
from shared.domain.fleet.sites import ServerFarm, Site
from shared.domain.names import CopyRef, SiteRef, Webspace, parse_subscription

NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
COPY_FILTER = quote("resourceType eq 'Microsoft.Web/certificates'")


class Listings(AppServicePart):
    """The part of the App Service client that lists subscriptions, plans, sites and certificates."""

    def subscriptions(self) -> tuple[str, ...]:
        """Return the subscriptions that ARM lists for Certroll's identity."""
        found = self._plain(NO_SUBSCRIPTION, f"/subscriptions?api-version={SUBSCRIPTIONS}", "subscriptions")
        return readable("subscriptions", _subscriptions, found)

    def certificates(self, subscription: str) -> Listing[WebspaceCertificate]:
        """Return the certificates that App Service stores in the webspaces of a subscription.

        An unreadable certificate, such as one without a webspace, hides no binding, so it must not hold the syncs of
        other certificates. It still blocks imports and deletions, which it could double or lose.
        """
        what = f"certificates of subscription {subscription}"
        items = self._clients.client(subscription).certificates.list(**PAGES)
        copies = self._clients.listed(subscription, self._wires(what, items), read_certificate)
        return Listing(copies.found, tuple(replace(spot, copies_only=True) for spot in copies.blind_spots))

    def uploaded_at(self, subscription: str) -> Listing[tuple[CopyRef, datetime]]:
        """Return the creation date of each certificate in App Service, as far as ARM shows the date.

        App Service's own API does not show when a certificate was created. ARM's list of resources shows the
        creation date if the request has `$expand=createdTime`.
        """
        url = f"/subscriptions/{subscription}/resources?$filter={COPY_FILTER}&$expand=createdTime"
        what = f"dates of the certificates of subscription {subscription}"
        found = self._plain(subscription, f"{url}&api-version={RESOURCES}", what)
        return self._clients.listed(subscription, found, read_date)

    def sites(self, subscription: str) -> Listing[SeenSite]:
        """Return the sites of a subscription with their bindings, without slots."""
        items = self._clients.client(subscription).web_apps.list(**PAGES)
        return self._clients.listed(
            subscription, self._wires(f"sites of subscription {subscription}", items), read_site
        )

    def slot_parents(self, subscription: str) -> Listing[SiteRef]:
        """Return the sites of a subscription that have slots.

        ARM's list of resources names all slots of a subscription.
        """
        url = f"/subscriptions/{subscription}/resources?$filter={SLOT_FILTER}&api-version={RESOURCES}"
        found = self._plain(subscription, url, f"slots of subscription {subscription}")
        return self._clients.listed(subscription, found, lambda wire: read_site_ref(wire).production)

    def slots(self, site: SiteRef) -> Listing[SeenSite]:
        """Return the slots of a site with their bindings."""
        items = self._clients.client(site.subscription).web_apps.list_slots(*site.address, **PAGES)
        return self._clients.listed(site.subscription, self._wires(f"slots of {site}", items), read_site)

    def site(self, ref: SiteRef) -> tuple[Site, tuple[Binding, ...]]:
        """Read one site or slot with its bindings."""
        web_apps = self._clients.client(ref.subscription).web_apps
        read = site_or_slot(ref, web_apps.get, web_apps.get_slot)
        return readable(f"site {ref}", read_site, one_wire(self._retrying, f"site {ref}", read, REMEDY))

    def plans(self, subscription: str) -> Listing[ServerFarm]:
        """Return the App Service plans of a subscription.

        A plan of no known webspace hides sites of that plan alone, so it must not hold the webspaces of other plans.
        """
        items = self._clients.client(subscription).app_service_plans.list(**PAGES)
        found = self._wires(f"plans of subscription {subscription}", items)
        plans = self._clients.listed(subscription, found, read_plan)
        return Listing(plans.found, tuple(replace(spot, of_itself=spot.webspace is None) for spot in plans.blind_spots))

    def sites_of_plan(self, plan: ServerFarm) -> Listing[SiteRef]:
        """Return the sites and slots that run on an App Service plan."""
        subscription, group, name = plan_names(plan.resource_id)
        items = self._clients.client(subscription).app_service_plans.list_web_apps(group, name, **PAGES)
        return self._clients.listed(
            subscription, self._wires(f"sites of plan {name}", items), read_site_ref, plan.webspace
        )

    def site_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """Return the certificates that belong only to a site on a Flex Consumption plan."""
        items = self._clients.client(site.subscription).site_certificates.list(*site.address[:2], **PAGES)
        found = self._wires(f"certificates of {site}", items)
        return self._clients.listed(site.subscription, found, partial(read_certificate, webspace=webspace), webspace)

    def public_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """Return the public certificates of a site or slot."""
        web_apps = self._clients.client(site.subscription).web_apps
        items = site_or_slot(site, web_apps.list_public_certificates, web_apps.list_public_certificates_slot)(**PAGES)
        found = self._wires(f"public certificates of {site}", items)
        return self._clients.listed(site.subscription, found, partial(read_certificate, webspace=webspace), webspace)


def _subscriptions(wires: Iterable[Json]) -> tuple[str, ...]:
    return tuple(sorted(parse_subscription(str(wire_of(wire).get("subscriptionId"))) for wire in wires))
