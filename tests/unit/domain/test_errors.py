"""What can go wrong, as the core sees it."""

from shared.domain.errors import SettingsInvalid


def test_every_wrong_setting_is_in_the_message() -> None:
    """The log of a host that does not start names all that is to be mended."""
    error = SettingsInvalid(("CERTROLL_VAULTS: is missing", "CERTROLL_MODE: 'x' is none"))
    assert str(error) == "CERTROLL_VAULTS: is missing; CERTROLL_MODE: 'x' is none"
