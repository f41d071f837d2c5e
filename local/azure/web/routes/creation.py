"""The creation and deletion of plans, sites and slots.

The statuses of the responses are those of azure-rest-api-specs (Microsoft.Web, AppServicePlans and WebApps). The JSON
of a new plan is recorded in azure-cli test_auto_delete_plan.yaml.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from local.azure.front_door.call import GROUP, WEB, Call, Route, on_sites
from local.azure.web import refusals
from local.azure.web.resources import Host, Plan, Site, Webspace, display_location, short_location
from local.azure.web.wire.plans import plan_json
from local.azure.web.wire.sites import site_json
from local.azure.wire import Refused, Response, arm_error, json_response
from local.azure.world import World


def put_plan(call: Call) -> Response:
    """Create a plan, or change the size and the tags of an existing plan, and respond with the plan.

    Azure answers 200 to the PUT of a new plan (azure-cli, test_auto_delete_plan.yaml).
    """
    payload, before = call.payload(), call.plan_or_none()
    plan = _new_plan(call, payload) if before is None else before
    size = (payload.get("sku") or {}).get("name")
    plan = replace(plan, sku=str(size or plan.sku), tags=dict(payload.get("tags") or {}))
    call.world.web.put_plan(plan)
    call.world.journal.note(f"plan {plan.name} {'created' if before is None else 'written'}")
    return json_response(200, plan_json(call.world.web, plan))


def delete_plan(call: Call) -> Response:
    """Delete a plan; refuse to delete a plan that has sites (terraform-provider-azurerm #13377)."""
    plan = call.plan_or_none()
    if plan is None:
        return Response(204)
    names = sorted({site.name for site in _sites_of(call.world, plan.id)})
    if names:
        template = "Server farm '{0}' cannot be deleted because it has web app(s) {1} assigned to it."
        raise refusals.conflict(template, plan.name, ",".join(names), extended_code="11003")
    _remove_plan(call.world, plan)
    return Response(200)


def create_site(call: Call) -> Response:
    """Create the site or slot that the request's path names, and respond with the site."""
    payload = call.payload()
    properties, parent = payload.get("properties") or {}, _parent(call)
    plan = _plan_of(call, str(properties.get("serverFarmId") or (parent.plan_id if parent else "")))
    site = Site(
        subscription=call["subscription"],
        resource_group=parent.resource_group if parent else call["group"],
        name=parent.name if parent else call["site"],
        plan_id=plan.id,
        location=plan.location,
        webspace=plan.webspace,
        slot=call.parameters.get("slot"),
        linux=plan.linux,
        flex=plan.is_flex,
        tags=dict(payload.get("tags") or {}),
        settings=_settings(properties, parent),
        environment=plan.environment,
        created=call.world.clock.now(),
    )
    if "systemassigned" in str((payload.get("identity") or {}).get("type")).lower():
        site = replace(site, principal_id=call.world.object_id(site.id))
    default = site.default_host_name
    _check_free(call.world, default)
    stored = call.world.web.put_site(replace(site, hosts={default: Host(default)}))
    call.world.journal.note(f"site {stored.full_name} created")
    return json_response(200, site_json(call.world.web, stored), ETag=f'"{stored.etag}"')


def delete_site(call: Call) -> Response:
    """Delete a site with its slots, or a slot.

    Azure also deletes the plan of the last site, unless the request says `deleteEmptyServerFarm=false`
    (azure-rest-api-specs, WebApps_Delete).
    """
    site = call.site_now()
    for gone in (*_slots_of(call.world, site), site):
        _remove_site(call.world, gone)
    plan = call.world.web.plans.get(site.plan_id)
    keeps = call.request.query.get("deleteemptyserverfarm", "true").lower() == "false"
    if plan is not None and not keeps and not any(_sites_of(call.world, plan.id)):
        _remove_plan(call.world, plan)
    return Response(200)


def _new_plan(call: Call, payload: Mapping[str, Any]) -> Plan:
    properties, location = payload.get("properties") or {}, payload.get("location")
    if not location:
        raise Refused(arm_error(400, "LocationRequired", "The location property is required for this definition."))
    if properties.get("hostingEnvironmentProfile"):
        raise refusals.bad("The local Azure creates no plans in an App Service Environment.")
    linux, region = bool(properties.get("reserved")), display_location(str(location)).replace(" ", "")
    webspace = Webspace(call["subscription"], f"{call['group']}-{region}webspace{'-Linux' if linux else ''}")
    return Plan(call["subscription"], call["group"], call["plan"], short_location(str(location)), webspace, linux)


def _parent(call: Call) -> Site | None:
    """Return the production site of a slot; refuse a slot without a site. Return None for a site."""
    if "slot" not in call.parameters:
        return None
    parent = call.world.web.sites.get(call.site_id().rpartition("/slots/")[0])
    if parent is None:
        raise refusals.absent("Microsoft.Web/sites", call["site"], call["group"])
    return parent


def _plan_of(call: Call, plan_id: str) -> Plan:
    plan = call.world.web.plans.get(plan_id)
    if plan is None:
        raise refusals.missing("ServerFarm", plan_id.rpartition("/")[2])
    return plan


def _settings(properties: Mapping[str, Any], parent: Site | None) -> dict[str, str]:
    """Return the app settings of a new site; a new slot begins with the settings of its site."""
    named = ((properties.get("siteConfig") or {}).get("appSettings")) or ()
    return {**(parent.settings if parent else {}), **{str(entry["name"]): str(entry["value"]) for entry in named}}


def _check_free(world: World, default_host_name: str) -> None:
    if world.web.site_with_host(default_host_name) is not None:
        name = default_host_name.partition(".")[0]
        raise refusals.conflict("Website with given name {0} already exists.", name, extended_code="54001")


def _sites_of(world: World, plan_id: str) -> Iterator[Site]:
    return (site for site in world.web.sites.values() if site.plan_id.lower() == plan_id.lower())


def _slots_of(world: World, site: Site) -> tuple[Site, ...]:
    prefix = f"{site.id}/slots/".lower()
    return tuple(slot for slot in world.web.sites.values() if slot.id.lower().startswith(prefix))


def _remove_site(world: World, site: Site) -> None:
    """Remove a site, and with it the certificates that belong only to the site."""
    prefix = f"{site.id}/".lower()
    for store in (world.web.public_certificates, world.web.site_certificates):
        for certificate in store.values():
            if certificate.id.lower().startswith(prefix):
                store.remove(certificate.id)
    world.web.sites.remove(site.id)
    world.journal.note(f"site {site.full_name} deleted")


def _remove_plan(world: World, plan: Plan) -> None:
    world.web.plans.remove(plan.id)
    world.journal.note(f"plan {plan.name} deleted")


PLAN = f"{GROUP}{WEB}/serverfarms/{{plan}}"
ROUTES: tuple[Route, ...] = (
    ("PUT", PLAN, put_plan),
    ("DELETE", PLAN, delete_plan),
    *on_sites(("DELETE", "", delete_site)),
)
