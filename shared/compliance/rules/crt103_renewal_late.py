"""CRT103: a vault, or Azure itself, has not renewed a certificate in time."""

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
from shared.compliance.subjects import CopyFacts, ObjectFacts
from shared.compliance.uses import require_all_sites, shown_at
from shared.domain.names import ObjectKind
from shared.domain.shown import Gap, NotSeen, Shown, Source

WHOLE = 100
PERCENTAGE, DAYS = "trigger.lifetime_percentage", "trigger.days_before_expiry"
MOST = {PERCENTAGE: WHOLE - 1, DAYS: 36_500}
"""The highest number that makes sense in a trigger: Key Vault takes 1 to 99 percent. No life is over a century."""
PATIENCE = timedelta(hours=48)
"""How late a vault's renewal may be. An authority may take a day."""
AZURE_RENEWS, AZURE_SHARE = timedelta(days=45), 4
"""How long before the end Azure renews a managed certificate: 45 days, the last quarter of a life of six months. Of a
shorter life the quarter counts, because 45 days may be all of it."""
AZURE_PATIENCE = timedelta(days=3)
"""How late Azure's renewal of a managed certificate may be."""


def check(subject: ObjectFacts | CopyFacts, facts: Facts) -> Verdict:
    """Fail a certificate whose vault, or Azure itself, has not renewed it in time."""
    return _of_azure(subject, facts) if isinstance(subject, CopyFacts) else _of_vault(subject, facts)


def _of_vault(known: ObjectFacts, facts: Facts) -> Verdict:
    """Fail a late renewal, and a policy with days before the end that are over half of the issued life."""
    if known.lineage.ref.kind is ObjectKind.SECRET:
        return not_applicable("a plain secret has no policy")
    actions = known.policy.entries("lifetime_actions")
    renewals = [action for action in actions if action.text("action").lower() == "autorenew"]
    if not renewals or known.policy.text("issuer.name").lower() == "unknown":
        return not_applicable("the policy renews nothing (CRT108)")
    version = newest(known)
    life = known.lineage.life_of(version.thumbprint)
    if life is None:
        raise NotSeen(Source.POLICY, Gap.ODD, f"dates of version {version.version} of {known.label}")
    name, before = _trigger(renewals[0], life)
    found, due = evidence(renewals[0], name, None), version.not_after - before
    if before < life and facts.now > due + PATIENCE:
        return failed(f"the vault was to renew {known.label} on {due:%Y-%m-%d}, and has not", found)
    if name == DAYS and before > life / 2:
        detail = f"the policy renews {known.label} {before.days} days before its end, and it lives for {life.days} days"
        return failed(detail, found, severity=Severity.MEDIUM, remedy=PERCENT_REMEDY)
    return passed(found)


def _trigger(action: Shown, life: timedelta) -> tuple[str, timedelta]:
    """Return the property that triggers a renewal, and how long before the end it does. Raise NotSeen if it is odd."""
    name = DAYS if action.value(PERCENTAGE) is None else PERCENTAGE
    number = action.number(name)
    if not 0 < number <= MOST[name]:
        raise action.unseen(name, Gap.ODD)
    return name, timedelta(days=number) if name == DAYS else life * (WHOLE - number) / WHOLE


def _of_azure(copy: CopyFacts, facts: Facts) -> Verdict:
    """Fail a managed certificate in use that Azure has not renewed."""
    if not shown_at(copy, facts):
        require_all_sites(copy, facts)
        return not_applicable("no host name shows it")
    begins, ends = copy.listed.moment("issueDate"), copy.listed.moment("expirationDate")
    due = ends - min(AZURE_RENEWS, (ends - begins) / AZURE_SHARE)
    if begins >= ends:
        raise copy.listed.unseen("issueDate", Gap.ODD)
    found = evidence(copy.listed, "expirationDate", None)
    if facts.now <= due + AZURE_PATIENCE:
        return passed(found)
    return failed(f"Azure was to renew {copy.label} on {due:%Y-%m-%d}, and has not", found, remedy=AZURE_REMEDY)


