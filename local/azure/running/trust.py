"""The roots that a process trusts as well as the public ones: those of its environment, and those that its plan lists.

Azure docs, App Service Environment, overview of certificates: root certificates of an environment get into the trust
store of an app when it is stopped and started, not when it restarts. `WEBSITE_LOAD_ROOT_CERTIFICATES` names public
certificates of Windows code apps, by thumbprints with commas and no blanks, and serves all apps of the plan.
"""

from collections.abc import Iterator

from local.azure.web.resources import RUNNING, Site
from local.azure.web.state import WebState

ROOT_LIST = "WEBSITE_LOAD_ROOT_CERTIFICATES"
Roots = tuple[bytes, ...]
"""Certificates as DER."""


def injected(web: WebState, site: Site) -> Roots:
    """Return what the site's environment, if it is in one, puts into the trust store of an app that starts now."""
    if site.environment is None:
        return ()
    return tuple(dict.fromkeys(root.der for root in web.roots_of(site.environment) if root.is_root))


def listed(web: WebState, site: Site) -> Roots:
    """Return what the running Windows code apps on the site's plan list, of the public certificates there are on it."""
    if not _supports_list(site):
        return ()
    on_plan = [neighbour for neighbour in web.sites.values() if neighbour.plan_id.lower() == site.plan_id.lower()]
    named = {entry.upper() for neighbour in on_plan if neighbour.state == RUNNING for entry in _entries(neighbour)}
    public = (certificate for neighbour in on_plan for certificate in web.public_certificates_of(neighbour))
    return tuple(dict.fromkeys(certificate.der for certificate in public if certificate.thumbprint in named))


def _supports_list(site: Site) -> bool:
    return site.environment is not None and not (site.linux or site.windows_container)


def _entries(site: Site) -> Iterator[str]:
    return iter(site.settings.get(ROOT_LIST, "").split(",") if _supports_list(site) else ())
