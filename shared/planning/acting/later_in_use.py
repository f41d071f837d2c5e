"""Refuse to replace a certificate in use by an earlier one, although the vault calls the earlier one its newest."""

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.app_settings import SiteSettings
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
    return Skip(subject, Reason.LATER_IN_USE, _detail(f"{thumbprint} is in use, and", snapshot, current, version), site)


def later_led(snapshot: Snapshot, subject: str, settings: SiteSettings) -> Skip | None:
    """Return the refusal to refresh an app's Key Vault references, None if none of them may have a later version.

    A refresh fetches the vault's newest version for all references of the app.
    """
    lineage = snapshot.lineage
    later = {version.version.lower(): version for version in later_versions(lineage)}
    followed = [led for led in settings.vault_references if led.ref == lineage.ref and led.pinned is None]
    held = sorted(led.key for led in followed if led.active is None or led.active in later)
    if lineage.current is None or not later or not held:
        return None
    newest = next(iter(later.values()))
    used = f"{', '.join(held)} leads to version {newest.version}, or may lead to it. This version"
    return Skip(subject, Reason.LATER_IN_USE, _detail(used, snapshot, lineage.current, newest), settings.site)


def later_versions(lineage: Lineage) -> tuple[CertificateVersion, ...]:
    """Return the versions that begin and end later than the one that the vault calls its newest, newest first."""
    return tuple(version for version in lineage.versions if lineage.later(version.thumbprint) is not None)


def _detail(used: str, snapshot: Snapshot, current: CertificateVersion, later: CertificateVersion | None) -> str:
    """Return why the current version replaces nothing, with the next steps, as text for operators."""
    remedy = "import the later certificate again, or issue a new version"
    if later is not None:
        remedy += f"; if the earlier one is meant, disable version {later.version}"
    return (
        f"{used} begins and ends later than version {current.version}, which the vault of "
        f"{snapshot.lineage.ref} calls its newest (a restore reverses the order of versions): {remedy}"
    )


def is_imported(snapshot: Snapshot, webspace: Webspace | None, thumbprint: Thumbprint | None) -> bool:
    """Return True if an import in the webspace holds the thumbprint, so that the refusal about the import is enough."""
    return any(copy.webspace == webspace and copy.thumbprint == thumbprint for copy in snapshot.copies)
