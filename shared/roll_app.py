"""One app whose settings name a certificate: the write, the app's own answer, and the way back where it fails.

    Stale ─▶ asked before ─▶ intention recorded ─▶ one PUT ─▶ Overlapping ─▶ settle ─▶ asked three times in a row
                                                                                  ├─ proven ──▶ Validated
                                                                                  ├─ no proof ▶ Unproven
                                                                                  └─ fails for good ─▶ Failed ─▶
                                                                             the last good values ─▶ RolledBack

Each step is recorded before the next; a crash anywhere leaves a record from which the next run goes on. Nothing waits
in here for longer than a few seconds: the message comes back.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from hashlib import sha256

from shared import planner
from shared.actions.roll_edits import roll_edits
from shared.actions.subjects import is_binding_subject, settings_subject
from shared.domain.app_settings import SettingEdit
from shared.domain.errors import AzureError, Denied, NotFound, Rejected
from shared.domain.lineage import Lineage
from shared.domain.messages import MOST_WAITS, Cause, CertificateMessage
from shared.domain.names import Thumbprint
from shared.domain.outcome import Converged, Deferred, Outcome, Stalled, Waiting
from shared.domain.plan import Plan, Skip
from shared.domain.probe import Probe, ProbeInvalid, ProbeSight, Verdict
from shared.domain.reason import Reason
from shared.domain.record import Finding, HistoryEntry
from shared.domain.roll import RECYCLED_AFTER, RollRecord, RollState
from shared.domain.rollout import Rollout
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import rollable
from shared.domain.tags import PROBE
from shared.guards.live import not_live
from shared.guards.roll_stages import probe_of
from shared.observe.site import observe_app
from shared.ports.storage import Lease
from shared.prove import BETWEEN_PASSES_SECONDS, Inbound, ask_in_a_row, inbound_of
from shared.report import report_plan, report_skips
from shared.restarts import Places, claimed, give_back, places_of
from shared.run import LONGEST_PAUSE, REFUSALS, Run, pause, perform_all, until_open

PROBE_AGAIN = timedelta(seconds=15)
"""How soon Certroll asks an app again that still shows the old certificate, or failed its probe: most restarts take
less than a minute, and an app counts as failed only if it fails twice with this pause between."""
OLD_AGAIN = timedelta(minutes=5)
"""How soon Certroll asks an app again that still shows the old certificate after twice `CERTROLL_PROBE_SETTLE`. Then
App Service has deferred the restart, and some more minutes change little."""
FEWER_SETTINGS_RESTORED_AFTER = timedelta(minutes=50)
"""How long the same few settings must be missing before Certroll takes its edits back in those that are left. The app
is down, so that a second look has to do: that of the next hourly sweep, which may begin some minutes early."""


@dataclass(frozen=True, slots=True)
class App:
    """One app as it is looked at: what is recorded, what is there, and what is to be done."""

    run: Run
    lease: Lease
    lineage: Lineage
    record: RollRecord
    snapshot: Snapshot
    plan: Plan
    waits: int
    inbound: Inbound

    @property
    def new(self) -> Thumbprint:
        """The thumbprint that it is to use; the record names one where the vault knows the version no more."""
        added = next((edit.add for edit in self.record.edits if edit.add is not None), Thumbprint(""))
        current = self.lineage.current
        return current.thumbprint if current and current.version == self.record.version else added

    @property
    def old(self) -> frozenset[Thumbprint]:
        """The thumbprints that the app named before."""
        return frozenset(self.record.replaces)

    @property
    def running(self) -> bool:
        """Whether the app is running."""
        site = self.snapshot.site(self.record.site)
        return site is not None and site.running


def roll_app(run: Run, lease: Lease, lineage: Lineage, record: RollRecord, waits: int) -> Outcome:
    """Carry the settings of one app a step further. Raises Conflict where the world moved, LeaseBusy for its plan."""
    if record.state is RollState.STALE and not _claimed(run, lineage, record):
        detail = "as many sites of its App Service plan, or environment, are restarting as may at once"
        return Waiting(run.now() + pause(waits), Reason.PLAN_BUSY, detail)
    try:
        app = look_at_app(run, lease, lineage, record, waits)
    except (NotFound, Denied, Rejected) as error:
        return _unseen(run, lineage, record, error)
    match record.state:
        case RollState.STALE:
            return _write(app)
        case RollState.OVERLAPPING:
            return validate(app)
        case RollState.FAILED:
            return restore(app)
        case RollState.RESTORED:
            return check_restored(app)
        case state:
            return Converged(Reason.NOTHING_STALE, f"{record.site} is {state}")


def look_at_app(run: Run, lease: Lease, lineage: Lineage, record: RollRecord, waits: int) -> App:
    """Read the app and plan for it. What Azure shows of it becomes an App."""
    fleet = observe_app(run.ports.app_service, record.site, record.copies, lineage.ref, run.now())
    held = frozenset((record.webspace, thumbprint) for thumbprint in record.replaces)
    rooted = frozenset({record.site} if record.rooted else ())
    snapshot = Snapshot(lineage, fleet, Rollout(record.version, rolls=(record,)), held, rooted)
    whole = planner.plan(snapshot, run.intent)
    plan = Plan(
        tuple(step for step in whole.steps if step.action.site == record.site and step.action.restarts_site),
        tuple(skip for skip in whole.skips if skip.site == record.site and not is_binding_subject(skip.subject)),
    ).refuse(lambda step: not_live(step, snapshot))  # what the plan would bring there is brought by another run
    report_plan(run.ports.findings, plan, snapshot)
    return App(run, lease, lineage, record, snapshot, plan, waits, inbound_of(run.ports, snapshot.site(record.site)))


# -------------------------------------------------------------------------------------------------------- the write


def _write(app: App) -> Outcome:
    # An earlier run wrote the settings and died, or a guard refuses the write by now.
    if not app.plan.steps:
        return _nothing_to_write(app)
    # The version failed in another app since this one was admitted.
    if held := app.run.ports.rollouts.rollout(app.lineage.ref, app.record.version).held_by:
        where = ", ".join(f"{roll.site} ({roll.detail})" for roll in held)
        detail = f"{app.record.site}: this version failed meanwhile at {where}"
        return conclude(app, RollState.REFUSED, Stalled(Reason.VERSION_HELD, detail))
    asked, sight = ask_before(app)
    # The app is broken already. It would fail with the new version, too, and hold every other app of the fleet for
    # nothing; so the others go first.
    if sight is not None and asked.broken_before and app.record.broken_before is None:
        return _set_aside(app, sight)
    recorded = replace(asked, edits=_intention(app), failing_since=None)
    app = replace(app, record=app.run.ports.settings_rolls.put_roll(app.lineage.ref, recorded))
    refused = perform_all(app.run, app.lease, app.lineage.ref, app.plan.steps)
    report_skips(app.run.ports.findings, app.lineage.ref, refused, app.run.now())
    if refused and refused[0].reason is not Reason.NOT_SETTLED:  # which says that it was written, and not seen yet
        outcome = Stalled(refused[0].reason, f"{refused[0].subject}: {refused[0].detail}")
        return conclude(app, RollState.REFUSED, outcome)
    return settling_after(app, RollState.OVERLAPPING)


def _intention(app: App) -> tuple[SettingEdit, ...]:
    """Return the edits to record: those of this plan, and what was written before a crash and is not in it any more."""
    writes = [write for step in app.plan.steps if (write := step.action.settings_write) is not None]
    planned = {edit.key: edit for write in writes for edit in write.edits}
    return tuple(({edit.key: edit for edit in app.record.edits} | planned).values())


def settling_after(app: App, state: RollState) -> Outcome:
    """Record the app in its new state, and wait until it has restarted."""
    now = app.run.now()
    record = replace(app.record, state=state, at=now, failing_since=None)
    app.run.ports.settings_rolls.put_roll(app.lineage.ref, record)
    until = now + app.run.intent.probe_settle
    return Waiting(until, Reason.SETTLING, f"{record.site} restarts; it is asked afterwards", progress=True)


def _nothing_to_write(app: App) -> Outcome:
    """Return the outcome where the plan has nothing for the app: it was done before a crash, or may not be done now."""
    barred = next((skip for skip in app.plan.skips if not skip.reason.allows_roll), None)
    if barred is not None:
        return _refused(app, barred)
    settings = app.snapshot.settings_of(app.record.site)
    named = settings is not None and (
        app.new in settings.named or any(reference.ref == app.lineage.ref for reference in settings.vault_references)
    )
    if named:
        return settling_after(app, RollState.OVERLAPPING)
    detail = f"the settings of {app.record.site} name no version of {app.lineage.ref} any more; nothing was written"
    return conclude(app, RollState.REFUSED, Stalled(Reason.NOT_NAMED, detail))


def _refused(app: App, skip: Skip) -> Outcome:
    if skip.reason is Reason.OUTSIDE_WINDOW:
        give_back_restart(app.run, app.lineage, app.record)
        return Waiting(until_open(app.run), skip.reason, skip.detail)
    detail = f"{skip.subject}: {skip.detail}"
    stalled = skip.reason.stalls
    missed = app.record.failing_since or app.run.now() if skip.reason is Reason.SETTINGS_SHRUNKEN else None
    outcome = (Stalled if stalled else Converged)(skip.reason, detail)
    return conclude(app, RollState.REFUSED, outcome, replace(app.record, failing_since=missed))


def _set_aside(app: App, sight: ProbeSight) -> Outcome:
    """Leave the app to those that can prove the version; it is rolled after them."""
    reason = Reason.PROBE_REDIRECTS if sight.redirected else Reason.BROKEN_BEFORE
    detail = f"{app.record.site} fails its own probe before anything is written: {sight.detail}"
    broken = replace(app.record, broken_before=True)
    return conclude(app, RollState.SET_ASIDE, Deferred(reason, detail), broken)


def _claimed(run: Run, lineage: Lineage, record: RollRecord) -> bool:
    """Return True if the app may restart now, with the others of its plan and environment. Raises LeaseBusy."""
    return claimed(run, restart_places(run, record), record.site, lineage.ref)


def restart_places(run: Run, record: RollRecord) -> Places:
    """Return where the app counts while it restarts: without a limit for its environment, on its plan alone."""
    return places_of(record.plan, record.room) if record.room else ((record.plan, run.intent.max_restarts),)


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


def not_yet(app: App) -> Waiting | None:
    """Return the wait while the app restarts, or does not run; its plan may restart others while it does not."""
    now, site = app.run.now(), app.record.site
    settled = app.record.at + app.run.intent.probe_settle
    if now < settled:
        return Waiting(settled, Reason.SETTLING, f"{site} restarts; it is asked afterwards")
    if app.running:
        return None
    give_back_restart(app.run, app.lineage, app.record)
    return Waiting(now + LONGEST_PAUSE, Reason.SITE_STOPPED, f"{site} is stopped; it is asked when it runs")


def _is_undone(app: App) -> bool:
    settings, site = app.snapshot.settings_of(app.record.site), app.snapshot.site(app.record.site)
    if settings is None or site is None or app.record.retiring:
        return False
    ours = tuple(thumbprint for thumbprint in rollable(app.snapshot, settings) if thumbprint in app.old)
    return bool(roll_edits(app.snapshot, site, settings, ours))


def _judge(app: App, probe: Probe, sight: ProbeSight) -> Outcome:
    match sight.verdict:
        case Verdict.PASSED:
            return _passed(app, probe)
        case Verdict.OLD:
            return _still_old(app, sight)
        case _:
            return _failing(app, probe, sight)


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


def _still_old(app: App, sight: ProbeSight) -> Outcome:
    """Wait for the new process: one that answers well with the old certificate is no failure."""
    site, waited = app.record.site, app.run.now() - app.record.at
    if waited >= RECYCLED_AFTER:
        detail = f"{site} still answers with the old certificate: {sight.detail}"
        return conclude(app, RollState.UNPROVEN, Converged(Reason.SHOWS_OLD, detail))
    if app.record.failing_since is not None:
        app.run.ports.settings_rolls.put_roll(app.lineage.ref, replace(app.record, failing_since=None))
    again = PROBE_AGAIN if waited < 2 * app.run.intent.probe_settle else OLD_AGAIN
    return Waiting(app.run.now() + again, Reason.PROBING, f"{site}: {sight.detail}")


def _failing(app: App, probe: Probe, sight: ProbeSight) -> Outcome:
    """Ask again until it failed for as long as a start takes; only what passed before can fail by this roll."""
    record = app.record
    if not has_failed_for_good(app):
        return Waiting(app.run.now() + PROBE_AGAIN, Reason.PROBING, f"{record.site}: {sight.detail}")
    if app.inbound.unknown:
        detail = f"{record.site} was asked by its name alone: {sight.detail}; {app.inbound.unknown}"
        return conclude(app, RollState.UNPROVEN, Converged(Reason.UNREACHABLE, detail))
    if record.broken_before:
        detail = f"{record.site} failed its own probe before this roll, and does so now: {sight.detail}"
        return conclude(app, RollState.UNPROVEN, Converged(Reason.BROKEN_BEFORE, detail))
    if record.asked != digest_of(probe):
        detail = f"{record.site} fails a probe that it did not pass before this roll: {sight.detail}"
        return conclude(app, RollState.UNPROVEN, Converged(Reason.NOT_ASKED_BEFORE, detail))
    return take_back(app, sight)


def has_failed_for_good(app: App) -> bool:
    """Return True if the app failed for as long as a start takes. Record when it began to fail."""
    record, now = app.record, app.run.now()
    if record.failing_since is None:
        app.run.ports.settings_rolls.put_roll(app.lineage.ref, replace(record, failing_since=now))
        return False
    return now - record.failing_since >= max(app.run.intent.probe_settle, PROBE_AGAIN)


def ask_before(app: App) -> tuple[RollRecord, ProbeSight | None]:
    """Return the record with what the app answers before anything is written, and the answer where it can be asked."""
    record = replace(app.record, asked="")
    try:
        probe = probe_of(app.snapshot.fleet, record.site)
    except ProbeInvalid:
        return record, None
    if probe is not None and app.record.asked == digest_of(probe):
        return app.record, None  # it passed before this write was begun; somebody else's may restart it just now
    if probe is None or not app.running:
        return record, None
    sight = _ask(app, without_roots(app, probe))
    failed = sight.verdict is Verdict.FAILED
    return replace(record, broken_before=failed, asked="" if failed else digest_of(probe)), sight


def without_roots(app: App, probe: Probe) -> Probe:
    """Return the probe as it is asked where no version is named: an app that is given its first shows none yet."""
    return replace(probe, text="") if app.record.rooted and not app.old and probe.proves else probe


def ask_app_in_a_row(app: App, probe: Probe) -> ProbeSight:
    """Ask the app three times in a row; return the first answer that is no pass, or the last."""
    return ask_in_a_row(app.run.ports.clock, partial(_ask, app, probe), BETWEEN_PASSES_SECONDS)


def _ask(app: App, probe: Probe) -> ProbeSight:
    """Ask on the site's own default host name, and on no other; in an internal environment at its address."""
    site = app.snapshot.site(app.record.site)
    if site is None:
        raise NotFound(f"site {app.record.site} is gone")
    return app.run.ports.app_probe.ask(site.default_host_name, probe, app.new, app.old, app.inbound.address)


