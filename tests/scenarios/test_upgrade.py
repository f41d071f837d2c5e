"""Start this release on the settings, the journal and the fleet that an earlier release left in the middle of its work.

tests/journal/fleets has what earlier releases left. Today's code leaves the same fleet in the same way.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from local import variants
from local.azure.world import World
from shared.clients.storage.edge import record_of
from shared.clients.storage.kinds import reader_of
from shared.domain.intent import Intent
from shared.settings import load_settings
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Crasher, Installation
from tests.scenarios.storage import TABLES, MemoryStorage
from tests.scenarios.upgrade_worlds import ON, ONE, SHOP, Kept, Town, carry, keep, put_records, restore, rows_of

TESTS = Path(__file__).parents[1]
LEFT = sorted((TESTS / "journal" / "fleets").glob("*.json"))
BEFORE: dict[str, str] = json.loads((TESTS / "infra" / "settings_before.json").read_text(encoding="utf-8"))
ROLLED = ("billing", "ledger")
"""The apps whose client certificate the earlier release was rolling."""
LATER_TABLES = {"certrollsettings", "certrollfacts"}
"""The tables that no release before this one has."""
LASTING = {"RolledBack", "VersionHeld", "UnknownTag", "MalformedMessage"}
"""The reasons of the findings that are open before the upgrade, and whose causes an upgrade leaves."""


def settings_of(variant: str) -> dict[str, str]:
    """Return the app settings that the templates give in a variant."""
    found = [entry for entry in variants.document(variant)["predictedResources"] if "appsettings" in entry["name"]]
    settings: dict[str, str] = found[0]["properties"]
    return settings


def intent_of(settings: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Intent:
    """Return what Certroll reads from the app settings."""
    with monkeypatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        return load_settings().intent


def installed(install: Install, world: World, intent: Intent) -> Installation:
    """Install Certroll with the settings, and with the rights of the templates for them."""
    every = {field.name: getattr(intent, field.name) for field in fields(intent)}
    return install(world, variant="upgrade", **every)


@pytest.fixture(params=[*LEFT, None], ids=lambda file: file.stem if file else "today")
def left(
    request: pytest.FixtureRequest,
    install: Install,
    crasher: Crasher,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Kept:
    """Return what a release left; a release keeps the file `left.json` of this fixture in tests/journal/fleets."""
    file: Path | None = request.param
    if file is None:
        town, file = Town(), tmp_path / "left.json"
        carried = installed(install, town.world, intent_of(BEFORE, monkeypatch))
        carry(town, carried, crasher)
        file.write_text(json.dumps(keep(town, carried), indent=1) + "\n", encoding="utf-8")
    kept: Kept = json.loads(file.read_text(encoding="utf-8"))
    return kept


@pytest.fixture
def upgraded(left: Kept, install: Install, monkeypatch: pytest.MonkeyPatch) -> tuple[Town, Installation]:
    """Return the fleet as the release left it, and today's Certroll with the settings of the new templates."""
    town = Town()
    found = restore(left, town)
    installation = installed(install, town.world, intent_of(settings_of("upgrade"), monkeypatch))
    put_records(found, installation, cast("MemoryStorage", installation.storage))
    return town, installation


def first_seen(installation: Installation) -> dict[tuple[Any, Any], Any]:
    """Return when Certroll first saw the cause of each open finding that lasts."""
    rows = (row for row in installation.rows("certrollfindings") if row.get("state") == "open")
    return {(row["subject"], row["reason"]): row["first_seen"] for row in rows if row["reason"] in LASTING}


def work(installation: Installation) -> None:
    """Sweep, deliver all messages, and check that Azure refused no request and that Certroll could read each row."""
    installation.sweep_everything()
    installation.deliver_all(timedelta(hours=3))
    assert installation.errors == []
    assert list(installation.world.grants.refused) == []
    assert "RecordUnreadable" not in {reason for _, reason in installation.findings()}, installation.details()


def test_settings_mean_the_same_after_the_upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll reads the same from the settings of the templates as from those that a person had set by hand."""
    before, after = (intent_of(settings, monkeypatch) for settings in (BEFORE, settings_of("upgrade")))
    assert {field.name: getattr(after, field.name) for field in fields(after)} == {
        field.name: getattr(before, field.name) for field in fields(before)
    }
    assert all(getattr(before, name) for name in ("freeze", "restart_window", "ase_max_unavailable", "order_actions"))


def test_stopped_app_starts_at_once_after_the_upgrade(upgraded: tuple[Town, Installation]) -> None:
    """The first minute after the upgrade starts the app that the earlier release had stopped."""
    town, installation = upgraded
    assert town.state("jobs") == "Stopped"
    installation.minutes(1)
    assert town.state("jobs") == "Running"
    assert installation.errors == []


@pytest.mark.parametrize("file", LEFT, ids=lambda file: file.stem)
def test_each_row_of_an_earlier_release_is_read(file: Path) -> None:
    """Certroll can read each row of the journal, the history and the findings that an earlier release has left."""
    town = Town()
    read = {
        record_of(reader_of(table, row), row) and table
        for table, row in rows_of(restore(json.loads(file.read_text()), town))
    }
    assert read == set(TABLES) - LATER_TABLES


def test_work_goes_on_after_the_upgrade(upgraded: tuple[Town, Installation]) -> None:
    """Certroll finishes what was begun, and what was held, found or asked for by a person lasts as it was."""
    town, installation = upgraded
    newest, since, dead = dict(town.versions()), first_seen(installation), installation.kept()
    assert installation.rolls() == {
        "billing": "Overlapping",
        "pinned": "RolledBack",
        "jobs": "Pending",
        "mail": "Pending",
    }
    assert town.bound()["shop.contoso.com"] == newest["web 1"].thumbprint
    assert {reason for _, reason in since} == LASTING
    work(installation)
    assert {name: installation.rolls()[name] for name in (*ROLLED, "pinned")} == {
        "billing": "Validated",
        "ledger": "Validated",
        "pinned": "RolledBack",
    }
    both = f"{newest['client 1'].thumbprint},{newest['client 2'].thumbprint}"
    assert [town.listed(name) for name in (*ROLLED, "pinned")] == [both, both, town.held.thumbprint]
    assert town.bound() == dict.fromkeys(town.bound(), newest["web 2"].thumbprint)
    assert not any(record.is_open or record.requested_at for record in installation.ports.environment_records.all())
    assert {name: town.site(name).restarts for name in ("jobs", "mail")} == {"jobs": 2, "mail": 1}
    assert installation.ports.pending_starts.all() == ()
    assert first_seen(installation) == since
    assert installation.kept() == dead != []


def test_renewal_runs_after_the_upgrade(upgraded: tuple[Town, Installation]) -> None:
    """A certificate that renews after the upgrade reaches every binding and app; a person can release the held one."""
    town, installation = upgraded
    work(installation)
    for name in ("web", "client"):
        town.vaults[0].renew(name, tags=ON)
        installation.look_at(ONE, name)
    town.strict.accept_authority()
    installation.release(SHOP, "held")
    installation.deliver_all(timedelta(hours=2))
    newest = dict(town.versions())
    assert town.bound() == dict.fromkeys(town.bound(), newest["web 3"].thumbprint)
    last = dict.fromkeys(ROLLED, newest["client 3"].thumbprint) | {"pinned": newest["held 2"].thumbprint}
    assert {name: town.listed(name).rpartition(",")[2] for name in last} == last
    assert {installation.rolls()[name] for name in last} == {"Validated"}
    assert installation.errors == []
