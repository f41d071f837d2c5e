"""Never write a thumbprint that is not a live certificate of that webspace.

One wrong thumbprint takes an app down, and Azure does not always check (Microsoft Q&A 5916603).
"""

from shared.actions.update_binding import UpdateBinding
from shared.domain.plan import Intent, Plan, Skip, Step
from shared.domain.reason import Reason
from shared.domain.snapshot import Snapshot


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse bindings to a version that is not in the webspace, nor brought there by a step of the plan."""
    for step in plan.steps:
        if step.action.site is None:  # only what is of the webspace as a whole brings a certificate there
            snapshot = step.action.project(snapshot)

    def refusal(step: Step) -> Skip | None:
        action = step.action
        if not isinstance(action, UpdateBinding) or _is_live(action, snapshot):
            return None
        detail = f"{action.thumbprint} is not in {action.webspace}: see what is said of the copies there"
        return Skip(step.subject, Reason.NOT_LIVE, detail, action.site)

    return plan.refuse(refusal)


def _is_live(action: UpdateBinding, snapshot: Snapshot) -> bool:
    return any(copy.thumbprint == action.thumbprint for copy in snapshot.fleet.certificates_in(action.webspace))
