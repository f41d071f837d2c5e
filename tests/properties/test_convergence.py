"""Test that every update of app settings ends, whatever apps answer and whatever other writers change."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.controllers.certificate.admission import roll_records
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.fleet.fleet import Fleet
from shared.domain.intent import Intent
from shared.domain.names import SiteRef
from shared.domain.reason import Reason
from shared.domain.restart_window import RestartWindow
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning import planner
from shared.planning.acting.settings_change import SettingsChange
from shared.planning.actions.restore_app_settings import RestoreAppSettings
from shared.planning.actions.retire_thumbprint import RetireThumbprint
from shared.planning.actions.update_binding import UpdateBinding
from shared.planning.placing import first_webspace
from shared.planning.plan import Plan, Step
from tests.build import APPLY, NEW, OLD, copy, named, roll, rollout, site_ref, snapshot
from tests.properties.fleets import chained_worlds, fresh, lags, live, no_rolls, some_troubles, stale_settings, worlds
from tests.properties.promises import Broken, Promise, keep, times

BOUND = 600
"""The most runs of Certroll until all settings updates end.

The runs are half an hour apart on average, and each of four contests with another writer may take two days.
"""
PAUSES = (timedelta(minutes=1), timedelta(minutes=20), timedelta(hours=1))
OVER = {RollState.VALIDATED: 5, RollState.UNPROVEN: 3, RollState.FAILED: 1}
IN_TIME = frozenset(
    {Reason.AWAITING_FIRST_STAGE, Reason.AWAITING_FIRST_SITE, Reason.AWAITING_SLOTS, Reason.OUTSIDE_WINDOW}
)
ways = st.sampled_from(
    [
        replace(APPLY, slots_first=slots_first, restart_window=window, stage_soak=soak)
        for slots_first in (True, False)
        for window in (None, RestartWindow.parse("daily 13:00-15:00"))
        for soak in (timedelta(0), timedelta(hours=1))
    ]
)
dice = st.integers(0, 2**32).map(Random)
others = st.sampled_from((0, 4))
few = some_troubles.map(lambda troubles: troubles - {"version"})
beginnings = (
    worlds(fresh, few, no_rolls) | worlds(fresh, few, no_rolls, stale_settings) | chained_worlds(fresh, few, no_rolls)
)


@dataclass(slots=True)
class Model:
    """A simulation in which time passes, Certroll works, apps answer at random, and another writer may act."""

    world: Snapshot
    intent: Intent
    dice: Random
    meddlers: int = 0
    rolled: Counter[SiteRef] = field(default_factory=Counter)
    undone: Counter[SiteRef] = field(default_factory=Counter)
    begun: tuple[SiteSettings, ...] = ()
    looks: int = 0
    plan: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        """Record the app settings with which the simulation begins."""
        self.begun = self.world.fleet.settings

    @property
    def now(self) -> datetime:
        """The present time of the simulation."""
        return self.world.now

    @property
    def rolls(self) -> tuple[RollRecord, ...]:
        """The journal's records of the settings updates of all apps."""
        return self.world.rollout.rolls

    def settings_at_first(self, site: SiteRef) -> SiteSettings:
        """Return the app settings that an app has at the beginning of the simulation."""
        return next(settings for settings in self.begun if settings.site == site)

    def run(self) -> None:
        """Let time pass until Certroll has nothing to do and nothing to wait for.

        Raise AssertionError if the simulation takes too long.
        """
        while self.looks < BOUND:
            self.looks += 1
            self.plan = plan = planner.plan(self.world, self.intent)
            afresh = self.dice.random() < 0.5
            told = roll_records(self.world, plan, self.intent, fresh=afresh)
            self._carry(plan)
            self._record(*told)
            under_way = [roll for roll in self.rolls if roll.under_way]
            if under_way:
                self._go_on(self.dice.choice(under_way))
            elif not plan.steps and not any(skip.reason in IN_TIME for skip in plan.skips):
                return
            self._meddle()
            self._wait(self.dice.choice(PAUSES))
        raise AssertionError(f"not over after {BOUND} looks: {[(str(r.site), r.state) for r in self.rolls]}")

    def _wait(self, pause: timedelta) -> None:
        self.world = replace(self.world, fleet=replace(self.world.fleet, taken_at=self.now + pause))

    def _record(self, *records: RollRecord) -> None:
        rolls = {roll.site: roll for roll in (*self.rolls, *records)}
        self.world = replace(self.world, rollout=replace(self.world.rollout, rolls=tuple(rolls.values())))

    def _carry(self, plan: Plan) -> None:
        """Perform the steps of a plan that restart no app.

        In the simulation each site with a TLS binding serves the new version immediately, or stays unreachable.
        """
        steps = tuple(step for step in plan.steps if not step.action.restarts_site)
        rollout = self.world.rollout
        if plan.steps:
            rollout = replace(rollout, first=first_webspace(plan, self.world, self.intent))
            rollout = replace(rollout, started_at=rollout.started_at or self.now)
        records = {record.site: record for record in (*rollout.records, *self._bound(steps))}
        self.world = planner.project(Plan(steps), replace(self.world, rollout=rollout))
        self.world = replace(self.world, rollout=replace(rollout, records=tuple(records.values())))

    def _bound(self, steps: Iterable[Step]) -> Iterable[SiteRecord]:
        for action in (step.action for step in steps):
            if action.site is not None:
                state = self.dice.choice((SiteState.PROVEN, SiteState.UNPROVEN))
                record = SiteRecord(action.site, self.world.rollout.version, action.webspace, state, self.now)
                known = self.world.rollout.record_of(action.site)
                done = isinstance(action, UpdateBinding) and action.rebind
                yield replace(record, rebind=Rebind.DONE if done else known.rebind if known else Rebind.NO)

    # ----------------------------------------------------------------------------------------------- the run of one app

    def _go_on(self, roll: RollRecord) -> None:
        match roll.state:
            case RollState.STALE:
                self._write(roll)
            case RollState.OVERLAPPING:
                self._answer(roll)
            case _:
                self._take_back(roll)

    def _seen(self, roll: RollRecord) -> Plan:
        """Return the plan for one app from only the data that the app's own run reads."""
        fleet, settings = self.world.fleet, self.world.settings_of(roll.site)
        sites = tuple(app for app in fleet.sites if app.ref in {roll.site, roll.site.production})
        copies = tuple(certificate for certificate in fleet.certificates if certificate.ref in roll.copies)
        seen = Fleet(self.now, sites, (), copies, settings=(settings,) if settings else ())
        held = frozenset((roll.webspace, thumbprint) for thumbprint in roll.replaces)
        plan = planner.plan(Snapshot(self.world.lineage, seen, Rollout(roll.version, rolls=(roll,)), held), self.intent)
        steps = tuple(step for step in plan.steps if step.action.site == roll.site and step.action.restarts_site)
        return Plan(steps, tuple(skip for skip in plan.skips if skip.site == roll.site))

    def _put(self, roll: RollRecord, state: RollState, **changes: object) -> None:
        self._record(replace(roll, state=state, at=self.now, **changes))  # type: ignore[arg-type]

    def _write(self, roll: RollRecord) -> None:
        plan = self._seen(roll)
        if any(skip.reason is Reason.OUTSIDE_WINDOW for skip in plan.skips):
            return
        if self.world.rollout.held_by:
            self._put(roll, RollState.REFUSED)
        elif plan.steps and roll.broken_before is None and self.dice.random() < 0.1:
            self._put(roll, RollState.DEFERRED, broken_before=True)
        else:
            self._perform(roll, plan)

    def _perform(self, roll: RollRecord, plan: Plan) -> None:
        current = self.world.lineage.current
        assert current is not None
        settings = self.world.settings_of(roll.site)
        done = settings is not None and (current.thumbprint in settings.named or settings.vault_references)
        rolling = [step for step in plan.steps if not isinstance(step.action, RetireThumbprint)]
        self.rolled[roll.site] += len(rolling)
        self.world = self._changed(plan)
        changes = [step.action for step in plan.steps if isinstance(step.action, SettingsChange)]
        edits = tuple(edit for change in changes for edit in change.edits)
        self._put(roll, RollState.OVERLAPPING if plan.steps or done else RollState.REFUSED, edits=edits)

    def _changed(self, plan: Plan) -> Snapshot:
        after = planner.project(plan, self.world)
        return replace(after, rollout=self.world.rollout)

    def _answer(self, roll: RollRecord) -> None:
        """Let the app answer its probe at random: with success, with an unclear result, or with failure."""
        (state,) = self.dice.choices([*OVER], [*OVER.values()])
        if state is RollState.VALIDATED and roll.retiring:
            state = RollState.RETIRED
        if state is RollState.FAILED and not roll.edits:
            state = RollState.NO_LAST_GOOD
        proven = self.world.lineage.current
        assert proven is not None
        self._put(
            roll, state, proven=(proven.thumbprint, *roll.proven) if state is RollState.VALIDATED else roll.proven
        )

    def _take_back(self, roll: RollRecord) -> None:
        plan = self._seen(roll)
        assert all(isinstance(step.action, RestoreAppSettings) for step in plan.steps)
        stuck = any(skip.reason is Reason.NOT_LIVE for skip in plan.skips)
        self.world = self._changed(plan)
        self._put(roll, RollState.NO_LAST_GOOD if stuck else RollState.ROLLED_BACK)

    # ---------------------------------------------------------------------------------------------------- other writers

    def _meddle(self) -> None:
        """Restore the original settings of a random app a few times in all, as another writer would."""
        if not self.begun or not self.meddlers or self.dice.random() < 0.8:
            return
        self.meddlers -= 1
        was = self.dice.choice(self.begun)
        self.undone[was.site] += 1
        self.world = self.world.with_settings(was)


