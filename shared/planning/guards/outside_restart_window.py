"""Refuse restarts of apps outside CERTROLL_RESTART_WINDOW."""

from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.snapshot.expiry import settings_expire_at
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Skip, Step


def guard(plan: Plan, snapshot: Snapshot, intent: Intent) -> Plan:
    """Refuse restarts outside CERTROLL_RESTART_WINDOW, except for steps that bring the last good settings back."""
    window = intent.restart_window
    if window is None or window.is_open(snapshot.now):
        return plan
    opens = window.opens_at(snapshot.now)

    def refusal(step: Step) -> Skip | None:
        site = step.action.site
        if site is None or not step.action.restarts_site or step.action.protects:
            return None
        ends = settings_expire_at(snapshot, (site,))
        if ends is not None and ends <= opens:
            detail = (
                f"the old certificate ends at {ends:%Y-%m-%d %H:%M} UTC, and CERTROLL_RESTART_WINDOW opens at "
                f"{opens:%Y-%m-%d %H:%M} UTC only: widen the window, or roll this app by hand"
            )
            return Skip(step.subject, Reason.EXPIRES_BEFORE_WINDOW, detail, site)
        return Skip(step.subject, Reason.OUTSIDE_WINDOW, f"the window opens at {opens:%Y-%m-%d %H:%M} UTC", site)

    return plan.refuse(refusal)
