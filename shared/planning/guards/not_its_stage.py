"""Install a version in one webspace first, and in other webspaces once sites of the first webspace serve it."""

from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.rollout.gates import stage
from shared.domain.snapshot.expiry import is_urgent
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.held import failures, held_at
from shared.planning.placing import first_webspace
from shared.planning.plan import Plan, Skip, Step


def guard(plan: Plan, snapshot: Snapshot, intent: Intent) -> Plan:
    """Refuse steps in later webspaces until sites in the first webspace serve the version or a waiting time is over.

    This function also refuses the steps that install a version which failed at a site or in an app.
    """
    first = first_webspace(plan, snapshot, intent)
    gate = stage(snapshot.rollout, snapshot.now, intent.stage_soak, urgent=is_urgent(snapshot))
    started = snapshot.rollout.first is not None
    failed = failures(snapshot.rollout)

    def refusal(step: Step) -> Skip | None:
        if step.action.protects:
            return None
        if failed:
            return Skip(step.subject, Reason.VERSION_HELD, held_at(failed), step.action.site)
        if step.action.restarts_site or not step.action.is_staged:
            return None  # the guard `not_its_turn` decides the order in which apps restart
        if step.action.webspace == first or (started and gate.is_open(snapshot.now)):
            return None
        until = f", at the latest at {gate.opens_at:%Y-%m-%d %H:%M:%S} UTC" if started and gate.opens_at else ""
        detail = f"{first} goes first; the others follow when the version is proven there{until}"
        return Skip(step.subject, Reason.AWAITING_FIRST_STAGE, detail, step.action.site)

    return plan.refuse(refusal)
