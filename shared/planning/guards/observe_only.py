"""Turn all steps into steps that Certroll would perform, in observe mode and outside of CERTROLL_SCOPE."""

from shared.domain.intent import OBSERVING, Intent
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.guards.frozen import finishes
from shared.planning.plan import Plan, Would


def guard(plan: Plan, snapshot: Snapshot, intent: Intent) -> Plan:
    """Return the plan without steps if CERTROLL_MODE or CERTROLL_SCOPE lets Certroll only observe the vault object.

    The field `would` of the returned plan has the steps that Certroll would perform otherwise. The last of these are
    the steps that would wait for other sites or for a time. All refusals stay refusals. With CERTROLL_SCOPE=tagged,
    Certroll still finishes or takes back what it has begun at a site before an operator took the tag away.
    """
    barrier = intent.barrier(snapshot.lineage.tags, f"vault certificate {snapshot.lineage.ref}")
    if barrier is None:
        return plan
    begun = tuple(step for step in plan.steps if barrier is not OBSERVING and finishes(step.action, snapshot))
    steps = tuple(Would(step, *barrier) for step in plan.steps if step not in begun)
    later = tuple(skip for skip in plan.skips if skip.step and skip.reason.passes)
    waiting = (Would(skip.step, *barrier, skip) for skip in later if skip.step)
    return Plan(begun, tuple(skip for skip in plan.skips if skip not in later), (*steps, *waiting))
