"""Decide whether a run looks at the fleet for itself, or with what renewals that waited together have read (ADR 67)."""

from dataclasses import dataclass

from shared.controllers.certificate.admission import unrecorded
from shared.domain.intent import Intent
from shared.domain.names import SiteRef
from shared.domain.rollout.rollout import Rollout
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Phase, Plan
from shared.ports.fleet_reads import FleetReads, SharedReads


@dataclass(slots=True)
class Sight:
    """How one run looks at the fleet: once with what others have read since it was asked for, then for itself."""

    fleet_reads: FleetReads
    mark: str | None
    """The mark of the moment at which the run was asked for, or None if the run looks for itself."""
    continues: bool
    """True if the run continues a renewal after a wait."""
    shared: bool = False
    """True if the latest inspection of the run used what other runs have read."""

    def look(self, rollout: Rollout) -> SharedReads:
        """Return what the next inspection may use: nothing from before the run was asked for.

        The lists of others may be older than the journal. A run whose journal knows sites or apps of the version looks
        for itself, or a site that serves the version already would wait for it again.
        """
        mark, self.mark = self.mark, None
        known = None if mark is None or rollout.records or rollout.rolls else self.fleet_reads.since(mark)
        self.shared = known is not None
        return known or self.fleet_reads.begin()

    def rebound(self, rollout: Rollout) -> frozenset[SiteRef]:
        """Return the sites and slots that the renewal itself has changed since the run before, with other sites.

        A change of a binding moves the moment by which Certroll notices changed app settings.
        """
        return frozenset(record.site for record in rollout.records) if self.continues else frozenset()


def needs_own_look(snapshot: Snapshot, plan: Plan, intent: Intent) -> bool:
    """Return True if the plan does more than to sync certificates and to write bindings, or nothing at all.

    Certroll reads each certificate and binding once more before it writes it. What deletes, keeps or retires a
    certificate, or changes an app, follows from the whole webspace. A plan without steps ends the run.
    """
    actions = [step.action for step in plan.steps]
    phases = {action.phase for action in actions}
    is_plain = bool(actions) and phases <= {Phase.SHARED, Phase.BINDING} and not any(a.protects for a in actions)
    return not is_plain or bool(snapshot.rollout.rolls) or any(True for _ in unrecorded(snapshot, plan, intent))
