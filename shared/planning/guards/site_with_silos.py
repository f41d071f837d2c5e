"""Refuse all changes of a site that also runs in other regions, because Certroll sees only one of its regions."""

from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Skip, Step


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse steps on a site or slot with silos, and on a certificate that such a site alone has.

    Azure documents no effect of a write to a site with silos on the site's other regions.
    """

    def refusal(step: Step) -> Skip | None:
        site = step.action.site or step.action.owner
        if site is None or not snapshot.fleet.has_silos(site):
            return None
        detail = f"{site} has silos in other regions, which Certroll cannot read: make this change by hand"
        return Skip(step.subject, Reason.SITE_WITH_SILOS, detail, site)

    return plan.refuse(refusal)
