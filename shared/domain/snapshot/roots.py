"""Find the apps of a snapshot that must trust the vault certificate's current version as a root."""

from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.names import SiteRef, Webspace
from shared.domain.snapshot.snapshot import Snapshot


def wants_root(snapshot: Snapshot, ref: SiteRef) -> bool:
    """Return True if a tag wants the root in WEBSITE_LOAD_ROOT_CERTIFICATES of a site that supports the setting."""
    site = snapshot.site(ref)
    return site is not None and site.supports_root_list and ref in (snapshot.wanting_root or ())


def lacks_root(snapshot: Snapshot, settings: SiteSettings) -> bool:
    """Return True if a tag wants the current version in WEBSITE_LOAD_ROOT_CERTIFICATES, and the version is missing."""
    current, wanting_root = snapshot.lineage.current, wants_root(snapshot, settings.site)
    return current is not None and wanting_root and current.thumbprint not in settings.root_list


def trusts_by_chain(snapshot: Snapshot, webspace: Webspace) -> bool:
    """Return True if servers of the webspace trust the current version by the chain that Certroll uploads with it.

    Servers of an App Service Environment trust a certificate of a private authority by its uploaded chain (Azure docs,
    "Certificates in App Service Environment", private server certificate).
    """
    current = snapshot.lineage.current
    facts = current.facts if current else None
    return facts is not None and not facts.public_policy and snapshot.fleet.is_in_environment(webspace)
