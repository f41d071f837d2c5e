"""The resources that ARM itself lists: subscriptions, tenants, resource groups, and resources of all types."""

from collections.abc import Iterator, Mapping
from typing import Any

from local.azure.front_door import installed
from local.azure.front_door.call import GROUP, SUBSCRIPTION, Call, Route
from local.azure.front_door.vaults import generic_vault
from local.azure.web.held_certificates import Certificate
from local.azure.web.resources import Environment, Plan, Site, short_location
from local.azure.wire import Response, json_response
from local.azure.world import ResourceGroup, Subscription, World

SECURITY_MODULES = "/providers/Microsoft.KeyVault/managedHSMs"
Item = dict[str, Any]


def list_subscriptions(call: Call) -> Response:
    """Respond with the subscriptions that the caller may see."""
    known = call.world.subscriptions.values()
    seen = [subscription for subscription in known if call.sees(f"/subscriptions/{subscription.id}")]
    payload = [_subscription(call.world, subscription) for subscription in seen]
    return json_response(200, {"value": payload, "count": {"type": "Total", "value": len(payload)}})


def get_subscription(call: Call) -> Response:
    """Respond with one subscription."""
    found = call.world.subscriptions[call["subscription"].lower()]
    return json_response(200, _subscription(call.world, found))


def list_tenants(call: Call) -> Response:
    """Respond with the only tenant."""
    tenant = call.world.tenant_id
    return json_response(200, {"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Contoso"}]})


def list_groups(call: Call) -> Response:
    """Respond with the resource groups of the subscription that the caller may see."""
    groups = (group for group in call.world.resource_groups.values() if call.within(group.subscription, group.name))
    return call.page(_group(group) for group in groups if call.sees(group.id))


def get_group(call: Call) -> Response:
    """Respond with one resource group."""
    return json_response(200, _group(call.world.resource_groups[call["subscription"].lower(), call["group"].lower()]))


def list_resources(call: Call) -> Response:
    """Respond with the resources of all types that match `$filter`.

    An entry in ARM's list of resources has `createdTime` only if `$expand` asks for that field.
    """
    conditions = call.conditions()
    times = "createdtime" in call.request.query.get("$expand", "").lower()
    wanted = (item for item in _resources(call) if _meets(item, conditions))
    items = (item for item in wanted if call.lists(item["type"], item["id"]))
    return call.page(item if times else _without_time(item) for item in items)


def list_nothing(call: Call) -> Response:
    """Respond with an empty list of managed HSMs, which the az CLI requests together with vaults."""
    return call.page(())


def _resources(call: Call) -> Iterator[Item]:
    web = call.world.web
    return iter(
        (
            *(_generic_site(site) for site in web.sites.overview(call.below)),
            *(_generic(plan, "Microsoft.Web/serverFarms") for plan in web.plans.overview(call.below)),
            *(
                _generic(environment, "Microsoft.Web/hostingEnvironments")
                for environment in web.environments.overview(call.below)
            ),
            *(_generic_certificate(call.world, certificate) for certificate in web.certificates.overview(call.below)),
            *installed.below(call),
            *(generic_vault(vault) for vault in call.world.vaults.values() if call.below(vault.resource_id.lower())),
        )
    )


def _item(resource_id: str, name: str, kind: str, location: str, tags: Mapping[str, str]) -> Item:
    return {"id": resource_id, "name": name, "type": kind, "location": short_location(location), "tags": dict(tags)}


def _generic(resource: Plan | Certificate | Environment, kind: str) -> Item:
    return _item(resource.id, resource.name, kind, resource.location, resource.tags)


def _generic_certificate(world: World, certificate: Certificate) -> Item:
    item = _generic(certificate, "Microsoft.Web/certificates")
    if certificate.created is None or not world.knobs.certificates_show_created:
        return item
    return item | {"createdTime": certificate.created.isoformat()}


def _generic_site(site: Site) -> Item:
    kind = "Microsoft.Web/sites/slots" if site.slot else "Microsoft.Web/sites"
    item = _item(site.id, site.full_name, kind, site.location, site.tags)
    created = None if site.created is None else site.created.isoformat()
    return item | {"kind": site.kind, "createdTime": created}


def _without_time(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "createdTime"}


def _meets(item: Item, conditions: dict[str, set[str]]) -> bool:
    seen = {
        "resourcetype": item["type"],
        "name": item["name"],
        "location": item["location"],
        "resourcegroup": item["id"].split("/")[4],
    }
    return all(seen.get(field, "").lower() in values for field, values in conditions.items())


def _subscription(world: World, subscription: Subscription) -> Item:
    return {
        "id": f"/subscriptions/{subscription.id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription.id,
        "tenantId": world.tenant_id,
        "displayName": subscription.name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _group(group: ResourceGroup) -> Item:
    return {
        "id": group.id,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": short_location(group.location),
        "properties": {"provisioningState": "Succeeded"},
    }


ROUTES: tuple[Route, ...] = (
    ("GET", "/subscriptions", list_subscriptions),
    ("GET", "/tenants", list_tenants),
    ("GET", SUBSCRIPTION, get_subscription),
    ("GET", f"{SUBSCRIPTION}/resourceGroups", list_groups),
    ("GET", GROUP, get_group),
    ("GET", f"{SUBSCRIPTION}/resources", list_resources),
    ("GET", f"{GROUP}/resources", list_resources),
    ("GET", f"{SUBSCRIPTION}{SECURITY_MODULES}", list_nothing),
)
