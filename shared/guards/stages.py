"""One webspace first; the others when it is proven there."""

from collections import Counter

from shared.domain.names import Webspace
from shared.domain.plan import Intent, Plan, Skip, Step
from shared.domain.reason import Reason
from shared.domain.rollout import stage
from shared.domain.snapshot.expiry import expires_at
from shared.domain.snapshot.snapshot import Snapshot


def guard(plan: Plan, snapshot: Snapshot, intent: Intent) -> Plan:
    """Refuse steps whose turn has not come, and every step of a version that was seen to fail."""
    first = first_webspace(plan, snapshot, intent)
    gate = stage(snapshot.rollout, snapshot.now, intent.stage_soak, expires_at(snapshot))
    started = snapshot.rollout.first is not None
    failures = sorted(f"{record.site} ({record.detail})" for record in gate.failed)
    failures += sorted(f"{roll.site} ({roll.detail})" for roll in snapshot.rollout.held_by)

    def refusal(step: Step) -> Skip | None:
        if step.action.protects:
            return None
        if failures:
            where = ", ".join(failures)
            detail = (
                f"this version failed at {where}: mend it and release the hold, or put a newer version in the vault"
            )
            return Skip(step.subject, Reason.VERSION_HELD, detail, step.action.site)
        if step.action.restarts_site or not step.action.is_staged:
            return None  # apps have stages of their own
        if step.action.webspace == first or (started and gate.is_open(snapshot.now)):
            return None
        until = f", at the latest at {gate.opens_at:%Y-%m-%d %H:%M:%S} UTC" if started and gate.opens_at else ""
        detail = f"{first} goes first; the rest follows when it is proven there{until}"
        return Skip(step.subject, Reason.AWAITING_FIRST_STAGE, detail, step.action.site)

    return plan.refuse(refusal)


def first_webspace(plan: Plan, snapshot: Snapshot, intent: Intent) -> Webspace | None:
    """Return the webspace that goes first: the recorded one, else the one with the fewest bindings to move.

    Something must be served there, or an app use it, or nothing could be proven; our own site's webspace comes last.
    """
    if snapshot.rollout.first is not None:
        return snapshot.rollout.first
    staged = [step.action for step in plan.steps if not step.action.restarts_site]
    bindings = Counter(action.webspace for action in staged if action.site is not None)
    apps = {step.action.webspace for step in plan.steps if step.action.restarts_site}
    own = {action.webspace for action in staged if action.site and intent.owns(action.site)}
    webspaces = {action.webspace for action in staged if action.webspace and action.is_staged}
    return min(webspaces, key=lambda w: (bindings[w] == 0, w not in apps, w in own, bindings[w], w), default=None)
