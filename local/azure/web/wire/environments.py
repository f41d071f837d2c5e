"""The JSON form in which Microsoft.Web writes an App Service Environment and its root certificates.

The JSON form of an App Service Environment is that of the specification's examples (Microsoft.Web 2024-04-01). Azure
docs do not show the JSON form of an environment's root certificate. The local Azure writes a root certificate like a
public certificate of a site, without the fields that the simulation's knobs hide.
"""

import base64
from collections.abc import Iterator
from typing import Any

from local.azure.scripting.knobs import Knobs
from local.azure.web.held_certificates import RootCertificate
from local.azure.web.resources import Environment, display_location
from local.azure.web.state import WebState

KIND = "Microsoft.Web/hostingEnvironments"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"


def environment_json(web: WebState, environment: Environment) -> dict[str, Any]:
    """Return the App Service Environment in the JSON form of Microsoft.Web."""
    plans = filter(environment.has, web.plans.values())
    group = environment.id.partition("/providers/")[0]
    return {
        "id": environment.id,
        "name": environment.name,
        "type": KIND,
        "kind": "ASEV3",
        "location": display_location(environment.location),
        "tags": dict(environment.tags),
        "properties": {
            "provisioningState": "Succeeded",
            "status": "Ready",
            "virtualNetwork": {
                "id": f"{group}/providers/Microsoft.Network/virtualNetworks/{environment.name}/subnets/delegated",
                "name": "delegated",
                "type": SUBNET,
                "subnet": "",
            },
            "internalLoadBalancingMode": "Web, Publishing" if environment.internal else "None",
            "multiSize": "Standard_D2d_v4",
            "multiRoleCount": None,
            "ipsslAddressCount": 0,
            "dnsSuffix": environment.dns_suffix,
            "maximumNumberOfMachines": 250,
            "frontEndScaleFactor": 15,
            "suspended": False,
            "clusterSettings": None,
            "userWhitelistedIpRanges": None,
            "hasLinuxWorkers": any(plan.linux for plan in plans),
            "dedicatedHostCount": 0,
            "zoneRedundant": False,
            "networkingConfiguration": networking_json(environment),
        },
    }


def networking_json(environment: Environment) -> dict[str, Any]:
    """Return the IP addresses of the App Service Environment.

    An internal App Service Environment has no external inbound address.
    """
    inside, outside = ([environment.address], []) if environment.internal else ([], [environment.address])
    return {
        "id": f"{environment.id}/configurations/networking",
        "name": "networking",
        "type": f"{KIND}/configurations/networking",
        "properties": {
            "windowsOutboundIpAddresses": [],
            "linuxOutboundIpAddresses": [],
            "externalInboundIpAddresses": outside,
            "internalInboundIpAddresses": inside,
            "allowNewPrivateEndpointConnections": False,
            "ftpEnabled": False,
            "remoteDebugEnabled": False,
            "inboundIpAddressOverride": None,
        },
    }


def root_json(knobs: Knobs, root: RootCertificate) -> dict[str, Any]:
    """Return the root certificate with the fields that the simulation's knobs show."""
    return {
        "id": root.id,
        "name": root.name,
        "type": f"{KIND}/publicCertificates",
        "location": display_location(root.location),
        "properties": dict(_shown(knobs, root)),
    }


def _shown(knobs: Knobs, root: RootCertificate) -> Iterator[tuple[str, object]]:
    yield "isRoot", root.is_root
    if knobs.roots_show_blob:
        yield "blob", base64.b64encode(root.der).decode()
    if knobs.roots_show_thumbprint:
        yield "thumbprint", root.thumbprint
