"""Refuse to begin anything new during a freeze (CERTROLL_FREEZE), unless an old certificate ends soon."""

from datetime import datetime

from shared.domain.certificates.urgency import is_urgent
from shared.domain.fleet.copies import RootCertificate
from shared.domain.freeze import lasting
from shared.domain.intent import Intent
from shared.domain.names import Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollState
from shared.domain.rollout.site_record import Rebind, SiteRecord, SiteState
from shared.domain.snapshot.expiry import ends_soon, hurries, settings_are_urgent
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.guards.thumbprint_not_live import absent
from shared.planning.plan import Action, Phase, Plan, Skip, Step

BEGUN = frozenset({SiteState.PENDING, SiteState.FAILED})
"""The states of a site to which Certroll has begun to bring the version."""


def guard(plan: Plan, snapshot: Snapshot, intent: Intent) -> Plan:
    """Refuse steps that begin something new during a freeze.

    What Certroll has begun is finished or taken back. Old versions that apps still name are kept, because Azure syncs
    imported certificates during a freeze, too. Near the end of an old certificate, its replacement goes on. While a
    version is on hold, the guard `not_its_stage` gives the more telling reason.
    """
    until = intent.frozen_until(snapshot.now)
    if until is None or snapshot.rollout.failed or snapshot.rollout.held_by:
        return plan
    hurrying = frozenset(step.action.webspace for step in plan.steps if _hurries(step.action, snapshot))

    def refusal(step: Step) -> Skip | None:
        goes_on = is_begun(step.action, snapshot) or _is_urgent(step.action, snapshot, hurrying)
        return None if goes_on else _frozen(step, until)

    left = plan.refuse(refusal)
    after = snapshot
    for step in left.steps:
        after = step.action.project(after) if step.action.site is None else after
    return left.refuse(lambda step: _frozen(step, until) if step.action.site and absent(step.action, after) else None)


def is_begun(action: Action, snapshot: Snapshot) -> bool:
    """Return True if the action saves what works now, or finishes something that Certroll has begun before."""
    if action.protects:
        return True
    if action.site is None:
        records = (
            r for r in snapshot.rollout.records if r.webspace == action.webspace and r.state is SiteState.PENDING
        )
        return action.is_staged and not action.deletes_copy and any(True for _ in records)
    if action.restarts_site:
        roll = snapshot.rollout.roll_of(action.site)
        return roll is not None and roll.state is RollState.STALE and bool(roll.edits)
    record = snapshot.rollout.record_of(action.site)
    return record is not None and has_begun(record)


def finishes(action: Action, snapshot: Snapshot) -> bool:
    """Return True if the action finishes or takes back what Certroll has begun at a site, and begins nothing elsewhere.

    An old version is kept for apps in a webspace in which Certroll has begun to change a site or an app.
    """
    rollout, place = snapshot.rollout, action.webspace
    if action.site is None:
        open_there = any(record.webspace == place for record in rollout.pending) or any(
            roll.webspace == place and roll.is_left_open for roll in rollout.rolls
        )
        return action.protects and open_there
    if action.binds is None:
        return is_begun(action, snapshot)
    record = rollout.record_of(action.site)
    return record is not None and (record.state is SiteState.PENDING or record.rebind is Rebind.ASKED)


def has_begun(record: SiteRecord) -> bool:
    """Return True if Certroll has begun to write the bindings of the site, and is not through.

    Certroll is not through if Azure refused a binding, or before each binding that has to be written once more.
    """
    return record.state in BEGUN or record.rebind is Rebind.ASKED or bool(record.refused)


def _frozen(step: Step, until: datetime) -> Skip:
    return Skip(
        step.subject, Reason.FROZEN, f"{lasting(until)}; an urgent certificate is still replaced", step.action.site
    )


def _is_urgent(action: Action, snapshot: Snapshot, hurrying: frozenset[Webspace | None]) -> bool:
    """Return True if an old certificate that the action replaces, or helps to replace, ends soon or is disabled."""
    if action.deletes_copy or action.deletes_root or action.retires:
        return False
    if action.phase is Phase.ROOT:
        return any(_root_hurries(snapshot, root) for root in snapshot.fleet.roots)
    replaced = action.replaces
    if replaced is not None and (ends_soon(snapshot, replaced) or snapshot.lineage.is_disabled(replaced.thumbprint)):
        return True
    return action.webspace in hurrying if action.site is None else _hurries(action, snapshot)


def _hurries(action: Action, snapshot: Snapshot) -> bool:
    """Return True if the action gives a binding or an app a new certificate in place of one that ends soon."""
    if action.site is None or action.retires:
        return False
    if action.binds is not None:
        return _ends_soon(snapshot, action.binds.thumbprint)
    if action.settings_write is None:  # the app loads or fetches a certificate that its settings do not name
        return any(hurries(snapshot, version) for version in snapshot.lineage.replaced)
    return settings_are_urgent(snapshot, (action.site,))


def _root_hurries(snapshot: Snapshot, root: RootCertificate) -> bool:
    """Return True if an older root ends soon, or is disabled and the environment has no later root before the current.

    Operators disable a root that a later root has replaced, without haste.
    """
    if not _ends_soon(snapshot, root.thumbprint):
        return False
    version, lineage = snapshot.lineage.version_of(root.thumbprint), snapshot.lineage
    if version is None or is_urgent(version.not_before, version.not_after, snapshot.now):
        return True
    there = {other.thumbprint for other in snapshot.fleet.roots if other.ref.environment == root.ref.environment}
    later = lineage.versions[: lineage.versions.index(version)]
    return not any(other.thumbprint in there and not lineage.is_current(other.thumbprint) for other in later)


def _ends_soon(snapshot: Snapshot, thumbprint: Thumbprint | None) -> bool:
    if snapshot.lineage.is_current(thumbprint):
        return False
    return hurries(snapshot, snapshot.lineage.version_of(thumbprint))
