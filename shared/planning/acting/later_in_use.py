"""Refuse to replace a certificate in use by an earlier one, although the vault calls the earlier one its newest."""

from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import later_in
from shared.planning.plan import Skip


def later_in_use(
    snapshot: Snapshot, subject: str, webspace: Webspace | None, thumbprint: Thumbprint | None, site: SiteRef | None
) -> Skip | None:
    """Return the refusal to replace the thumbprint of the subject, None if the vault's current version is later."""
    current = snapshot.lineage.current
    if current is None or not later_in(snapshot, webspace, thumbprint):
        return None
    version = snapshot.lineage.version_of(thumbprint)
    remedy = "import the later certificate again, or issue a new version"
    if version is not None:
        remedy += f"; if the earlier one is meant, disable version {version.version}"
    detail = (
        f"{thumbprint} is in use, and begins and ends later than version {current.version}, which the vault of "
        f"{snapshot.lineage.ref} calls its newest (a restore reverses the order of versions): {remedy}"
    )
    return Skip(subject, Reason.LATER_IN_USE, detail, site)


def is_imported(snapshot: Snapshot, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
    """Return True if an import in the webspace holds the thumbprint, so that the refusal about the import is enough."""
    return any(copy.webspace == webspace and copy.thumbprint == thumbprint for copy in snapshot.copies)
