"""What a person looks up in ARM before an installation: providers, regions, system topics, rights and operations."""

from collections import defaultdict

from local.azure.front_door.call import SUBSCRIPTION, WEB, Call, Route
from local.azure.front_door.vaults import VAULT
from local.azure.rights.lists import listed
from local.azure.web.resources import short_location
from local.azure.wire import Response, json_response

AUTHORIZATION = "/providers/Microsoft.Authorization"
PROVIDERS = (
    "Microsoft.Authorization",
    "Microsoft.CertificateRegistration",
    "Microsoft.EventGrid",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.OperationalInsights",
    "Microsoft.Resources",
    "Microsoft.Storage",
    "Microsoft.Web",
)
"""The registered providers. Microsoft.App is not registered, as in a subscription that never had a container app."""
FLEX_REGIONS = ("North Europe", "West Europe")
OTHER_REGIONS = ("France South",)


def list_providers(call: Call) -> Response:
    """Respond with the resource providers of a subscription, each with the state of its registration."""
    states = dict.fromkeys(PROVIDERS, "Registered") | {"Microsoft.App": "NotRegistered"}
    return call.page(
        {"id": f"/subscriptions/{call['subscription']}/providers/{name}", "namespace": name, "registrationState": state}
        for name, state in sorted(states.items())
    )


def list_regions(call: Call) -> Response:
    """Respond with the regions that have App Service, or Flex Consumption."""
    return call.page({"name": name, "type": "Microsoft.Web/geoRegions", "properties": {}} for name in FLEX_REGIONS)


def list_locations(call: Call) -> Response:
    """Respond with the regions that a subscription may use, by which az narrows the regions of Flex Consumption."""
    names = {short_location(region): region for region in (*FLEX_REGIONS, *OTHER_REGIONS)}
    scope = f"/subscriptions/{call['subscription']}/locations"
    return call.page({"id": f"{scope}/{name}", "name": name, "displayName": shown} for name, shown in names.items())


def list_permissions(call: Call) -> Response:
    """Respond with what the caller may do, which is everything, because grants bind only Certroll's principal."""
    return call.page([{"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}])


def show_operations(call: Call) -> Response:
    """Respond with the operations of a provider that Microsoft's lists have, in lower case."""
    namespace = call["namespace"]
    by_type: dict[str, list[dict[str, str]]] = defaultdict(list)
    for operation in sorted(listed()):
        if operation.startswith(f"{namespace.lower()}/"):
            by_type[operation.rpartition("/")[0].removeprefix(f"{namespace.lower()}/")].append({"name": operation})
    types = [{"name": name, "operations": operations} for name, operations in by_type.items()]
    identity = {"id": call.request.path, "name": namespace, "type": "Microsoft.Authorization/providerOperations"}
    return json_response(200, identity | {"displayName": namespace, "operations": [], "resourceTypes": types})


ROUTES: tuple[Route, ...] = (
    ("GET", f"{SUBSCRIPTION}/providers", list_providers),
    ("GET", f"{SUBSCRIPTION}/locations", list_locations),
    ("GET", f"{SUBSCRIPTION}{WEB}/geoRegions", list_regions),
    ("GET", f"{SUBSCRIPTION}{AUTHORIZATION}/permissions", list_permissions),
    ("GET", f"{VAULT}{AUTHORIZATION}/permissions", list_permissions),
    ("GET", f"{AUTHORIZATION}/providerOperations/{{namespace}}", show_operations),
)
