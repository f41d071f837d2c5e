"""CRT101: a certificate in use ends soon."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.lifetimes import in_words, severity_of_rest
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


def check(copy: CopyFacts, facts: Facts) -> Verdict:
    """Fail a certificate that a site shows or an app names, and of whose life little is left."""
    ends = copy.listed.moment("expirationDate")
    began = copy.listed.moment("issueDate")
    thumbprint = copy.copy.thumbprint
    if not facts.bindings_of(thumbprint, copy.copy.webspace) and not facts.named_by(thumbprint):
        return not_applicable("no site shows it and no app names it; CRT105 is about unused certificates")
    rest = ends - facts.now
    found = Evidence("expirationDate", ends.isoformat(), None, copy.listed.read_at, copy.listed.source)
    severity = severity_of_rest(ends - began, rest)
    if rest.total_seconds() <= 0:
        return not_applicable("it has ended; CRT102 reports it")
    if severity is None:
        return passed(found)
    return failed(
        f"the certificate in use ends in {in_words(rest)}, on {ends:%Y-%m-%d %H:%M} UTC", found, severity=severity
    )


RULE = Rule(
    id="CRT101",
    name="Expiring",
    title="A certificate in use ends soon",
    why="When the certificate ends, every visitor of the site meets an error, and every call of the app is refused.",
    area=Area.CERTIFICATES,
    severity=Severity.MEDIUM,
    citations=(
        Citation("PCI DSS 4.0.1, 4.2.1.1"),
        Citation("Azure Policy f772fb64-8e40-40ad-87bc-7706e1949427"),
    ),
    needs=frozenset({Source.LIST}),
    about=lambda facts: facts.copies,
    check=check,
    fix=Fix.NONE,
    remedy="Renew the certificate in its vault; Certroll carries the new version to the sites.",
    silent="A certificate that nobody uses is CRT105's, and one that has ended is CRT102's.",
    examples=(
        Example(
            "two weeks of half a year are left",
            changes.certificate(issueDate="2026-05-15T00:00:00+00:00", expirationDate="2026-11-18T00:00:00+00:00"),
            Status.FAIL,
            Severity.HIGH,
        ),
        Example("four months are left", {}, Status.PASS),
        Example(
            "a week of half a year is left",
            changes.certificate(issueDate="2026-05-15T00:00:00+00:00", expirationDate="2026-11-10T00:00:00+00:00"),
            Status.FAIL,
            Severity.CRITICAL,
        ),
        Example(
            "ten of 47 days are left, which is when a policy of 80 % renews",
            changes.certificate(issueDate="2026-09-28T00:00:00+00:00", expirationDate="2026-11-14T00:00:00+00:00"),
            Status.PASS,
        ),
        Example(
            "nobody uses the certificate",
            changes.both(changes.unbound(), changes.certificate(expirationDate="2026-11-10T00:00:00+00:00")),
            Status.NOT_APPLICABLE,
        ),
    ),
)
