"""The routes for App Service Environments v3, and for the root certificates that their apps trust."""

from local.azure.front_door.call import GROUP, SUBSCRIPTION, WEB, Call, Route
from local.azure.web import refusals, uploads
from local.azure.web.held_certificates import RootCertificate
from local.azure.web.resources import Environment, web_id
from local.azure.web.wire.environments import KIND, environment_json, networking_json, root_json
from local.azure.web.wire.plans import plan_json
from local.azure.web.wire.sites import listed_site_json
from local.azure.wire import Refused, Response, arm_error, json_response

ROOTS_API = "2024-04-01"
"""The only api-version that Azure docs name for root certificates; the local Azure refuses all others."""


def list_environments(call: Call) -> Response:
    """Respond with the App Service Environments of a subscription or resource group."""
    found = call.world.web.environments.listing(call.below)
    return call.page(
        (environment_json(call.world.web, environment) for environment in found if call.sees(environment.id)), id=None
    )


def get_environment(call: Call) -> Response:
    """Respond with one App Service Environment."""
    return json_response(200, environment_json(call.world.web, _environment(call)))


def get_networking(call: Call) -> Response:
    """Respond with the IP addresses of an App Service Environment.

    An internal App Service Environment has no external inbound address.
    """
    return json_response(200, networking_json(_environment(call)))


def list_plans(call: Call) -> Response:
    """Respond with the App Service plans in an App Service Environment."""
    found = _environment(call)
    keys = {plan.id.lower() for plan in filter(found.has, call.world.web.plans.values())}
    plans = call.world.web.plans.listing(keys.__contains__)
    return call.page((plan_json(call.world.web, plan) for plan in plans if call.sees(plan.id)), id=None)


def list_sites(call: Call) -> Response:
    """Respond with the sites in an App Service Environment, without slots."""
    found = _environment(call)
    keys = {site.id.lower() for site in filter(found.has, call.world.web.sites.values()) if not site.slot}
    sites = call.world.web.sites.listing(keys.__contains__)
    return call.page((listed_site_json(call.world.web, site) for site in sites if call.sees(site.id)), id=None)


def list_roots(call: Call) -> Response:
    """Respond with the public certificates of an App Service Environment."""
    _check_version(call)
    prefix = f"{_environment(call).id}/publicCertificates/".lower()
    found = call.world.web.roots.listing(lambda key: key.startswith(prefix))
    return call.page(root_json(call.world.knobs, root) for root in found if call.sees(root.id))


def get_root(call: Call) -> Response:
    """Respond with one public certificate of an App Service Environment."""
    _check_version(call)
    found = call.world.web.roots.read(_root_id(call))
    if found is None:
        raise refusals.absent(f"{KIND}/publicCertificates", f"{call['environment']}/{call['name']}", call["group"])
    return json_response(200, root_json(call.world.knobs, found))


def put_root(call: Call) -> Response:
    """Store a public certificate of an App Service Environment, which running apps do not notice."""
    _check_version(call)
    world, payload = call.world, call.payload()
    if not payload.get("location"):
        raise Refused(arm_error(400, "LocationRequired", "The location property is required for this definition."))
    environment, properties = _environment(call), payload.get("properties") or {}
    before = world.web.roots.get(_root_id(call))
    der = uploads.read_public(str(properties.get("blob") or ""))
    name = before.name if before else call["name"]
    stored = RootCertificate(environment.id, name, der, environment.location, properties.get("isRoot") is True)
    world.web.roots.put(stored.id, stored)
    old = before.thumbprint[:8] if before else "none"
    world.journal.note(f"root {stored.name} of {environment.name} {old}->{stored.thumbprint[:8]}")
    return json_response(200, root_json(world.knobs, stored))


def delete_root(call: Call) -> Response:
    """Delete a public certificate of an environment; apps that trust it keep the trust until a stop and start."""
    _check_version(call)
    environment, found = _environment(call), call.world.web.roots.get(_root_id(call))
    if found is None:
        return Response(204)
    call.world.web.roots.remove(found.id)
    call.world.journal.note(f"root {found.name} of {environment.name} {found.thumbprint[:8]} deleted")
    return Response(200)


def _check_version(call: Call) -> None:
    asked = call.request.query["api-version"]
    if asked != ROOTS_API:
        message = (
            f"No registered resource provider found for location and API version '{asked}' for type"
            f" 'hostingEnvironments/publicCertificates'. The supported api-versions are '{ROOTS_API}'."
        )
        raise Refused(arm_error(400, "NoRegisteredProviderFound", message))


def _environment(call: Call) -> Environment:
    name = call["environment"]
    found = call.world.web.environments.read(web_id(call["subscription"], call["group"], "hostingEnvironments", name))
    if found is None:
        raise refusals.absent(KIND, name, call["group"])
    return found


def _root_id(call: Call) -> str:
    environment = web_id(call["subscription"], call["group"], "hostingEnvironments", call["environment"])
    return f"{environment}/publicCertificates/{call['name']}"


ENVIRONMENTS = f"{GROUP}{WEB}/hostingEnvironments"
ENVIRONMENT = f"{ENVIRONMENTS}/{{environment}}"
ROOTS = f"{ENVIRONMENT}/publicCertificates"
ROUTES: tuple[Route, ...] = (
    ("GET", f"{SUBSCRIPTION}{WEB}/hostingEnvironments", list_environments),
    ("GET", ENVIRONMENTS, list_environments),
    ("GET", ENVIRONMENT, get_environment),
    ("GET", f"{ENVIRONMENT}/configurations/networking", get_networking),
    ("GET", f"{ENVIRONMENT}/serverfarms", list_plans),
    ("GET", f"{ENVIRONMENT}/sites", list_sites),
    ("GET", ROOTS, list_roots),
    ("GET", f"{ROOTS}/{{name}}", get_root),
    ("PUT", f"{ROOTS}/{{name}}", put_root),
    ("DELETE", f"{ROOTS}/{{name}}", delete_root),
)
