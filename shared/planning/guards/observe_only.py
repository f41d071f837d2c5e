"""Turn all steps into steps that Certroll would perform, in observe mode."""

from shared.domain.intent import Intent, Mode
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Would

REMEDY = "set CERTROLL_MODE=apply to let it"


def guard(plan: Plan, _: Snapshot, intent: Intent) -> Plan:
    """Return the plan without steps unless CERTROLL_MODE is apply.

    The field `would` of the returned plan has the steps that Certroll would perform in apply mode. The last of these
    are the steps that would wait for other sites or for a time. All refusals of apply mode stay refusals.
    """
    if intent.mode is Mode.APPLY:
        return plan
    steps = tuple(Would(step, Reason.OBSERVE_ONLY, REMEDY) for step in plan.steps)
    later = tuple(skip for skip in plan.skips if skip.step and skip.reason.passes)
    waiting = (Would(skip.step, Reason.OBSERVE_ONLY, REMEDY, skip) for skip in later if skip.step)
    return Plan((), tuple(skip for skip in plan.skips if skip not in later), (*steps, *waiting))
