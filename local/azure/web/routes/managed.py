"""The routes for managed certificates: a PUT orders a certificate, which Azure then issues or refuses.

The first response to the order of a managed certificate is a 202 without a body (recorded azure-powershell traffic,
TestNewAzWebAppCertificate).
"""

import re
from collections.abc import Mapping
from typing import Any

from local.azure.front_door.call import Call
from local.azure.web import refusals
from local.azure.web.held_certificates import Certificate
from local.azure.web.managed import Order
from local.azure.web.resources import DEFAULT_DOMAIN, Plan, web_id
from local.azure.wire import Response
from local.azure.world import World

LONGEST_NAME = 64
NAME = re.compile(r"[a-z0-9.-]+")
NO_FREE = ("F", "D")
RETRY_SECONDS = 15
"""The `Retry-After` of a 202 (recorded azure-powershell traffic)."""


def put(call: Call, payload: Mapping[str, Any], location: str) -> Response:
    """Order a managed certificate; raise Refused if Microsoft.Web can refuse the order immediately."""
    properties = payload.get("properties") or {}
    host_name = str(properties["canonicalName"]).lower()
    plan = call.world.web.plans.get(str(properties.get("serverFarmId") or ""))
    if plan is None:
        raise refusals.missing("ServerFarm", str(properties.get("serverFarmId") or "").rpartition("/")[2])
    _check_name(host_name)
    _check_host(call.world, plan, host_name)
    wanted = Certificate(
        subscription=call["subscription"],
        resource_group=call["group"],
        name=call["name"],
        location=location,
        webspace=plan.webspace,
        content=call.world.managed.new_content(host_name),
        tags=payload.get("tags") or {},
        managed=host_name,
        hidden=call.world.knobs.managed_hides_thumbprint,
    )
    order = call.world.managed.ask(wanted, plan)
    return Response(200) if order.finished and order.trouble is None else _accepted(call, order)


def again(before: Certificate, payload: Mapping[str, Any]) -> Certificate:
    """Return the existing managed certificate; raise Refused if the request names another host name."""
    if before.managed != str(payload["properties"]["canonicalName"]).lower():
        raise refusals.conflict("The certificate {0} exists and is not managed for that name.", before.name)
    return before


def poll(call: Call) -> Response:
    """Respond with the state of an order of a managed certificate.

    The response for an unfinished order of a managed certificate is a 202. The response for a finished order of a
    managed certificate is a 200, or a 400 with the reason for the refusal.
    """
    certificate = web_id(call["subscription"], call["group"], "certificates", call["name"])
    order = call.world.managed.order(certificate, call["operation"])
    if order is None:
        raise refusals.missing("Operation", call["operation"])
    if not order.finished:
        return _accepted(call, order)
    return Response(200) if order.trouble is None else refusals.bad(order.trouble).response


def _check_name(host_name: str) -> None:
    """Refuse a name without a managed certificate; the text for special characters is reported (azure-cli #26809)."""
    if not NAME.fullmatch(host_name):
        special = f"Canonical name {host_name} includes at least one special character. Only letters and numbers "
        raise refusals.invalid("Properties.CanonicalName", f"{special}are allowed.")
    if len(host_name) > LONGEST_NAME or host_name.endswith(f".{DEFAULT_DOMAIN}"):
        raise refusals.invalid("Properties.CanonicalName", f"The value '{host_name}' is not supported.")


def _check_host(world: World, plan: Plan, host_name: str) -> None:
    if plan.sku[:1].upper() in NO_FREE:
        raise refusals.bad("Free managed certificates are not supported on Free and Shared plans.")
    site = world.web.site_with_host(host_name)
    if site is None or site.plan_id.lower() != plan.id.lower():
        raise refusals.invalid(
            "Properties.CanonicalName",
            f"Certificate creation requires hostname {host_name} added to an App Service in the serverFarm {plan.id}.",
        )
    if plan.environment or site.properties.get("hostingEnvironmentProfile"):
        raise refusals.bad("Free managed certificates are not supported in an App Service Environment.")


def _accepted(call: Call, order: Order) -> Response:
    path, version = f"{order.wanted.id}/operationresults/{order.key}", call.request.query["api-version"]
    location = f"https://{call.request.host}{path}?api-version={version}"
    return Response(202, {"Location": location, "Retry-After": str(RETRY_SECONDS)})
