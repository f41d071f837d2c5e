"""Run a local Azure: services, proxy, identity, front ends, partner servers, control port."""

import secrets
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import Self

from local.azure.dns.server import DnsServer
from local.azure.entra.routes import ManagedIdentity
from local.azure.entra.tokens import CERTROLL, OPERATOR, Directory, Principal
from local.azure.eventgrid.delivery import Delivery, Destination
from local.azure.eventgrid.event import Schema
from local.azure.eventgrid.webhook import Webhook
from local.azure.rights.grants import Grant
from local.azure.server import LocalAzure
from local.azure.storage.account import StorageAccount
from local.azure.wire import Request, Response
from local.azure.world import World
from local.control import Control, FleetPinned
from local.fleet import bound_host_names
from local.frontend.front_ends import FrontEnds
from local.frontend.partners import Partners
from local.frontend.visitor import Canary, Visitor
from local.http_wire import converse
from local.listener import Connection, Listener
from local.proxy import Proxy
from local.sightings import Sighting, Sightings
from local.worlds.named import WORLDS


class Stand:
    """A local Azure that runs during a `with` block. `use` replaces the simulated Azure (`World`) that is served."""

    def __init__(
        self, world: World | None = None, directory: Directory | None = None, rights: Sequence[Grant] | None = None
    ) -> None:
        """Prepare to serve the given simulated Azure, or an empty simulated Azure.

        With `rights`, Certroll's identity may do only what these grants allow. Without `rights` it may do everything.
        """
        self._world = world or World()
        self._seeded = ("empty", 0)
        self._pinned = ""
        self.directory = directory or Directory()
        self._rights = rights
        self._identities = {secrets.token_hex(16): principal for principal in (CERTROLL, OPERATOR)}
        """The header by which each principal asks the managed-identity endpoint for its tokens."""
        self._bind_certroll()
        self._deliveries: list[Delivery] = []
        self._storage: StorageAccount | None = None
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        """Start every part of the local Azure, and return the object that runs these parts."""
        self.dns = self._closing.enter_context(DnsServer(lambda: self._world.dns))
        self.partners = self._closing.enter_context(Partners(self._world))
        self.front_ends = self._closing.enter_context(FrontEnds(self._world, self.partners))
        self.proxy = self._closing.enter_context(Proxy(self._azure(), self.front_ends.resolve))
        self._sightings = Sightings(self._world, self.visitor)
        self.control = self._closing.enter_context(Control(self))
        identity = self._closing.enter_context(Listener(self._serve_identity, "managed-identity"))
        self._identity_port = identity.listen()
        self._closing.callback(self._stop_deliveries)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop every part of the local Azure, and free every port."""
        self._closing.close()

    @property
    def world(self) -> World:
        """The simulated Azure that is served now."""
        return self._world

    def use(self, world: World) -> None:
        """Serve the given simulated Azure from now on.

        `use` keeps the proxy, the ports and the open connections of the local Azure.

        The caller must first stop a running canary (a test visitor), whose visits must stay in one simulated Azure.
        """
        self._stop_deliveries()
        self._world = world
        self._bind_certroll()
        self.partners.use(world)
        self.front_ends.use(world)
        self.proxy.azure = self._azure()
        self._sightings = Sightings(world, self.visitor)

    def add_storage(self, account: StorageAccount) -> None:
        """Serve this storage account from now on, in each simulated Azure."""
        self._storage = account
        self.proxy.azure = self._azure()

    def pin(self, next_step: str) -> None:
        """Refuse every later change of the simulated fleet with this next step.

        A Function App that runs has the vaults, ids and records of one simulated fleet.
        """
        self._pinned = next_step

    def seed(self, name: str, seed: int = 0) -> None:
        """Serve a new simulated fleet of the given name, on the present clock. Subscriptions to events stay."""
        if name not in WORLDS:
            raise KeyError(f"No world named {name}; there are {', '.join(sorted(WORLDS))}.")
        if self._pinned:
            raise FleetPinned(self._pinned.replace("{name}", name))
        subscribed = tuple(self._deliveries)
        self._seeded = (name, seed)
        self.use(WORLDS[name](self._world.clock, seed))
        for delivery in subscribed:
            self._deliver(delivery.on(self._world.clock))

    def reset(self) -> None:
        """Serve the simulated fleet that was last seeded by name, in its first state. Subscriptions to events stay."""
        self.seed(*self._seeded)

    def deliver_to(self, url: str, schema: Schema = "EventGrid") -> None:
        """Deliver every later event to the webhook, after Event Grid's validation of the webhook."""
        self.subscribe(Webhook(url), schema)

    def subscribe(self, destination: Destination, schema: Schema, included: Collection[str] = ()) -> None:
        """Deliver every later event of the included types to the destination, after Event Grid's validation.

        Without `included`, the subscription includes all types of events.
        """
        delivery = Delivery(destination, self._world.clock, schema, included)
        delivery.validate()
        self._deliver(delivery)

    def _deliver(self, delivery: Delivery) -> None:
        self._world.events.subscribe(delivery)
        delivery.start()
        self._deliveries.append(delivery)

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make a client use the local Azure as Certroll."""
        return self.proxy.environment() | self.identity()

    def environment_of_person(self) -> dict[str, str]:
        """Return the environment variables of `environment` for a person: see `Proxy.environment_of_person`.

        The managed identity of a person is the operator, who may do everything.
        """
        return self.proxy.environment_of_person() | self._identity_variables(OPERATOR)

    def identity(self) -> dict[str, str]:
        """Return the environment variables with which the function app gets tokens of Certroll's identity."""
        return self._identity_variables(CERTROLL)

    @property
    def visitor(self) -> Visitor:
        """Return a visitor, which makes TLS handshakes with the sites of the simulated Azure."""
        return Visitor(self.proxy.address)

    def sightings(self) -> list[Sighting]:
        """Visit every bound host name by TLS, and return what the visitor saw."""
        return self._sightings.round()

    def canary(self) -> Canary:
        """Return a canary: a visitor that keeps making TLS handshakes with every bound host name."""
        return Canary(self.visitor, lambda: bound_host_names(self._world))

    def _azure(self) -> LocalAzure:
        azure = LocalAzure(self._world, self.directory, self._storage)
        azure.after_write = self.front_ends.follow
        return azure

    def _serve_identity(self, connection: Connection) -> None:
        with connection.socket.makefile("rb") as stream:
            converse(stream, connection.socket.sendall, self._identity)

    def _identity_variables(self, principal: Principal) -> dict[str, str]:
        header = next(header for header, owner in self._identities.items() if owner is principal)
        return {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{self._identity_port}/msi/token",
            "IDENTITY_HEADER": header,
        }

    def _bind_certroll(self) -> None:
        if self._rights is not None:
            self._world.grants.give(CERTROLL.object_id, self._rights)

    def _identity(self, request: Request) -> Response:
        return ManagedIdentity(self._world, self.directory, self._identities)(request)

    def _stop_deliveries(self) -> None:
        for delivery in self._deliveries:
            delivery.stop()
        self._deliveries.clear()
