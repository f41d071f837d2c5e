"""One Azurite, one stand and one pool for all scenarios; each test brings its own world."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from typing import cast

import pytest

from local.azure.world import World
from local.azurite import Azurite
from local.frontend.visitor import Canary
from local.stand import Stand
from shared.clients.azure import connect
from shared.clients.key_vault import KeyVault
from shared.domain.ports import Ports
from shared.domain.where import CloudName, DnsServer, StorageAddress
from tests.scenarios.installation import Crasher, Installation, clear_storage
from tests.scenarios.worlds import bindings_and_addresses

Install = Callable[..., Installation]
CANARY_PAUSE = 0.05


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
    with ThreadPoolExecutor(8) as running:
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
def two_ports(azurite: Azurite, stand: Stand) -> tuple[Ports, Ports]:
    """Real SDK clients for two instances of the Function App."""
    address = StorageAddress(azurite.connection_string)
    dns = (DnsServer("127.0.0.1", stand.dns.port),)
    one, two = (connect(CloudName.PUBLIC, None, address, WorldClock(stand), dns_servers=dns) for _ in range(2))
    return one, two


@pytest.fixture
def install(
    azurite: Azurite, stand: Stand, pool: ThreadPoolExecutor, two_ports: tuple[Ports, Ports]
) -> Iterator[Install]:
    """Return a function that puts an installation on a world.

    A canary visits every bound host name from then on: one bad handshake, or one changed address or kind of binding,
    fails the test. A test that lets nobody reach the sites is not watched; one that changes bindings is `meddled`.
    """
    with ExitStack() as closing, ExitStack() as landing:

        def on(world: World, *, watched: bool = True, meddled: bool = False, **intent: object) -> Installation:
            landing.close()
            stand.use(world)
            clear_storage(azurite.connection_string)
            for ports in two_ports:  # worlds of one seed give their versions the same ids
                cast("KeyVault", ports.vault).forget()
            if not meddled:
                closing.callback(_check_unharmed, world, bindings_and_addresses(world))
            if watched:
                flying = stand.canary()
                flying.pause = CANARY_PAUSE
                closing.callback(_check_handshakes, flying)
                landing.enter_context(flying)
            return Installation(world, azurite.connection_string, two_ports[0], pool, **intent)

        yield on


def _check_handshakes(canary: Canary) -> None:
    assert canary.failures == []


def _check_unharmed(world: World, before: dict[str, tuple[str | None, str | None]]) -> None:
    assert bindings_and_addresses(world) == before


@pytest.fixture
def crasher(monkeypatch: pytest.MonkeyPatch) -> Crasher:
    """Return what kills the process after a write."""
    return Crasher(monkeypatch)
