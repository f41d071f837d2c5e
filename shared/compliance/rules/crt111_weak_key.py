"""CRT111: a certificate has a weak key."""

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
from shared.domain.certificates.requirements import CURVES, SMALLEST_RSA_KEY
from shared.domain.certificates.version import KeyType
from shared.domain.shown import Source


def check(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail an RSA key below 2,048 bits, and a curve that TLS servers do not know. A private authority is less bad."""
    facts_of_it = contents(known)
    found = Evidence(
        "key",
        f"{facts_of_it.key_type} {facts_of_it.curve or facts_of_it.key_size}",
        "RSA 2048",
        facts.now,
        Source.POLICY,
    )
    weak = (
        facts_of_it.key_size < SMALLEST_RSA_KEY
        if facts_of_it.key_type is KeyType.RSA
        else facts_of_it.curve not in CURVES
    )
    if facts_of_it.key_type is KeyType.OTHER or not weak:
        return passed(found)
    severity = Severity.HIGH if facts_of_it.public_policy else Severity.MEDIUM
    return failed(f"the newest version of {known.label} has the key {found.value}", found, severity=severity)


RULE = Rule(
    id="CRT111",
    name="WeakKey",
    title="The key of a certificate is weak",
    why="Clients refuse the certificate, and somebody with enough machines can compute the key.",
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(
        Citation("CA/Browser Forum, Baseline Requirements, 6.1.5"),
        Citation("Azure Policy cee51871-e572-4576-855c-047c820360f0"),
    ),
    needs=frozenset({Source.POLICY}),
    about=lambda facts: facts.objects,
    check=check,
    fix=Fix.COMMAND,
    remedy="Issue the certificate again with an RSA key of 2,048 bits or the curve P-256.",
    silent="Keys of other kinds, which the requirements of the upload judge.",
    examples=(
        Example("the RSA key has 1,024 bits", facts_of(key_size=1024), Status.FAIL),
        Example("the RSA key has 2,048 bits", {}, Status.PASS),
        Example(
            "a private authority signed an RSA key of 1,024 bits",
            facts_of(key_size=1024, public_policy=False),
            Status.FAIL,
            Severity.MEDIUM,
        ),
        Example("the curve is P-384", facts_of(key_type="EC", curve="secp384r1", key_size=384), Status.PASS),
    ),
)
