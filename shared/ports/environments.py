"""Define the port to App Service Environments and their root certificates."""

from typing import Protocol

from shared.domain.fleet.copies import RootCertificate
from shared.domain.fleet.fleet import Listing
from shared.domain.fleet.sites import Environment, Site
from shared.domain.names import EnvironmentRef, RootRef


class Environments(Protocol):
    """The port to App Service Environments.

    If a call to Azure fails, each method of the port raises a subclass of AzureError.
    """

    def environments(self, subscription: str) -> Listing[Environment]:
        """List the App Service Environments of a subscription."""

    def environment(self, ref: EnvironmentRef) -> Environment:
        """Read one App Service Environment."""

    def inbound_addresses(self, ref: EnvironmentRef) -> tuple[str, ...]:
        """Return the inbound addresses of an App Service Environment.

        An internal App Service Environment has private addresses. An external App Service Environment has public
        addresses.
        """

    def sites(self, ref: EnvironmentRef) -> Listing[Site]:
        """List the sites in an App Service Environment, without slots."""

    def roots(self, ref: EnvironmentRef) -> Listing[RootCertificate]:
        """List the public certificates of an App Service Environment."""

    def root(self, ref: RootRef) -> RootCertificate:
        """Read one public certificate of an App Service Environment."""

    def put_root(self, root: RootCertificate, der: bytes) -> None:
        """Put a root certificate into an App Service Environment."""

    def delete_root(self, ref: RootRef) -> None:
        """Delete a root certificate of an App Service Environment."""
