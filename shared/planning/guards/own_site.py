"""Refuse to restart the site that Certroll runs on."""

from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Skip, Step


def guard(plan: Plan, _: Snapshot, intent: Intent) -> Plan:
    """Refuse steps that restart the site that Certroll runs on. Certroll still updates the bindings of its own site."""

    def refusal(step: Step) -> Skip | None:
        site = step.action.site
        if site is None or not step.action.restarts_site or not intent.owns(site):
            return None
        return Skip(step.subject, Reason.OWN_SITE, f"Certroll runs on {site}: make this change by hand", site)

    return plan.refuse(refusal)
