"""Define the port to free managed certificates and to the facts that Azure checks before it issues them."""

from collections.abc import Mapping
from typing import Protocol

from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.fleet import Listing
from shared.domain.managed.issuance import HostFacts, Place, SeenCertificate
from shared.domain.names import CopyRef, HostName, SiteRef
from shared.domain.tags import Tags


class ManagedCertificates(Protocol):
    """The port to managed certificates.

    If a call to Azure fails, each method of the port raises a subclass of AzureError.
    """

    def certificates(self, subscription: str) -> Listing[SeenCertificate]:
        """List all certificates of a subscription, managed or not."""

    def places(self, subscription: str) -> Listing[tuple[Place, tuple[Binding, ...]]]:
        """List the sites of a subscription with their bindings, without slots."""

    def slot_tags(self, subscription: str) -> Listing[tuple[SiteRef, Tags]]:
        """List all deployment slots of a subscription with their tags."""

    def slots(self, site: SiteRef) -> Listing[tuple[Place, tuple[Binding, ...]]]:
        """List the deployment slots of a site with their bindings."""

    def host_facts(self, site: SiteRef) -> Mapping[HostName, HostFacts]:
        """Return App Service's facts about the host names of a site or slot."""

    def tier(self, plan: str) -> str:
        """Return the tier of an App Service plan, empty if Azure does not name the tier."""

    def certificate(self, ref: CopyRef) -> SeenCertificate:
        """Read one certificate. Raises NotFound if Azure has not issued the managed certificate, or has deleted it."""

    def ask_for(self, ref: CopyRef, host_name: HostName, place: Place) -> str:
        """Ask Azure for a managed certificate.

        Return the path and query of Azure's operation, or an empty text if Azure's answer names no operation.
        """

    def is_done(self, operation: str) -> bool:
        """Return True if Azure has finished the issuing operation, no longer knows it, or denies reading it.

        Raises Rejected with Azure's reason if Azure refused the managed certificate. Raises Denied if Certroll may not
        read the operation.
        """
