"""App Service over azure-mgmt-web, and the few ARM lists that complete it."""

from shared.clients.app_service_bindings import Bindings
from shared.clients.app_service_copies import Copies
from shared.clients.app_service_listings import Listings
from shared.clients.app_service_power import Power
from shared.clients.app_service_settings import Settings


class AppService(Listings, Copies, Bindings, Settings, Power):
    """Reads and writes App Service. Every method raises the domain's errors."""
