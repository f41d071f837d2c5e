"""Read and write App Service by azure-mgmt-web, and by some lists of ARM that the SDK lacks."""

from shared.clients.arm.app_settings import Settings
from shared.clients.arm.bindings import Bindings
from shared.clients.arm.configuration import Configuration
from shared.clients.arm.copies import Copies
from shared.clients.arm.listings import Listings
from shared.clients.arm.power import Power


class AppService(Listings, Copies, Bindings, Configuration, Settings, Power):
    """The client of App Service.

    The client's methods translate each error of the Azure SDK into one of Certroll's own error classes.
    """
