"""CRT108: nobody renews a vault certificate."""

from fractions import Fraction
from itertools import pairwise, starmap

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
from shared.domain.certificates.version import CertificateVersion
from shared.domain.names import ObjectKind
from shared.domain.shown import Source

UNKNOWN = "unknown"
"""The issuer of a certificate that somebody imports, in lower case."""
SHARE = Fraction(1, 10)
"""Half the share of a life that is left when a renewal in time comes: Key Vault renews at 80 %."""
MAILS = {"action": "EmailContacts", "trigger": {"lifetime_percentage": None, "days_before_expiry": 30}}
LATE: changes.World = {
    "objects": {
        "wildcard": {
            "versions": [
                {
                    "version": "v2",
                    "thumbprint": "A" * 40,
                    "created": "2026-10-01T00:00:00+00:00",
                    "not_before": "2026-10-01T00:00:00+00:00",
                    "not_after": "2027-03-15T00:00:00+00:00",
                    "enabled": True,
                    "facts": {},
                },
                {
                    "version": "v1",
                    "thumbprint": "B" * 40,
                    "created": "2026-03-20T01:00:00+00:00",
                    "not_before": "2026-03-20T00:00:00+00:00",
                    "not_after": "2026-10-06T00:00:00+00:00",
                    "enabled": True,
                    "facts": {},
                },
            ]
        }
    }
}


def check(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail a vault certificate without automatic renewal, unless its last versions came in time from outside."""
    if known.lineage.ref.kind is ObjectKind.SECRET:
        return not_applicable("a plain secret has no policy")
    issuer = known.policy.text("issuer.name")
    actions = [action.text("action").lower() for action in known.policy.entries("lifetime_actions")]
    found = evidence(known.policy, "issuer.name", None)
    if "autorenew" in actions and issuer.lower() != UNKNOWN:
        return passed(found)
    versions = known.lineage.versions
    if len(versions) > 1 and all(starmap(_came_in_time, pairwise(versions[:3]))):
        return failed(f"a tool from outside renews {known.label}, in time so far", found, severity=Severity.INFO)
    return failed(f"no action of the policy renews {known.label}; its issuer is {issuer}", found)


def _came_in_time(newer: CertificateVersion, older: CertificateVersion) -> bool:
    """Return True if a version came before the last fifth of its forerunner's life was half over."""
    life = older.not_after - older.not_before
    return older.not_after - newer.created >= life * SHARE.numerator / SHARE.denominator


RULE = Rule(
    id="CRT108",
    name="NobodyRenews",
    title="Nothing in the vault renews the certificate",
    why="The certificate ends unless somebody remembers it. At 47 days that is every month.",
    area=Area.CERTIFICATES,
    severity=Severity.MEDIUM,
    citations=(
        Citation("Azure Policy 12ef42cb-9903-4e39-9c26-422d29570417"),
        Citation("Azure Policy 8e826246-c976-48f6-b03e-619bb92b3d82"),
    ),
    needs=frozenset({Source.POLICY}),
    about=lambda facts: facts.objects,
    check=check,
    fix=Fix.COMMAND,
    remedy="az keyvault certificate set-attributes --vault-name {vault} --name {name} --policy @policy.json",
    silent=("ACME tools import versions with the issuer Unknown: as long as they come in time, that is a remark only."),
    examples=(
        Example(
            "the policy only sends mails, and the last version came late",
            changes.both(changes.policy(issuer={"name": "Unknown"}, lifetime_actions=[MAILS]), LATE),
            Status.FAIL,
        ),
        Example("the policy renews", {}, Status.PASS),
        Example(
            "a tool imported the last version in time",
            changes.policy(issuer={"name": "Unknown"}, lifetime_actions=[]),
            Status.FAIL,
            Severity.INFO,
        ),
    ),
)
