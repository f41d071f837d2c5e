"""App Service over azure-mgmt-web, and the few ARM lists that complete it."""

from shared.clients.arm.app_settings import Settings
from shared.clients.arm.bindings import Bindings
from shared.clients.arm.copies import Copies
from shared.clients.arm.listings import Listings
from shared.clients.arm.power import Power


class AppService(Listings, Copies, Bindings, Settings, Power):
    """Reads and writes App Service. Every method raises the domain's errors."""
