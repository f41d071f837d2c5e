"""Define the ports (protocols) by which Certroll reaches App Service.

If a call to Azure fails, each method of the port raises a subclass of AzureError.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from shared.domain.certificates.pfx import Pfx
from shared.domain.fleet.app_settings import AppSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import WebspaceCertificate
from shared.domain.fleet.fleet import Listing, SeenSite
from shared.domain.fleet.sites import ServerFarm
from shared.domain.names import CopyRef, SiteRef, Webspace


class Listings(Protocol):
    """The port that lists subscriptions, App Service plans, sites and certificates."""

    def subscriptions(self) -> tuple[str, ...]:
        """Return the subscriptions that Certroll's identity can read."""

    def certificates(self, subscription: str) -> Listing[WebspaceCertificate]:
        """List the certificates in the webspaces (App Service's places for certificates) of a subscription."""

    def uploaded_at(self, subscription: str) -> Listing[tuple[CopyRef, datetime]]:
        """List the creation time of each webspace certificate of a subscription for which Azure returns the time."""

    def sites(self, subscription: str) -> Listing[SeenSite]:
        """List the sites of a subscription with their bindings, without slots."""

    def slot_parents(self, subscription: str) -> Listing[SiteRef]:
        """List the sites of a subscription that have deployment slots."""

    def slots(self, site: SiteRef) -> Listing[SeenSite]:
        """List the deployment slots of a site with their bindings."""

    def site(self, ref: SiteRef) -> SeenSite:
        """Read one site or slot with its bindings."""

    def plans(self, subscription: str) -> Listing[ServerFarm]:
        """List the App Service plans of a subscription."""

    def sites_of_plan(self, plan: ServerFarm) -> Listing[SiteRef]:
        """List all sites of a plan, including sites that Azure hides in other lists for lack of a role."""

    def site_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """List the certificates that belong to one site of a Flex Consumption plan alone."""

    def public_certificates(self, site: SiteRef, webspace: Webspace) -> Listing[WebspaceCertificate]:
        """List the public certificates of a site or slot."""


class Copies(Protocol):
    """The port for reads and writes of single certificates of a webspace, a site or a slot."""

    def certificate(self, ref: CopyRef) -> WebspaceCertificate:
        """Read one certificate."""

    def import_certificate(self, copy: WebspaceCertificate, plan: ServerFarm) -> None:
        """Put an imported certificate, so that App Service fetches the newest version of the vault certificate."""

    def upload_certificate(self, copy: WebspaceCertificate, pfx: Pfx, plan: ServerFarm) -> None:
        """Put a certificate with its private key into a webspace."""

    def upload_public_certificate(self, copy: WebspaceCertificate, der: bytes) -> None:
        """Upload a public certificate, which has no private key, to a site or slot."""

    def delete_certificate(self, ref: CopyRef) -> None:
        """Delete a certificate. Azure refuses to delete the certificate while a host name is bound to it."""


class Bindings(Protocol):
    """The port for reads and writes of host name bindings."""

    def binding(self, site: SiteRef, host_name: str) -> tuple[Binding, object]:
        """Read one host name binding, with the whole body that a write must send back to Azure.

        `host_name` is the host name as Azure wrote it (`Binding.address`).
        """

    def put_binding(self, binding: Binding, body: object) -> None:
        """Write a binding's body back to Azure with the binding's thumbprint and `ssl_state`."""


class Settings(Protocol):
    """The port for reads and writes of app settings, and of the Key Vault references in app settings."""

    def settings(self, site: SiteRef) -> AppSettings:
        """Read the app settings of a site or slot."""

    def settings_to_edit(self, site: SiteRef) -> AppSettings:
        """Read the app settings for an immediate write, with the ETag of the site from before the read."""

    def put_settings(self, settings: AppSettings) -> None:
        """Replace the app settings. If Azure honours the ETag, Azure refuses to overwrite another writer's change."""

    def vault_references(self, site: SiteRef) -> Mapping[str, str]:
        """Return the vault version that each Key Vault reference of a site has now, by the name of the setting."""

    def refresh_references(self, site: SiteRef) -> None:
        """Make App Service fetch the values of a site's Key Vault references again."""


class Configuration(Protocol):
    """The port that reads the configuration of sites and slots."""

    def configuration(self, site: SiteRef) -> Mapping[str, object]:
        """Return what compliance rules judge of `…/config/web` of a site or slot, under Azure's names."""


class Power(Protocol):
    """The port that restarts, stops and starts a site."""

    def restart(self, site: SiteRef) -> None:
        """Restart a site or slot."""

    def stop(self, site: SiteRef) -> None:
        """Stop a site or slot."""

    def start(self, site: SiteRef) -> None:
        """Start a site or slot."""


class AppService(Listings, Copies, Bindings, Configuration, Settings, Power, Protocol):
    """The whole port to App Service, from all its parts.

    A function may ask for a smaller port if it needs only that part of App Service.
    """
