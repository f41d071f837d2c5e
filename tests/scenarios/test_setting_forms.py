"""Check that Certroll writes thumbprints in the form that the owner of an app chose, and restores each byte."""

from dataclasses import replace
from datetime import timedelta

import pytest

from local.azure.running.loading import Letters
from local.azure.watching.app_watch import AppWatch
from tests.scenarios.app_worlds import CLIENT, LIST, PIN, Street, age, street
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.root_worlds import ROOT, ROOTS, hosted
from tests.scenarios.worlds import VAULT

HOURS = timedelta(hours=6)


def pairs(thumbprint: str, separator: str) -> str:
    """Return the thumbprint with a separator between its octets."""
    return separator.join(thumbprint[at : at + 2] for at in range(0, 40, 2))


FORMS = {
    "upper case": lambda thumbprint: thumbprint,
    "lower case": lambda thumbprint: thumbprint.lower(),
    "as the dialog of Windows copies it": lambda thumbprint: f"\u200e{pairs(thumbprint.lower(), ' ')}",
    "with no-break spaces and a line break": lambda thumbprint: f"{pairs(thumbprint, chr(0xA0))}\r\n",
    "with tabs, and U+200E between": lambda thumbprint: pairs(thumbprint, "\t\u200e"),
}
"""The forms in which .NET 10's FindByThumbprint finds a certificate."""


def pinning(letters: Letters, pin: str, listed: str, town: Street) -> None:
    """Add an app that names its certificate by the given list and thumbprint, and compares the case in `letters`."""
    app = town.app("ledger", {LIST: listed, PIN: pin}, setting=PIN, plan=town.windows)
    town.world.apps.add(town.site("ledger"), town.partner, replace(app.chosen, letters=letters), app.probe)


def renewed(install: Install, town: Street) -> tuple[Installation, str]:
    """Renew the client certificate, deliver all messages, and return the installation and the new thumbprint."""
    installation = install(age(town).world)
    new = town.renew()
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    installation.sweep()
    installation.deliver_all(HOURS)
    return installation, new


@pytest.mark.parametrize("form", FORMS)
def test_new_thumbprint_takes_the_form_of_the_old_one(install: Install, form: str) -> None:
    """Certroll writes a new thumbprint with the case, blanks and invisible characters of the old value."""
    town = street()
    pinning("any", FORMS[form](town.old), f" {town.old.lower()} ,{'AB' * 20}", town)
    with AppWatch(town.world) as watch:
        installation, new = renewed(install, town)
    assert town.settings("ledger")[PIN] == FORMS[form](new)
    assert town.settings("ledger")[LIST] == f" {town.old.lower()} ,{new.lower()},{'AB' * 20}"
    assert (watch.troubles, installation.rolls()) == ([], {"ledger": "Validated"})


@pytest.mark.parametrize("letters", ["upper", "lower"])
def test_app_that_compares_letter_by_letter_keeps_its_call(install: Install, letters: Letters) -> None:
    """An app that compares its setting with the thumbprint letter by letter works before and after the renewal."""
    town = street()
    pinning(letters, getattr(town.old, letters)(), town.old, town)
    with AppWatch(town.world) as watch:
        installation, _ = renewed(install, town)
    assert (watch.troubles, installation.rolls()) == ([], {"ledger": "Validated"})
    assert town.world.apps.troubles() == ()


@pytest.mark.parametrize("form", FORMS)
def test_settings_are_restored_byte_for_byte(install: Install, form: str) -> None:
    """If an app fails with the new version, each of its settings gets exactly the value it had before."""
    town = street()
    pinning("any", FORMS[form](town.old), f"{'ab' * 20} , {town.old.lower()} ,", town)
    before = town.settings("ledger")
    town.partner.accept_only(town.old)
    installation, _ = renewed(install, town)
    assert installation.rolls() == {"ledger": "RolledBack"}
    assert town.settings("ledger") == before
    assert town.world.apps.troubles() == ()


@pytest.mark.parametrize("letters", ["upper", "lower"])
def test_app_that_compares_letter_by_letter_works_after_the_restore(install: Install, letters: Letters) -> None:
    """An app that compares letter by letter works again after Certroll restored its settings."""
    town = street()
    pinning(letters, getattr(town.old, letters)(), town.old, town)
    town.partner.accept_only(town.old)
    installation, _ = renewed(install, town)
    assert installation.rolls() == {"ledger": "RolledBack"}
    assert town.world.apps.troubles() == ()


# --------------------------------------------------------------------------------------------- what is only mentioned


MENTIONS = {
    "a connection string": lambda thumbprint: f"FindType=FindByThumbprint;FindValue={thumbprint.lower()};StoreName=My",
    "with colons in JSON": lambda thumbprint: f'{{"client": "{pairs(thumbprint, ":")}"}}',
    "copied from Windows into a text": lambda thumbprint: f"cert=\u200e{pairs(thumbprint.lower(), ' ')};retries=3",
    "a number": lambda thumbprint: f"0x{thumbprint}",
}


@pytest.mark.parametrize("form", MENTIONS)
def test_mentioned_version_is_kept_and_reported(install: Install, form: str) -> None:
    """A sync does not take away a version that a setting contains inside a longer text, and Certroll reports the app.

    Certroll does not change the setting.
    """
    town = street()
    town.app("ledger", {LIST: "*", "BACKEND": MENTIONS[form](town.old)}, setting=PIN, plan=town.windows)
    installation, _ = renewed(install, town)
    assert [copy.thumbprint for copy in town.kept()] == [town.old]
    assert town.settings("ledger")["BACKEND"] == MENTIONS[form](town.old)
    assert ("app settings BACKEND of ledger", "ThumbprintMentioned") in installation.findings()
    assert town.old in installation.details()


