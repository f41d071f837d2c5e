"""Restart one app first (a slot before production), and other apps after its proof or a waiting time."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache, partial

from shared.domain.environments.apps import wave_apps
from shared.domain.environments.waves import last_of_group, next_wave
from shared.domain.fleet.probe import ProbeInvalid, probe_of
from shared.domain.intent import Intent
from shared.domain.names import EnvironmentRef, SiteRef
from shared.domain.reason import Reason
from shared.domain.rollout.budget import MaxUnavailable
from shared.domain.rollout.gates import LOST_AFTER, opens, opens_at
from shared.domain.rollout.settings_record import WRITTEN, RollState
from shared.domain.snapshot.expiry import settings_are_urgent
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.guards.thumbprint_not_live import absent
from shared.planning.plan import Plan, Skip, Step

SHOWN = 3
"""How many apps a refusal names."""


def guard(plan: Plan, snapshot: Snapshot, intent: Intent) -> Plan:
    """Refuse restarts of apps that must wait for other apps."""
    plan = _where_live(plan, snapshot)
    staged = [step.action for step in plan.steps if _staged(step)]
    rolling = (action for action in staged if not action.retires)
    apps = frozenset(action.site for action in rolling if action.site is not None)
    turns = Turns(snapshot, intent, apps, frozenset(action.site for action in staged if action.site is not None))

    def refusal(step: Step) -> Skip | None:
        if not _staged(step) or step.action.site is None or (turn := turns.refusal(step.action.site)) is None:
            return None
        return Skip(step.subject, *turn, step.action.site)

    return plan.refuse(refusal)


class Turns:
    """The order in which apps restart, decided from the apps' records and remaining steps. This class is pure.

    `apps` are the apps whose settings Certroll updates. `restarting` are the apps in `apps` and the apps from whose
    settings Certroll only takes older versions.
    """

    def __init__(
        self, snapshot: Snapshot, intent: Intent, apps: frozenset[SiteRef], restarting: frozenset[SiteRef] = frozenset()
    ) -> None:
        self._snapshot = snapshot
        self._intent = intent
        self._apps = apps
        self._restarting = restarting | apps
        self._rolls = snapshot.rollout.rolls
        self._deferred = {roll.site for roll in self._rolls if roll.state is RollState.DEFERRED}
        self._slots = _by_production((*apps, *(roll.site for roll in self._rolls)))
        self._urgent = settings_are_urgent(snapshot, apps)
        self._went = sorted(str(roll.site) for roll in self._rolls if roll.site not in self._deferred)
        self._members = cache(partial(wave_apps, snapshot.fleet))
        self._wave = cache(self._next_wave)
        self._first = min(apps, key=self._rank, default=None)

    def refusal(self, app: SiteRef) -> tuple[Reason, str] | None:
        """Return why the app may not restart now, None if the app may restart."""
        record = self._snapshot.rollout.roll_of(app)
        if record is not None and record.state is RollState.STALE:
            return None  # the app is admitted already
        return self._awaiting_turn(app) or self._awaiting_wave(app)

    def opens_at(self) -> datetime | None:
        """Return when apps after the first app may restart, None if no app has restarted yet."""
        return opens_at(self._rolls, self._intent.stage_soak, LOST_AFTER, urgent=self._urgent)

    def _rank(self, app: SiteRef) -> tuple[object, ...]:
        """Return the sort key of an app: the app with the smallest key restarts first.

        An app whose probe can show the new certificate version restarts before other apps. An app whose probe failed
        before Certroll wrote any setting restarts after the other apps.
        """
        stopped = not self._runs(app)
        held_up = any(slot in self._apps for slot in self._waited_for(app))
        proof = _proof(self._snapshot, app)
        return (
            self._last_of(app) is not None,
            app in self._deferred,
            held_up,
            self._intent.owns(app),
            stopped,
            proof,
            app.slot is None,
            app,
        )

    def _awaiting_turn(self, app: SiteRef) -> tuple[Reason, str] | None:
        return self._awaiting_first(app) or self._awaiting_slots(app)

    def _awaiting_wave(self, app: SiteRef) -> tuple[Reason, str] | None:
        """Return a refusal if too many apps would be down at once, or if no other app of the app's group runs."""
        site, limit = self._snapshot.site(app), self._intent.ase_max_unavailable
        if site is None or site.environment is None or limit is None or not site.running:
            return None
        if group := self._last_of(app):
            detail = f"this is the last running app of group {group}: start another app of it, or remove the app's tag"
            return Reason.LAST_OF_GROUP, detail
        if app in self._wave(site.environment, limit):
            return None
        return (
            Reason.AWAITING_WAVE,
            f"other apps of {site.environment} go first: CERTROLL_ASE_MAX_UNAVAILABLE is {limit}",
        )

    def _last_of(self, app: SiteRef) -> str | None:
        """Return the group (tag `certroll-group`) whose last running app in the environment is this app, else None.

        If CERTROLL_ASE_MAX_UNAVAILABLE is set, Certroll does not restart the last running app of a group (tag
        `certroll-group`) in an App Service Environment.
        """
        site = self._snapshot.site(app)
        if site is None or site.environment is None or self._intent.ase_max_unavailable is None:
            return None
        return last_of_group(self._members(site.environment), app)

    def _next_wave(self, environment: EnvironmentRef, limit: MaxUnavailable) -> frozenset[SiteRef]:
        going = frozenset(app for app in self._restarting if self._awaiting_turn(app) is None)
        down = frozenset(roll.site for roll in self._rolls if roll.under_way)
        return frozenset(next_wave(self._members(environment), going, limit, down))

    def _awaiting_first(self, app: SiteRef) -> tuple[Reason, str] | None:
        if not self._went:
            detail = f"{self._first} goes first; the others follow when the version is proven there"
            return None if app == self._first else (Reason.AWAITING_FIRST_SITE, detail)
        open_at = self.opens_at()
        if open_at is None or open_at <= self._snapshot.now:
            return None
        more = f" and {len(self._went) - SHOWN} others" if len(self._went) > SHOWN else ""
        names = f"{', '.join(self._went[:SHOWN])}{more}"
        latest = f"at the latest at {open_at:%Y-%m-%d %H:%M:%S} UTC"
        return (
            Reason.AWAITING_FIRST_SITE,
            f"{names} went first; the others follow when the version is proven there, {latest}",
        )

    def _awaiting_slots(self, app: SiteRef) -> tuple[Reason, str] | None:
        waiting = sorted(slot for slot in self._waited_for(app) if not self._is_through(slot))
        if not waiting:
            return None
        return Reason.AWAITING_SLOTS, f"{', '.join(map(str, waiting))} goes before its production site"

    def _waited_for(self, app: SiteRef) -> tuple[SiteRef, ...]:
        """Return the deployment slots that restart before the app.

        Certroll does not wait for a slot that is stopped or failed its probe before the update, because such a slot
        cannot prove the version.
        """
        if not self._intent.slots_first:
            return ()
        return tuple(slot for slot in self._slots.get(app, ()) if slot not in self._deferred and self._runs(slot))

    def _runs(self, app: SiteRef) -> bool:
        site = self._snapshot.site(app)
        return site is not None and site.running

    def _is_through(self, slot: SiteRef) -> bool:
        record = self._snapshot.rollout.roll_of(slot)
        # If a slot still has a step after Certroll wrote its settings, a person or tool has undone the update, and
        # Certroll updates the slot's settings again.
        if record is None or (record.state in WRITTEN and slot in self._apps):
            return False
        return opens(record, self._intent.stage_soak, LOST_AFTER, urgent=self._urgent) <= self._snapshot.now


