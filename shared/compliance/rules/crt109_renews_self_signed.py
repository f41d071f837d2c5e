"""CRT109: the vault will replace a certificate with a self-signed one."""

from shared.compliance import changes
from shared.compliance.facts import Facts
from shared.compliance.issued import contents
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

VERSION = {
    "version": "v2",
    "thumbprint": "A" * 40,
    "created": "2026-09-15T01:00:00+00:00",
    "not_before": "2026-09-15T00:00:00+00:00",
    "not_after": "2027-03-15T00:00:00+00:00",
    "enabled": True,
    "facts": {"self_signed": True},
}
OWN: changes.World = {"objects": {"wildcard": {"versions": [VERSION]}}}


def check(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail a policy that renews with the issuer Self where an authority issued the newest version."""
    if known.lineage.ref.kind is ObjectKind.SECRET:
        return not_applicable("a plain secret has no policy")
    found = evidence(known.policy, "issuer.name", None)
    actions = [action.text("action").lower() for action in known.policy.entries("lifetime_actions")]
    if known.policy.text("issuer.name").lower() != "self" or "autorenew" not in actions:
        return passed(found)
    if contents(known).self_signed:
        return passed(found)
    return failed(f"the policy of {known.label} makes the next version self-signed", found)


RULE = Rule(
    id="CRT109",
    name="RenewsSelfSigned",
    title="The vault renews the certificate with a self-signed one",
    why=("The next automatic renewal replaces the certificate of an authority with one that no client trusts."),
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation("cert-manager-key-vault-sync issue 21"), Citation("PSRule.Rules.Azure issue 1159")),
    needs=frozenset({Source.POLICY}),
    about=lambda facts: facts.objects,
    check=check,
    fix=Fix.COMMAND,
    remedy="Set the issuer of the policy to Unknown, and the action to EmailContacts.",
    silent="A vault certificate whose versions are all self-signed, such as a root.",
    examples=(
        Example(
            "an authority issued the newest version, and the policy says Self",
            changes.policy(issuer={"name": "Self"}),
            Status.FAIL,
        ),
        Example("the policy names an authority", {}, Status.PASS),
        Example(
            "all versions are self-signed", changes.both(changes.policy(issuer={"name": "Self"}), OWN), Status.PASS
        ),
    ),
)
