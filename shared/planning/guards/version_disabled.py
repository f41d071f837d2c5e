"""Refuse to write a thumbprint whose version an operator disabled in the vault."""

from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Skip, Step


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse each step that writes a disabled version, also if the step would bring last good settings back.

    An operator disables a version because its key leaked, for example. No failure of the new version makes the disabled
    version good again.
    """

    def refusal(step: Step) -> Skip | None:
        disabled = sorted(name for name in step.action.writes if snapshot.lineage.may_be_disabled(name))
        if not disabled:
            return None
        detail = f"{', '.join(disabled)} is disabled in the vault: issue a new version that works"
        return Skip(step.subject, Reason.VERSION_DISABLED, detail, step.action.site)

    return plan.refuse(refusal)
