"""Build the report of a compliance sweep from the results of the rules and the report before.

The report is a value of plain JSON types, in a fixed order, so that two reports of the same facts are equal:

    ```
    findings      what failed or was waived, with the day on which it was first seen
    not_checked   what could not be checked, by subject and source, with the rules concerned
    closed        what the last report had and this one has no more, because the rule passed or the subject is gone
    rules         every rule with its sources, and how often it said what
    hidden        what the inspection of the fleet could not see
    certificates  the inventory: each certificate with the places that use it
    ```
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.compliance.engine import Result
from shared.compliance.facts import Facts
from shared.compliance.inventory import inventory
from shared.compliance.rule import AnyRule, Evidence, Severity, Status
from shared.domain.fleet.fleet import BlindSpot

SCHEMA = "certroll-report/1"
OPEN = frozenset({Status.FAIL, Status.WAIVED})
UNCHECKED = frozenset({Status.NOT_CHECKED, Status.ERROR})
MOST_CLOSED = 1000
"""How many closed findings a report lists. The number of all of them is in the counts."""

Json = dict[str, Any]


def compile_report(
    facts: Facts, results: Sequence[Result], rules: Iterable[AnyRule], before: Mapping[str, Any] | None, version: str
) -> Json:
    """Return the report of the results. `before` is the last report, from which come the days of first sight."""
    earlier = _earlier(before)
    statuses = {result.id: result.status for result in results}
    findings = [_finding(result, facts.now, earlier) for result in results if result.status in OPEN]
    unseen, closed = _over(facts, statuses, earlier)
    findings += unseen
    by_rule = Counter((result.rule.id, str(result.status)) for result in results)
    return {
        "schema": SCHEMA,
        "version": version,
        "at": _time(facts.now),
        "counts": _counts(findings, results, len(closed)),
        "findings": sorted(findings, key=_worst_first),
        "not_checked": _not_checked(results, facts.now, before),
        "closed": closed[:MOST_CLOSED],
        "rules": [_rule(rule, by_rule) for rule in rules],
        "hidden": sorted(
            ({"subject": spot.subject, "reason": str(spot.reason), "detail": spot.detail} for spot in _hidden(facts)),
            key=lambda spot: (spot["subject"], spot["reason"]),
        ),
        "certificates": inventory(facts),
    }


def text_of(report: Json) -> str:
    """Return a report as JSON text."""
    return json.dumps(report, ensure_ascii=False, indent=1) + "\n"


def parse_report(text: bytes) -> Json | None:
    """Return the report in a JSON text, or None for anything else, such as a report of a later release."""
    try:
        report = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) and report.get("schema") == SCHEMA else None


def changes(report: Json, before: Mapping[str, Any] | None) -> tuple[list[Json], list[Json]]:
    """Return the findings that the report has and the last one had not, and the findings that are closed."""
    earlier = _earlier(before)
    return [found for found in report["findings"] if found["id"] not in earlier], report["closed"]


def _finding(result: Result, now: datetime, earlier: Mapping[str, Mapping[str, Any]]) -> Json:
    first = earlier.get(result.id, {}).get("first_seen", _time(now))
    waiver = result.waiver
    return {
        "id": result.id,
        "rule": result.rule.id,
        "name": result.rule.name,
        "status": str(result.status),
        "severity": str(result.severity),
        "subject": result.subject,
        "label": result.label,
        "detail": result.verdict.detail,
        "evidence": [_evidence(found) for found in result.verdict.evidence],
        "fix": str(result.rule.fix),
        "remedy": remedy_of(result),
        "first_seen": first,
        "last_seen": _time(now),
        "waiver": None if waiver is None else {"until": waiver.until.isoformat(), "reason": waiver.reason},
    }


def remedy_of(result: Result) -> str:
    """Return how to mend a finding, with the names of its subject in place of the placeholders."""
    text = result.verdict.remedy or result.rule.remedy
    for name, value in _names(result.subject).items():
        text = text.replace("{" + name + "}", value)
    return text


def _names(subject: str) -> dict[str, str]:
    """Return the names in the key of a subject: of a resource id, of a host name behind `#`, or of a vault."""
    resource, _, host = subject.partition("#")
    parts = resource.split("/")
    pairs = dict(zip(parts[1::2], parts[2::2], strict=False)) if resource.startswith("/") else {}
    names = {"subscription": pairs.get("subscriptions", ""), "group": pairs.get("resourcegroups", ""), "host": host}
    site, slot = pairs.get("sites", ""), pairs.get("slots", "")
    names["name"] = f"{site} --slot {slot}" if slot else site or parts[-1]
    names["vault"] = parts[1] if resource.startswith("vault/") else parts[0] if not resource.startswith("/") else ""
    return names


def _evidence(found: Evidence) -> Json:
    value, expected = (list(each) if isinstance(each, tuple) else each for each in (found.value, found.expected))
    return {
        "field": found.field,
        "value": value,
        "expected": expected,
        "read_at": _time(found.read_at),
        "source": str(found.source),
    }


def _counts(findings: Sequence[Json], results: Sequence[Result], closed: int) -> Json:
    by_status = Counter(str(result.status) for result in results)
    failing = Counter(found["severity"] for found in findings if found["status"] == Status.FAIL)
    return {
        "by_status": {str(status): by_status.get(str(status), 0) for status in Status},
        "by_severity": {str(severity): failing.get(str(severity), 0) for severity in Severity},
        "closed": closed,
    }


def _not_checked(results: Iterable[Result], now: datetime, before: Mapping[str, Any] | None) -> list[Json]:
    """Return what could not be checked, one entry for each subject and source, with the rules concerned."""
    since = {_key_of(entry): entry.get("first_seen") for entry in _entries(before, "not_checked")}
    found: dict[tuple[str, str], Json] = {}
    for result in results:
        if result.status not in UNCHECKED:
            continue
        source = str(result.source or "rule")
        entry = {
            "subject": result.subject,
            "label": result.label,
            "source": source,
            "status": str(result.status),
            "reason": str(result.gap or "RuleFailed"),
            "detail": result.verdict.detail,
            "rules": [],
        }
        known = found.setdefault((result.subject, source), entry)
        known["rules"].append(result.rule.id)
    for key, entry in found.items():
        entry["first_seen"] = since.get(key) or _time(now)
    return [found[key] for key in sorted(found)]


def _key_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    return str(entry.get("subject")), str(entry.get("source"))


def _over(
    facts: Facts, statuses: Mapping[str, Status], earlier: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Json], list[Json]]:
    """Return of the last report's findings those that nobody could check this time, and those that are over.

    A finding is over if its rule passed or no longer applies, or if a complete look shows that its subject is gone.
    """
    seen_all = not any(True for _ in _hidden(facts))
    unseen, closed = list[Json](), list[Json]()
    for key, found in sorted(earlier.items()):
        status = statuses.get(key)
        if status in OPEN:
            continue
        if status in UNCHECKED or (status is None and not seen_all):
            unseen.append({**found, "status": str(Status.NOT_CHECKED)})
            continue
        why = "the subject is gone" if status is None else f"the rule says {status}"
        closed.append({**{name: found.get(name) for name in _KEPT}, "closed_at": _time(facts.now), "why": why})
    return unseen, closed


_KEPT = ("id", "rule", "name", "severity", "subject", "label", "detail", "first_seen", "last_seen")


def _hidden(facts: Facts) -> Iterable[BlindSpot]:
    return (spot for spot in (*facts.fleet.blind_spots, *facts.unseen) if not spot.versions_only)


def _rule(rule: AnyRule, counts: Mapping[tuple[str, str], int]) -> Json:
    found = {str(status): counts.get((rule.id, str(status)), 0) for status in Status}
    return {
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "why": rule.why,
        "area": str(rule.area),
        "severity": str(rule.severity),
        "citations": [{"text": citation.text, "url": citation.url} for citation in rule.citations],
        "silent": rule.silent,
        "counts": {status: number for status, number in found.items() if number},
    }


def _earlier(before: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    """Return the findings of the last report by id."""
    return {str(found.get("id")): found for found in _entries(before, "findings")}


def _entries(before: Mapping[str, Any] | None, name: str) -> list[Mapping[str, Any]]:
    entries = (before or {}).get(name)
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def _worst_first(finding: Json) -> tuple[bool, int, str, str]:
    order: list[str] = [str(severity) for severity in Severity]
    place = order.index(finding["severity"]) if finding.get("severity") in order else len(order)
    return finding.get("status") == Status.WAIVED, place, str(finding.get("rule")), str(finding.get("subject"))


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
