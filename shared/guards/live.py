"""Never write a thumbprint that is not a live certificate of that webspace.

One wrong thumbprint takes an app down, and Azure does not always check (Microsoft Q&A 5916603).
"""

from shared.actions.settings_change import SettingsChange
from shared.domain.names import Thumbprint
from shared.domain.plan import Intent, Plan, Skip, Step
from shared.domain.reason import Reason
from shared.domain.snapshot import Snapshot


def _usable(step: Step, snapshot: Snapshot) -> frozenset[Thumbprint]:
    """Return what may be written there: an app that used a private key must find one with the new version, too."""
    site = step.action.site
    if site is None or snapshot.site(site) is None:
        return snapshot.live_in(step.action.webspace)
    private = snapshot.private_at(site)
    replaced = {edit.beside for edit in step.action.edits} if isinstance(step.action, SettingsChange) else None
    return private if replaced is None or replaced & private else snapshot.live_at(site)


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse what names a version that is not in the webspace, nor brought there by an earlier step of the plan."""
    kept: list[Step] = []
    skips: list[Skip] = []
    for step in plan.steps:
        missing = step.action.writes - _usable(step, snapshot)
        if missing:
            detail = (
                f"{', '.join(sorted(missing))} is not in {step.action.webspace}: see what is said of the copies there"
            )
            skips.append(Skip(step.subject, Reason.NOT_LIVE, detail, step.action.site))
            continue
        if step.action.site is None:  # only what is of the webspace as a whole brings a certificate there
            snapshot = step.action.project(snapshot)
        kept.append(step)
    return Plan(tuple(kept), (*plan.skips, *skips))
