"""Key Vault references over the wire, as azure-mgmt-web 11 reads them: listed, one by one, refreshed."""

from typing import Any

from local.azure.arm import references, refusals
from local.azure.arm.call import Call, Route, on_sites
from local.azure.arm.resources import Resolution, Site, display_location
from local.azure.wire import Response, json_response

UNRESOLVED = Resolution("Initialized")
"""A reference that App Service has not looked at yet: its site has not started since."""


def list_references(call: Call) -> Response:
    """Answer every app setting that is a reference, and which version it led to at the last start or refresh."""
    return _listed(call, call.site())


def get_reference(call: Call) -> Response:
    """Answer one of them."""
    site, name = call.site(), call["setting"]
    if not references.is_reference(site.settings.get(name, "")):
        raise refusals.missing("AppSetting", name)
    return json_response(200, _reference_json(site, name))


def refresh(call: Call) -> Response:
    """Resolve all references anew; another version restarts the app (Azure docs, app-service-key-vault-references)."""
    return _listed(call, call.world.settings.refresh_references(call.site_now()))


def _listed(call: Call, site: Site) -> Response:
    names = (name for name, value in site.settings.items() if references.is_reference(value))
    return call.page(_reference_json(site, name) for name in names)


def _reference_json(site: Site, name: str) -> dict[str, Any]:
    found = site.references.get(name, UNRESOLVED)
    kind = "Microsoft.Web/sites/slots/config" if site.slot else "Microsoft.Web/sites/config"
    return {
        "id": f"{site.id}/config/configreferences/appsettings/{name}",
        "name": name,
        "type": f"{kind}/configreferences",
        "location": display_location(site.location),
        "properties": {
            "reference": site.settings[name],
            "status": found.status,
            "vaultName": found.vault_name,
            "secretName": found.secret_name,
            "secretVersion": found.secret_version,
            "identityType": {"type": "SystemAssigned"},
            "details": "Reference has been successfully resolved." if found.status == references.RESOLVED else "",
            "source": "KeyVault",
            "activeVersion": found.active_version,
        },
    }


REFERENCES = "/config/configreferences/appsettings"
ROUTES: tuple[Route, ...] = on_sites(
    ("GET", REFERENCES, list_references),
    ("GET", f"{REFERENCES}/{{setting}}", get_reference),
    ("POST", f"{REFERENCES}/refresh", refresh),
)
