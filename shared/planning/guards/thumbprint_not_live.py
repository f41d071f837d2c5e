"""Never write a thumbprint that is not a live certificate of that webspace.

One wrong thumbprint takes an app down, and Azure does not always check (Microsoft Q&A 5916603). Live for a root list
are the public certificates of the apps of the App Service plan.
"""

from shared.domain.fleet.app_settings import is_root_list
from shared.domain.intent import Intent
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.snapshot.liveness import absent_after, live_at, live_in, private_at
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Action, Plan, Skip, Step


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse what names a version that is not in the webspace, nor brought there by an earlier step of the plan."""
    kept: list[Step] = []
    skips: list[Skip] = []
    for step in plan.steps:
        if (refused := not_live(step, snapshot)) is not None:
            skips.append(refused)
            continue
        if step.action.site is None:  # only what is of the webspace as a whole brings a certificate there
            snapshot = step.action.project(snapshot)
        kept.append(step)
    return Plan(tuple(kept), (*plan.skips, *skips))


def not_live(step: Step, snapshot: Snapshot) -> Skip | None:
    """Return why the step may not write what it would write, None where it may."""
    missing = _missing(step.action, snapshot)
    if not missing:
        return None
    change, write = step.action, step.action.settings_write
    roots = {edit.add for edit in write.edits if is_root_list(edit.key)} if write else set()
    where = (
        "a public certificate of no app of its App Service plan" if missing <= roots else f"not in {change.webspace}"
    )
    detail = f"{', '.join(sorted(missing))} is {where}: see what is said of the copies there"
    return Skip(step.subject, Reason.NOT_LIVE, detail, change.site)


def absent(action: Action, snapshot: Snapshot) -> frozenset[Thumbprint]:
    """Return what the action has an app use that the app cannot have by the settings that are to name it."""
    write = action.settings_write
    if write is None:
        return action.writes - (live_at(snapshot, action.site) if action.site else frozenset())
    return absent_after(snapshot, write.settings, write.edits)


def _missing(action: Action, snapshot: Snapshot) -> frozenset[Thumbprint]:
    """Return what may not be written: an app that used a private key must find one with the new version, too."""
    if action.site is None or snapshot.site(action.site) is None:
        return action.writes - live_in(snapshot, action.webspace)
    private, write = private_at(snapshot, action.site), action.settings_write
    if write is None:
        return action.writes - private
    edits = [edit for edit in write.edits if not is_root_list(edit.key)]
    keyed = not private.isdisjoint(edit.next_to for edit in edits)
    keyless = {edit.add for edit in edits if edit.add is not None} - private if keyed else set[Thumbprint]()
    return absent(action, snapshot) | keyless