def _by_production(apps: Iterable[SiteRef]) -> dict[SiteRef, tuple[SiteRef, ...]]:
    slots: dict[SiteRef, tuple[SiteRef, ...]] = {}
    for slot in {app for app in apps if app.slot is not None}:
        slots[slot.production] = (*slots.get(slot.production, ()), slot)
    return slots


def _proof(snapshot: Snapshot, app: SiteRef) -> int:
    """Return how well the app's probe can prove that the app uses the new version.

    The result is 0 if the probe shows a thumbprint, 1 if the probe shows only a healthy app, and 2 if the app has no
    probe.
    """
    try:
        probe = probe_of(snapshot.fleet, app)
    except ProbeInvalid:
        return 2
    return 2 if probe is None else 1 - probe.proves


def _staged(step: Step) -> bool:
    return step.action.restarts_site and not step.action.protects


def _where_live(plan: Plan, snapshot: Snapshot) -> Plan:
    """Return the plan without restarts of apps in webspaces in which Certroll may not yet install the version."""
    for step in plan.steps:
        if step.action.site is None:
            snapshot = step.action.project(snapshot)

    def refusal(step: Step) -> Skip | None:
        site = step.action.site
        if site is None or not step.action.restarts_site or not absent(step.action, snapshot):
            return None
        detail = f"Certroll brings the version to {step.action.webspace} in a later stage"
        return Skip(step.subject, Reason.AWAITING_FIRST_STAGE, detail, step.action.site)

    return plan.refuse(refusal)
