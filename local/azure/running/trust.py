"""The root certificates that an app trusts in addition to the public roots: from its environment and from its plan.

The root certificates of an environment reach an app's trust store when the app is stopped and started (Azure docs, App
Service Environment, overview of certificates). A restart of an app does not load new root certificates of its
environment. The app setting `WEBSITE_LOAD_ROOT_CERTIFICATES` is for Windows code apps. The value of the app setting
`WEBSITE_LOAD_ROOT_CERTIFICATES` is a list of thumbprints of public certificates, with commas and without blanks. The
setting `WEBSITE_LOAD_ROOT_CERTIFICATES` of one running app applies to all Windows code apps of its plan.
"""

from collections.abc import Iterator

from local.azure.web.resources import RUNNING, Site
from local.azure.web.state import WebState

ROOT_LIST = "WEBSITE_LOAD_ROOT_CERTIFICATES"
Roots = tuple[bytes, ...]
"""Root certificates as DER."""


def injected(web: WebState, site: Site) -> Roots:
    """Return the root certificates that the site's App Service Environment gives to an app that starts now.

    The result is empty for a site outside of an App Service Environment.
    """
    if site.environment is None:
        return ()
    return tuple(dict.fromkeys(root.der for root in web.roots_of(site.environment) if root.is_root))


def listed(web: WebState, site: Site) -> Roots:
    """Return the roots that the plan's running Windows code apps list in `WEBSITE_LOAD_ROOT_CERTIFICATES`.

    A root that `WEBSITE_LOAD_ROOT_CERTIFICATES` lists has to be a public certificate of a site on the same plan.
    """
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
