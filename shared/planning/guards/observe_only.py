"""Turn all steps into steps that Certroll would perform, in observe mode and outside of CERTROLL_SCOPE."""

from shared.domain.intent import Barrier, Intent, Mode
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Would


def guard(plan: Plan, snapshot: Snapshot, intent: Intent) -> Plan:
    """Return the plan without steps if CERTROLL_MODE or CERTROLL_SCOPE lets Certroll only observe the vault object.

    The field `would` of the returned plan has the steps that Certroll would perform otherwise. The last of these are
    the steps that would wait for other sites or for a time. All refusals stay refusals.
    """
    barrier = _barrier(snapshot, intent)
    if barrier is None:
        return plan
    steps = tuple(Would(step, *barrier) for step in plan.steps)
    later = tuple(skip for skip in plan.skips if skip.step and skip.reason.passes)
    waiting = (Would(skip.step, *barrier, skip) for skip in later if skip.step)
    return Plan((), tuple(skip for skip in plan.skips if skip not in later), (*steps, *waiting))


def _barrier(snapshot: Snapshot, intent: Intent) -> Barrier | None:
    """Return why Certroll only observes the vault object.

    If Certroll could not read the vault object, its tags are unknown. Certroll then still restores the last good
    settings of an app that it has changed, because the change began while Certroll could read the tag.
    """
    if intent.mode is Mode.APPLY and not snapshot.lineage.versions:
        return None
    return intent.barrier(snapshot.lineage.tags, f"vault certificate {snapshot.lineage.ref}")
