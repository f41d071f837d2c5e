"""Update the settings of one app: decide from its record which step is next, and write the settings."""

from dataclasses import replace
from datetime import timedelta

from shared.controllers.site.app import (
    App,
    awaiting_turn,
    conclude,
    forget_settings,
    give_back_restart,
    inspect_app,
    report_app,
    restart_limits,
    settling_after,
)
from shared.controllers.site.asking import ask_before
from shared.controllers.site.holding import check_hold, unseen
from shared.controllers.site.rollback import check_restored, restore
from shared.controllers.site.validation import validate
from shared.domain.certificates.lineage import Lineage
from shared.domain.errors import AzureError, CertrollError, Conflict, OutcomeUnknown
from shared.domain.findings import SeenBy
from shared.domain.fleet.app_settings import SettingEdit
from shared.domain.fleet.probe import ProbeResult
from shared.domain.fleet.settings_editing import with_text
from shared.domain.outcome import Converged, Deferred, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.same_certificate import with_holds
from shared.domain.rollout.settings_record import RollRecord, RollState
from shared.loop.backoff import UNANSWERED, until_open, until_thawed
from shared.loop.perform import Performed, perform_each
from shared.loop.report import report_skips
from shared.loop.restart_claims import claimed
from shared.loop.run import Run
from shared.planning.plan import Skip
from shared.ports.storage import Lease

UNSAID = frozenset({Reason.NO_ANSWER, Reason.STALE_VIEW, Reason.NOT_SETTLED})
"""The reasons of steps that Azure did not refuse: no answer came, or Azure shows something else than expected."""
WRITE_MAY_COME = timedelta(minutes=5)
"""How long an app keeps its claim on a restart after a write without an answer, which Azure may still carry out."""


def roll_app(run: Run, lease: Lease, lineage: Lineage, record: RollRecord, waits: int) -> Outcome:
    """Carry the settings update of one app a step further.

    Raises Conflict if the app's state in Azure changed after Certroll built the plan. Raises LeaseBusy if another run
    is claiming a restart on the same App Service plan.
    """
    if record.state is RollState.STALE and not _claimed(run, lineage, record):
        return awaiting_turn(run, record, waits)
    try:
        app = _seen(inspect_app(run, lease, lineage, record, waits))
    except AzureError as error:
        if record.state is not RollState.STALE and isinstance(error, UNANSWERED):
            raise
        return unseen(run, lineage, record, error)
    match record.state:
        case RollState.STALE:
            return _write(app)
        case RollState.OVERLAPPING:
            return validate(app)
        case RollState.FAILED:
            return restore(app)
        case RollState.RESTORED:
            return check_restored(app)
        case RollState.ROLLED_BACK | RollState.NO_LAST_GOOD:
            return check_hold(app)
        case state:
            return Converged(Reason.NOTHING_STALE, f"{record.site} is {state}")


# -------------------------------------------------------------------------------------------------------- the write


def _write(app: App) -> Outcome:
    """Send the probe, record the edits, and write the settings of the app, unless a reason forbids the write."""
    # The plan has no step if an earlier run wrote the app's settings and crashed, or if a guard refuses the write.
    if not app.plan.steps:
        return _nothing_to_write(app)
    # The certificate version failed in another app after Certroll decided to update this app.
    known = app.run.ports.rollouts.rollout(app.lineage.ref, app.record.version)
    if held := with_holds(known, app.lineage).held_by:
        where = ", ".join(f"{roll.site} ({roll.detail})" for roll in held)
        detail = f"{app.record.site}: this version has failed in another app, {where}"
        return conclude(app, RollState.REFUSED, Stalled(Reason.VERSION_HELD, detail))
    if app.record.in_doubt:
        detail = f"Azure has not confirmed the change of {app.record.site}, and shows the old settings"
        return conclude(app, RollState.REFUSED, Stalled(Reason.UNANSWERED, detail))
    asked, result = ask_before(app)
    # The app fails its probe before any write, and would also fail the probe with the new version. Certroll updates
    # other apps before a broken app, because a failure of the broken app would stop the rollout.
    if result is not None and asked.broken_before and app.record.broken_before is None:
        return _defer(app, result)
    recorded = replace(asked, edits=_intention(app), failing_since=None)
    app = replace(app, record=app.run.ports.settings_rolls.put_roll(app.lineage.ref, recorded))
    forget_settings(app)
    return _written(app, perform_each(app.run, app.lease, app.lineage.ref, app.plan.steps))


def _written(app: App, performed: Performed) -> Outcome:
    """Return the outcome after the steps of the app's plan.

    If Azure carried out one step, the app may have restarted, and its probe decides.
    """
    refused = performed.refused
    skips = tuple(skip for skip in refused if skip.reason not in UNSAID)
    report_skips(app.run.ports.findings, app.lineage.ref, skips, app.run.now(), SeenBy.APP)
    if len(refused) < len(app.plan.steps):
        return settling_after(app, RollState.OVERLAPPING, doubtful=bool(refused))
    first = refused[0]
    if first.reason is Reason.NOT_SETTLED:
        return _in_doubt(app, app.run.intent.probe_settle, first.detail)
    if first.reason in UNSAID:
        return _unanswered(app, performed.unanswered[0])
    return conclude(app, RollState.REFUSED, Stalled(first.reason, f"{first.subject}: {first.detail}"))


