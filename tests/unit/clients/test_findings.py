"""Certroll logs a finding as it opens, changes and closes, and once a day while its cause lasts."""

import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.clients.storage.rows import Entity
from shared.domain.errors import StorageFailed
from shared.domain.findings import Finding, HistoryEntry, OpenFinding, SeenBy
from shared.domain.names import SiteRef
from shared.domain.reason import Reason
from shared.domain.subject import site_subject
from shared.ports.journal import Findings
from tests.build import DAY, HOUR, NOW, REF, SUBSCRIPTION, WEST, ManualClock, site_ref
from tests.small_storage import SmallStorage, ports_on

SCOPE = str(REF)
ELSEWHERE = "00000000-0000-0000-0000-00000000000b"
FOUND = Finding(NOW, SCOPE, "binding a.contoso.com of shop", Reason.NOT_COVERED, "issue a certificate for it")
OTHER = replace(FOUND, subject="binding b.contoso.com of shop")


@pytest.fixture
def storage() -> SmallStorage:
    """Return empty storage in memory."""
    return SmallStorage()


@pytest.fixture
def findings(storage: SmallStorage) -> Findings:
    """Return the findings of a journal on that storage."""
    return ports_on(storage, ManualClock()).findings


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> "Told":
    """Return what the log says about findings, since the last time that the test asked."""
    caplog.set_level(logging.INFO, logger="certroll")
    return Told(caplog)


class Told:
    """What the log says about findings."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        """Read the log from its beginning."""
        self._caplog = caplog

    def lines(self) -> list[dict[str, object]]:
        """Return the lines since the last call."""
        lines = [json.loads(line) for line in self._caplog.messages]
        self._caplog.clear()
        return lines

    def states(self) -> list[tuple[str, object]]:
        """Return the event and the state of each line since the last call."""
        return [(str(line["event"]), line.get("state")) for line in self.lines()]


def rows(storage: SmallStorage) -> dict[object, dict[str, object]]:
    """Return the row of each finding, by its subject."""
    return {row["subject"]: dict(row) for row in storage.all("certrollfindings")}


def at(moment: timedelta, finding: Finding = FOUND) -> Finding:
    """Return the finding as a later inspection sees it."""
    return replace(finding, at=NOW + moment)


def everything(_: OpenFinding) -> bool:
    """Close each open finding."""
    return True


def test_finding_is_logged_when_it_opens_and_once_a_day(findings: Findings, told: Told) -> None:
    """A cause that lasts for three days is in the log once when it opens and then once a day, not once an hour."""
    logged = []
    for hour in range(3 * 24):
        findings.report((at(hour * HOUR),))
        logged += [(hour, line["state"]) for line in told.lines()]
    assert logged == [(0, "opened"), (23, "lasts"), (46, "lasts"), (69, "lasts")]


def test_row_says_since_when_and_until_when(findings: Findings, storage: SmallStorage) -> None:
    """The row of a finding has the first and the last time that Certroll saw its cause, and who has to act."""
    for hour in range(5):
        findings.report((at(hour * HOUR),))
    row = rows(storage)[FOUND.subject]
    assert (row["first_seen"], row["last_seen"]) == (NOW, NOW + 4 * HOUR)
    assert (row["state"], row["person"], row["severity"]) == ("open", True, "high")


def test_late_report_does_not_turn_time_back(findings: Findings, storage: SmallStorage) -> None:
    """A slow run that saw the cause earlier than another run does not make the last sight of the cause older."""
    findings.report((at(HOUR),))
    findings.report((FOUND,))
    assert rows(storage)[FOUND.subject]["last_seen"] == NOW + HOUR


def test_line_says_what_an_alert_needs(findings: Findings, told: Told) -> None:
    """An alert needs no list of reasons: the line says how severe the finding is, and if a person has to act."""
    findings.report((FOUND, replace(OTHER, reason=Reason.NO_OVERLAP)))
    assert [(line["severity"], line["person"]) for line in told.lines()] == [("high", True), ("info", False)]


@pytest.mark.parametrize(
    ("detail", "state"),
    [
        pytest.param("issue another certificate", "changed", id="another cause"),
        pytest.param(FOUND.detail, None, id="the same"),
        pytest.param(f"{FOUND.detail} ", "changed", id="a blank more"),
    ],
)
def test_change_of_a_finding_is_logged(findings: Findings, told: Told, detail: str, state: str | None) -> None:
    """The log has a finding again as soon as its text says something new."""
    findings.report((FOUND,))
    told.lines()
    findings.report((at(HOUR, replace(FOUND, detail=detail)),))
    assert [line["state"] for line in told.lines()] == ([state] if state else [])


def test_ids_and_times_of_azure_are_no_change(findings: Findings, told: Told) -> None:
    """The same refusal of Azure is no news each hour, although Azure's text has another id and another time."""
    text = "the client may not read it (request {}, at {})"
    ids = ("0a1b2c3d-0000-4000-8000-00000000000a", "ffffffff-1111-4111-8111-fffffffffff0")
    times = ("2026-03-01T12:00:00.123Z", "2026-03-01 13:00 UTC")
    for hour, (request, moment) in enumerate(zip(ids, times, strict=True)):
        findings.report((at(hour * HOUR, replace(FOUND, detail=text.format(request, moment))),))
    assert len(told.lines()) == 1