def digest_of(probe: Probe) -> str:
    """Return a digest of what the probe asks and expects."""
    return sha256(f"{probe.path} {probe.status} {probe.text}".encode()).hexdigest()


# -------------------------------------------------------------------------------------------------------- the way back


def take_back(app: App, sight: ProbeSight) -> Outcome:
    """Record that the version does not work in the app, and bring the last good values back."""
    detail = f"its probe fails with the new version: {sight.detail}"
    now, ref = app.run.now(), app.lineage.ref
    record = replace(app.record, state=RollState.FAILED, at=now, detail=detail)
    record = app.run.ports.settings_rolls.put_roll(ref, record)
    return restore(look_at_app(app.run, app.lease, app.lineage, record, app.waits))


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
        return restore(look_at_app(run, app.lease, app.lineage, _believing(app), app.waits))
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
    sight = ask_app_in_a_row(app, without_roots(app, probe))
    if sight.verdict is not Verdict.FAILED:
        return conclude(app, RollState.ROLLED_BACK, Stalled(Reason.ROLLED_BACK, f"{detail}, and it works with them"))
    if not has_failed_for_good(app):
        return Waiting(app.run.now() + PROBE_AGAIN, Reason.PROBING, f"{app.record.site}: {sight.detail}")
    ill = Deferred(Reason.BROKEN_BEFORE, f"{detail}, but it fails with them as well: {sight.detail}")
    broken = replace(app.record, broken_before=True, failing_since=None)
    return conclude(app, RollState.SET_ASIDE, ill, broken)


