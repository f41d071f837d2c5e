"""One stand and one pool for all scenarios; each test brings its own world.

Storage is in memory, on the world's clock, and the SDKs reach Azure in process. A test with the mark `real_storage` has
its journal and leases on Azurite; one with `real_transport` reaches Azure by TLS through the proxy.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from typing import cast

import pytest

from local.azure.wire import Request, Response
from local.azure.world import World
from local.azurite import Azurite
from local.frontend.visitor import Canary
from local.stand import Stand
from shared.clients.azure import connect
from shared.clients.key_vault import KeyVault
from shared.domain.where import CloudName, DnsServer, StorageAddress
from shared.ports import Ports
from shared.runtime import READERS
from tests.in_process import in_process
from tests.scenarios.installation import Crasher, Installation
from tests.scenarios.storage import AzuriteStorage, MemoryStorage
from tests.scenarios.worlds import bindings_and_addresses

Install = Callable[..., Installation]
Connections = Callable[..., tuple[Ports, Ports]]
CANARY_PAUSE = 0.05
NO_STORAGE = "DefaultEndpointsProtocol=http;AccountName=nobody;AccountKey=bm9uZQ==;EndpointSuffix=nowhere.invalid"
"""What clients are connected to whose journal and leases are put in memory."""


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Real storage."""
    with Azurite() as running:
        yield running


@pytest.fixture(scope="session")
def stand() -> Iterator[Stand]:
    """A local Azure, and an environment in which every SDK client finds it."""
    with Stand() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment().items():
            patch.setenv(name, value)
        yield running


@pytest.fixture(scope="session")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for reads."""
    with ThreadPoolExecutor(READERS) as running:
        yield running


class WorldClock:
    """The clock of whatever world is served: connections outlive worlds, as they outlive runs in production."""

    def __init__(self, stand: Stand) -> None:
        """Follow the stand."""
        self._stand = stand

    def now(self) -> datetime:
        """Return the world's moment."""
        return self._stand.world.clock.now()

    def sleep(self, seconds: float) -> None:
        """Move the world's clock."""
        self._stand.world.clock.sleep(seconds)


@pytest.fixture(scope="session")
def connections(stand: Stand) -> Connections:
    """Return a function that gives the SDK clients for two instances of the Function App; they are made once."""
    dns = (DnsServer("127.0.0.1", stand.dns.port),)

    def azure(request: Request) -> Response:
        return stand.proxy.azure.handle(request)  # of whatever world is served by then

    @cache
    def connected(storage: str, *, real_transport: bool) -> tuple[Ports, Ports]:
        def instance() -> Ports:
            transport = None if real_transport else in_process(azure)
            address = StorageAddress(storage)
            return connect(CloudName.PUBLIC, None, address, WorldClock(stand), dns_servers=dns, transport=transport)

        return instance(), instance()

    return connected


@pytest.fixture
def real_storage(request: pytest.FixtureRequest) -> Azurite | None:
    """Azurite where the test asks for it or dies in the middle; it is started for the first test that does."""
    asked = request.node.get_closest_marker("real_storage") or "crasher" in request.fixturenames
    return request.getfixturevalue("azurite") if asked else None


@pytest.fixture
def two_ports(
    request: pytest.FixtureRequest, connections: Connections, real_storage: Azurite | None
) -> tuple[Ports, Ports]:
    """Real SDK clients for two instances of the Function App."""
    real_transport = request.node.get_closest_marker("real_transport") is not None
    storage = real_storage.connection_string if real_storage else NO_STORAGE
    return connections(storage, real_transport=real_transport)


@pytest.fixture
def install(
    stand: Stand, pool: ThreadPoolExecutor, two_ports: tuple[Ports, Ports], real_storage: Azurite | None
) -> Iterator[Install]:
    """Return a function that puts an installation on a world.

    One changed address or kind of binding fails the test, also one that is put right by the next request, unless the
    test changes bindings itself and is `meddled`. Where it is `watched` a canary visits every bound host name from then
    on, and one bad handshake fails the test.
    """
    with ExitStack() as closing, ExitStack() as landing:

        def on(world: World, *, watched: bool = False, meddled: bool = False, **intent: object) -> Installation:
            landing.close()
            stand.use(world)
            storage = AzuriteStorage(real_storage.connection_string) if real_storage else MemoryStorage(world.clock)
            storage.clear()
            for ports in two_ports:  # worlds of one seed give their versions the same ids
                cast("KeyVault", ports.vault).forget()
            if not meddled:
                closing.callback(_check_unharmed, _watch_bindings(world))
            if watched:
                flying = stand.canary()
                flying.pause = CANARY_PAUSE
                closing.callback(_check_handshakes, flying)
                landing.enter_context(flying)
            return Installation(world, storage, two_ports[0], pool, **intent)

        yield on


def _check_handshakes(canary: Canary) -> None:
    assert canary.failures == []


def _watch_bindings(world: World) -> list[str]:
    """Return a list that gets every change of a binding's kind or address, were it for the length of a request."""
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
    """Return what kills the process after a write."""
    return Crasher(monkeypatch)
