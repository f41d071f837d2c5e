"""Read the configuration of sites and slots (`…/config/web`)."""

from shared.clients.arm.requests import Json, one_wire
from shared.clients.arm.site_requests import REMEDY, AppServicePart, site_or_slot
from shared.clients.reading import object_of, readable
from shared.domain.names import SiteRef

SHOWN_OF_CONFIG = ("minTlsVersion", "scmMinTlsVersion", "minTlsCipherSuite", "http20Enabled", "healthCheckPath")
"""The properties of a configuration that compliance rules judge."""
CONFIG_REMEDY = f"{REMEDY}; reading a configuration takes Microsoft.Web/sites/config/read"


class Configuration(AppServicePart):
    """The part of the App Service client that reads configurations."""

    def configuration(self, site: SiteRef) -> dict[str, object]:
        """Return what compliance rules judge of the configuration of a site or slot, under Azure's names."""
        web_apps = self._clients.client(site.subscription).web_apps
        read = site_or_slot(site, web_apps.get_configuration, web_apps.get_configuration_slot)
        what = f"configuration of {site}"
        return readable(what, _shown, one_wire(self._retrying, what, read, CONFIG_REMEDY))


def _shown(wire: Json) -> dict[str, object]:
    properties = object_of(wire.get("properties"))
    return {name: properties[name] for name in SHOWN_OF_CONFIG if name in properties}