def test_mention_of_the_new_version_ends_the_report(install: Install) -> None:
    """After an operator puts the new thumbprint into the longer text, Certroll reports the setting no longer."""
    town = street()
    town.app("ledger", {LIST: "*", "BACKEND": f"FindValue={town.old}"}, setting=PIN, plan=town.windows)
    installation = install(age(town).world)
    new = town.renew()
    site = town.site("ledger")
    town.world.settings.store(site, {**site.settings, "BACKEND": f"FindValue={new},{town.old}"})
    installation.look_at(VAULT, CLIENT)
    installation.deliver_all(HOURS)
    assert ("app settings BACKEND of ledger", "ThumbprintMentioned") not in installation.findings()


# --------------------------------------------------------------------------------------------- values that are no text


def give(town: Street, **values: object) -> None:
    """Set app settings of the app `ledger` to any JSON values."""
    site = town.site("ledger")
    town.world.settings.store(site, {**site.settings, **values})


def test_null_stays_null(install: Install) -> None:
    """An app with a setting that is null gets the new thumbprint, and Certroll writes null back as null."""
    town = street()
    pinning("any", town.old, town.old, town)
    give(town, NOTHING=None)
    installation, new = renewed(install, town)
    assert (town.settings("ledger")[PIN], town.site("ledger").odd_settings) == (new, {"NOTHING": None})
    assert installation.rolls() == {"ledger": "Validated"}
    assert "BlindSpot" not in {reason for _, reason in installation.findings()}


@pytest.mark.parametrize("spread", [False, True])
def test_version_that_a_value_beyond_text_mentions_is_kept_and_reported(install: Install, *, spread: bool) -> None:
    """A sync does not take away a version whose thumbprint stands inside a setting that is an object."""
    town = street()
    town.app("ledger", {LIST: "*"}, setting=PIN, plan=town.windows)
    give(town, BACKEND={"client": [{"thumbprint": pairs(town.old, ":") if spread else town.old.lower()}]})
    installation, _ = renewed(install, town)
    assert [copy.thumbprint for copy in town.kept()] == [town.old]
    assert ("app settings BACKEND of ledger", "ThumbprintMentioned") in installation.findings()


@pytest.mark.parametrize("value", [5, True, 1.5, {"a": "b"}, ["a"]], ids=repr)
def test_value_that_is_no_text_refuses_the_write_alone(install: Install, value: object) -> None:
    """If a setting is neither text nor null, Certroll writes no setting of this app, reads the rest, and goes on.

    The old version stays, and other apps are updated.
    """
    town = street()
    pinning("any", town.old, town.old, town)
    give(town, ODD=value)
    town.app("other", {LIST: town.old, PIN: town.old}, setting=PIN, plan=town.windows)
    before = town.site("ledger")
    installation, new = renewed(install, town)
    after = town.site("ledger")
    assert (after.settings, after.odd_settings) == (before.settings, before.odd_settings)
    assert town.settings("other")[PIN] == new
    assert ("app settings of ledger", "SettingNotText") in installation.findings()
    assert "BlindSpot" not in {reason for _, reason in installation.findings()}
    assert [copy.thumbprint for copy in town.kept()] == [town.old]
    assert town.world.apps.troubles() == ()


# ------------------------------------------------------------------------------------------------ what is no list

NO_LISTS = {
    "a Key Vault reference": "@Microsoft.KeyVault(VaultName=contoso-kv;SecretName=roots)",
    "an App Configuration reference": "@Microsoft.AppConfiguration(Endpoint=https://a.azconfig.io; Key=roots)",
    "a star": "*",
    "a wrong entry": "nonsense",
}


@pytest.mark.parametrize("form", NO_LISTS)
def test_root_list_that_is_none_stays_as_it_is(install: Install, form: str) -> None:
    """Certroll never writes a thumbprint over a root list that leads elsewhere, and says what to do."""
    town = hosted(**{"certroll-root-on": "billing, orders"})
    for name, value in (("billing", NO_LISTS[form]), ("orders", town.old)):
        town.app(name, {ROOTS: value})
        town.upload(name)
    town.restart_all()
    installation, before = install(town.world), town.settings("billing")
    for _ in range(2):
        new = town.renew(**{"certroll-root-on": "billing, orders"})
        installation.look_at(VAULT, ROOT, kind="secret")
        installation.deliver_all(HOURS)
        installation.sweep()
        installation.deliver_all(HOURS)
        assert town.settings("billing") == before
        assert new in town.settings("orders")[ROOTS]
        assert ("root list of billing", "NotAList") in installation.open_findings()
        assert f"put {new} into the list" in installation.details()
    assert town.restarts()["billing"] == 0
    assert installation.errors == []


@pytest.mark.parametrize("form", [form for form in NO_LISTS if form != "a star"])
def test_load_list_that_is_none_stays_as_it_is(install: Install, form: str) -> None:
    """Certroll writes neither a load list that leads elsewhere, nor a setting that depends on the list."""
    town = street()
    town.app("ledger", {LIST: NO_LISTS[form], PIN: town.old}, setting=PIN, plan=town.windows)
    before = town.settings("ledger")
    installation, _ = renewed(install, town)
    assert (town.settings("ledger"), town.restarts("ledger")) == (before, 0)
    assert ("app settings of ledger", "NotAList") in installation.open_findings()
    assert installation.errors == []
