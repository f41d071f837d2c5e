"""Never write a thumbprint that is not a live certificate of that webspace.

One wrong thumbprint takes an app down, and Azure does not always check (Microsoft Q&A 5916603).
"""

from shared.domain.plan import Intent, Plan, Skip, Step
from shared.domain.reason import Reason
from shared.domain.snapshot import Snapshot


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse what names a version that is not in the webspace, nor brought there by an earlier step of the plan."""
    kept: list[Step] = []
    skips: list[Skip] = []
    for step in plan.steps:
        missing = step.action.writes - snapshot.live_in(step.action.webspace)
        if missing:
            detail = (
                f"{', '.join(sorted(missing))} is not in {step.action.webspace}: see what is said of the copies there"
            )
            skips.append(Skip(step.subject, Reason.NOT_LIVE, detail, step.action.site))
            continue
        if step.action.site is None:  # only what is of the webspace as a whole brings a certificate there
            snapshot = step.action.project(snapshot)
        kept.append(step)
    return Plan(tuple(kept), (*plan.skips, *skips))
