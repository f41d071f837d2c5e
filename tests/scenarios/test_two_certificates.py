"""Check the update of an app that names two vault certificates, and whose probe shows only one of them."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.scenarios.app_worlds import CLIENT, LIST, PIN, Street, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.worlds import VAULT

SECOND, SECOND_PIN = "signer", "SIGNER_THUMBPRINT"
HOURS = timedelta(hours=12)


def town_of_two() -> tuple[Street, str]:
    """Return an app that calls its partner with one certificate, signs with another, and shows only the first."""
    town = street()
    second = town.build.add_certificate(SECOND, ("signer.contoso.com",)).thumbprint
    town.build.add_copy(SECOND, town.linux, name="signer-linux")
    settings = {LIST: f"{town.old},{second}", PIN: town.old, SECOND_PIN: second}
    town.app("billing", settings, setting=PIN)
    return age(town), second


def deliver(installation: Installation, town: Street, breaks: Callable[[dict[str, str]], bool]) -> None:
    """Deliver all messages, while the app fails with the settings for which `breaks` returns True."""
    app, until = town.world.apps.of(town.site("billing")), installation.clock.now() + HOURS
    assert app is not None
    app.broken = breaks(town.settings("billing"))
    while (message := installation.queue.take(until)) is not None:
        installation.deliver(message)
        app.broken = breaks(town.settings("billing"))


@pytest.mark.parametrize("first", [CLIENT, SECOND])
@pytest.mark.parametrize(
    "both",
    [
        pytest.param(True, id="both at once"),
        pytest.param(False, id="the second alone", marks=pytest.mark.real_storage),
    ],
)
def test_the_certificate_that_the_probe_does_not_show_is_taken_back(
    install: Install, first: str, *, both: bool
) -> None:
    """If the new version of either certificate breaks the app, the app gets that certificate's old version back."""
    town, second = town_of_two()
    installation = install(town.world)
    new = town.renew() if both else town.old
    bad = town.world.vaults[VAULT].renew(SECOND).thumbprint
    for name in (first, CLIENT, SECOND):
        installation.look_at(VAULT, name)
    deliver(installation, town, lambda settings: settings[SECOND_PIN] == bad)
    settings = town.settings("billing")
    assert (settings[SECOND_PIN], settings[PIN]) == (second, new)
    assert bad not in settings[LIST]
    assert {new, second} <= set(settings[LIST].split(","))
    assert ("app billing", "RolledBack") in installation.findings()
    assert installation.errors == []


def test_two_certificates_of_one_app_are_renewed(install: Install) -> None:
    """A healthy app gets both new versions: one proven by its probe, one only known to keep the app working."""
    town, _ = town_of_two()
    installation = install(town.world)
    new, other = town.renew(), town.world.vaults[VAULT].renew(SECOND).thumbprint
    for name in (SECOND, CLIENT):
        installation.look_at(VAULT, name)
    deliver(installation, town, lambda _: False)
    settings = town.settings("billing")
    assert (settings[PIN], settings[SECOND_PIN]) == (new, other)
    states = {(row["certificate"], row["state"]) for row in installation.rows("certrolljournal") if "asked" in row}
    assert states == {(f"{VAULT}/{CLIENT}", "Validated"), (f"{VAULT}/{SECOND}", "Unproven")}
    assert town.world.apps.troubles() == ()
    assert installation.errors == []


def test_an_app_that_failed_already_is_not_judged(install: Install) -> None:
    """An app that fails before the write and after it keeps the new version, because its failure shows nothing."""
    town, _ = town_of_two()
    installation = install(town.world)
    other = town.world.vaults[VAULT].renew(SECOND).thumbprint
    installation.look_at(VAULT, SECOND)
    deliver(installation, town, lambda _: True)
    assert town.settings("billing")[SECOND_PIN] == other
    assert ("app billing", "BrokenBefore") in installation.findings()


def test_an_app_that_falls_back_to_another_certificate_fails(install: Install) -> None:
    """An app that showed this certificate before the write, and another one after it, gets its old version back."""
    town, second = town_of_two()
    installation = install(town.world)
    app = town.world.apps.of(town.site("billing"))
    assert app is not None
    new = town.renew()
    chosen = app.chosen
    installation.look_at(VAULT, CLIENT)
    until = installation.clock.now() + HOURS
    while (message := installation.queue.take(until)) is not None:
        installation.deliver(message)
        falls_back = town.settings("billing")[PIN] == new
        town.world.apps.add(
            town.site("billing"), town.partner, type(chosen)(SECOND_PIN) if falls_back else chosen, app.probe
        )
    assert town.settings("billing")[PIN] == town.old
    assert town.settings("billing")[SECOND_PIN] == second
    assert ("app billing", "RolledBack") in installation.findings()
