"""Refuse to write app settings back if Azure's answer seems to lack settings."""

from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Skip, Step

WATCHED = frozenset({RollState.STALE, RollState.FAILED})
FEW, MOST_LOST = 2, 4
"""Two settings, or one in four, may be gone since Certroll admitted the app.

The owner of an app may remove one or two settings. A bad answer of Azure lacks most settings.
"""


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse to write app settings if Certroll reads far fewer settings now than when it first planned the update."""

    def refusal(step: Step) -> Skip | None:
        write = step.action.settings_write
        if write is None:
            return None
        record = snapshot.rollout.roll_of(write.settings.site)
        seen = write.settings.count
        if record is None or record.state not in WATCHED:
            return None
        if record.settings - seen <= max(FEW, record.settings // MOST_LOST):
            return None
        detail = f"Certroll read {seen} settings, and {record.settings} before: it writes nothing back"
        return Skip(step.subject, Reason.SETTINGS_SHRUNKEN, detail, step.action.site)

    return plan.refuse(refusal)
