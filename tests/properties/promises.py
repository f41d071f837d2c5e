"""Check many promises on one sample. A promise is a function that raises AssertionError if a case breaks the promise.

The function `keep` checks all promises on the same case, so that each snapshot is drawn and planned only once. The
class `Broken` pairs a promise with a faulty planner, which shows that the promise can fail.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Generic, TypeVar

import pytest
from hypothesis import settings

from shared.controllers.certificate.admission import roll_records
from shared.domain.intent import Intent
from shared.domain.names import SiteRef
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import planner
from shared.planning.plan import Plan
from tests.build import APPLY, NOW
from tests.soaking import SOAKING

Sample = TypeVar("Sample")
Promise = Callable[[Sample], None]
Planner = Callable[[Snapshot, Intent], Plan]


def keep(case: Sample, promises: Iterable[Promise[Sample]]) -> None:
    """Raise AssertionError if the case breaks a promise, with a note that names the promise."""
    for promise in promises:
        try:
            promise(case)
        except AssertionError as broken:
            broken.add_note(f"broken promise: {promise.__name__}: {promise.__doc__}")
            raise


@dataclass(frozen=True)
class Broken(Generic[Sample]):
    """A case that keeps a promise and a case that breaks the promise; the cases differ only in the fault."""

    promise: Promise[Sample]
    good: Sample
    bad: Sample

    def is_noticed(self) -> None:
        """Raise an error if the good case breaks the promise or the bad case keeps the promise."""
        self.promise(self.good)
        with pytest.raises(AssertionError):
            self.promise(self.bad)

    def __str__(self) -> str:
        return self.promise.__name__


def times(factor: float, *, soak: float | None = None) -> settings:
    """Return Hypothesis settings that multiply the number of examples of the profile in use by `factor`.

    The long version of a test multiplies by `soak` instead, if given. The profile of `make test` draws the same
    examples every day, so more of them cost time each day and find new faults only once.
    """
    chosen = soak if SOAKING and soak is not None else factor
    return settings(max_examples=int(settings.default.max_examples * chosen))  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Case:
    """A snapshot of vaults and App Service, the operator's intent, and the planner under test."""

    world: Snapshot
    intent: Intent = APPLY
    seed: int = 0
    plans: Planner = planner.plan

    @cached_property
    def plan(self) -> Plan:
        """The plan that the tested planner makes for the snapshot."""
        return self.plans(self.world, self.intent)

    @cached_property
    def on_the_way(self) -> tuple[Snapshot, ...]:
        """The simulated snapshot before each step of the plan, and after the last step."""
        worlds = [self.world]
        for step in self.plan.steps:
            worlds.append(step.action.project(worlds[-1]))
        return tuple(worlds)

    @property
    def after(self) -> Snapshot:
        """The simulated snapshot of Azure after the last step of Certroll's plan."""
        return self.on_the_way[-1]

    @cached_property
    def told(self) -> tuple[RollRecord, ...]:
        """The records by which Certroll decides which apps it may update, after a new read of the fleet."""
        return roll_records(self.world, self.plan, self.intent, fresh=True)

    @cached_property
    def carried_out(self) -> Snapshot:
        """The simulated snapshot after the plan, in which no changed app has answered a probe yet."""
        records = {roll.site: roll for roll in (*self.world.rollout.rolls, *self.told)}
        changed = set(restarted(self.plan))
        rolls = tuple(_written(roll) if roll.site in changed else roll for roll in records.values())
        return replace(self.after, rollout=replace(self.after.rollout, rolls=rolls))

    @property
    def dice(self) -> Random:
        """A source of random numbers that starts with the same seed for each tested promise."""
        return Random(self.seed)  # noqa: S311 - it shuffles

    def planned(self, world: Snapshot, **intent: object) -> Plan:
        """Return the plan that the tested planner makes of another snapshot or for another intent."""
        return self.plans(world, replace(self.intent, **intent))  # type: ignore[arg-type]


def _written(roll: RollRecord) -> RollRecord:
    state = RollState.ROLLED_BACK if roll.state is RollState.FAILED else RollState.OVERLAPPING
    return replace(roll, state=state, at=NOW)


def restarted(plan: Plan) -> list[SiteRef | None]:
    """Return the apps that the steps of a plan restart; an app appears once for each restart."""
    return [step.action.site for step in plan.steps if step.action.restarts_site]
