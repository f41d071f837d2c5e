"""Restore the last good settings of an app that fails with the new version."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

from shared.controllers.site.app import App, conclude, forget_settings, inspect_app, report_app, settling_after
from shared.controllers.site.asking import PROBE_AGAIN, ask_app_in_a_row, has_failed_for_good, not_yet, without_roots
from shared.domain.findings import SeenBy
from shared.domain.fleet.probe import ProbeInvalid, ProbeResult, Verdict, probe_of
from shared.domain.outcome import Deferred, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.loop.perform import perform_all
from shared.loop.report import report_skips
from shared.planning.acting.by_hand import HANDS_OFF, settings_by_hand
from shared.planning.acting.subjects import settings_subject
from shared.planning.plan import Skip

NOT_GOOD = {
    Reason.NOT_LIVE: "its webspace no longer holds the old version",
    Reason.VERSION_DISABLED: "the old version is disabled in the vault",
}
"""The refusals by which an app has no last good settings any more."""

FEWER_SETTINGS_RESTORED_AFTER = timedelta(minutes=50)
"""How long the same app settings must be missing before Certroll restores the settings that are left.

The app is down, so Certroll waits only for the next hourly sweep, which may begin some minutes early.
"""


def take_back(app: App, result: ProbeResult) -> Outcome:
    """Record that the app fails with the new version, and restore the last good settings of the app."""
    detail = f"its probe fails with the new version: {result.detail}"
    now, ref = app.run.now(), app.lineage.ref
    record = replace(app.record, state=RollState.FAILED, at=now, detail=detail)
    record = app.run.ports.settings_rolls.put_roll(ref, record)
    return restore(inspect_app(app.run, app.lease, app.lineage, record, app.waits))


def restore(app: App) -> Outcome:
    """Restore the last good settings if Certroll recorded them, and report the failure of the app.

    The version stays on hold.
    """
    run, record = app.run, app.record
    subject = settings_subject(record.site)
    barred = next((s for s in app.plan.not_done if s.subject == subject and s.reason is not Reason.VERSION_HELD), None)
    steps = tuple(step for step in app.plan.steps if step.action.protects)
    # Certroll wrote no setting of this app, an operator deleted the earlier version from the webspace (App Service's
    # place for certificates), or an operator disabled the earlier version in the vault.
    if not record.edits or (not steps and barred is not None and barred.reason in NOT_GOOD):
        return _nothing_to_restore(app, barred)
    # Azure shows fewer settings than the app had before. After an incomplete read of the settings, a write would delete
    # the settings that Azure did not show. If Azure shows fewer settings than before, unchanged for 50 minutes,
    # Certroll concludes that the app's owner removed the rest.
    if not steps and barred is not None and barred.reason is Reason.SETTINGS_SHRUNKEN and _is_believed(app):
        return restore(inspect_app(run, app.lease, app.lineage, _believing(app), app.waits))
    if not steps and barred is not None:
        return _not_restored(app, barred)
    forget_settings(app)
    refused = perform_all(run, app.lease, app.lineage.ref, steps)
    report_skips(run.ports.findings, app.lineage.ref, refused, run.now(), SeenBy.APP)
    # NOT_SETTLED is no refusal: Azure accepted the write of the app's settings, but does not yet show the new values.
    if refused and refused[0].reason is not Reason.NOT_SETTLED:
        return _not_restored(app, refused[0])
    settling = settling_after(app, RollState.RESTORED)
    report_app(
        app, Stalled(Reason.ROLLED_BACK, f"{record.site}: {record.detail}; Certroll restored the last good values")
    )
    return settling


def _nothing_to_restore(app: App, barred: Skip | None) -> Outcome:
    """Record that Certroll cannot restore the settings of the app, and return the outcome."""
    record = app.record
    known = NOT_GOOD.get(barred.reason) if barred else None
    why = known if record.edits and known else "Certroll wrote no setting of it"
    detail = f"{record.site}: {record.detail}; Certroll cannot restore old settings, because {why}: mend it by hand"
    return conclude(app, RollState.NO_LAST_GOOD, Stalled(Reason.NO_LAST_GOOD, detail))


def _not_restored(app: App, skip: Skip) -> Outcome:
    """Report why Certroll did not restore the last good settings of the app.

    The journal's record of the app does not change, so a later run tries to restore the settings again.
    """
    if skip.reason in HANDS_OFF:
        restore_by_hand = settings_by_hand(app.record, app.snapshot.settings_of(app.record.site))
        detail = f"{app.record.site} fails with the new version, and Certroll may not write ({skip.reason}): "
        return report_app(app, Stalled(Reason.WRITES_STOPPED, detail + restore_by_hand))
    detail = f"{app.record.site}: {app.record.detail}; Certroll did not restore the last good values: {skip.detail}"
    return report_app(app, Stalled(skip.reason, detail))


def _is_believed(app: App) -> bool:
    """Return True if Azure has shown the same few app settings for the time `FEWER_SETTINGS_RESTORED_AFTER`.

    If Azure shows too few settings for the first time, record the names of the settings that Azure shows.
    """
    record, now = app.record, app.run.now()
    left = _names_left(app)
    if record.missing == left:
        return record.failing_since is not None and now - record.failing_since >= FEWER_SETTINGS_RESTORED_AFTER
    app.run.ports.settings_rolls.put_roll(app.lineage.ref, replace(record, missing=left, failing_since=now))
    return False


def _believing(app: App) -> RollRecord:
    """Store and return the app's journal record with the number of settings that Azure shows now.

    The app's owner removed the settings that Azure no longer shows.
    """
    settings = app.snapshot.settings_of(app.record.site)
    fewer = replace(app.record, settings=settings.count if settings else 0)
    return app.run.ports.settings_rolls.put_roll(app.lineage.ref, fewer)


def _names_left(app: App) -> str:
    """Return a digest of the names of the app settings that Azure shows now."""
    settings = app.snapshot.settings_of(app.record.site)
    return sha256("\0".join(sorted(settings.digests if settings else ())).encode("utf-8", "surrogatepass")).hexdigest()


def check_restored(app: App) -> Outcome:
    """Send the probe after the restore, and report whether the app works with its last good settings."""
    if wait := not_yet(app):
        return wait
    try:
        probe = probe_of(app.snapshot.fleet, app.record.site)
    except ProbeInvalid:
        probe = None
    detail = f"{app.record.site}: {app.record.detail}; Certroll restored the last good values"
    if probe is None:
        return conclude(app, RollState.ROLLED_BACK, Stalled(Reason.ROLLED_BACK, detail))
    result = ask_app_in_a_row(app, without_roots(app, probe))
    if result.verdict is not Verdict.FAILED:
        return conclude(
            app, RollState.ROLLED_BACK, Stalled(Reason.ROLLED_BACK, f"{detail}, and the app works with them")
        )
    if not has_failed_for_good(app):
        return Waiting(app.run.now() + PROBE_AGAIN, Reason.PROBING, f"{app.record.site}: {result.detail}")
    ill = Deferred(Reason.BROKEN_BEFORE, f"{detail}, but the app fails with them as well: {result.detail}")
    broken = replace(app.record, broken_before=True, failing_since=None)
    return conclude(app, RollState.DEFERRED, ill, broken)
