"""How one sample serves many promises: a promise is a function that raises where it is broken.

`keep` has every promise judge the same case, so that a world is drawn and planned once for all of them. `Broken` is a
case made to break one promise, by a planner that does wrong: it shows that the promise can fail.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Generic, TypeVar

import pytest
from hypothesis import settings

from shared import planner
from shared.dispatch import roll_records
from shared.domain.names import SiteRef
from shared.domain.plan import Intent, Plan
from shared.domain.roll import RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from tests.build import APPLY, NOW

Sample = TypeVar("Sample")
Promise = Callable[[Sample], None]
Planner = Callable[[Snapshot, Intent], Plan]


def keep(case: Sample, promises: Iterable[Promise[Sample]]) -> None:
    """Raise AssertionError where the case breaks a promise; a note on the error says which promise that is."""
    for promise in promises:
        try:
            promise(case)
        except AssertionError as broken:
            broken.add_note(f"broken promise: {promise.__name__}: {promise.__doc__}")
            raise


@dataclass(frozen=True)
class Broken(Generic[Sample]):
    """A case that breaks a promise, and the case beside it that keeps it: they differ in what does wrong alone."""

    promise: Promise[Sample]
    good: Sample
    bad: Sample

    def is_noticed(self) -> None:
        """Raise where the promise does not hold of the good case, or lets the bad one pass."""
        self.promise(self.good)
        with pytest.raises(AssertionError):
            self.promise(self.bad)

    def __str__(self) -> str:
        return self.promise.__name__


def times(factor: float) -> settings:
    """Return settings by which a test tries that many times the examples of the profile in use."""
    return settings(max_examples=int(settings.default.max_examples * factor))  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Case:
    """A world, what operators want of it, and the planner that is judged by what it makes of both."""

    world: Snapshot
    intent: Intent = APPLY
    seed: int = 0
    plans: Planner = planner.plan

    @cached_property
    def plan(self) -> Plan:
        """The plan."""
        return self.plans(self.world, self.intent)

    @cached_property
    def on_the_way(self) -> tuple[Snapshot, ...]:
        """The world before each step of the plan, and after the last one."""
        worlds = [self.world]
        for step in self.plan.steps:
            worlds.append(step.action.project(worlds[-1]))
        return tuple(worlds)

    @property
    def after(self) -> Snapshot:
        """The world after the plan."""
        return self.on_the_way[-1]

    @cached_property
    def told(self) -> tuple[RollRecord, ...]:
        """The records by which apps are told to go, when somebody looks afresh."""
        return roll_records(self.world, self.plan, self.intent, fresh=True)

    @cached_property
    def carried_out(self) -> Snapshot:
        """The world after the plan, in which each app that the plan changed has yet to answer."""
        records = {roll.site: roll for roll in (*self.world.rollout.rolls, *self.told)}
        changed = set(restarted(self.plan))
        rolls = tuple(_written(roll) if roll.site in changed else roll for roll in records.values())
        return replace(self.after, rollout=replace(self.after.rollout, rolls=rolls))

    @property
    def dice(self) -> Random:
        """A source of chance, the same for each promise that asks."""
        return Random(self.seed)  # noqa: S311 - it shuffles

    def planned(self, world: Snapshot, **intent: object) -> Plan:
        """Return the plan that the same planner makes of another world, or for another intent."""
        return self.plans(world, replace(self.intent, **intent))  # type: ignore[arg-type]


def _written(roll: RollRecord) -> RollRecord:
    state = RollState.ROLLED_BACK if roll.state is RollState.FAILED else RollState.OVERLAPPING
    return replace(roll, state=state, at=NOW)


def restarted(plan: Plan) -> list[SiteRef | None]:
    """Return the apps that the steps of a plan restart, each as often as it is restarted."""
    return [step.action.site for step in plan.steps if step.action.restarts_site]
