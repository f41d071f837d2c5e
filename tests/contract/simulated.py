"""The local Azure as the place of the contract: an empty resource group, an environment, an order and a domain."""

from azure.core.credentials import TokenCredential

from local.azure.principals import APP_SERVICE
from local.azure.scripting.clock import Clock
from local.azure.scripting.knobs import Knobs
from local.azure.server import LocalAzure
from local.azure.world import World
from local.worlds.builders import Builder
from shared.clients.connect import Connections
from shared.domain.endpoints import CloudName
from tests.contract.live import NO_STORAGE
from tests.contract.place import Place, claims
from tests.contract.wire import ARM, VAULT_SCOPE, Recorder, Sender
from tests.in_process import in_process

DOMAIN = "contract.example.net"
GROUP = "Contract"
LOCATION = "westeurope"


def simulated_world(knobs: Knobs | None = None, seed: int = 0) -> World:
    """Return a simulated Azure with an empty resource group, and with what a person lends to the suite."""
    build = Builder(World(Clock(), seed, knobs))
    build.add_group(GROUP)
    platform, spare = build.add_group("platform"), build.add_group("spare")
    environment = build.add_environment("ase", platform)
    for group in (platform, spare):
        build.add_plan(f"{group.name}-plan", group, environment=environment)
    build.add_order("shop", "shop.example.net", build.add_vault("orders-kv", platform))
    return build.world


def simulated_place(world: World, credential: TokenCredential) -> Place:
    """Return the place in the simulated Azure. The credential is the one that Certroll makes."""
    recorder = Recorder(in_process(LocalAzure(world).handle))
    group = next(group for group in world.resource_groups.values() if group.name == GROUP)
    environment = next(world.web.environments.values())
    order = next(iter(world.orders))
    return Place(
        subscription=group.subscription,
        group=group.name,
        location=group.location,
        tenant=world.tenant_id,
        person=claims(credential)["oid"],
        app_service=world.object_id(APP_SERVICE),
        ports=Connections(CloudName.PUBLIC, None, NO_STORAGE, world.clock, transport=recorder).ports(),
        arm=Sender(credential, recorder, f"{ARM}/.default"),
        vaults=Sender(credential, recorder, VAULT_SCOPE),
        recorder=recorder,
        clock=world.clock,
        domain=DOMAIN,
        environment=environment.id,
        order=order.id,
        knobs=world.knobs,
        publish=lambda host, target: world.dns.add(host, "CNAME", target),
    )
