"""Share one local Azure and one thread pool among all scenarios, while each test simulates its own fleet.

Storage is in memory, on the clock of the simulation, and the SDKs reach the simulated Azure in process. A test with the
mark `real_storage` has its journal and leases on Azurite. A test with the mark `real_transport` reaches the simulated
Azure by TLS through the proxy.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from typing import cast

import pytest
from cryptography import x509

from local.azure.entra.tokens import CERTROLL
from local.azure.vault.extensions import dns_names
from local.azure.web.resources import covers
from local.azure.wire import Request, Response
from local.azure.world import World
from local.azurite import Azurite
from local.fleet import bound_host_names
from local.frontend.visitor import Canary
from local.stand import Stand
from local.variants import DEFAULT, PAID, grants
from shared.clients.connect import Connections as Clients
from shared.clients.retrying import Retrying
from shared.clients.vault.certificates import KeyVault
from shared.domain.endpoints import CloudName, DnsServer, StorageAddress
from shared.loop.pool import Pool
from shared.ports import Ports
from shared.runtime import READERS
from tests.in_process import in_process
from tests.scenarios.installation import Crasher, Installation
from tests.scenarios.storage import AzuriteStorage, MemoryStorage
from tests.scenarios.worlds import bindings_and_addresses

Install = Callable[..., Installation]
Connections = Callable[..., tuple[Ports, Ports]]
CANARY_PAUSE = 0.25
"""The real seconds between two handshakes of the canary. Each handshake costs as much as a request to Azure."""
NO_STORAGE = "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9uZQ==;EndpointSuffix=nowhere.invalid"
"""The connection string of SDK clients whose journal and leases the test replaces by storage in memory."""


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Yield Azurite, Microsoft's storage emulator, for all tests of the session."""
    with Azurite() as running:
        yield running


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """Yield the threads on which Certroll reads from Azure."""
    with Pool(READERS, "reader") as running:
        yield running


@pytest.fixture(autouse=True)
def lines_arrive() -> Iterator[None]:
    """Fail the test if a thread other than the test's own logs an event, because Azure's Functions host drops it."""
    logger, lost = logging.getLogger("certroll"), _Lost()
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(lost)
    yield
    logger.removeHandler(lost)
    logger.setLevel(before)
    assert lost.lines == []


INSTANCE = "instance"
"""The name of a thread in which a test runs an instance of Certroll, as the thread of an invocation."""


