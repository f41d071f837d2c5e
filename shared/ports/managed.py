"""Free certificates that Azure manages, and what Azure needs to issue them."""

from collections.abc import Mapping
from typing import Protocol

from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.fleet import Listing
from shared.domain.managed.prerequisites import HostFacts, Place, SeenCertificate
from shared.domain.names import CopyRef, HostName, SiteRef
from shared.domain.tags import Tags


class ManagedCertificates(Protocol):
    """Managed certificates. Every method raises AzureError's kinds."""

    def certificates(self, subscription: str) -> Listing[SeenCertificate]:
        """List the certificates of a subscription, managed ones and others."""

    def places(self, subscription: str) -> Listing[tuple[Place, tuple[Binding, ...]]]:
        """List the sites of a subscription with their bindings, without slots."""

    def slot_tags(self, subscription: str) -> Listing[tuple[SiteRef, Tags]]:
        """List all slots of a subscription with their tags."""

    def slots(self, site: SiteRef) -> Listing[tuple[Place, tuple[Binding, ...]]]:
        """List the slots of a site with their bindings."""

    def host_facts(self, site: SiteRef) -> Mapping[HostName, HostFacts]:
        """Return what App Service says of the host names of a site or slot."""

    def tier(self, plan: str) -> str:
        """Return the tier of an App Service plan, empty if Azure does not say it."""

    def certificate(self, ref: CopyRef) -> SeenCertificate:
        """Read one certificate. Raises NotFound, also while Azure has not issued it yet."""

    def ask_for(self, ref: CopyRef, host_name: HostName, place: Place) -> str:
        """Ask for a managed certificate; return where Azure reports its progress, empty if Azure is done."""

    def is_done(self, operation: str) -> bool:
        """Return True if Azure finished the operation. Raises Rejected with Azure's reason if Azure refused."""
