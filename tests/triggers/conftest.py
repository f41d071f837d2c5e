"""Provide Azurite, Microsoft's storage emulator, for all trigger tests."""

from collections.abc import Iterator

import pytest

from local.azurite import Azurite
from tests.triggers.app import Storage


@pytest.fixture(scope="package")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Yield an Azurite that only the trigger tests use."""
    with Azurite(tmp_path_factory.mktemp("triggers") / "azurite.log") as running:
        yield running


@pytest.fixture
def storage(azurite: Azurite) -> Storage:
    """Return the storage account on the tests' Azurite, without messages and records."""
    storage = Storage(azurite)
    storage.clear()
    return storage
