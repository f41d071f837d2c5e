"""What Azure does by itself within 24 hours, as one night of work."""

from local.azure.web.imports import Imports
from local.azure.web.managed import ManagedCertificates
from local.azure.web.state import WebState


def nightly_sync(web: WebState, imports: Imports, managed: ManagedCertificates) -> None:
    """Bring every imported copy to its vault's newest version, and renew managed certificates near their end.

    Bindings move with a copy (Azure docs, configure-ssl-certificate). A copy whose vault object App Service cannot
    read keeps its old content, and the copy's status says why.
    """
    web.history.begin_write()
    imports.sync_all()
    managed.renew()
