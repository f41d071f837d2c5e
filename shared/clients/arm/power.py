"""Restart, stop and start sites and slots."""

from shared.clients.arm.site_requests import REMEDY, AppServicePart, site_or_slot
from shared.domain.names import SiteRef


class Power(AppServicePart):
    """The part of the App Service client that restarts, stops and starts sites and slots."""

    def restart(self, site: SiteRef) -> None:
        """Restart a site or slot."""
        web_apps = self._clients.client(site.subscription).web_apps
        write = site_or_slot(site, web_apps.restart, web_apps.restart_slot)
        self._retrying.write(f"restart of {site}", write, REMEDY)

    def stop(self, site: SiteRef) -> None:
        """Stop a site or slot."""
        web_apps = self._clients.client(site.subscription).web_apps
        write = site_or_slot(site, web_apps.stop, web_apps.stop_slot)
        self._retrying.write(f"stop of {site}", write, REMEDY)

    def start(self, site: SiteRef) -> None:
        """Start a site or slot."""
        web_apps = self._clients.client(site.subscription).web_apps
        write = site_or_slot(site, web_apps.start, web_apps.start_slot)
        self._retrying.write(f"start of {site}", write, REMEDY)