def nobody_is_forgotten(model: Model) -> None:
    """In the end each app names the new version or has a lasting reason, unless Certroll stopped the rollout."""
    if model.world.rollout.held_by:
        return
    told = {skip.site for skip in model.plan.skips if skip.reason not in IN_TIME}
    lagging = [settings.site for settings in model.world.fleet.settings if lags(model.world, settings)]
    assert not [site for site in lagging if site not in told]


def an_app_restarts_again_only_where_others_undid_it(model: Model) -> None:
    """Certroll updates an app at most once per version, and once more per time that another writer reversed it."""
    assert not {site: times for site, times in model.rolled.items() if times > 1 + model.undone[site]}


def what_failed_names_what_it_named_before(model: Model) -> None:
    """If Certroll restored an app's settings, no setting names a new thumbprint while the old certificates are live."""
    for found in model.rolls:
        now, was = model.world.settings_of(found.site), model.settings_at_first(found.site)
        assert now is not None
        whole = all(live(model.world, edit.next_to, found.site) for edit in found.edits)
        assert found.state is not RollState.ROLLED_BACK or not whole or now.named <= was.named


PROMISES: tuple[Promise[Model], ...] = (
    nobody_is_forgotten,
    an_app_restarts_again_only_where_others_undid_it,
    what_failed_names_what_it_named_before,
)


