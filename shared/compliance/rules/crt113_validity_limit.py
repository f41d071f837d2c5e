"""CRT113: a public certificate is valid for too long."""

from datetime import timedelta

from shared.compliance import changes
from shared.compliance.changes import dated
from shared.compliance.facts import Facts
from shared.compliance.issued import contents, newest
from shared.compliance.rule import (
    Area,
    Citation,
    Evidence,
    Example,
    Fix,
    Rule,
    Severity,
    Status,
    Verdict,
    failed,
    not_applicable,
    not_effective,
    passed,
)
from shared.compliance.subjects import ObjectFacts
from shared.domain.certificates.calendar import VALIDITY_LIMITS
from shared.domain.shown import Source

PRIVATE: changes.World = {
    "objects": {
        "wildcard": {
            "versions": [
                {**changes.NEWEST, "not_after": "2027-07-12T00:00:00+00:00", "facts": {"public_policy": False}}
            ]
        }
    }
}


def check(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail a public certificate that is valid for longer than the limit on the day of its issue."""
    version = newest(known)
    if not contents(known).public_policy:
        return not_applicable("no public authority issued it")
    limit = next((days for since, days in VALIDITY_LIMITS if version.not_before >= since), None)
    if limit is None:
        return not_effective("it was issued before the first limit")
    life = version.not_after - version.not_before
    found = Evidence("validity", f"{life.days} days", f"{limit} days", facts.now, Source.POLICY)
    if life <= timedelta(days=limit):
        return passed(found)
    return failed(f"the newest version of {known.label} is valid for {life.days} days, and {limit} are allowed", found)


RULE = Rule(
    id="CRT113",
    name="ValidityLimit",
    title="A public certificate is valid for longer than its day of issue allows",
    why="Browsers refuse a certificate that is valid for longer than the Forum allows.",
    area=Area.CERTIFICATES,
    severity=Severity.MEDIUM,
    citations=(
        Citation("CA/Browser Forum, Baseline Requirements, 6.3.2 (SC-081v3)"),
        Citation("Azure Policy 0a075868-4c26-42ef-914c-5bc007359560"),
    ),
    needs=frozenset({Source.POLICY}),
    about=lambda facts: facts.objects,
    check=check,
    fix=Fix.COMMAND,
    remedy="Have the certificate issued again with a shorter validity.",
    silent="A certificate of a private authority, and one that was issued before the limit began.",
    examples=(
        Example("a certificate of 2026 is valid for 300 days", dated("2026-09-15", "2027-07-12"), Status.FAIL),
        Example("a certificate of 2026 is valid for 181 days", {}, Status.PASS),
        Example("a private authority issued it", PRIVATE, Status.NOT_APPLICABLE),
        Example("300 days were allowed on its day of issue", dated("2026-03-14", "2027-01-08"), Status.PASS),
        Example("it was issued before the first limit", dated("2020-08-31", "2026-12-12"), Status.NOT_EFFECTIVE),
    ),
)
