"""App Service and what Azure Resource Manager knows of it. Every method raises AzureError's kinds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from shared.domain.certificates.pfx import Pfx
from shared.domain.fleet.app_settings import AppSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Listing, SeenSite
from shared.domain.fleet.sites import ServerFarm
from shared.domain.names import CopyRef, HostName, SiteRef, Webspace


class Listings(Protocol):
    """What there is: subscriptions, plans, sites and their certificates."""

    def subscriptions(self) -> tuple[str, ...]:
        """Return the subscriptions that the identity sees."""

    def certificates(self, subscription: str) -> Listing[WebspaceCertificate]:
        """List the webspace certificates of a subscription."""

    def uploaded_at(self, subscription: str) -> Listing[tuple[CopyRef, datetime]]:
        """List when each webspace certificate of a subscription was made, as far as Azure says it."""

    def sites(self, subscription: str) -> Listing[SeenSite]:
        """List the sites of a subscription with their bindings, without slots."""

    def slot_parents(self, subscription: str) -> Listing[SiteRef]:
        """List the sites of a subscription that have slots."""

    def slots(self, site: SiteRef) -> Listing[SeenSite]:
        """List the slots of a site with their bindings."""

    def site(self, ref: SiteRef) -> SeenSite:
        """Read one site or slot with its bindings."""

    def plans(self, subscription: str) -> Listing[ServerFarm]:
        """List the App Service plans of a subscription."""

    def sites_of_plan(self, plan: ServerFarm) -> Listing[SiteRef]:
        """List what runs on a plan, which no role assignment hides."""

    def site_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """List the certificates that a site on a Flex Consumption plan has to itself."""

    def public_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """List the public certificates of a site or slot."""


class Copies(Protocol):
    """Single certificates of a webspace, a site or a slot."""

    def certificate(self, ref: CopyRef) -> WebspaceCertificate:
        """Read one certificate."""

    def import_certificate(self, copy: WebspaceCertificate, plan: ServerFarm) -> None:
        """Put an imported certificate again, by which App Service fetches the vault's newest version."""

    def upload_certificate(self, copy: WebspaceCertificate, pfx: Pfx, plan: ServerFarm) -> None:
        """Put a certificate with its private key into a webspace."""

    def upload_public_certificate(self, copy: WebspaceCertificate, der: bytes) -> None:
        """Put a certificate without a key on a site or slot."""

    def delete_certificate(self, ref: CopyRef) -> None:
        """Delete a certificate; Azure refuses while a host name is bound to it."""


class Bindings(Protocol):
    """Host name bindings."""

    def binding(self, site: SiteRef, host_name: HostName) -> tuple[Binding, object]:
        """Read one host name binding, and its whole body, which a write has to send back."""

    def put_binding(self, binding: Binding, body: object) -> None:
        """Write the body back with the thumbprint and ssl_state of the binding."""


class Settings(Protocol):
    """App settings, and the Key Vault references in them."""

    def settings(self, site: SiteRef) -> AppSettings:
        """Read the app settings of a site or slot."""

    def settings_to_edit(self, site: SiteRef) -> AppSettings:
        """Read the app settings for a write that follows at once, with the ETag that the site had before the read."""

    def put_settings(self, settings: AppSettings) -> None:
        """Replace the app settings. If Azure honours the site's ETag, a site that changed since then is refused."""

    def vault_references(self, site: SiteRef) -> Mapping[str, str]:
        """Return the version that each Key Vault reference of a site leads to now, by setting."""

    def refresh_references(self, site: SiteRef) -> None:
        """Have App Service fetch the Key Vault references of a site again."""


class Power(Protocol):
    """Whether a site runs."""

    def restart(self, site: SiteRef) -> None:
        """Restart a site or slot."""

    def stop(self, site: SiteRef) -> None:
        """Stop a site or slot."""

    def start(self, site: SiteRef) -> None:
        """Start a site or slot."""


class AppService(Listings, Copies, Bindings, Settings, Power, Protocol):
    """All of App Service. A function asks for the parts that it uses."""