@times(0.3, soak=1.2)
@given(beginnings, ways, dice, others)
def test_every_roll_comes_to_an_end(world: Snapshot, intent: Intent, dice: Random, meddlers: int) -> None:
    """Every simulation ends, and keeps every promise about its end."""
    model = Model(world, intent, dice, meddlers)
    model.run()
    keep(model, PROMISES)


# ------------------------------------------------------------------------------------------ each promise can fail


def ended(world: Snapshot, *, seed: int = 0) -> Model:
    """Run a simulation until Certroll has nothing left to do, and return the simulation."""
    model = Model(world, APPLY, Random(seed))  # noqa: S311 - it is the same each time
    model.run()
    return model


def forgotten() -> Model:
    """Return an end in which an app names the old version again, and the last plan does not mention the app."""
    model = ended(STALE)
    model.world, model.plan = replace(model.world.with_settings(named(OLD)), rollout=rollout()), Plan()
    return model


def restarted_twice() -> Model:
    """Return an end in which Certroll updated an app twice, although no other writer reversed the update."""
    model = ended(STALE)
    model.rolled[site_ref()] += 1
    return model


def names_more() -> Model:
    """Return an end in which an app still names the new version after Certroll restored its old settings."""
    model = ended(STALE)
    record = roll(RollState.ROLLED_BACK)
    model.world = replace(model.world.with_settings(named(OLD, NEW)), rollout=rollout(rolls=(record,)))
    return model


STALE = snapshot(settings=(named(OLD),), copies=(copy(), copy("kept", source=None)))
DOCTORED: tuple[tuple[Promise[Model], Callable[[], Model]], ...] = (
    (nobody_is_forgotten, forgotten),
    (an_app_restarts_again_only_where_others_undid_it, restarted_twice),
    (what_failed_names_what_it_named_before, names_more),
)


@pytest.mark.parametrize(("promise", "doctored"), DOCTORED)
def test_each_promise_can_fail(promise: Promise[Model], doctored: Callable[[], Model]) -> None:
    """The check of a promise fails for an end that breaks the promise, and passes for Certroll's own end."""
    Broken(promise, ended(STALE), doctored()).is_noticed()


def test_no_promise_is_left_out() -> None:
    """For each promise about the end of a simulated settings update, a test has an end that breaks the promise."""
    assert {promise for promise, _ in DOCTORED} == {*PROMISES}


def test_what_does_not_end_is_noticed() -> None:
    """The simulation fails if Certroll always has something to do."""
    with pytest.raises(AssertionError, match="not over"):
        Model(STALE, APPLY, Random(0), looks=BOUND).run()  # noqa: S311 - it is the same each time
