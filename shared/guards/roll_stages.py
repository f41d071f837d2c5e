"""One app first; slots before production; the others when it is proven there."""

from collections.abc import Iterable
from datetime import datetime

from shared.actions.restore_app_settings import RestoreAppSettings
from shared.domain.names import SiteRef
from shared.domain.plan import Intent, Plan, Skip, Step
from shared.domain.probe import Probe, ProbeInvalid
from shared.domain.reason import Reason
from shared.domain.roll import RollState, opens_at, soaked_at
from shared.domain.rollout import LOST_AFTER, URGENT
from shared.domain.snapshot import Snapshot

TAG = "certroll-probe"


def guard(plan: Plan, snapshot: Snapshot, intent: Intent) -> Plan:
    """Refuse changes of apps whose turn has not come."""
    plan = _where_live(plan, snapshot)
    apps = frozenset(step.action.site for step in plan.steps if _staged(step) and step.action.site is not None)
    turns = Turns(snapshot, intent, apps)

    def refusal(step: Step) -> Skip | None:
        if not _staged(step) or step.action.site is None or (turn := turns.refusal(step.action.site)) is None:
            return None
        return Skip(step.subject, *turn, step.action.site)

    return plan.refuse(refusal)


def probe_of(snapshot: Snapshot, site: SiteRef) -> Probe | None:
    """Return the probe that the tag asks for, None where there is none. Raises ProbeInvalid."""
    text = snapshot.tag(site, TAG)
    return None if text is None else Probe.parse(text)


class Turns:
    """Whose turn it is: pure, from the records and from which apps still have something to do."""

    def __init__(self, snapshot: Snapshot, intent: Intent, apps: frozenset[SiteRef]) -> None:
        self._snapshot = snapshot
        self._intent = intent
        self._apps = apps
        self._rolls = snapshot.rollout.rolls
        ends = snapshot.settings_expire_at(apps)
        self._urgent = ends is not None and ends - snapshot.now < URGENT
        self._started = any(roll.state is not RollState.SET_ASIDE for roll in self._rolls)

    def refusal(self, app: SiteRef) -> tuple[Reason, str] | None:
        """Return why the app may not go now, None where it may."""
        record = self._snapshot.rollout.roll_of(app)
        if record is not None and record.state is RollState.STALE:
            return None  # it was told to go already
        return self._awaiting_first(app) or self._awaiting_slots(app)

    def opens_at(self) -> datetime | None:
        """Return from when apps after the first may go, None while there is no first."""
        return opens_at(self._rolls, self._intent.stage_soak, LOST_AFTER, urgent=self._urgent)

    def first(self) -> SiteRef | None:
        """Return the app that goes first: where it can be proven, and not one that was broken before it was touched."""
        aside = {roll.site for roll in self._rolls}
        return min(self._apps, key=lambda app: (app in aside, *self._rank(app)), default=None)

    def _rank(self, app: SiteRef) -> tuple[object, ...]:
        site = self._snapshot.site(app)
        stopped = site is not None and not site.running
        slot_later = (
            self._intent.slots_first and app.slot is None and any(self._is_slot_of(one, app) for one in self._apps)
        )
        return slot_later, self._intent.owns(app), stopped, _proof(self._snapshot, app), app.slot is None, app

    def _awaiting_first(self, app: SiteRef) -> tuple[Reason, str] | None:
        if not self._started:
            first = self.first()
            detail = f"{first} goes first; the rest follows when it is proven there"
            return None if app == first else (Reason.AWAITING_FIRST_SITE, detail)
        opens = self.opens_at()
        if opens is not None and opens <= self._snapshot.now:
            return None
        names = ", ".join(sorted(str(roll.site) for roll in self._rolls if roll.state is not RollState.SET_ASIDE))
        latest = f", at the latest at {opens:%Y-%m-%d %H:%M:%S} UTC" if opens else ""
        return Reason.AWAITING_FIRST_SITE, f"{names} went first; the rest follows when it is proven there{latest}"

    def _awaiting_slots(self, app: SiteRef) -> tuple[Reason, str] | None:
        if app.slot is not None or not self._intent.slots_first:
            return None
        waiting = sorted(slot for slot in self._slots(app) if not self._is_through(slot))
        if not waiting:
            return None
        return Reason.AWAITING_SLOTS, f"{', '.join(map(str, waiting))} goes before its production site"

    def _slots(self, app: SiteRef) -> Iterable[SiteRef]:
        known = {*self._apps, *(roll.site for roll in self._rolls)}
        return (slot for slot in known if self._is_slot_of(slot, app))

    def _is_through(self, slot: SiteRef) -> bool:
        record = self._snapshot.rollout.roll_of(slot)
        if record is None or record.state is RollState.SET_ASIDE:
            return record is not None and slot not in self._apps
        through = soaked_at(record, self._intent.stage_soak, urgent=self._urgent)
        return through is not None and through <= self._snapshot.now

    @staticmethod
    def _is_slot_of(slot: SiteRef, site: SiteRef) -> bool:
        return slot.slot is not None and slot.production == site


def _proof(snapshot: Snapshot, app: SiteRef) -> int:
    """Return how well the app can prove a roll: 0 by its thumbprint, 1 by being alive, 2 not at all."""
    try:
        probe = probe_of(snapshot, app)
    except ProbeInvalid:
        return 2
    return 2 if probe is None else 1 - probe.proves


def _staged(step: Step) -> bool:
    return step.action.restarts_site and not isinstance(step.action, RestoreAppSettings)


def _where_live(plan: Plan, snapshot: Snapshot) -> Plan:
    """Refuse apps whose webspace gets the version only in a later stage."""
    for step in plan.steps:
        if step.action.site is None:
            snapshot = step.action.project(snapshot)

    def refusal(step: Step) -> Skip | None:
        if not step.action.restarts_site or step.action.writes <= snapshot.live_in(step.action.webspace):
            return None
        detail = f"the version comes to {step.action.webspace} in a later stage"
        return Skip(step.subject, Reason.AWAITING_FIRST_STAGE, detail, step.action.site)

    return plan.refuse(refusal)
