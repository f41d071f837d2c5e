"""The routes for App Service plans (server farms)."""

from functools import partial

from local.azure.front_door.call import GROUP, SUBSCRIPTION, WEB, Call, Route
from local.azure.web.wire.plans import plan_json
from local.azure.web.wire.sites import listed_site_json
from local.azure.wire import Response, json_response


def list_plans(call: Call) -> Response:
    """Respond with the plans of a subscription or resource group."""
    plans = call.world.web.plans.listing(call.below)
    return call.page_of((plan for plan in plans if call.sees(plan.id)), partial(plan_json, call.world.web), id=None)


def get_plan(call: Call) -> Response:
    """Respond with one plan."""
    return json_response(200, plan_json(call.world.web, call.plan()))


def list_sites_of_plan(call: Call) -> Response:
    """Respond with the sites on a plan without slots, even with sites that the caller may not read.

    For the list of a plan's sites, only the caller's right on the plan is checked.
    """
    plan_id = call.plan().id.lower()
    on_plan = {
        site.id.lower() for site in call.world.web.sites.values() if site.plan_id.lower() == plan_id and not site.slot
    }
    sites = call.world.web.sites.listing(on_plan.__contains__)
    return call.page_of(sites, partial(listed_site_json, call.world.web), id=None)


FARMS = f"{WEB}/serverfarms"
ROUTES: tuple[Route, ...] = (
    ("GET", f"{SUBSCRIPTION}{FARMS}", list_plans),
    ("GET", f"{GROUP}{FARMS}", list_plans),
    ("GET", f"{GROUP}{FARMS}/{{plan}}", get_plan),
    ("GET", f"{GROUP}{FARMS}/{{plan}}/sites", list_sites_of_plan),
)
