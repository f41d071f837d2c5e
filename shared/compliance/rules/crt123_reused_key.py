"""CRT123: renewals keep the key."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.rule import (
    Area,
    Citation,
    Example,
    Fix,
    Rule,
    Severity,
    Status,
    Verdict,
    evidence,
    failed,
    not_applicable,
    passed,
)
from shared.compliance.subjects import ObjectFacts
from shared.domain.names import ObjectKind
from shared.domain.shown import Source

RENEWED = 3
"""How many versions there are after two renewals."""


def version(name: str, month: int, digit: str) -> dict[str, object]:
    """Return a version that began in a month of 2026."""
    return {
        "version": name,
        "thumbprint": digit * 40,
        "created": f"2026-{month:02}-01T00:00:00+00:00",
        "not_before": f"2026-{month:02}-01T00:00:00+00:00",
        "not_after": f"2027-{month:02}-01T00:00:00+00:00",
        "enabled": True,
        "facts": {},
    }


THREE: changes.World = {
    "objects": {"wildcard": {"versions": [version("v3", 9, "A"), version("v2", 6, "B"), version("v1", 3, "C")]}}
}


def check(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail a policy that reuses the key once two renewals have done so."""
    if known.lineage.ref.kind is ObjectKind.SECRET:
        return not_applicable("a plain secret has no policy")
    found = evidence(known.policy, "key_props.reuse_key", expected=False)
    if not known.policy.boolean("key_props.reuse_key") or len(known.lineage.versions) < RENEWED:
        return passed(found)
    return failed(
        f"the policy of {known.label} keeps the key, and there are {len(known.lineage.versions)} versions", found
    )


RULE = Rule(
    id="CRT123",
    name="ReusedKey",
    title="Renewals keep the same private key",
    why="A key that leaked once opens every later version, too.",
    area=Area.CERTIFICATES,
    severity=Severity.LOW,
    citations=(Citation("Microsoft cloud security benchmark, DP-7"),),
    needs=frozenset({Source.POLICY}),
    about=lambda facts: facts.objects,
    check=check,
    fix=Fix.COMMAND,
    remedy="Set reuse_key to false in the policy. Waive it for a key that a partner pins.",
    silent="A policy that makes a new key, and a certificate that was renewed less than twice.",
    examples=(
        Example(
            "the policy keeps the key over three versions",
            changes.both(changes.policy(key_props={"reuse_key": True, "exportable": True}), THREE),
            Status.FAIL,
        ),
        Example("the policy makes a new key", {}, Status.PASS),
        Example(
            "there is one renewal so far",
            changes.policy(key_props={"reuse_key": True, "exportable": True}),
            Status.PASS,
        ),
    ),
)
