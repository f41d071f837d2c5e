"""The JSON form in which Microsoft.Web writes a site or slot."""

import hashlib
from typing import Any

from local.azure.entra.tokens import TENANT
from local.azure.web.resources import DISABLED, FLEX, IP_BASED, Host, Site, display_location
from local.azure.web.state import WebState

UNSET_SITE_CONFIG = (
    "linuxFxVersion",
    "minTlsVersion",
    "numberOfWorkers",
    "appSettings",
    "defaultDocuments",
    "alwaysOn",
    "http20Enabled",
)
WRONG_IN_LISTS = {"alwaysOn": False, "http20Enabled": False}
"""The values of `siteConfig` that lists of sites show for every site (recorded cloud-custodian traffic, 2025)."""


def site_json(web: WebState, site: Site) -> dict[str, Any]:
    """Return the site or slot in the JSON form of Microsoft.Web."""
    return _managed_identity(site) | {
        "id": site.id,
        "name": site.full_name,
        "type": "Microsoft.Web/sites/slots" if site.slot else "Microsoft.Web/sites",
        "kind": site.kind,
        "location": display_location(site.location),
        "tags": dict(site.tags),
        "properties": _identity(web, site) | hosting_json(web, site) | dict(site.properties),
    }


def listed_site_json(web: WebState, site: Site) -> dict[str, Any]:
    """Return the site or slot as an entry of a list, where `siteConfig` has wrong values.

    Only `config/web` has the right values (recorded cloud-custodian traffic; azure-sdk-for-js #26876, prowler #7923).
    """
    shown = site_json(web, site)
    properties = shown["properties"]
    return {**shown, "properties": {**properties, "siteConfig": properties["siteConfig"] | WRONG_IN_LISTS}}


def _managed_identity(site: Site) -> dict[str, Any]:
    """Return the managed identity of a site with such an identity, in the JSON form of ARM."""
    if site.principal_id is None:
        return {}
    return {"identity": {"type": "SystemAssigned", "principalId": site.principal_id, "tenantId": TENANT}}


def _identity(web: WebState, site: Site) -> dict[str, Any]:
    names = [host.name for host in site.hosts.values()]
    modified = site.modified or web.history.clock.now()
    return {
        "name": site.old_name,
        "state": site.state,
        "hostNames": names,
        "enabledHostNames": [*names, _repository_host(site)],
        "defaultHostName": site.default_host_name,
        "hostNameSslStates": [_ssl_state(host) for host in _with_repository(site)],
        "repositorySiteName": site.name,
        "usageState": "Normal",
        "availabilityState": "Normal",
        "lastModifiedTimeUtc": modified.replace(tzinfo=None).isoformat(timespec="microseconds"),
        "resourceGroup": site.resource_group,
    }


def hosting_json(web: WebState, site: Site) -> dict[str, Any]:
    """Return the properties that follow from the site's plan, and the defaults of the writable properties."""
    plan = web.plans.get(site.plan_id)
    dedicated = site.dedicated_host
    address = dedicated.virtual_ip if dedicated else web.shared_address(site.webspace)
    return {
        "webSpace": site.webspace.name,
        "serverFarmId": site.plan_id,
        "sku": plan_tier(plan.sku if plan else ""),
        "inboundIpAddress": address,
        "possibleInboundIpAddresses": address,
        "reserved": site.linux,
        "isXenon": site.windows_container,
        "hyperV": site.windows_container,
        "enabled": True,
        "adminEnabled": True,
        "scmSiteAlsoStopped": False,
        "httpsOnly": False,
        "clientCertEnabled": False,
        "clientCertMode": "Required",
        "clientCertExclusionPaths": None,
        "endToEndEncryptionEnabled": False,
        "publicNetworkAccess": None,
        "customDomainVerificationId": hashlib.sha256(site.subscription.encode()).hexdigest().upper(),
        "hostNamesDisabled": False,
        "targetSwapSlot": None,
        "hostingEnvironmentProfile": profile_json(site.environment.id if site.environment else None),
        "siteConfig": dict.fromkeys(UNSET_SITE_CONFIG),
    }


def profile_json(environment_id: str | None) -> dict[str, str] | None:
    """Return the JSON reference from a plan, site or certificate to its App Service Environment, or None."""
    if environment_id is None:
        return None
    name = environment_id.rpartition("/")[2]
    return {"id": environment_id, "name": name, "type": "Microsoft.Web/hostingEnvironments"}


def plan_tier(sku: str) -> str:
    """Return the pricing tier to which the size of an App Service plan belongs."""
    if sku.upper().startswith(FLEX):
        return "FlexConsumption"
    tiers = {"F": "Free", "D": "Shared", "B": "Basic", "S": "Standard", "P": "PremiumV3", "I": "IsolatedV2"}
    return tiers.get(sku[:1].upper(), "Standard")


def _repository_host(site: Site) -> str:
    return site.default_host_name.replace(f".{site.default_domain}", f".scm.{site.default_domain}")


def _with_repository(site: Site) -> list[Host]:
    return [*site.hosts.values(), Host(_repository_host(site), host_name_type="Repository")]


def _ssl_state(host: Host) -> dict[str, Any]:
    """Return the host name in the form of a site's JSON, with null fields (recorded azure-cli traffic)."""
    return {
        "name": host.name,
        "sslState": host.ssl_state or DISABLED,
        "ipBasedSslResult": None,
        "virtualIP": host.virtual_ip if host.ssl_state == IP_BASED else None,
        "thumbprint": host.shown_thumbprint,
        "toUpdate": None,
        "toUpdateIpBasedSsl": None,
        "ipBasedSslState": "NotConfigured",
        "hostType": "Repository" if host.host_name_type == "Repository" else "Standard",
    }
