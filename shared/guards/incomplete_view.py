"""What cannot be seen is not assumed to be fine."""

from shared.actions.import_certificate import ImportCertificate
from shared.actions.retire_thumbprint import RetireThumbprint
from shared.actions.sync_certificate import SyncCertificate
from shared.domain.model import BlindSpot
from shared.domain.names import Webspace
from shared.domain.plan import Intent, Plan, Skip, Step
from shared.domain.reason import Reason
from shared.domain.rollout import URGENT
from shared.domain.snapshot import Snapshot
from shared.guards.gate import ends_within


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse a sync in a webspace with a blind spot, which would move bindings that nobody has judged.

    Nothing is retired there either. Overwriting a single binding needs no view of the others. Close to the old
    certificate's end the sync goes ahead: Azure makes the same one within 24 h. Settings that cannot be read do not
    hold up a sync: Azure would make it all the same.
    """

    def refusal(step: Step) -> Skip | None:
        match step.action:
            case SyncCertificate() as sync if not ends_within(sync, snapshot, URGENT):
                spot = _spot(snapshot, sync.webspace, settings=False)
                cure = "and the copy may serve it: grant Reader there"
            case ImportCertificate() as addition:
                spot = _spot(snapshot, addition.webspace, settings=False)
                cure = "and a copy may be there already: grant Reader there"
            case RetireThumbprint() as retirement:
                spot = _spot(snapshot, retirement.webspace, settings=True)
                cure = "so nothing is retired in its webspace: grant the roles that the README lists"
            case _:
                return None
        if spot is None:
            return None
        detail = f"{spot.subject} cannot be seen ({spot.detail}), {cure}"
        return Skip(step.subject, Reason.INCOMPLETE_VIEW, detail, step.action.site)

    return plan.refuse(refusal)


def _spot(snapshot: Snapshot, webspace: Webspace, *, settings: bool) -> BlindSpot | None:
    spots = (spot for spot in sorted(snapshot.fleet.blind_spots, key=str) if settings or not spot.settings_only)
    return next((spot for spot in spots if spot.hides(webspace)), None)