def _unanswered(app: App, error: CertrollError) -> Outcome:
    """Return the outcome for an app whose change Azure did not answer, or whose settings changed since the plan.

    No read shows whether Azure has restarted an app, so Certroll judges such an app by its probe. Raise Conflict if the
    app's state in Azure changed after Certroll built the plan.
    """
    if isinstance(error, Conflict):
        raise error
    if not isinstance(error, OutcomeUnknown):
        return conclude(app, RollState.REFUSED, Stalled(Reason.UNANSWERED, str(error)[:1000]))
    if not all(step.action.is_visible for step in app.plan.steps):
        return settling_after(app, RollState.OVERLAPPING, doubtful=True)
    return _in_doubt(app, WRITE_MAY_COME, str(error))


def _in_doubt(app: App, pause: timedelta, detail: str) -> Outcome:
    """Record that Azure may still make the change and restart the app, and return a wait of `pause`.

    The app keeps its claim on a restart. The next run reads whether Azure made the change.
    """
    app.run.ports.settings_rolls.put_roll(app.lineage.ref, replace(app.record, in_doubt=True))
    return report_app(app, Waiting(app.run.now() + pause, Reason.UNANSWERED, detail[:1000]))


def _intention(app: App) -> tuple[SettingEdit, ...]:
    """Return the edits to record: the edits of this plan, and recorded edits that a crashed run has already made."""
    writes = [write for step in app.plan.steps if (write := step.action.settings_write) is not None]
    planned = {edit.key: with_text(write.settings, edit) for write in writes for edit in write.edits}
    return tuple(({edit.key: edit for edit in app.record.edits} | planned).values())


def _nothing_to_write(app: App) -> Outcome:
    """Return the outcome for a plan that has no steps for the app.

    The plan has no step for the app if an earlier run wrote its settings and crashed, or if a guard refuses the write.
    """
    barred = next((skip for skip in app.plan.not_done if not skip.reason.allows_roll), None)
    if barred is not None:
        return _refused(app, barred)
    settings = app.snapshot.settings_of(app.record.site)
    named = settings is not None and (
        app.new in settings.named or any(reference.ref == app.lineage.ref for reference in settings.vault_references)
    )
    if named:
        return settling_after(app, RollState.OVERLAPPING)
    detail = f"the settings of {app.record.site} no longer name a version of {app.lineage.ref}; Certroll wrote nothing"
    return conclude(app, RollState.REFUSED, Stalled(Reason.NOT_NAMED, detail))


def _refused(app: App, skip: Skip) -> Outcome:
    """Return the outcome for an app whose settings Certroll may not write now.

    If CERTROLL_RESTART_WINDOW is closed, or during a freeze, the app waits for the window or for the end of the freeze.
    For any other reason, Certroll ends the app's update without a write.
    """
    until = {Reason.OUTSIDE_WINDOW: until_open, Reason.FROZEN: until_thawed}.get(skip.reason)
    if until is not None:
        give_back_restart(app.run, app.lineage.ref, app.record)
        return Waiting(until(app.run), skip.reason, skip.detail)
    detail = f"{skip.subject}: {skip.detail}"
    stalled = skip.reason.stalls
    missed = app.record.failing_since or app.run.now() if skip.reason is Reason.SETTINGS_SHRUNKEN else None
    outcome = (Stalled if stalled else Converged)(skip.reason, detail)
    return conclude(app, RollState.REFUSED, outcome, replace(app.record, failing_since=missed))


def _defer(app: App, result: ProbeResult) -> Outcome:
    """Defer an app that fails its probe before Certroll writes any setting.

    Certroll updates the settings of a deferred app (which failed its probe before any write) after the apps that can
    prove the version.
    """
    reason = Reason.PROBE_REDIRECTS if result.redirected else Reason.BROKEN_BEFORE
    detail = f"{app.record.site} failed its own probe before Certroll wrote anything: {result.detail}"
    broken = replace(app.record, broken_before=True)
    return conclude(app, RollState.DEFERRED, Deferred(reason, detail), broken)


def _claimed(run: Run, lineage: Lineage, record: RollRecord) -> bool:
    """Count the app against the restart limits of its plan and environment, and return True if both have room.

    Raises LeaseBusy.
    """
    return claimed(run, restart_limits(run, record), record.site, lineage.ref)


def _seen(app: App) -> App:
    """Store that Azure shows the app again, if Azure answered 404 for the app at an earlier inspection."""
    if app.record.missing_since is None:
        return app
    record = replace(app.record, missing_since=None)
    return replace(app, record=app.run.ports.settings_rolls.put_roll(app.lineage.ref, record))
