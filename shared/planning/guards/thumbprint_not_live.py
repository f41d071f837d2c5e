"""Refuse to write a thumbprint that is not the thumbprint of a certificate in the webspace.

A wrong thumbprint takes an app down, and Azure does not always check the thumbprint (Microsoft Q&A 5916603). For a root
list (WEBSITE_LOAD_ROOT_CERTIFICATES), the public certificates of all apps of the App Service plan count.
"""

from dataclasses import replace

from shared.domain.fleet.app_settings import is_root_list
from shared.domain.intent import Intent
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.domain.snapshot.liveness import absent_after, live_at, live_in, private_at
from shared.domain.snapshot.snapshot import Snapshot
from shared.planning.plan import Action, Plan, Skip, Step


def guard(plan: Plan, snapshot: Snapshot, _: Intent) -> Plan:
    """Refuse to write a thumbprint if the webspace lacks its certificate even after the earlier steps of the plan."""
    kept: list[Step] = []
    skips: list[Skip] = []
    for step in plan.steps:
        if (refused := not_live(step, snapshot)) is not None:
            skips.append(replace(refused, step=step))
            continue
        if step.action.site is None:  # only steps that change no site bring certificates into a webspace
            snapshot = step.action.project(snapshot)
        kept.append(step)
    return replace(plan, steps=tuple(kept), skips=(*plan.skips, *skips))


def not_live(step: Step, snapshot: Snapshot) -> Skip | None:
    """Return why Certroll may not write the thumbprints of a step, None if Certroll may write these thumbprints."""
    missing = _missing(step.action, snapshot)
    if not missing:
        return None
    change, write = step.action, step.action.settings_write
    roots = {edit.add for edit in write.edits if is_root_list(edit.key)} if write else set()
    where = (
        "not a public certificate of any app of its App Service plan"
        if missing <= roots
        else f"not in {change.webspace}"
    )
    detail = f"{', '.join(sorted(missing))} is {where}; the findings about the certificates there say why"
    return Skip(step.subject, Reason.NOT_LIVE, detail, change.site)


def absent(action: Action, snapshot: Snapshot) -> frozenset[Thumbprint]:
    """Return the thumbprints that the action writes and whose certificates the app could not find after the write."""
    write = action.settings_write
    if write is None:
        return action.writes - (live_at(snapshot, action.site) if action.site else frozenset())
    return absent_after(snapshot, write.settings, write.edits)


def _missing(action: Action, snapshot: Snapshot) -> frozenset[Thumbprint]:
    """Return the thumbprints that the action must not write, because App Service lacks their certificates.

    If the app used the private key of the old version, the app must also find a private key with the new version.
    """
    if action.site is None or snapshot.site(action.site) is None:
        return action.writes - live_in(snapshot, action.webspace)
    private, write = private_at(snapshot, action.site), action.settings_write
    if write is None:
        return action.writes - private
    edits = [edit for edit in write.edits if not is_root_list(edit.key)]
    keyed = not private.isdisjoint(edit.next_to for edit in edits)
    keyless = {edit.add for edit in edits if edit.add is not None} - private if keyed else set[Thumbprint]()
    return absent(action, snapshot) | keyless
