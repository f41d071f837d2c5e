"""Certroll remembers which certificates an app's settings name, without secrets, and knows when to read them again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.fleet.app_settings import LOAD_LIST, ROOT_LIST, ReferenceKind, SiteSettings
from shared.domain.fleet.fleet import Fleet
from shared.domain.fleet.settings_memory import LONGEST, Memory, memory_of, must_read, recalled, remembered
from shared.domain.fleet.settings_reading import read_settings
from shared.domain.fleet.sites import Site
from shared.domain.names import Thumbprint
from tests.build import HOUR, NEW, NOW, OLD, app_settings, copy, site, site_ref

DAY = timedelta(days=1)
SHOP = replace(site(), modified=NOW - HOUR)
SECRET = "5EC2E7" + "0" * 34
VALUES = {
    LOAD_LIST: f"{OLD},{NEW},junk",
    ROOT_LIST: "*",
    "PIN": OLD,
    "PATH_OF": f"/var/ssl/certs/{NEW}.der",
    "SECRET": SECRET,
    "URL": f"https://x/?key={SECRET[::-1]}&other={OLD}",
    "LED": "@Microsoft.KeyVault(SecretUri=https://kv-shop.vault.azure.net/secrets/shop/0123)",
    "FEATURE": "on",
}
READ = replace(read_settings(app_settings(VALUES)), not_text=frozenset({"ODD"}))


def kept(settings: SiteSettings = READ, seen: Site = SHOP) -> Memory:
    """Return what Certroll remembers of the settings."""
    memory = memory_of(seen, settings, NOW)
    assert memory is not None
    return memory


def known(*thumbprints: Thumbprint) -> SiteSettings:
    """Return the remembered settings in a fleet, where Certroll knows the given thumbprints."""
    settings = remembered(site_ref(), kept().text)
    assert settings is not None
    (found,) = recalled(Fleet(NOW, settings=(settings,)), thumbprints).settings
    return found


def test_remembered_settings_name_what_the_read_settings_name() -> None:
    """With all thumbprints known, a memory has everything that plans use, except values, digests and places."""
    found = known(*READ.mentions)
    assert found.remembered
    assert set(found.references) == set(READ.references)
    assert found.mentions == READ.mentions
    assert found.vault_references == READ.vault_references
    assert (found.odd_entries, found.odd_roots, found.not_text) == (1, READ.odd_roots, frozenset({"ODD"}))
    assert (found.no_lists, found.loads_everything) == (READ.no_lists, False)
    assert (found.count, dict(found.digests)) == (len(VALUES), {})
    everything = kept(read_settings(app_settings({LOAD_LIST: "*"})))
    assert (remembered(site_ref(), everything.text) or READ).loads_everything


def test_what_may_be_a_secret_is_remembered_as_a_digest() -> None:
    """A memory has no value of 40 hex digits outside of lists and paths, and finds it again only if it is known."""
    text = kept().text
    assert SECRET not in text
    assert SECRET[::-1] not in text
    assert SECRET not in repr(kept())
    lists = {reference.thumbprint for reference in READ.references if reference.kind is not ReferenceKind.PIN}
    assert known().named == lists
    assert known().mentions == {}
    assert {pin.key for pin in known(OLD).pins} == {"PIN", "PATH_OF"}
    assert known(OLD).mentions == {OLD: READ.mentions[OLD]}


def test_a_fleet_that_was_read_stays_as_it_is() -> None:
    """Settings that Certroll has read in this inspection do not change, whatever Certroll knows."""
    fleet = Fleet(NOW, settings=(READ,), certificates=(copy("web", OLD),))
    assert recalled(fleet, fleet.thumbprints) is fleet
    mixed = replace(fleet, settings=(READ, known()))
    assert recalled(mixed, fleet.thumbprints).settings[0] is READ
    assert READ.count == len(VALUES)
    assert not READ.remembered


@pytest.mark.parametrize("text", ["", "[]", "{}", "5", '{"odd": [1]}', kept().text.replace(NEW, "x"), "[" * 100_000])
def test_a_memory_of_another_form_is_none(text: str) -> None:
    """A text that somebody changed is no memory, so that Certroll reads the settings from Azure."""
    assert remembered(site_ref(), text) is None


def test_settings_without_a_moment_and_long_ones_are_not_remembered() -> None:
    """Certroll remembers nothing of an app without a moment, and nothing of settings that would be too long."""
    assert memory_of(site(), READ, NOW) is None
    many = {Thumbprint(f"{number:040X}"): frozenset({"URL"}) for number in range(LONGEST // 32 + 1)}
    assert memory_of(SHOP, replace(READ, mentions=many), NOW) is None
    assert memory_of(SHOP, replace(READ, not_text=frozenset({"x" * LONGEST})), NOW) is None


@pytest.mark.parametrize(
    ("seen", "memory", "interval", "must"),
    [
        pytest.param(SHOP, None, DAY, True, id="nothing remembered"),
        pytest.param(site(), kept(), DAY, True, id="Azure shows no moment"),
        pytest.param(replace(SHOP, modified=NOW), kept(), DAY, True, id="the moment moved"),
        pytest.param(replace(SHOP, modified=NOW - DAY), kept(), DAY, True, id="the moment moved back"),
        pytest.param(SHOP, kept(), DAY, False, id="nothing changed"),
        pytest.param(SHOP, kept(), timedelta(0), True, id="the setting is 0"),
        pytest.param(SHOP, replace(kept(), read_at=NOW + HOUR), DAY, True, id="read in the future"),
        pytest.param(SHOP, replace(kept(), read_at=NOW - DAY), DAY, True, id="a whole day old"),
    ],
)
def test_settings_are_read_when_they_changed(
    seen: Site, memory: Memory | None, interval: timedelta, *, must: bool
) -> None:
    """Certroll reads settings if it has no memory, if the moment differs, or if the interval is over."""
    assert must_read(seen, memory, NOW, interval) is must


@pytest.mark.parametrize(
    ("minutes", "rebound", "must"),
    [(14, True, False), (15, True, True), (14, False, True)],
    ids=["by the renewal", "long ago", "by somebody else"],
)
def test_moment_that_the_renewal_moved_costs_no_read_for_a_while(minutes: int, *, rebound: bool, must: bool) -> None:
    """A renewal reads no settings again for a quarter of an hour because it moved the bindings of the site itself."""
    memory = replace(kept(), read_at=NOW - timedelta(minutes=minutes), modified=SHOP.modified or NOW)
    moved = replace(SHOP, modified=NOW)
    assert must_read(moved, memory, NOW, DAY, rebound=rebound) is must
    assert must_read(replace(SHOP, modified=None), memory, NOW, DAY, rebound=rebound)


@pytest.mark.parametrize("interval", [DAY, HOUR, timedelta(minutes=90), timedelta(milliseconds=5)])
def test_every_site_is_read_once_in_an_interval(interval: timedelta) -> None:
    """Each site has one time in each interval, these times are spread, and no memory is older than the interval."""
    due = []
    for number in range(96):
        seen = replace(site(f"app{number}"), modified=NOW)
        memory = replace(kept(seen=seen), read_at=NOW)
        assert must_read(seen, memory, NOW + interval, interval)
        due.append([must_read(seen, memory, NOW + interval * part / 24, interval) for part in range(25)])
        assert due[-1] == sorted(due[-1])
    if interval >= HOUR:
        assert max(sum(hours[part + 1] and not hours[part] for hours in due) for part in range(24)) < 16
