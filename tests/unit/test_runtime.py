"""What a function works with when settings are wrong."""

import pytest

from shared.domain.errors import SettingsInvalid
from shared.domain.plan import Mode
from shared.runtime import Runtime

STORAGE = "DefaultEndpointsProtocol=https;AccountName=certroll;AccountKey=a2V5;EndpointSuffix=core.windows.net"


@pytest.fixture
def mistaken(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Return the runtime of an app that knows its storage, and has a mistake in each of two settings."""
    monkeypatch.setenv("AzureWebJobsStorage", STORAGE)
    monkeypatch.setenv("CERTROLL_ASE_MAX_UNAVAILABLE", "half")
    monkeypatch.delenv("CERTROLL_VAULTS", raising=False)
    return Runtime()


def test_what_is_owed_is_paid_in_spite_of_a_mistake(mistaken: Runtime) -> None:
    """A mistake in a setting stops all work but starting the apps that were stopped."""
    with pytest.raises(SettingsInvalid, match="CERTROLL_ASE_MAX_UNAVAILABLE"):
        mistaken.run()
    assert mistaken.bare_run().intent.mode is Mode.OBSERVE


def test_nothing_goes_without_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without storage nobody knows what is owed, and the error says what to set."""
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    with pytest.raises(SettingsInvalid, match="AzureWebJobsStorage: set it"):
        Runtime().bare_run()


def test_good_settings_share_their_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all settings are good there is one set of clients."""
    monkeypatch.setenv("AzureWebJobsStorage", STORAGE)
    monkeypatch.setenv("CERTROLL_VAULTS", "kv-shop")
    runtime = Runtime()
    assert runtime.bare_run().ports is runtime.run().ports
