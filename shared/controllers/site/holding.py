"""Decide whether an app that failed with a version still holds the version, and whether an app is gone."""

from dataclasses import replace

from shared.controllers.site.app import App, give_back_restart
from shared.domain.certificates.lineage import Lineage
from shared.domain.errors import AzureError, NotFound
from shared.domain.findings import Finding, HistoryEntry, SeenBy
from shared.domain.missing import is_gone
from shared.domain.names import VaultCertificateRef
from shared.domain.outcome import Converged, Deferred, Outcome, Stalled
from shared.domain.reason import Reason
from shared.domain.rollout.settings_record import HOLDING, RollRecord, RollState
from shared.domain.snapshot.holds import still_uses
from shared.domain.subject import site_subject
from shared.loop.backoff import UNANSWERED
from shared.loop.perform import reason_of
from shared.loop.run import Run
from shared.planning.closing import seen_before


def check_hold(app: App) -> Outcome:
    """Return the outcome for an app that failed: it holds the version as long as its settings use the vault object."""
    record, settings = app.record, app.snapshot.settings_of(app.record.site)
    if settings is None or still_uses(record, settings, app.snapshot):
        return Converged(Reason.NOTHING_STALE, f"{record.site} is {record.state}")
    return _end_hold(app.run, app.lineage, record, f"the settings of {record.site} no longer name {app.lineage.ref}")


def unseen(run: Run, lineage: Lineage, record: RollRecord, error: AzureError) -> Outcome:
    """Record and report an app that Azure does not show, and return the outcome.

    An app that failed counts as gone only after Azure has answered 404 for an hour. Until then, each sweep looks for
    the app again. Any other app must not keep other apps waiting, and the next sweep finds it if it is still there. If
    Certroll cannot read the vault object, no sweep would find the app, so it has the hour, too.
    """
    unread = Reason.UNANSWERED if isinstance(error, UNANSWERED) else reason_of(error)
    reason = Reason.NO_SUCH_SITE if isinstance(error, NotFound) else unread
    patient = record.state in HOLDING or (record.begun and not lineage.versions)
    if isinstance(error, NotFound) and patient:
        record = _note_missing(run, lineage, record)
    over = is_gone(record.missing_since, run.now()) if patient else isinstance(error, NotFound)
    if over and record.holds:
        return _end_hold(run, lineage, record, f"{record.site} is gone")
    outcome = Stalled(reason, str(error))
    if over or (record.state is RollState.STALE and not patient):
        changed = replace(record, state=RollState.REFUSED, detail=outcome.detail)
        run.ports.settings_rolls.put_roll(lineage.ref, changed)
        give_back_restart(run, lineage.ref, record)
    detail, subject = outcome.detail[:1000], site_subject(record.site, "app ")
    finding = Finding(run.now(), str(lineage.ref), subject, outcome.reason, detail, SeenBy.APP, record.site)
    run.ports.findings.report((finding,))
    return outcome


def _note_missing(run: Run, lineage: Lineage, record: RollRecord) -> RollRecord:
    """Store since when Azure answers 404 for the app, and return the record."""
    if record.missing_since is not None:
        return record
    return run.ports.settings_rolls.put_roll(lineage.ref, replace(record, missing_since=run.now()))


def _end_hold(run: Run, lineage: Lineage, record: RollRecord, why: str) -> Outcome:
    """Delete the record of the app, close the findings about the app, and return the outcome."""
    if not run.ports.settings_rolls.forget(lineage.ref, record):
        return Converged(Reason.NOTHING_STALE, f"another run has just recorded {record.site}")
    give_back_restart(run, lineage.ref, record)
    ended = Deferred(Reason.HOLD_ENDED, f"{why}, so {record.site} no longer holds version {record.version}")
    _say_ended(run, lineage.ref, record, ended)
    return ended


def _say_ended(run: Run, ref: VaultCertificateRef, record: RollRecord, ended: Deferred) -> None:
    now = run.now()
    run.ports.history.add(ref, (HistoryEntry(now, "hold.ended", str(record.site), ended.reason, ended.detail[:1000]),))
    is_old = seen_before(now, SeenBy.APP)
    run.ports.findings.close(str(ref), now, lambda found: found.site == record.site and is_old(found))
