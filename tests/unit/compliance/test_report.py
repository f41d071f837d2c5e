"""The report keeps what is open, closes what was checked and is over, and says what nobody could check."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any

from shared.compliance import changes
from shared.compliance.engine import judge
from shared.compliance.inventory import COLUMNS, csv_of
from shared.compliance.report import Json, compile_report, parse_report, text_of
from shared.compliance.report import changes as changes_of
from shared.compliance.rules import RULES
from tests.unit.compliance.worlds import NOW, facts_of

DAY = timedelta(days=1)
PLAIN = changes.site(httpsOnly=False)


def report(world: changes.World, before: Json | None = None, at: datetime = NOW) -> Json:
    """Return the report of all rules over a world."""
    facts = facts_of(world, at)
    return compile_report(facts, judge(facts, RULES), RULES, before, "1.0")


def found(of: Json, rule: str = "CRT204") -> list[dict[str, Any]]:
    """Return the findings of a rule in a report."""
    return [finding for finding in of["findings"] if finding["rule"] == rule]


def test_report_survives_its_storage() -> None:
    """What is read back is what was written, and anything else counts as no report."""
    written = report(PLAIN)
    assert parse_report(text_of(written).encode()) == written
    for odd in (b"", b"[]", b"{", b'{"schema": "certroll-report/2"}'):
        assert parse_report(odd) is None


def test_finding_that_nobody_could_check_stays() -> None:
    """A finding that could not be checked stays in the report as not checked, and keeps its days."""
    before = report(PLAIN)
    later = report(changes.site(httpsOnly=None), before, NOW + DAY)
    ((was,), (kept,)) = found(before), found(later)
    assert kept == {**was, "status": "not_checked"}
    assert later["closed"] == []
    assert changes_of(later, before) == ([], [])
    mended = report({}, later, NOW + 2 * DAY)
    assert found(mended) == []
    assert [(closed["rule"], closed["why"]) for closed in mended["closed"]] == [("CRT204", "the rule says pass")]


def test_finding_of_a_missing_site_closes_only_after_a_complete_inspection() -> None:
    """A site that the inspection does not show may be hidden: its finding closes only if nothing is hidden."""
    before = report(PLAIN)
    gone: changes.World = {"sites": {"shop": None}}
    hidden = report(changes.both(gone, {"blind_spots": ["sites of a subscription"]}), before, NOW + DAY)
    assert [finding["status"] for finding in found(hidden)] == ["not_checked"]
    assert hidden["hidden"][0]["subject"] == "sites of a subscription"
    later = report(gone, hidden, NOW + 2 * DAY)
    assert "CRT204" in {closed["rule"] for closed in later["closed"] if closed["why"] == "the subject is gone"}


def test_what_is_not_checked_is_told_once_for_each_source_with_its_rules() -> None:
    """A site without its configuration is one entry, which names every rule that waits for it, and since when."""
    before = report({"sites": {"shop": {"config": None}}})
    (entry,) = [entry for entry in before["not_checked"] if entry["source"] == "config"]
    assert {"CRT301", "CRT302", "CRT305"} <= set(entry["rules"])
    assert (entry["label"], entry["reason"]) == ("site shop", "NotReadYet")
    later = report({"sites": {"shop": {"config": None}}}, before, NOW + DAY)
    assert later["not_checked"][0]["first_seen"] == entry["first_seen"]


def test_command_names_the_resource_and_its_slot() -> None:
    """The command of a finding names subscription, group, site and slot, so that a person can run it."""
    slot = {"properties": {"state": "Running", "defaultHostName": "blue.azurewebsites.net", "httpsOnly": False}}
    world: changes.World = {"sites": {"shop/blue": {**slot, "tags": {}, "config": None, "settings": None}}}
    world = changes.both(world, changes.site("shop/blue", clientCertEnabled=False))
    (finding,) = [finding for finding in found(report(world)) if finding["label"] == "site shop/blue"]
    assert "--resource-group web --name shop --slot blue --https-only true" in finding["remedy"]
    assert "{" not in finding["remedy"]


def test_counts_add_up() -> None:
    """The counts by severity are those of the failing findings, and each rule counts what it said."""
    written = report(changes.both(PLAIN, changes.config(minTlsVersion="1.0")))
    failing = [finding for finding in written["findings"] if finding["status"] == "fail"]
    assert sum(written["counts"]["by_severity"].values()) == len(failing)
    assert sum(sum(rule["counts"].values()) for rule in written["rules"]) == sum(
        written["counts"]["by_status"].values()
    )


def test_inventory_names_the_places_of_each_certificate() -> None:
    """The inventory has a row for each certificate in App Service and in a vault, with hosts, apps and owner."""
    written = report({"certificates": {"wildcard": {"tags": {"Owner": "web team"}}}})
    copy, known = written["certificates"]
    assert (copy["bound_hosts"], copy["named_by"], copy["owner"]) == (["www.contoso.com"], ["shop"], "web team")
    assert (known["place"], known["version"]) == ("certificate contoso-kv/wildcard", "v2")
    rows = list(csv.DictReader(io.StringIO(csv_of(written["certificates"]))))
    assert [row["thumbprint"] for row in rows] == ["A" * 40] * 2


def test_spreadsheet_runs_no_cell() -> None:
    """A name that a spreadsheet would run as a formula is a text in the CSV."""
    row = {**dict.fromkeys(COLUMNS, ""), "owner": "=HYPERLINK(1)", "host_names": ["@x"]}
    (read,) = csv.DictReader(io.StringIO(csv_of([row])))
    assert (read["owner"], read["host_names"]) == ("'=HYPERLINK(1)", "'@x")
