"""App Service plans (server farms) over the wire."""

import zlib
from typing import Any

from local.azure.arm.call import GROUP, SUBSCRIPTION, WEB, Call, Route
from local.azure.arm.resources import Plan, display_location
from local.azure.arm.sites import plan_tier, profile_json, site_json
from local.azure.wire import Response, json_response


def list_plans(call: Call) -> Response:
    """Answer the plans of a subscription or a group."""
    plans = call.world.web.plans.listing(call.below)
    return call.page((plan_json(call, one) for one in plans if call.sees(one.id)), id=None)


def get_plan(call: Call) -> Response:
    """Answer one plan."""
    return json_response(200, plan_json(call, call.plan()))


def list_sites_of_plan(call: Call) -> Response:
    """Answer the sites on a plan, those too that the caller may not read: the plan's own right is what counts."""
    plan_id = call.plan().id.lower()
    on_plan = {
        one.id.lower() for one in call.world.web.sites.values() if one.plan_id.lower() == plan_id and not one.slot
    }
    sites = call.world.web.sites.listing(on_plan.__contains__)
    return call.page((site_json(call.world, one) for one in sites), id=None)


def plan_json(call: Call, plan: Plan) -> dict[str, Any]:
    """Return the plan as Microsoft.Web writes it."""
    used = sum(site.plan_id.lower() == plan.id.lower() for site in call.world.web.sites.values())
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
            "webSpace": plan.webspace.name,
            "subscription": plan.subscription,
            "geoRegion": location,
            "resourceGroup": plan.resource_group,
            "numberOfSites": used,
            "reserved": plan.linux,
            "isXenon": False,
            "hyperV": False,
            "hostingEnvironmentProfile": profile_json(plan.environment),
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


FARMS = f"{WEB}/serverfarms"
ROUTES: tuple[Route, ...] = (
    ("GET", f"{SUBSCRIPTION}{FARMS}", list_plans),
    ("GET", f"{GROUP}{FARMS}", list_plans),
    ("GET", f"{GROUP}{FARMS}/{{plan}}", get_plan),
    ("GET", f"{GROUP}{FARMS}/{{plan}}/sites", list_sites_of_plan),
)
