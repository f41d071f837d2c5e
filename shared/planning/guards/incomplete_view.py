"""Refuse to sync, import or retire in a webspace that Certroll cannot read completely."""

from shared.domain.fleet.fleet import BlindSpot
from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.snapshot.expiry import ends_soon
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Action, Plan, Skip, Step, View

NEXT_STEPS = {
    View.BINDINGS: "and the copy may serve it: grant Reader there",
    View.COPIES: "and a copy may be there already: grant Reader there",
    View.SETTINGS: "so Certroll retires nothing in that webspace: grant the roles that docs/reference/roles.md lists",
}


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse to sync, import or retire certificates in a webspace that Certroll could not read completely.

    A sync of an imported certificate would also move bindings that Certroll could not read. Certroll can write a single
    binding without reading any other binding. Near the end of the old certificate, Certroll syncs in spite of resources
    that it could not read, because Azure syncs within 24 hours anyway. Unreadable app settings do not stop a sync,
    because Azure syncs the imported certificate within 24 hours anyway.
    """

    def refusal(step: Step) -> Skip | None:
        spot = _spot(snapshot, step.action)
        if spot is None:
            return None
        detail = f"Certroll cannot read {spot.subject} ({spot.detail}), {NEXT_STEPS[step.action.needs_view]}"
        return Skip(step.subject, Reason.INCOMPLETE_VIEW, detail, step.action.site)

    return plan.refuse(refusal)


def _spot(snapshot: Snapshot, action: Action) -> BlindSpot | None:
    """Return the blind spot (an unreadable resource) of the webspace that forbids the action, or None.

    A blind spot is a resource that Certroll could not read.
    """
    view, webspace, copy = action.needs_view, action.webspace, action.replaces
    if view is View.NONE or webspace is None or (copy is not None and ends_soon(snapshot, copy)):
        return None
    spots = sorted((spot for spot in snapshot.fleet.blind_spots if spot.hides(webspace)), key=str)
    return next((spot for spot in spots if not _is_beside(spot, view)), None)


def _is_beside(spot: BlindSpot, view: View) -> bool:
    """Return True if the blind spot hides nothing that matters for an action with the given view.

    A sync writes one import in place. A certificate that Certroll could not read has no part in the sync, while an
    import could put the same certificate there twice.
    """
    return (spot.settings_only and view is not View.SETTINGS) or (spot.copies_only and view is View.BINDINGS)
