"""Refuse all changes of a site whose record in the journal this release of Certroll cannot read."""

from shared.domain.intent import Intent
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Plan, Skip, Step


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse steps on a site whose record is unreadable, or all steps if the record of the rollout is unreadable.

    The record may say that the site is being taken back, or that its version is on hold.
    """

    def refusal(step: Step) -> Skip | None:
        site = step.action.site or step.action.owner
        if not snapshot.rollout.hides(site):
            return None
        detail = (
            "a row of Certroll's journal cannot be read, and its finding names the row: install the release that wrote "
            "the row, or repair or delete the row"
        )
        return Skip(step.subject, Reason.RECORD_UNREADABLE, detail, site)

    return plan.refuse(refusal)