class _Lost(logging.Handler):
    """A log handler that collects the lines of all threads but the test's own and those that stand for an instance."""

    def __init__(self) -> None:
        super().__init__()
        self._own = threading.get_ident()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect the line if it comes from another thread."""
        if record.thread != self._own and record.threadName != INSTANCE:
            self.lines.append(f"{record.threadName}: {record.getMessage()}")


class WorldClock:
    """The clock of the simulated fleet that the local Azure serves now.

    SDK connections outlive a simulated fleet, so the clock asks for the current fleet each time.
    """

    def __init__(self, stand: Stand) -> None:
        """Build the clock of the given local Azure, whose current simulated fleet tells the time."""
        self._stand = stand

    def now(self) -> datetime:
        """Return the current time of the simulated fleet that the local Azure serves."""
        return self._stand.world.clock.now()

    def sleep(self, seconds: float) -> None:
        """Advance the clock of the simulated fleet that the local Azure serves by the given seconds."""
        self._stand.world.clock.sleep(seconds)


@pytest.fixture(scope="session")
def connections(stand: Stand) -> Connections:
    """Return a function that builds the SDK clients of two Function App instances once per kind of storage."""
    dns = (DnsServer("127.0.0.1", stand.dns.port),)

    def azure(request: Request) -> Response:
        return stand.proxy.azure.handle(request)  # each request reaches the fleet that is simulated then

    @cache
    def connected(storage: str, *, real_transport: bool) -> tuple[Ports, Ports]:
        def instance() -> Ports:
            transport = None if real_transport else in_process(azure)
            address = StorageAddress(storage)
            clock = WorldClock(stand)
            return Clients(CloudName.PUBLIC, None, address, clock, dns_servers=dns, transport=transport).ports()

        return instance(), instance()

    return connected


@pytest.fixture
def real_storage(request: pytest.FixtureRequest) -> Azurite | None:
    """Return Azurite if the test has the mark `real_storage`; Azurite starts at first use."""
    return request.getfixturevalue("azurite") if request.node.get_closest_marker("real_storage") else None


@pytest.fixture
def two_ports(
    request: pytest.FixtureRequest, connections: Connections, real_storage: Azurite | None
) -> tuple[Ports, Ports]:
    """Return the SDK clients of two instances of the Function App."""
    real_transport = request.node.get_closest_marker("real_transport") is not None
    storage = real_storage.connection_string if real_storage else NO_STORAGE
    return connections(storage, real_transport=real_transport)


@pytest.fixture
def install(
    stand: Stand, pool: Pool, two_ports: tuple[Ports, Ports], real_storage: Azurite | None
) -> Iterator[Install]:
    """Yield a function that installs Certroll in a simulated fleet.

    The test fails if Certroll writes a binding without `sslState`. The test fails if a binding changes its kind or its
    address, even for the length of one request. `meddled=True` turns only the check of kinds and addresses off, for
    tests that change bindings themselves. With `watched=True` each bound host name must be served a certificate that
    covers it after each change. A canary visits the host names meanwhile, and one bad handshake fails the test.

    Certroll has exactly the rights that a variant of its templates grants. The rights of the usual variants must be
    enough.
    """
    with ExitStack() as closing, ExitStack() as landing:

        def on(
            world: World, *, watched: bool = False, meddled: bool = False, variant: str = "", **intent: object
        ) -> Installation:
            landing.close()
            stand.use(world)
            usual = PAID if intent.get("order_actions") else DEFAULT
            world.grants.give(CERTROLL.object_id, grants(variant or usual))
            if variant in {"", DEFAULT, PAID}:
                closing.callback(_check_rights_suffice, world)
            storage = AzuriteStorage(real_storage.connection_string) if real_storage else MemoryStorage(world.clock)
            storage.clear()
            for ports in two_ports:  # fleets of one seed have certificate versions and subscriptions with equal ids
                cast("KeyVault", ports.vault).forget()
                cast("Retrying", ports.retrying).pacing.pace.forget()
            closing.callback(_check_states_are_named, world)
            if not meddled:
                closing.callback(_check_unharmed, _watch_bindings(world))
            if watched:
                closing.callback(_check_served, _watch_served(world))
                flying = stand.canary()
                flying.pause = CANARY_PAUSE
                closing.callback(_check_handshakes, flying)
                landing.enter_context(flying)
            return Installation(world, storage, two_ports[0], pool, **intent)

        yield on


def _check_rights_suffice(world: World) -> None:
    """Check that the rights of Certroll's own templates were enough for each request."""
    assert list(world.grants.refused) == []


def _check_states_are_named(world: World) -> None:
    """Check that no binding was written without `sslState`, which may unbind an IP-based binding."""
    assert world.web.unstated == []


def _check_handshakes(canary: Canary) -> None:
    assert canary.failures == []


def _watch_served(world: World) -> list[str]:
    """Return a list that collects each bound host name to which a change gives no certificate that covers it."""
    unserved = list[str]()

    def look() -> None:
        for name in bound_host_names(world):
            served = world.web.served(name, world.web.address_of(name) or "")
            if served is None or not any(covers(pattern, name) for pattern in _names_in(served.public_der)):
                unserved.append(name)

    world.changes.listen(look)
    return unserved


@cache
def _names_in(der: bytes) -> tuple[str, ...]:
    return dns_names(x509.load_der_x509_certificate(der))


def _check_served(unserved: list[str]) -> None:
    assert unserved == []


def _watch_bindings(world: World) -> list[str]:
    """Return a list that collects every change of a binding's kind or address, even a brief change."""
    before, harm = bindings_and_addresses(world), list[str]()

    def look() -> None:
        after = bindings_and_addresses(world)
        changed = (name for name in before | after if before.get(name) != after.get(name))
        harm.extend(f"{name}: {before.get(name)} -> {after.get(name)}" for name in changed)

    world.changes.listen(look)
    return harm


def _check_unharmed(harm: list[str]) -> None:
    assert harm == []


@pytest.fixture
def crasher(monkeypatch: pytest.MonkeyPatch) -> Crasher:
    """Return the object that simulates the death of the process after a chosen write."""
    return Crasher(monkeypatch)
