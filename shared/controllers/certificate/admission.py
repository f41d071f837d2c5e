"""Decide without any request to Azure which apps may get new settings, and build journal records of these apps.

Certroll updates the settings of an app only if the journal has a record of the app.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.environments.apps import wave_apps
from shared.domain.fleet.app_settings import SiteSettings
from shared.domain.intent import Intent
from shared.domain.names import CopyRef, SiteRef, Thumbprint
from shared.domain.reason import Reason
from shared.domain.rollout.budget import restart_budget
from shared.domain.rollout.settings_record import WRITTEN, RollRecord, RollState
from shared.domain.snapshot.roots import lacks_root
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import named_stale, rollable
from shared.domain.tags import opted_out
from shared.planning import planner
from shared.planning.acting.roll_edits import roll_edits
from shared.planning.guards.thumbprint_not_live import absent
from shared.planning.plan import Plan, Skip

FEWER_SETTINGS_BELIEVED_AFTER = timedelta(hours=24)
"""How long app settings must be missing before Certroll rolls the app without the missing settings.

If a read shows only a part of the settings, the next write deletes the others (ADR 14). A day gives the owner of the
app time to see the finding.
"""


def roll_records(snapshot: Snapshot, plan: Plan, intent: Intent, *, fresh: bool) -> tuple[RollRecord, ...]:
    """Return journal records of apps to update, and of apps whose settings name the old and new certificate version.

    The records also include each contested app, whose settings a person or tool keeps changing back.

    Admitted apps are apps whose settings Certroll may update now.

    In an overlap, an app's settings name the old and the new version of the vault certificate. The caller has removed
    the steps that Azure refused from the plan, so Certroll admits no app whose settings would name a certificate that
    App Service lacks. After Azure refused an app's update, Certroll admits the app once more only in a `fresh` run,
    which follows an event or a sweep. A retry after seconds would usually meet the same refusal of Azure.
    """
    after = planner.project(Plan(tuple(step for step in plan.steps if step.action.site is None)), snapshot)
    restarts = (step.action for step in plan.steps if step.action.restarts_site)
    going = {action.site for action in restarts if action.site and not absent(action, after)}
    sites = sorted(site for site in going if fresh or not _is_refused(snapshot, site))
    admitted = (_with_budget(snapshot, intent, _admitted(snapshot, after, site)) for site in sites)
    contested = (_contested(snapshot, skip) for skip in plan.skips if skip.reason is Reason.CONTESTED)
    found = unrecorded(snapshot, plan, intent)
    overlaps = (_overlap(snapshot, after, site) for site in found if fresh or not _is_refused(snapshot, site))
    records = (record for record in (*admitted, *contested, *overlaps) if record is not None)
    return tuple(sorted(records, key=lambda record: record.site))


def has_unrecorded(snapshot: Snapshot, plan: Plan, intent: Intent) -> bool:
    """Return True if an app without a record in the journal names the old and the new version.

    If the journal does not know an app whose settings name both versions, the journal was lost, or an operator added
    the new version by hand.
    """
    return any(True for _ in unrecorded(snapshot, plan, intent))


def _with_budget(snapshot: Snapshot, intent: Intent, record: RollRecord | None) -> RollRecord | None:
    """Return the app's record with the limit for restarts of its environment, computed from the apps that run now."""
    site = snapshot.site(record.site) if record else None
    most = intent.ase_max_unavailable
    if record is None or site is None or site.environment is None or most is None:
        return record
    running = [app.plan for app in wave_apps(snapshot.fleet, site.environment) if app.runs]
    return replace(record, budget=restart_budget(most, site.environment, site.plan, running))


def _is_refused(snapshot: Snapshot, site: SiteRef) -> bool:
    record = snapshot.rollout.roll_of(site)
    return record is not None and record.state is RollState.REFUSED


def _admitted(snapshot: Snapshot, after: Snapshot, site: SiteRef) -> RollRecord | None:
    """Return the record of an app whose settings Certroll may update now.

    Return None while an earlier update of the app is unfinished.

    `after` is the fleet as Azure will show it after all steps of the plan that touch no site.
    """
    before = snapshot.rollout.roll_of(site)
    unfinished = any(roll.site == site for roll in snapshot.rollout.unfinished(snapshot.now))
    if unfinished or (before is not None and before.under_way):
        return None
    fresh = _fresh(snapshot, after, site, RollState.STALE)
    if fresh is None or before is None:
        return fresh
    retiring = before.state is RollState.VALIDATED and not _is_stale_again(snapshot, site)
    undone = before.undone_lately(snapshot.now)
    again = bool(set(fresh.replaces) & set(before.replaces)) or (fresh.wants_root and before.wants_root)
    if before.state in WRITTEN and not retiring and again:
        undone = (*undone, snapshot.now)
    broken_before = before.broken_before if before.state is RollState.DEFERRED else None
    # a second try of a refused app must not block other apps for longer than the first try
    since = before.at if before.state is RollState.REFUSED else fresh.at
    fresh = replace(fresh, at=since, broken_before=broken_before, undone=undone, retiring=retiring)
    if before.state is not RollState.REFUSED or not before.in_doubt:
        return fresh
    # Azure may still carry out the first try. Then only its edits lead back, and only the probe before it tells whether
    # it broke the app.
    return replace(fresh, edits=before.edits, asked=before.asked, shows_another=before.shows_another)


