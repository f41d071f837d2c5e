"""The compliance sweep looks at the whole fleet once a day, and writes a report."""

import json
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from local.azure.scripting.faults import Fault
from local.azure.world import World
from local.azurite import Azurite
from shared.clients.storage.reports import CONTAINER, BlobReports
from shared.ports.journal import Reports
from tests.build import NOW
from tests.memory_storage import MemoryReports
from tests.scenarios.conftest import Install
from tests.scenarios.installation import Installation
from tests.scenarios.storage import MemoryStorage
from tests.scenarios.test_settings_memory import quiet_street
from tests.scenarios.worlds import small_world

DAY = timedelta(days=1)


def checked(installation: Installation) -> dict[str, Any]:
    """Run a compliance sweep to its end, and return its report."""
    installation.begin_compliance()
    installation.deliver_all(during=timedelta(hours=7))
    reports = cast("MemoryStorage", installation.storage).reports
    return cast("dict[str, Any]", json.loads(reports.files["latest/report.json"]))


def findings(report: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the findings of a report, as pairs of rule and subject."""
    return {(found["rule"], found["label"]) for found in report["findings"] if found["status"] == "fail"}


def test_report_lists_what_is_out_of_order(install: Install) -> None:
    """The report names each site that answers plain HTTP, with evidence and the command that mends it."""
    installation = install(small_world())
    report = checked(installation)
    assert ("CRT204", "site shop/staging") in findings(report)
    (found,) = [found for found in report["findings"] if (found["rule"], found["label"]) == ("CRT204", "site shop")]
    assert found["evidence"][0]["field"] == "httpsOnly"
    assert found["evidence"][0]["value"] is False
    assert found["remedy"].endswith("--resource-group contoso --name shop --https-only true")
    assert report["hidden"] == []


def test_one_configuration_is_read_once_a_day(install: Install) -> None:
    """A compliance sweep reads each site's and slot's configuration once, and the next one on that day reads none."""
    world = small_world()
    installation = install(world)
    world.journal.clear()
    checked(installation)
    assert set(configurations(world).values()) == {1}
    assert len(configurations(world)) == 4
    world.journal.clear()
    checked(installation)
    assert configurations(world) == {}
    world.clock.advance(DAY)
    checked(installation)
    assert set(configurations(world).values()) == {1}


def test_hourly_sweep_reads_no_configuration(install: Install) -> None:
    """The hourly sweep sends no request for the compliance rules."""
    world = small_world()
    installation = install(world)
    world.journal.clear()
    installation.sweep_everything()
    assert configurations(world) == {}


def test_finding_keeps_its_first_day_until_it_is_mended(install: Install) -> None:
    """A finding keeps its id and its first day, and is closed once its rule has looked and passed."""
    world = small_world()
    installation = install(world)
    first = by_label(checked(installation), "CRT204")
    world.clock.advance(DAY)
    (shop,) = [site for site in world.web.sites.values() if site.full_name == "shop"]
    world.web.put_site(replace(shop, properties={**shop.properties, "httpsOnly": True}))
    report = checked(installation)
    later = by_label(report, "CRT204")
    assert "site shop" not in later
    assert later["site api"]["id"] == first["site api"]["id"]
    assert later["site api"]["first_seen"] == first["site api"]["first_seen"] < later["site api"]["last_seen"]
    assert [(found["rule"], found["label"], found["why"]) for found in report["closed"]] == [
        ("CRT204", "site shop", "the rule says pass")
    ]


def by_label(report: dict[str, Any], rule: str) -> dict[str, dict[str, Any]]:
    """Return the findings of a rule by their subject."""
    return {found["label"]: found for found in report["findings"] if found["rule"] == rule}


def configurations(world: World) -> Counter[str]:
    """Return how often Certroll read the configuration of each site and slot."""
    return Counter(entry.path for entry in world.journal.reads("management.azure.com") if "/config/web" in entry.path)


def test_refused_configurations_are_not_checked(install: Install) -> None:
    """What Azure refuses to show is not checked, with the reason, and never passes; everything else is judged."""
    world = small_world()
    world.faults.add(Fault("denied", "GET", path=r"/shop/config/web$", times=None))
    report = checked(install(world))
    entries = {entry["label"]: entry for entry in report["not_checked"] if entry["source"] == "config"}
    assert entries.keys() == {"site shop", "site shop/staging"}
    assert entries["site shop"]["reason"] == "DeniedByAzure"
    assert "CRT301" in entries["site shop"]["rules"]
    assert entries["site shop/staging"]["rules"] == ["CRT408"], "the slot is compared with its site"
    assert ("CRT204", "site shop") in findings(report)
    (rule,) = [rule for rule in report["rules"] if rule["id"] == "CRT301"]
    assert rule["counts"] == {"pass": 3, "not_checked": 1}


def test_fleet_too_large_for_one_run_is_read_on(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    """What a run has no time to read another run reads, each site once, and the last run writes the report."""
    caplog.set_level("INFO", logger="certroll")
    town = quiet_street(40)
    town.world.faults.add(Fault("latency", "GET", path="/config/web$", seconds=30.0, times=None))
    town.world.journal.clear()
    report = checked(install(town.world))
    assert set(configurations(town.world).values()) == {1}
    assert len(configurations(town.world)) == len(list(town.world.web.sites.values()))
    assert [entry for entry in report["not_checked"] if entry["source"] == "config"] == []
    told = [json.loads(line)["event"] for line in caplog.messages if '"compliance.' in line]
    assert told.count("compliance.goes_on") >= 1
    assert told[-1] == "compliance.completed"


def test_second_message_waits_for_the_first_run(install: Install) -> None:
    """Two messages at once never read the fleet twice: the second comes back later and reads what is not fresh."""
    world = small_world()
    installation = install(world)
    installation.begin_compliance()
    message = installation.queue.take(world.clock.now())
    assert message is not None
    world.journal.clear()
    with installation.ports.leases.hold("compliance"):
        installation.deliver(message)
    assert configurations(world) == {}
    assert [waiting.visible_at > world.clock.now() for waiting in installation.queue.waiting()] == [True]


def test_report_begins_anew_where_the_last_one_is_unreadable(install: Install) -> None:
    """A report that a later release wrote, or that somebody broke, is replaced."""
    installation = install(small_world())
    storage = cast("MemoryStorage", installation.storage)
    storage.reports.files["latest/report.json"] = b"{broken"
    assert checked(installation)["schema"] == "certroll-report/1"


@pytest.mark.parametrize("kind", ["in memory", "on Azurite"])
def test_reports_are_kept_for_ninety_days(kind: str, request: pytest.FixtureRequest) -> None:
    """The last report is there under `latest`, the report of each day under its day, and none older than 90 days."""
    with ExitStack() as stack:
        if kind == "in memory":
            reports: Reports = MemoryReports()
        else:
            azurite: Azurite = request.getfixturevalue("azurite")
            service = stack.enter_context(BlobServiceClient.from_connection_string(azurite.connection_string))
            with suppress(ResourceNotFoundError):
                service.delete_container(CONTAINER)
            reports = BlobReports(service)
        assert reports.latest() is None
        for day in (0, 1, 91):
            reports.put(NOW + day * DAY, {"report.json": f"{day}".encode(), "inventory.csv": b"place"})
        assert reports.latest() == b"91"
        names = {f"{day:%Y-%m-%d}" for day in (NOW + DAY, NOW + 91 * DAY)} | {"latest"}
        assert {name.partition("/")[0] for name in reports.names()} == names
