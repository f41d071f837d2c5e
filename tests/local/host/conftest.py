"""These fixtures provide Azurite, a host with the sample app, and a host with its own queue for one test."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.azurite import Azurite
from local.host import FunctionHost
from local.patience import HANG
from tests.local.host.hosted import APPS, Storage


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Yield a running Azurite that all tests share."""
    with Azurite(tmp_path_factory.mktemp("azurite") / "azurite.log") as azurite:
        yield Storage(azurite.connection_string)


@pytest.fixture(scope="session")
def host(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FunctionHost]:
    """Yield a running host of the sample app."""
    log = tmp_path_factory.mktemp("host") / "host.log"
    with FunctionHost(APPS / "sample", storage.settings, log=log) as host:
        yield host


@pytest.fixture
def queue_name() -> str:
    """Return the name of a queue that no other test uses."""
    return f"q{uuid.uuid4().hex[:12]}"


@pytest.fixture
def solo(storage: Storage, queue_name: str, tmp_path: Path) -> Callable[..., FunctionHost]:
    """Return a function that makes a host of the app `single` on its own queue, without starting the host."""

    def make(grace: float = HANG, patience: float = HANG, **settings: str) -> FunctionHost:
        chosen = {**storage.settings, "SOLO_QUEUE": queue_name, **settings}
        log = tmp_path / "host.log"
        return FunctionHost(APPS / "single", chosen, log=log, grace=grace, storage_patience=patience)

    return make
