"""The JSON form in which Microsoft.Web writes a site's configuration."""

from collections.abc import Mapping
from typing import Any

from local.azure.web.resources import Site, display_location


def config_json(site: Site, name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of the site's configuration with these properties, in the JSON form of Microsoft.Web."""
    kind = "Microsoft.Web/sites/slots/config" if site.slot else "Microsoft.Web/sites/config"
    return {
        "id": f"{site.id}/config/{name}",
        "name": name,
        "type": kind,
        "location": display_location(site.location),
        "tags": dict(site.tags),
        "properties": properties,
    }


def sticky_names_json(site: Site) -> dict[str, Any]:
    """Return the names of the app settings that stay with their slot in a swap.

    The id in the JSON form of the slot-sticky names is null (recorded azure-cli traffic).
    """
    names = list(site.sticky_settings) or None
    return {
        "id": None,
        "name": site.name,
        "type": "Microsoft.Web/sites",
        "location": display_location(site.location),
        "properties": {"connectionStringNames": None, "appSettingNames": names, "azureStorageConfigNames": None},
    }
