"""CRT112: a certificate has a weak signature."""

from shared.compliance.changes import newest_facts as facts_of
from shared.compliance.facts import Facts
from shared.compliance.issued import contents
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
    passed,
)
from shared.compliance.subjects import ObjectFacts
from shared.domain.certificates.requirements import WEAK_HASHES
from shared.domain.shown import Source


def check(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail a version whose issuer signed with a weak hash. The signature of a self-signed root means nothing."""
    facts_of_it = contents(known)
    found = Evidence("signature", facts_of_it.signature_hash, "sha256", facts.now, Source.POLICY)
    if facts_of_it.self_signed or facts_of_it.signature_hash.lower() not in WEAK_HASHES:
        return passed(found)
    return failed(f"the newest version of {known.label} is signed with {facts_of_it.signature_hash}", found)


RULE = Rule(
    id="CRT112",
    name="WeakSignature",
    title="The signature of a certificate is weak",
    why="Clients refuse signatures with SHA-1 and MD5, and forgeries of MD5 exist.",
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation("CA/Browser Forum, Baseline Requirements, 7.1.3"),),
    needs=frozenset({Source.POLICY}),
    about=lambda facts: facts.objects,
    check=check,
    fix=Fix.COMMAND,
    remedy="Have the certificate issued again: every public authority signs with SHA-256 or better.",
    silent="A self-signed root: clients trust its key, and not its signature.",
    examples=(
        Example("the issuer signed with SHA-1", facts_of(signature_hash="sha1"), Status.FAIL),
        Example("the issuer signed with SHA-256", {}, Status.PASS),
        Example("a root signed itself with SHA-1", facts_of(signature_hash="sha1", self_signed=True), Status.PASS),
    ),
)
