"""From what was observed to what is to be done. Pure: no I/O, no clock."""

from functools import reduce

from shared.domain.intent import Intent
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.actions import PROPOSALS
from shared.planning.guards import GUARDS
from shared.planning.plan import Plan, Skip, Step


def plan(snapshot: Snapshot, intent: Intent) -> Plan:
    """Return what is to be done, in order, and what is not, each with its reason.

    Each proposal sees the world as the steps before it will leave it, so that one plan holds the whole way.
    """
    return reduce(lambda so_far, guard: guard(so_far, snapshot, intent), GUARDS, _proposed(snapshot, intent))


def project(plan: Plan, snapshot: Snapshot) -> Snapshot:
    """Return the world as the steps of the plan will leave it."""
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
