"""What cannot be seen is not assumed to be fine."""

from shared.domain.fleet.fleet import BlindSpot
from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.rollout.gates import URGENT
from shared.domain.snapshot.expiry import ends_within
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Action, Plan, Skip, Step, View

CURES = {
    View.BINDINGS: "and the copy may serve it: grant Reader there",
    View.COPIES: "and a copy may be there already: grant Reader there",
    View.SETTINGS: "so nothing is retired in its webspace: grant the roles that docs/reference/roles.md lists",
}


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse a sync in a webspace with a blind spot, which would move bindings that nobody has judged.

    Nothing is imported or retired there either. Overwriting a single binding needs no view of the others. Close to the
    old certificate's end the sync goes ahead: Azure makes the same sync within 24 h. Settings that cannot be read do
    not hold up a sync: Azure would make it all the same.
    """

    def refusal(step: Step) -> Skip | None:
        spot = _spot(snapshot, step.action)
        if spot is None:
            return None
        detail = f"{spot.subject} cannot be seen ({spot.detail}), {CURES[step.action.needs_view]}"
        return Skip(step.subject, Reason.INCOMPLETE_VIEW, detail, step.action.site)

    return plan.refuse(refusal)


def _spot(snapshot: Snapshot, action: Action) -> BlindSpot | None:
    """Return a blind spot of the webspace that the action may not have, None if there is none."""
    view, webspace, copy = action.needs_view, action.webspace, action.replaces
    if view is View.NONE or webspace is None or (copy is not None and ends_within(snapshot, copy, URGENT)):
        return None
    spots = sorted((spot for spot in snapshot.fleet.blind_spots if spot.hides(webspace)), key=str)
    return next((spot for spot in spots if view is View.SETTINGS or not spot.settings_only), None)
