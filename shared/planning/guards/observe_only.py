"""Refuse all writes to Azure in observe mode."""

from shared.domain.intent import Intent, Mode
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Skip


def guard(plan: Plan, _: Snapshot, intent: Intent) -> Plan:
    """Refuse every step of the plan unless CERTROLL_MODE is apply.

    The refusals list the steps that Certroll would perform in apply mode.
    """
    if intent.mode is Mode.APPLY:
        return plan
    detail = "Certroll would do this ({reason}): set CERTROLL_MODE=apply to let it"
    return plan.refuse(
        lambda step: Skip(step.subject, Reason.OBSERVE_ONLY, detail.format(reason=step.reason), step.action.site)
    )
