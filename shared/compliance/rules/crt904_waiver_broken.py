"""CRT904: a waiver does not count."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.rule import (
    Area,
    Citation,
    Evidence,
    Example,
    Fix,
    Rule,
    Severity,
    Status,
    Subject,
    Verdict,
    failed,
    passed,
)
from shared.compliance.waivers import waivers_in
from shared.domain.shown import Source


def check(carrier: Subject, facts: Facts) -> Verdict:
    """Fail a resource with a waiver that has ended, is malformed, or names no rule."""
    waivers, broken = waivers_in(carrier.waiver_tags, facts.now, facts.rule_ids)
    at = facts.fleet.taken_at
    if not broken:
        return passed(*(Evidence("waiver", waiver.rule, None, at, Source.LIST) for waiver in waivers))
    first = broken[0]
    found = tuple(Evidence(waiver.tag, waiver.text, None, at, Source.LIST) for waiver in broken)
    return failed(f"the tag {first.tag} of {carrier.label} does not count: {first.problem}", *found)


RULE = Rule(
    id="CRT904",
    name="WaiverBroken",
    title="A waiver does not count",
    why="Its owner believes that the finding is accepted, and it comes back without a word.",
    area=Area.CERTROLL,
    severity=Severity.LOW,
    citations=(Citation("docs/reference/compliance.md, waivers"),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.waiving,
    check=check,
    fix=Fix.COMMAND,
    remedy="Write a rule, a day at most 366 days ahead, and a reason into the tag, or delete the tag.",
    silent="Resources without a waiver.",
    examples=(
        Example(
            "the waiver has ended", changes.tagged(certroll_waive="CRT904 2026-10-31 the scanner goes"), Status.FAIL
        ),
        Example("the waiver counts", changes.tagged(certroll_waive="CRT904 2027-03-31 the scanner goes"), Status.PASS),
        Example("it gives no reason", changes.tagged(certroll_waive="CRT904 2027-03-31"), Status.FAIL),
        Example("it names no rule", changes.tagged(certroll_waive="CRT999 2027-03-31 because"), Status.FAIL),
        Example("it lasts for years", changes.tagged(certroll_waive="CRT904 2029-03-31 because"), Status.FAIL),
    ),
)
