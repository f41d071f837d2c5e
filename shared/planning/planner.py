"""Build the plan of the next changes in Azure from a snapshot of the fleet.

The functions of the planner are pure: the functions use no input or output and no clock.
"""

from functools import reduce

from shared.domain.intent import Intent
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.actions import PROPOSALS
from shared.planning.guards import GUARDS
from shared.planning.plan import Plan, Skip, Step


def plan(snapshot: Snapshot, intent: Intent) -> Plan:
    """Return the steps to perform, in order, and the changes that Certroll refuses, each with its reason.

    Certroll plans each step on a snapshot in which all earlier steps are done, so that one plan has all necessary
    steps.
    """
    return reduce(lambda so_far, guard: guard(so_far, snapshot, intent), GUARDS, _proposed(snapshot, intent))


def project(plan: Plan, snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with all steps of the plan done."""
    return reduce(lambda world, step: step.action.project(world), plan.steps, snapshot)


def _proposed(snapshot: Snapshot, intent: Intent) -> Plan:
    steps: tuple[Step, ...] = ()
    skips: tuple[Skip, ...] = ()
    new: tuple[Step, ...] = ()
    for propose in PROPOSALS:
        snapshot = project(Plan(new), snapshot)
        items = tuple(propose(snapshot, intent))
        new = tuple(item for item in items if isinstance(item, Step))
        steps, skips = (*steps, *new), (*skips, *(item for item in items if isinstance(item, Skip)))
    return Plan(steps, skips)
