"""Judge the update of an app's settings by the app's answers to its probe."""

from dataclasses import replace
from datetime import timedelta

from shared.controllers.site.app import App, conclude
from shared.controllers.site.asking import PROBE_AGAIN, ask_app_in_a_row, digest_of, has_failed_for_good, not_yet
from shared.controllers.site.rollback import take_back
from shared.domain.fleet.probe import Probe, ProbeInvalid, ProbeResult, Verdict, probe_of
from shared.domain.outcome import Converged, Deferred, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import RECYCLED_AFTER, RollState
from shared.domain.snapshot.staleness import rollable
from shared.domain.tags import PROBE
from shared.planning.acting.roll_edits import roll_edits

OLD_AGAIN = timedelta(minutes=5)
"""How soon Certroll repeats a probe that still shows the old certificate after twice CERTROLL_PROBE_SETTLE.

After this time, App Service has deferred the restart, and a few more minutes make little difference.
"""


# ---------------------------------------------------------------------------------------------------- the app's answer


def validate(app: App) -> Outcome:
    """Send the app its probe, and record whether the app works with the new version of the certificate."""
    record = app.record
    if _is_undone(app):
        undone = Deferred(Reason.UNDONE, f"somebody else changed the settings of {record.site} back")
        return conclude(app, RollState.UNPROVEN, undone)
    if wait := not_yet(app):
        return wait
    if _is_not_fetched(app):
        detail = f"App Service has not fetched the new version for the Key Vault references of {record.site}"
        return conclude(app, RollState.REFUSED, Stalled(Reason.UNANSWERED, detail))
    try:
        probe = probe_of(app.snapshot.fleet, record.site)
    except ProbeInvalid as invalid:
        return _unproven(app, Reason.PROBE_INVALID, f"{record.site}: {invalid}")
    if probe is None:
        detail = f"{record.site} has no {PROBE} tag, so Certroll cannot prove that it works with the new version"
        return _unproven(app, Reason.NO_PROBE, detail)
    return _judge(app, probe, ask_app_in_a_row(app, probe))


def _unproven(app: App, reason: Reason, detail: str) -> Outcome:
    """Record that nothing shows whether the app uses the new version, and return the outcome.

    If Azure has not confirmed the change either, an operator gets a finding.
    """
    doubt = Stalled(Reason.UNANSWERED, f"Azure has not confirmed the change; {detail}")
    return conclude(app, RollState.UNPROVEN, doubt if app.record.in_doubt else Converged(reason, detail))


def _is_not_fetched(app: App) -> bool:
    """Return True if Certroll planned only a refresh of references, and Azure still shows the old version.

    The next sweep repeats the refresh, which harms no app.
    """
    settings = app.snapshot.settings_of(app.record.site)
    older = {version.version.lower() for version in app.lineage.older}
    if settings is None or app.record.edits or settings.loads_everything:
        return False
    ours = (found for found in settings.vault_references if found.ref == app.lineage.ref and found.pinned is None)
    return any(found.active in older for found in ours)


def _is_undone(app: App) -> bool:
    """Return True if Certroll must edit the settings again, because a person or tool has undone Certroll's edits."""
    settings, site = app.snapshot.settings_of(app.record.site), app.snapshot.site(app.record.site)
    if settings is None or site is None or app.record.retiring:
        return False
    ours = tuple(thumbprint for thumbprint in rollable(app.snapshot, settings) if thumbprint in app.old)
    return bool(roll_edits(app.snapshot, site, settings, ours))


def _judge(app: App, probe: Probe, result: ProbeResult) -> Outcome:
    """Return the outcome for the result of an app's probe."""
    match result.verdict:
        case Verdict.PASSED:
            return _passed(app, probe)
        case Verdict.OLD:
            return _still_old(app, result)
        case Verdict.OTHER:
            detail = f"{app.record.site} works as before, and its probe shows another certificate than {app.new}"
            return _unproven(app, Reason.PROBE_PROVES_NOTHING, detail)
        case _:
            return _failing(app, probe, result)


def _passed(app: App, probe: Probe) -> Outcome:
    """Record in Certroll's journal that an app passed its probe.

    Certroll records the app as validated only if the probe shows the new certificate.
    """
    site = app.record.site
    if app.record.retiring:
        return conclude(app, RollState.RETIRED, Converged(Reason.RETIRED, f"{site} works without the old version"))
    if not probe.proves or not app.new:
        why = "the probe does not show" if app.new else f"without {app.lineage.ref} Certroll does not know"
        detail = f"{site} passes its probe, but {why} which certificate the app uses"
        return _unproven(app, Reason.PROBE_PROVES_NOTHING, detail)
    proven = tuple(dict.fromkeys((app.new, *app.record.proven)))
    validated = Converged(Reason.VALIDATED, f"{site} uses {app.new}")
    return conclude(app, RollState.VALIDATED, validated, replace(app.record, proven=proven))


def _still_old(app: App, result: ProbeResult) -> Outcome:
    """Return a wait, or after 45 minutes the result `Unproven`, for an app that still shows the old certificate.

    App Service may restart late.
    """
    site, waited = app.record.site, app.run.now() - app.record.at
    if waited >= RECYCLED_AFTER:
        detail = f"{site} still answers with the old certificate: {result.detail}"
        return _unproven(app, Reason.SHOWS_OLD, detail)
    if app.record.failing_since is not None:
        app.run.ports.settings_rolls.put_roll(app.lineage.ref, replace(app.record, failing_since=None))
    again = PROBE_AGAIN if waited < 2 * app.run.intent.probe_settle else OLD_AGAIN
    return Waiting(app.run.now() + again, Reason.PROBING, f"{site}: {result.detail}")


def _failing(app: App, probe: Probe, result: ProbeResult) -> Outcome:
    """Return a `Waiting` outcome for an app that fails its probe while it may still be starting.

    Once the app has had time to start, decide whether the new settings are the cause of the failure.

    Certroll blames the new settings only if the app passed the same probe before the write.
    """
    record = app.record
    if not has_failed_for_good(app):
        return Waiting(app.run.now() + PROBE_AGAIN, Reason.PROBING, f"{record.site}: {result.detail}")
    if app.inbound.unknown:
        detail = (
            f"Certroll sent the probe to the host name of {record.site} alone: {result.detail}; {app.inbound.unknown}"
        )
        return _unproven(app, Reason.UNREACHABLE, detail)
    if record.broken_before:
        detail = f"{record.site} failed its own probe before this roll, and still fails: {result.detail}"
        return _unproven(app, Reason.BROKEN_BEFORE, detail)
    if record.asked != digest_of(probe):
        detail = f"{record.site} fails a probe that it did not pass before this roll: {result.detail}"
        return _unproven(app, Reason.NOT_ASKED_BEFORE, detail)
    return take_back(app, result)
