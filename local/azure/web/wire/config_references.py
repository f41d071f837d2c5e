"""The JSON form in which Microsoft.Web writes a Key Vault reference."""

from typing import Any

from local.azure.web import references
from local.azure.web.resources import Resolution, Site, display_location

UNRESOLVED = Resolution("Initialized")
"""A Key Vault reference that App Service has not resolved yet, because the site has not started with the reference."""


def reference_json(site: Site, name: str) -> dict[str, Any]:
    """Return the Key Vault reference of this setting, with the outcome of its last resolution."""
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
