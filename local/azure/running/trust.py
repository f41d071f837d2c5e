"""The roots that a process trusts beside the public ones: what its environment injects, and what its plan lists.

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
    return tuple(dict.fromkeys(one.der for one in web.roots_of(site.environment) if one.is_root))


def listed(web: WebState, site: Site) -> Roots:
    """Return what the running Windows code apps on the site's plan list, of the public certificates there are on it."""
    if not _heeds_list(site):
        return ()
    on_plan = [one for one in web.sites.values() if one.plan_id.lower() == site.plan_id.lower()]
    named = {entry.upper() for one in on_plan if one.state == RUNNING for entry in _entries(one)}
    public = (certificate for one in on_plan for certificate in web.public_certificates_of(one))
    return tuple(dict.fromkeys(one.der for one in public if one.thumbprint in named))


def _heeds_list(site: Site) -> bool:
    return site.environment is not None and not (site.linux or site.windows_container)


def _entries(site: Site) -> Iterator[str]:
    return iter(site.settings.get(ROOT_LIST, "").split(",") if _heeds_list(site) else ())
