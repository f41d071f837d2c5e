"""CRT102: a certificate in use has ended."""

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
    Verdict,
    failed,
    not_applicable,
    passed,
)
from shared.compliance.subjects import CopyFacts
from shared.domain.shown import Source

MOST = 5
"""How many places a finding names."""


def check(copy: CopyFacts, facts: Facts) -> Verdict:
    """Fail a certificate that has ended and is in use. On stopped sites alone it is less bad."""
    ends = copy.listed.moment("expirationDate")
    bindings = facts.bindings_of(copy.copy.thumbprint, copy.copy.webspace)
    named = facts.named_by(copy.copy.thumbprint)
    if not bindings and not named:
        return not_applicable("no site shows it and no app names it")
    found = Evidence("expirationDate", ends.isoformat(), facts.now.isoformat(), copy.listed.read_at, copy.listed.source)
    if ends > facts.now:
        return passed(found)
    places = sorted({binding.site for binding in bindings} | set(named))
    seen = [facts.site_by_ref[place].site.running for place in places if place in facts.site_by_ref]
    severity = Severity.CRITICAL if any(seen) or not seen else Severity.HIGH
    where = ", ".join(map(str, places[:MOST]))
    return failed(
        f"the certificate has ended on {ends:%Y-%m-%d %H:%M} UTC and is in use at {where}", found, severity=severity
    )


RULE = Rule(
    id="CRT102",
    name="ExpiredInUse",
    title="A certificate in use has ended",
    why="Every visitor of the site meets an error, or the app's calls are refused.",
    area=Area.CERTIFICATES,
    severity=Severity.CRITICAL,
    citations=(Citation('Azure docs, "Secure a custom DNS name with a TLS/SSL binding"'),),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.copies,
    check=check,
    fix=Fix.ROTATION,
    remedy=("Renew the certificate in its vault, or import the newest version, and look why it was not carried."),
    silent="An unused certificate. Waive it where another TLS end stands in front of the site.",
    examples=(
        Example(
            "the bound certificate has ended",
            changes.certificate(issueDate="2026-05-15T00:00:00+00:00", expirationDate="2026-10-10T00:00:00+00:00"),
            Status.FAIL,
        ),
        Example("the bound certificate is valid", {}, Status.PASS),
        Example(
            "only a stopped site uses it",
            changes.both(
                changes.certificate(issueDate="2026-05-15T00:00:00+00:00", expirationDate="2026-10-10T00:00:00+00:00"),
                changes.site(state="Stopped"),
            ),
            Status.FAIL,
            Severity.HIGH,
        ),
        Example(
            "nobody uses it",
            changes.both(
                changes.certificate(issueDate="2026-05-15T00:00:00+00:00", expirationDate="2026-10-10T00:00:00+00:00"),
                changes.unbound(),
            ),
            Status.NOT_APPLICABLE,
        ),
    ),
)
