"""List the resources of App Service once for all renewals that share an inspection."""

from datetime import datetime
from functools import partial

from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Listing, SeenSite
from shared.domain.fleet.sites import ServerFarm
from shared.domain.names import CopyRef, SiteRef, Webspace
from shared.ports.app_service import Listings
from shared.ports.fleet_reads import SharedReads


class SharedListings:
    """The lists of App Service, each read once. App settings are no list: each run reads them for itself."""

    def __init__(self, listings: Listings, reads: SharedReads) -> None:
        """Begin with what has been read."""
        self._listings = listings
        self._reads = reads

    def subscriptions(self) -> tuple[str, ...]:
        """Return the subscriptions that Certroll's identity can read."""
        return self._reads.once("subscriptions", None, self._listings.subscriptions)

    def certificates(self, subscription: str) -> Listing[WebspaceCertificate]:
        """List the certificates in the webspaces of a subscription."""
        return self._reads.once("certificates", subscription, partial(self._listings.certificates, subscription))

    def uploaded_at(self, subscription: str) -> Listing[tuple[CopyRef, datetime]]:
        """List the creation time of each webspace certificate of a subscription."""
        return self._reads.once("uploaded_at", subscription, partial(self._listings.uploaded_at, subscription))

    def sites(self, subscription: str) -> Listing[SeenSite]:
        """List the sites of a subscription with their bindings, without slots."""
        return self._reads.once("sites", subscription, partial(self._listings.sites, subscription))

    def slot_parents(self, subscription: str) -> Listing[SiteRef]:
        """List the sites of a subscription that have deployment slots."""
        return self._reads.once("slot_parents", subscription, partial(self._listings.slot_parents, subscription))

    def slots(self, site: SiteRef) -> Listing[SeenSite]:
        """List the deployment slots of a site with their bindings."""
        return self._reads.once("slots", site, partial(self._listings.slots, site))

    def site(self, ref: SiteRef) -> SeenSite:
        """Read one site or slot with its bindings."""
        return self._reads.once("site", ref, partial(self._listings.site, ref))

    def plans(self, subscription: str) -> Listing[ServerFarm]:
        """List the App Service plans of a subscription."""
        return self._reads.once("plans", subscription, partial(self._listings.plans, subscription))

    def sites_of_plan(self, plan: ServerFarm) -> Listing[SiteRef]:
        """List all sites of a plan, including sites that Azure hides in other lists for lack of a role."""
        return self._reads.once("sites_of_plan", plan, partial(self._listings.sites_of_plan, plan))

    def site_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """List the certificates that belong to one site of a Flex Consumption plan alone."""
        return self._reads.once("site_certificates", site, partial(self._listings.site_certificates, site, webspace))

    def public_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """List the public certificates of a site or slot."""
        read = partial(self._listings.public_certificates, site, webspace)
        return self._reads.once("public_certificates", site, read)
