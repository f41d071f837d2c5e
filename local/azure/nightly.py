"""The nightly sync: the work that Azure does by itself within 24 hours."""

from local.azure.web.imports import Imports
from local.azure.web.managed import ManagedCertificates
from local.azure.web.state import WebState


def nightly_sync(web: WebState, imports: Imports, managed: ManagedCertificates) -> None:
    """Sync every imported certificate with its vault, and renew managed certificates that end soon.

    Azure moves the bindings together with an imported certificate (Azure docs, configure-ssl-certificate). If App
    Service cannot read the vault object, the imported certificate keeps its old content, and a status names the reason.
    """
    web.history.begin_write()
    imports.sync_all()
    managed.renew()