def _subjects(facts: Facts) -> tuple[ObjectFacts | CopyFacts, ...]:
    """Return the vault objects, and the managed certificates, which are those whose thumbprint Azure hides."""
    return (*facts.objects, *(copy for copy in facts.copies if copy.copy.thumbprint is None))


PERCENT_REMEDY = "Set lifetime_percentage to 80 in the policy in place of days_before_expiry."
MANAGED = "certificate web/managed"
AZURE_REMEDY = "Mend what keeps Azure from renewing it: the DNS records and the CAA records of its host name."


RULE = Rule(
    id="CRT103",
    name="RenewalLate",
    title="A certificate was to be renewed, and is not",
    why=(
        "The vault or Azure tried and failed, or cannot try. The certificate ends while everybody trusts the automatic "
        "renewal."
    ),
    area=Area.CERTIFICATES,
    severity=Severity.HIGH,
    citations=(Citation("Azure Policy 12ef42cb-9903-4e39-9c26-422d29570417"), Citation("ARO-RP issue 4383")),
    needs=frozenset({Source.LIST, Source.POLICY}),
    about=_subjects,
    check=check,
    fix=Fix.COMMAND,
    remedy="az keyvault certificate pending show --vault-name {vault} --name {name}",
    silent=(
        "A policy that renews nothing, on purpose or because a tool from outside renews (CRT108); a managed "
        "certificate that no host name shows; a share of the life below half, which is somebody's choice. The share "
        "counts of the life that the authority issued, and not of the policy's validity. Certroll itself watches the "
        "orders of purchased certificates."
    ),
    examples=(
        Example("the renewal was due a week ago", dated("2026-05-10", "2026-11-30"), Status.FAIL),
        Example("the renewal is not due yet", {}, Status.PASS),
        Example("the renewal is due since yesterday", dated("2026-05-27", "2026-12-13"), Status.PASS),
        Example(
            "sixty days before the end of a certificate of 47 days",
            changes.both(dated("2026-10-20", "2026-12-06"), changes.renewing(days=60)),
            Status.FAIL,
            Severity.MEDIUM,
        ),
        Example(
            "sixty days before the end of a certificate of 100 days have come",
            changes.both(dated("2026-09-16", "2026-12-25"), changes.renewing(days=60)),
            Status.FAIL,
        ),
        Example("somebody chose forty percent of the life", changes.renewing(percentage=40), Status.PASS),
        Example("a trigger is no number of days", changes.renewing(days=10**12), Status.NOT_CHECKED),
        Example("the vault shows no dates", dated("1970-01-01", "1970-01-01"), Status.NOT_CHECKED),
        Example("an ACME tool renews", changes.policy(issuer={"name": "Unknown"}), Status.NOT_APPLICABLE),
        Example("the owner only wants mails", changes.renewing("EmailContacts", days=30), Status.NOT_APPLICABLE),
        Example("the vault has purged the older versions", changes.version(), Status.PASS),
        Example("the vault has purged all versions", {"objects": {"wildcard": {"versions": []}}}, Status.NOT_CHECKED),
        Example(
            "Azure has not renewed a managed certificate since last week",
            changes.both(changes.managed("2026-06-10", "2026-12-10"), changes.host(thumbprint="D" * 40)),
            Status.FAIL,
            subject=MANAGED,
        ),
        Example(
            "Azure was to renew a managed certificate the day before yesterday",
            changes.both(changes.managed("2026-06-17", "2026-12-17"), changes.host(thumbprint="D" * 40)),
            Status.PASS,
            subject=MANAGED,
        ),
        Example(
            "a managed certificate of 47 days has twelve days left",
            changes.both(changes.managed("2026-09-30", "2026-11-16"), changes.host(thumbprint="D" * 40)),
            Status.PASS,
            subject=MANAGED,
        ),
        Example(
            "no host name shows the managed certificate",
            changes.both(changes.managed("2026-06-10", "2026-12-10"), changes.unbound()),
            Status.NOT_APPLICABLE,
            subject=MANAGED,
        ),
        Example(
            "a site that may show the managed certificate is hidden",
            changes.both(
                changes.managed("2026-06-10", "2026-12-10"), changes.unbound(), {"blind_spots": ["site of others"]}
            ),
            Status.NOT_CHECKED,
            subject=MANAGED,
        ),
    ),
)
