"""`certroll: off` on a vault certificate, a site or a slot."""

from shared.domain.lineage import opted_out
from shared.domain.plan import Intent, Plan, Reason, Skip, Step
from shared.domain.snapshot import Snapshot


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse steps on what operators took out. A slot's own tag wins over its site's."""
    if opted_out(snapshot.lineage.tags):
        detail = f"vault certificate {snapshot.lineage.ref} carries the tag certroll: off"
        return plan.refuse(lambda step: Skip(step.subject, Reason.OPTED_OUT, detail, step.action.site))
    return plan.refuse(lambda step: _refusal(step, snapshot))


def _refusal(step: Step, snapshot: Snapshot) -> Skip | None:
    site = step.action.site
    if site is None or (snapshot.tag(site, "certroll") or "").lower() != "off":
        return None
    detail = (
        f"{site} carries the tag certroll: off; App Service itself moves its bindings when it syncs the copy they use, "
        "which only the same tag on the vault certificate keeps Certroll from asking for"
    )
    return Skip(step.subject, Reason.OPTED_OUT, detail, site)
