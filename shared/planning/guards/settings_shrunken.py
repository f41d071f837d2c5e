"""A read that lost settings is never written back."""

from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Skip, Step

WATCHED = frozenset({RollState.STALE, RollState.FAILED})
FEW, MOST_LOST = 2, 4
"""Two settings, or one in four, may have gone since the app was chosen: people remove one or two, a bad answer most."""


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse to write settings of which far fewer are read now than when the app was told to go."""

    def refusal(step: Step) -> Skip | None:
        write = step.action.settings_write
        if write is None:
            return None
        record = snapshot.rollout.roll_of(write.settings.site)
        seen = len(write.settings.digests)
        if record is None or record.state not in WATCHED:
            return None
        if record.settings - seen <= max(FEW, record.settings // MOST_LOST):
            return None
        detail = f"{seen} settings were read where there were {record.settings}; nothing is written back"
        return Skip(step.subject, Reason.SETTINGS_SHRUNKEN, detail, step.action.site)

    return plan.refuse(refusal)