def _settings_expected(before: RollRecord | None, seen: int, now: datetime) -> int:
    """Return how many app settings of an app a complete answer of Azure has to show.

    The expected number of app settings falls only after Azure has shown fewer settings for a day.
    """
    if before is None or seen >= before.settings:
        return seen
    missed_long = before.failing_since is not None and now - before.failing_since >= FEWER_SETTINGS_BELIEVED_AFTER
    return seen if missed_long else before.settings


def _contested(snapshot: Snapshot, skip: Skip) -> RollRecord | None:
    """Return the record of an app whose settings a person or tool other than Certroll has changed back repeatedly."""
    before = snapshot.rollout.roll_of(skip.site) if skip.site is not None else None
    if before is None or before.state is RollState.CONTESTED:
        return None
    undone = (*before.undone_lately(snapshot.now), snapshot.now)
    return replace(before, state=RollState.CONTESTED, at=snapshot.now, undone=undone, detail=skip.detail)


def unrecorded(snapshot: Snapshot, plan: Plan, intent: Intent) -> Iterable[SiteRef]:
    """Yield each app whose settings name the old and the new version although the journal has no record of the app."""
    current = snapshot.lineage.current
    tags = snapshot.lineage.tags
    if intent.barrier(tags, str(snapshot.lineage.ref)) or opted_out(tags):
        return
    refused = {skip.site for skip in plan.skips} | {step.action.site for step in plan.steps}
    for settings in snapshot.fleet.settings:
        overlaps = bool(current and current.thumbprint in settings.named and named_stale(snapshot, settings))
        excluded = intent.owns(settings.site) or snapshot.fleet.is_left_alone(settings.site)
        record = snapshot.rollout.roll_of(settings.site)
        came = _is_refused(snapshot, settings.site) and record is not None and _has_come(snapshot, settings, record)
        known = (record is not None and not came) or settings.site in refused
        if (overlaps or came) and not excluded and not known:
            yield settings.site


def _has_come(snapshot: Snapshot, settings: SiteSettings, record: RollRecord) -> bool:
    """Return True if Azure shows the change of an app, although Certroll took the change for refused.

    Azure may carry out a change late, and App Service fetches Key Vault references by itself within a day.
    """
    current = snapshot.lineage.current
    if current is None:
        return False
    if record.edits:
        return current.thumbprint in settings.named
    ours = (found for found in settings.vault_references if found.ref == snapshot.lineage.ref)
    return any(found.follows(current.version) for found in ours)


def _overlap(snapshot: Snapshot, after: Snapshot, site: SiteRef) -> RollRecord | None:
    """Return the record of an app that Certroll found with the old and the new version in its settings.

    If Azure answered a write with a refusal but carried the write out, the new record keeps the edits of that write.
    Certroll can restore the old settings of an app only from the edits that the journal recorded.
    """
    fresh, before = _fresh(snapshot, after, site, RollState.OVERLAPPING), snapshot.rollout.roll_of(site)
    if fresh is None or before is None:
        return fresh
    state = RollState.OVERLAPPING
    return replace(before, state=state, at=snapshot.now, failing_since=None, detail="", in_doubt=False)


def _fresh(snapshot: Snapshot, after: Snapshot, site: SiteRef, state: RollState) -> RollRecord | None:
    """Return a new record of the app for the current version, or None if Azure does not show enough of the app."""
    current, settings, seen = snapshot.lineage.current, snapshot.settings_of(site), snapshot.site(site)
    if current is None or settings is None or seen is None or seen.webspace is None:
        return None
    replaces = rollable(snapshot, settings)
    wanted = {current.thumbprint, *replaces}
    before = next((r for r in (*snapshot.rollout.rolls, *snapshot.rollout.past_rolls) if r.site == site), None)
    return RollRecord(
        site=site,
        version=current.version,
        webspace=seen.webspace,
        state=state,
        at=snapshot.now,
        # if Azure does not tell the App Service plan of an app, Certroll treats the app as alone on its plan
        plan=seen.plan or site.resource_id,
        copies=_copies(after, site, wanted),
        replaces=replaces,
        proven=before.proven if before else (),
        settings=_settings_expected(before, settings.count, snapshot.now),
        failing_since=before.failing_since if before and before.state is RollState.REFUSED else None,
        wants_root=lacks_root(snapshot, settings),
        revision=before.revision if before else None,
    )


def _copies(after: Snapshot, site: SiteRef, wanted: set[Thumbprint]) -> tuple[CopyRef, ...]:
    """Return the certificates in App Service that a run of the app has to read.

    If several lists name a root certificate, this function returns the root certificate only once.
    """
    own = {copy.ref for copy in after.fleet.certificates_of(site) if copy.thumbprint in wanted}
    roots = {copy.thumbprint: copy.ref for copy in reversed(after.fleet.roots_of(site)) if copy.thumbprint in wanted}
    return tuple(sorted(own | set(roots.values())))


def _is_stale_again(snapshot: Snapshot, site: SiteRef) -> bool:
    settings, seen = snapshot.settings_of(site), snapshot.site(site)
    return (
        settings is not None
        and seen is not None
        and bool(roll_edits(snapshot, seen, settings, rollable(snapshot, settings)))
    )