def test_closed_finding_is_logged_once(findings: Findings, storage: SmallStorage, told: Told) -> None:
    """When its cause is gone, a finding closes with a line in the log, and its row stays for the history."""
    findings.report((FOUND, OTHER))
    told.lines()
    findings.close(SCOPE, NOW + HOUR, lambda found: found.subject == FOUND.subject)
    findings.close(SCOPE, NOW + 2 * HOUR, lambda found: found.subject == FOUND.subject)
    (line,) = told.lines()
    assert (line["event"], line["subject"], line["reason"]) == ("finding.closed", FOUND.subject, "NotCovered")
    row = rows(storage)[FOUND.subject]
    assert (row["state"], row["closed_at"], row["first_seen"]) == ("closed", NOW + HOUR, NOW)
    assert rows(storage)[OTHER.subject]["state"] == "open"


def test_failure_of_storage_for_one_scope_hides_no_other_finding(
    findings: Findings, storage: SmallStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If storage fails with the findings of one scope, those of the other scopes are recorded."""
    write = storage.write_batch

    def failing(table: str, batch: list[Entity]) -> None:
        if any(row.get("scope") == "a" for row in batch):
            raise StorageFailed("the storage account does not answer")
        write(table, batch)

    monkeypatch.setattr(storage, "write_batch", failing)
    with pytest.raises(StorageFailed):
        findings.report((replace(FOUND, scope="a"), replace(OTHER, scope="b")))
    assert set(rows(storage)) == {OTHER.subject}


def test_cause_that_returns_opens_the_finding_again(findings: Findings, storage: SmallStorage, told: Told) -> None:
    """A cause that comes back is a new finding: it is logged at once, and it is as old as its return."""
    findings.report((FOUND,))
    findings.close(SCOPE, NOW + HOUR, everything)
    findings.report((at(2 * HOUR),))
    assert told.states() == [("finding.reported", "opened"), ("finding.closed", None), ("finding.reported", "opened")]
    row = rows(storage)[FOUND.subject]
    assert (row["state"], row["first_seen"]) == ("open", NOW + 2 * HOUR)


def test_finding_about_one_event_is_noted(findings: Findings, storage: SmallStorage, told: Told) -> None:
    """A finding about one event is never open, because nobody can inspect the event again."""
    noted = Finding(NOW, "events", "an event", Reason.MALFORMED_EVENT, "the event has no type")
    findings.report((noted,))
    findings.close("events", NOW + HOUR, everything)
    assert rows(storage)["an event"]["state"] == "noted"
    assert told.states() == [("finding.reported", "opened")]


def test_closing_knows_what_was_reported(findings: Findings) -> None:
    """The decision to close a finding gets what the report said about its cause."""
    told = replace(FOUND, seen_by=SeenBy.SITE, site=site_ref(slot="staging"), webspace=WEST)
    findings.report((told, at(DAY, told)))
    seen: list[OpenFinding] = []
    findings.close(SCOPE, NOW + DAY, lambda found: bool(seen.append(found)))  # type: ignore[func-returns-value]
    assert seen == [
        OpenFinding(told.subject, "NotCovered", SeenBy.SITE, site_ref(slot="staging"), WEST, NOW + DAY, NOW + DAY)
    ]


COLUMNS = ("state", "seen_by", "first_seen", "last_seen", "logged_at", "severity", "person", "site", "webspace")


@pytest.mark.parametrize("column", COLUMNS)
def test_row_of_an_earlier_release_ends_no_run(
    findings: Findings, storage: SmallStorage, told: Told, column: str
) -> None:
    """If a row lacks a column, because an earlier release wrote it, Certroll reports the finding as a new one."""
    findings.report((FOUND,))
    (row,) = storage.all("certrollfindings")
    storage.delete("certrollfindings", row["PartitionKey"], row["RowKey"])
    storage.write("certrollfindings", [{name: value for name, value in row.items() if name != column}])
    told.lines()
    findings.close(SCOPE, NOW, everything)
    findings.report((at(HOUR, FOUND),))
    assert told.states() == [("finding.reported", "opened")] * 2  # the row that is unreadable, and the finding
    assert rows(storage)[FOUND.subject].keys() >= set(COLUMNS)
    findings.close(SCOPE, NOW, everything)
    assert told.states() == [("finding.closed", None)]


def test_row_of_a_later_release_is_not_closed(findings: Findings, storage: SmallStorage, told: Told) -> None:
    """Certroll closes no finding whose row has a word that this release does not know, and still closes the others."""
    findings.report((FOUND, OTHER))
    row = next(row for row in storage.all("certrollfindings") if row["subject"] == FOUND.subject)
    keys = {name: row[name] for name in ("PartitionKey", "RowKey")}
    storage.write("certrollfindings", [{**keys, "seen_by": "a word of a later release"}])
    told.lines()
    findings.close(SCOPE, NOW, everything)
    assert told.states() == [("finding.reported", "opened"), ("finding.closed", None)]  # the row, and the other finding
    assert (rows(storage)[FOUND.subject]["state"], rows(storage)[OTHER.subject]["state"]) == ("open", "closed")


def test_scopes_with_findings_are_known(findings: Findings) -> None:
    """The journal lists each scope that has or had an open finding, so that a sweep inspects no other scope."""
    assert findings.scopes() == frozenset()
    findings.report((FOUND, replace(FOUND, scope="orders")))
    findings.close(SCOPE, NOW, everything)
    assert findings.scopes() == {SCOPE, "orders"}


def test_row_without_a_scope_stops_no_sweep(findings: Findings, storage: SmallStorage) -> None:
    """A row of scopes that lacks its scope hides no other scope."""
    findings.report((FOUND,))
    storage.write("certrolljournal", [{"PartitionKey": "finding-scopes", "RowKey": "x"}])
    assert findings.scopes() == {SCOPE}


ODD_TEXTS = ["half a character \ud800", "\U0001f512" * 40_000, "\ud83d" * 40_000]


@pytest.mark.parametrize("text", ODD_TEXTS, ids=["half", "counted as two", "many halves"])
def test_any_text_of_azure_is_stored(findings: Findings, storage: SmallStorage, text: str) -> None:
    """A finding is stored and closed whatever texts Azure gives: half characters, and characters that count as two."""
    findings.report((replace(FOUND, subject=text, detail=text),))
    findings.close(SCOPE, NOW, everything)
    assert [row["state"] for row in storage.all("certrollfindings")] == ["closed"]
    history = ports_on(storage, ManualClock()).history
    history.add(text, (HistoryEntry(NOW, "site.verified", text, Reason.SERVED, text),))
    assert len(storage.all("certrollhistory")) == 1


def test_two_resources_of_one_name_have_two_findings(findings: Findings, storage: SmallStorage) -> None:
    """Findings about two resources of one name stay two, each with the full id of its resource."""
    here, there = (SiteRef(subscription, "rg", "shop") for subscription in (SUBSCRIPTION, ELSEWHERE))
    both = [replace(FOUND, subject=site_subject(ref), site=ref) for ref in (here, there)]
    findings.report(tuple(both))
    findings.report((both[0],))
    kept = storage.all("certrollfindings")
    assert sorted((row["subject"], row["resource"]) for row in kept) == [
        ("site shop", here.resource_id),
        ("site shop", there.resource_id),
    ]
    findings.close(SCOPE, NOW + HOUR, lambda found: found.site == here)
    states = {row["site"]: row["state"] for row in storage.all("certrollfindings")}
    assert states == {here.resource_id: "closed", there.resource_id: "open"}


@pytest.mark.parametrize("scope", ["rg/ase", "a#b?c", "x" * 2_000])
def test_any_text_is_a_scope(findings: Findings, scope: str) -> None:
    """A scope may have any text, also one that Table storage does not take as a key."""
    findings.report((replace(FOUND, scope=scope),))
    assert findings.scopes() == {scope}
