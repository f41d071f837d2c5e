"""The way back of an app that fails with the new version."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

from shared.controllers.site.app import App, conclude, inspect_app, report_app, settling_after
from shared.controllers.site.asking import PROBE_AGAIN, ask_app_in_a_row, has_failed_for_good, not_yet, without_roots
from shared.domain.fleet.probe import ProbeInvalid, ProbeResult, Verdict, probe_of
from shared.domain.outcome import Deferred, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.loop.perform import perform_all
from shared.loop.report import report_skips
from shared.planning.acting.subjects import settings_subject
from shared.planning.plan import Skip

FEWER_SETTINGS_RESTORED_AFTER = timedelta(minutes=50)
"""How long the same few settings must be missing before Certroll takes its edits back in those that are left. The app
is down, so that a second look has to do: that of the next hourly sweep, which may begin some minutes early."""


# -------------------------------------------------------------------------------------------------------- the way back


def take_back(app: App, result: ProbeResult) -> Outcome:
    """Record that the version does not work in the app, and bring the last good values back."""
    detail = f"its probe fails with the new version: {result.detail}"
    now, ref = app.run.now(), app.lineage.ref
    record = replace(app.record, state=RollState.FAILED, at=now, detail=detail)
    record = app.run.ports.settings_rolls.put_roll(ref, record)
    return restore(inspect_app(app.run, app.lease, app.lineage, record, app.waits))


def restore(app: App) -> Outcome:
    """Bring the last good values back, if Certroll has any. What remains is a hold, and a finding for a person."""
    run, record = app.run, app.record
    subject = settings_subject(record.site)
    barred = next((s for s in app.plan.skips if s.subject == subject and s.reason is not Reason.VERSION_HELD), None)
    steps = tuple(step for step in app.plan.steps if step.action.protects)
    # The version failed although Certroll wrote nothing, or somebody deleted the version before from the webspace.
    if not record.edits or (not steps and barred is not None and barred.reason is Reason.NOT_LIVE):
        return _nothing_to_restore(app)
    # Azure shows fewer settings than the app had. If that read went wrong, a write would delete the rest. But Azure has
    # shown the same few for an hour: the owner of the app took the others out.
    if not steps and barred is not None and barred.reason is Reason.SETTINGS_SHRUNKEN and _is_believed(app):
        return restore(inspect_app(run, app.lease, app.lineage, _believing(app), app.waits))
    if not steps and barred is not None:
        return _not_restored(app, barred)
    refused = perform_all(run, app.lease, app.lineage.ref, steps)
    report_skips(run.ports.findings, app.lineage.ref, refused, run.now())
    # NOT_SETTLED is no refusal: Azure took the write, and does not show it yet.
    if refused and refused[0].reason is not Reason.NOT_SETTLED:
        return _not_restored(app, refused[0])
    settling = settling_after(app, RollState.RESTORED)
    report_app(app, Stalled(Reason.ROLLED_BACK, f"{record.site}: {record.detail}; the last good values are back"))
    return settling


def _nothing_to_restore(app: App) -> Outcome:
    record = app.record
    why = "the version before is not in its webspace any more" if record.edits else "no setting of it was written"
    detail = f"{record.site}: {record.detail}; there is nothing to bring back, {why}: mend it by hand"
    return conclude(app, RollState.NO_LAST_GOOD, Stalled(Reason.NO_LAST_GOOD, detail))


def _not_restored(app: App, skip: Skip) -> Outcome:
    """Report why the last good values are not back. The record stays as it is, so that a later run tries once more."""
    detail = f"{app.record.site}: {app.record.detail}; it is not taken back: {skip.detail}"
    return report_app(app, Stalled(skip.reason, detail))


def _is_believed(app: App) -> bool:
    """Return True if Azure has shown the same few settings for an hour. If Azure shows others now, record those."""
    record, now = app.record, app.run.now()
    left = _names_left(app)
    if record.missing == left:
        return record.failing_since is not None and now - record.failing_since >= FEWER_SETTINGS_RESTORED_AFTER
    app.run.ports.settings_rolls.put_roll(app.lineage.ref, replace(record, missing=left, failing_since=now))
    return False


def _believing(app: App) -> RollRecord:
    """Return the record with as many settings as are read now: their owner has taken the others out."""
    settings = app.snapshot.settings_of(app.record.site)
    fewer = replace(app.record, settings=len(settings.digests) if settings else 0)
    return app.run.ports.settings_rolls.put_roll(app.lineage.ref, fewer)


def _names_left(app: App) -> str:
    settings = app.snapshot.settings_of(app.record.site)
    return sha256("\0".join(sorted(settings.digests if settings else ())).encode("utf-8", "surrogatepass")).hexdigest()


def check_restored(app: App) -> Outcome:
    """Ask the app once more, so that people learn whether the version before still works."""
    if wait := not_yet(app):
        return wait
    try:
        probe = probe_of(app.snapshot.fleet, app.record.site)
    except ProbeInvalid:
        probe = None
    detail = f"{app.record.site}: {app.record.detail}; the last good values are back"
    if probe is None:
        return conclude(app, RollState.ROLLED_BACK, Stalled(Reason.ROLLED_BACK, detail))
    result = ask_app_in_a_row(app, without_roots(app, probe))
    if result.verdict is not Verdict.FAILED:
        return conclude(app, RollState.ROLLED_BACK, Stalled(Reason.ROLLED_BACK, f"{detail}, and it works with them"))
    if not has_failed_for_good(app):
        return Waiting(app.run.now() + PROBE_AGAIN, Reason.PROBING, f"{app.record.site}: {result.detail}")
    ill = Deferred(Reason.BROKEN_BEFORE, f"{detail}, but it fails with them as well: {result.detail}")
    broken = replace(app.record, broken_before=True, failing_since=None)
    return conclude(app, RollState.DEFERRED, ill, broken)
