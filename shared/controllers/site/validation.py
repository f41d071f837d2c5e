"""What the app's own answer says about a roll of its settings."""

from dataclasses import replace
from datetime import timedelta

from shared.controllers.site.app import App, conclude
from shared.controllers.site.asking import PROBE_AGAIN, ask_app_in_a_row, digest_of, has_failed_for_good, not_yet
from shared.controllers.site.rollback import take_back
from shared.domain.fleet.probe import Probe, ProbeInvalid, ProbeResult, Verdict, probe_of
from shared.domain.outcome import Converged, Deferred, Outcome, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RECYCLED_AFTER, RollState
from shared.domain.snapshot.staleness import rollable
from shared.domain.tags import PROBE
from shared.planning.acting.roll_edits import roll_edits

OLD_AGAIN = timedelta(minutes=5)
"""How soon Certroll asks an app again that still shows the old certificate after twice `CERTROLL_PROBE_SETTLE`. Then
App Service has deferred the restart, and some more minutes change little."""


# ---------------------------------------------------------------------------------------------------- the app's answer


def validate(app: App) -> Outcome:
    """Ask the app whether it works with the new version, and record what that proves."""
    record = app.record
    if _is_undone(app):
        undone = Deferred(Reason.UNDONE, f"somebody else changed the settings of {record.site} back")
        return conclude(app, RollState.UNPROVEN, undone)
    if wait := not_yet(app):
        return wait
    try:
        probe = probe_of(app.snapshot.fleet, record.site)
    except ProbeInvalid as invalid:
        return conclude(app, RollState.UNPROVEN, Converged(Reason.PROBE_INVALID, f"{record.site}: {invalid}"))
    if probe is None:
        detail = f"{record.site} has no {PROBE} tag, so nothing proves that it works with the new version"
        return conclude(app, RollState.UNPROVEN, Converged(Reason.NO_PROBE, detail))
    return _judge(app, probe, ask_app_in_a_row(app, probe))


def _is_undone(app: App) -> bool:
    settings, site = app.snapshot.settings_of(app.record.site), app.snapshot.site(app.record.site)
    if settings is None or site is None or app.record.retiring:
        return False
    ours = tuple(thumbprint for thumbprint in rollable(app.snapshot, settings) if thumbprint in app.old)
    return bool(roll_edits(app.snapshot, site, settings, ours))


def _judge(app: App, probe: Probe, result: ProbeResult) -> Outcome:
    match result.verdict:
        case Verdict.PASSED:
            return _passed(app, probe)
        case Verdict.OLD:
            return _still_old(app, result)
        case _:
            return _failing(app, probe, result)


def _passed(app: App, probe: Probe) -> Outcome:
    site = app.record.site
    if app.record.retiring:
        return conclude(app, RollState.RETIRED, Converged(Reason.RETIRED, f"{site} works without the old version"))
    if not probe.proves:
        detail = f"{site} is well, but its probe does not show which certificate it uses"
        return conclude(app, RollState.UNPROVEN, Converged(Reason.PROBE_PROVES_NOTHING, detail))
    proven = tuple(dict.fromkeys((app.new, *app.record.proven)))
    validated = Converged(Reason.VALIDATED, f"{site} uses {app.new}")
    return conclude(app, RollState.VALIDATED, validated, replace(app.record, proven=proven))


def _still_old(app: App, result: ProbeResult) -> Outcome:
    """Wait for the new process: one that answers well with the old certificate is no failure."""
    site, waited = app.record.site, app.run.now() - app.record.at
    if waited >= RECYCLED_AFTER:
        detail = f"{site} still answers with the old certificate: {result.detail}"
        return conclude(app, RollState.UNPROVEN, Converged(Reason.SHOWS_OLD, detail))
    if app.record.failing_since is not None:
        app.run.ports.settings_rolls.put_roll(app.lineage.ref, replace(app.record, failing_since=None))
    again = PROBE_AGAIN if waited < 2 * app.run.intent.probe_settle else OLD_AGAIN
    return Waiting(app.run.now() + again, Reason.PROBING, f"{site}: {result.detail}")


def _failing(app: App, probe: Probe, result: ProbeResult) -> Outcome:
    """Ask again until it failed for as long as a start takes; only what passed before can fail by this roll."""
    record = app.record
    if not has_failed_for_good(app):
        return Waiting(app.run.now() + PROBE_AGAIN, Reason.PROBING, f"{record.site}: {result.detail}")
    if app.inbound.unknown:
        detail = f"{record.site} was asked by its name alone: {result.detail}; {app.inbound.unknown}"
        return conclude(app, RollState.UNPROVEN, Converged(Reason.UNREACHABLE, detail))
    if record.broken_before:
        detail = f"{record.site} failed its own probe before this roll, and does so now: {result.detail}"
        return conclude(app, RollState.UNPROVEN, Converged(Reason.BROKEN_BEFORE, detail))
    if record.asked != digest_of(probe):
        detail = f"{record.site} fails a probe that it did not pass before this roll: {result.detail}"
        return conclude(app, RollState.UNPROVEN, Converged(Reason.NOT_ASKED_BEFORE, detail))
    return take_back(app, result)
