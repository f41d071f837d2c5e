"""The domain's error classes carry messages for operators."""

from shared.domain.errors import SettingsInvalid


def test_every_wrong_setting_is_in_the_message() -> None:
    """The error about invalid settings names every setting that the operator has to correct."""
    error = SettingsInvalid(("CERTROLL_VAULTS: is missing", "CERTROLL_MODE: 'x' is none"))
    assert str(error) == "CERTROLL_VAULTS: is missing; CERTROLL_MODE: 'x' is none"
