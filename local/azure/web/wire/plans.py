"""The JSON form in which Microsoft.Web writes an App Service plan."""

import zlib
from typing import Any

from local.azure.web.resources import Plan, display_location
from local.azure.web.state import WebState
from local.azure.web.wire.sites import plan_tier, profile_json


def plan_json(web: WebState, plan: Plan) -> dict[str, Any]:
    """Return the App Service plan in the JSON form of Microsoft.Web."""
    used = sum(site.plan_id.lower() == plan.id.lower() for site in web.sites.values())
    location = display_location(plan.location)
    family = plan.sku.rstrip("0123456789")
    return {
        "id": plan.id,
        "name": plan.name,
        "type": "Microsoft.Web/serverfarms",
        "kind": _kind(plan),
        "location": location,
        "tags": dict(plan.tags),
        "properties": {
            "serverFarmId": zlib.crc32(plan.id.encode()) % 100_000,
            "name": plan.name,
            "status": "Ready",
            "webSpace": plan.webspace.name if plan.shows_webspace else None,
            "subscription": plan.subscription,
            "geoRegion": location,
            "resourceGroup": plan.resource_group,
            "numberOfSites": used,
            "reserved": plan.linux,
            "isXenon": False,
            "hyperV": False,
            "hostingEnvironmentProfile": profile_json(plan.environment.id if plan.environment else None),
            "provisioningState": "Succeeded",
        },
        "sku": {
            "name": plan.sku,
            "tier": plan_tier(plan.sku),
            "size": plan.sku,
            "family": family,
            "capacity": 1,
        },
    }


def _kind(plan: Plan) -> str:
    if plan.is_flex:
        return "functionapp"
    return "linux" if plan.linux else "app"
