"""What cannot be seen is not assumed to be fine."""

from shared.actions.sync_certificate import SyncCertificate
from shared.domain.plan import Intent, Plan, Skip, Step
from shared.domain.reason import Reason
from shared.domain.rollout import URGENT
from shared.domain.snapshot import Snapshot
from shared.guards.gate import ends_within


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse a sync in a webspace with a blind spot: it would move bindings that nobody has judged.

    Overwriting a single binding needs no view of the others. Close to the old certificate's end the sync goes ahead:
    Azure makes the same one within 24 h.
    """

    def refusal(step: Step) -> Skip | None:
        sync = step.action
        if not isinstance(sync, SyncCertificate) or ends_within(sync, snapshot, URGENT):
            return None
        spot = next((spot for spot in sorted(snapshot.fleet.blind_spots, key=str) if spot.hides(sync.webspace)), None)
        if spot is None:
            return None
        detail = f"{spot.subject} cannot be seen ({spot.detail}), and the copy may serve it: grant Reader there"
        return Skip(step.subject, Reason.INCOMPLETE_VIEW, detail)

    return plan.refuse(refusal)
