"""CRT103: the vault has not renewed a certificate when its policy says so."""

from datetime import timedelta

from shared.compliance import changes
from shared.compliance.changes import dated
from shared.compliance.facts import Facts
from shared.compliance.issued import newest
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

WHOLE = 100
PATIENCE = timedelta(hours=48)
"""How late a renewal may be. An authority may take a day."""
EARLY = changes.policy(
    lifetime_actions=[{"action": "AutoRenew", "trigger": {"lifetime_percentage": None, "days_before_expiry": 60}}]
)


def check(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail a vault certificate whose renewal is late, or whose policy renews before half of the issued life."""
    if known.lineage.ref.kind is ObjectKind.SECRET:
        return not_applicable("a plain secret has no policy")
    version = newest(known)
    life = version.not_after - version.not_before
    actions = known.policy.entries("lifetime_actions")
    renewals = [action for action in actions if action.text("action").lower() == "autorenew"]
    if not renewals or known.policy.text("issuer.name").lower() == "unknown":
        return not_applicable("the policy renews nothing (CRT108)")
    percentage = renewals[0].value("trigger.lifetime_percentage")
    if percentage is None:
        before = timedelta(days=renewals[0].number("trigger.days_before_expiry"))
        found = evidence(renewals[0], "trigger.days_before_expiry", None)
    else:
        before = life * (WHOLE - renewals[0].number("trigger.lifetime_percentage")) / WHOLE
        found = evidence(renewals[0], "trigger.lifetime_percentage", None)
    due = version.not_after - before
    if before > life / 2:
        return failed(
            f"the policy of {known.label} renews before half of a life of {life.days} days",
            found,
            severity=Severity.MEDIUM,
        )
    if facts.now <= due + PATIENCE:
        return passed(found)
    return failed(f"the vault was to renew {known.label} on {due:%Y-%m-%d}, and has not", found)


RULE = Rule(
    id="CRT103",
    name="RenewalLate",
    title="The vault has not renewed the certificate when its policy says so",
    why=(
        "The vault tried and failed, or cannot try. The certificate ends while everybody trusts the automatic renewal."
    ),
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation("Azure Policy 12ef42cb-9903-4e39-9c26-422d29570417"), Citation("ARO-RP issue 4383")),
    needs=frozenset({Source.POLICY}),
    about=lambda facts: facts.objects,
    check=check,
    fix=Fix.COMMAND,
    remedy="az keyvault certificate pending show --vault-name {vault} --name {name}",
    silent=(
        "A policy that renews nothing. The share counts of the life that the authority issued, and not of the "
        "policy's validity."
    ),
    examples=(
        Example("the renewal was due a week ago", dated("2026-05-10", "2026-11-30"), Status.FAIL),
        Example("the renewal is not due yet", {}, Status.PASS),
        Example("the renewal is due since yesterday", dated("2026-05-27", "2026-12-13"), Status.PASS),
        Example(
            "sixty days before the end of a certificate of 47 days",
            changes.both(dated("2026-10-20", "2026-12-06"), EARLY),
            Status.FAIL,
            Severity.MEDIUM,
        ),
        Example("an ACME tool renews", changes.policy(issuer={"name": "Unknown"}), Status.NOT_APPLICABLE),
    ),
)
