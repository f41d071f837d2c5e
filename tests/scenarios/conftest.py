"""One Azurite, one stand and one pool for all scenarios; each test brings its own world."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.azure.world import World
from local.azurite import Azurite
from local.frontend.visitor import Canary
from local.stand import Stand
from tests.scenarios.installation import Crasher, Installation, clear_storage

Install = Callable[..., Installation]


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


@pytest.fixture
def install(azurite: Azurite, stand: Stand, pool: ThreadPoolExecutor) -> Install:
    """Return a function that puts an installation on a world."""

    def on(world: World, **intent: object) -> Installation:
        stand.use(world)
        clear_storage(azurite.connection_string)
        return Installation(world, azurite.connection_string, pool, **intent)

    return on


@pytest.fixture
def crasher(monkeypatch: pytest.MonkeyPatch) -> Crasher:
    """Return what kills the process after a write."""
    return Crasher(monkeypatch)


@pytest.fixture
def canary(stand: Stand) -> Iterator[Canary]:
    """Visit every bound host name throughout the test; one bad handshake fails it."""
    with stand.canary() as flying:
        yield flying
    assert flying.handshakes > 0
    assert flying.failures == []
