"""Real storage for all trigger tests."""

from collections.abc import Iterator

import pytest

from local.azurite import Azurite
from tests.triggers.app import Storage


@pytest.fixture(scope="package")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Return storage that nobody else uses."""
    with Azurite(tmp_path_factory.mktemp("triggers") / "azurite.log") as running:
        yield running


@pytest.fixture
def storage(azurite: Azurite) -> Storage:
    """Return that storage as tests look at it, empty."""
    storage = Storage(azurite.connection_string)
    storage.clear()
    return storage