# ------------------------------------------------------------------------------------------------------- the record


def conclude(app: App, state: RollState, outcome: Outcome, record: RollRecord | None = None) -> Outcome:
    """Record what became of the app, let another of its plan restart, and return the outcome.

    `record` is that of the app with what this run learned about it, if it learned anything.
    """
    at = app.record.at if state is RollState.REFUSED else app.run.now()
    record = replace(record or app.record, state=state, at=at, detail=outcome.detail)
    app.run.ports.settings_rolls.put_roll(app.lineage.ref, record)
    give_back_restart(app.run, app.lineage, app.record)
    _wake(app, state, outcome)
    return report_app(app, outcome)


def _wake(app: App, state: RollState, outcome: Outcome) -> None:
    """Have the certificate's own run look at once, where this was the last app that it waited for.

    What is deferred goes back to it anyway; an app that was refused frees no other. It looks once: the run that waits
    for the apps goes on by itself.
    """
    ref = app.lineage.ref
    silent = isinstance(outcome, Deferred) or state is RollState.REFUSED
    if not silent and not app.run.ports.rollouts.rollout(ref, app.record.version).rolling:
        app.run.ports.queue.send_certificate(CertificateMessage(ref, Cause.WAIT, MOST_WAITS))


def report_app(app: App, outcome: Outcome) -> Outcome:
    """Write the outcome into the history; if it is not in order, record it as a finding. Return it."""
    ref, now, site = app.lineage.ref, app.run.now(), str(app.record.site)
    ports = app.run.ports
    ports.history.add(ref, (HistoryEntry(now, "app.rolled", site, outcome.reason, outcome.detail[:1000]),))
    if outcome.reason.makes_finding:
        ports.findings.report((Finding(now, str(ref), f"app {site}", outcome.reason, outcome.detail[:1000]),))
    return outcome


def give_back_restart(run: Run, lineage: Lineage, record: RollRecord) -> None:
    """Count the app no longer among those that restart."""
    give_back(run, (place for place, _ in restart_places(run, record)), record.site, lineage.ref)


def _unseen(run: Run, lineage: Lineage, record: RollRecord, error: AzureError) -> Outcome:
    """Record an app that could not be looked at.

    One that is gone is waited for no longer. What was written to one that is only hidden stays, and is looked at again
    by the sweep.
    """
    reason = Reason.NO_SUCH_SITE if isinstance(error, NotFound) else REFUSALS[type(error)]
    outcome = Stalled(reason, str(error))
    if record.state is RollState.STALE or isinstance(error, NotFound):
        changed = replace(record, state=RollState.REFUSED, detail=outcome.detail)
        run.ports.settings_rolls.put_roll(lineage.ref, changed)
        give_back_restart(run, lineage, record)
    finding = Finding(run.now(), str(lineage.ref), f"app {record.site}", outcome.reason, outcome.detail[:1000])
    run.ports.findings.report((finding,))
    return outcome
