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
from shared.domain.ports import Lease
from shared.domain.probe import Probe, ProbeInvalid, ProbeSight, Verdict
from shared.domain.reason import NEEDS_A_PERSON, Reason
from shared.domain.record import Finding, HistoryEntry
from shared.domain.roll import RECYCLED_AFTER, RollRecord, RollState, Room
from shared.domain.rollout import Rollout
from shared.domain.snapshot import Snapshot
from shared.guards.live import not_live
from shared.guards.roll_stages import probe_of
from shared.observe import observe_app
from shared.prove import Inbound, ask_in_a_row, inbound_of
from shared.report import report_plan, report_skips
from shared.restarts import claimed, give_back
from shared.run import LONGEST_PAUSE, REFUSALS, Run, pause, perform_all, until_open

BETWEEN_PASSES = 2.0
PROBE_AGAIN = timedelta(seconds=15)
OLD_AGAIN = timedelta(minutes=5)
BELIEVED_AFTER = timedelta(minutes=50)
"""How long the same few settings must be read before they are believed: the sweep looks every hour."""
OTHERWISE = frozenset(
    {Reason.PINNED_REFERENCE, Reason.AMBIGUOUS_LINEAGE, Reason.LOADS_EVERYTHING, Reason.ROOT_LIST_UNHEEDED}
)
"""What is said of an app beside its roll: it stands for no step that was refused."""
UNTOLD = frozenset({Reason.VALIDATED, Reason.RETIRED, Reason.NO_PROBE, Reason.PROBE_PROVES_NOTHING})


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
        app = _look(run, lease, lineage, record, waits)
    except (NotFound, Denied, Rejected) as error:
        return _unseen(run, lineage, record, error)
    match record.state:
        case RollState.STALE:
            return _write(app)
        case RollState.OVERLAPPING:
            return _validate(app)
        case RollState.FAILED:
            return _restore(app)
        case RollState.RESTORED:
            return _check_restored(app)
        case state:
            return Converged(Reason.NOTHING_STALE, f"{record.site} is {state}")


def _look(run: Run, lease: Lease, lineage: Lineage, record: RollRecord, waits: int) -> App:
    fleet = observe_app(run.ports.app_service, record.site, record.copies, lineage.ref, run.now())
    held = frozenset((record.webspace, thumbprint) for thumbprint in record.replaces)
    rooted = frozenset({record.site} if record.rooted else ())
    snapshot = Snapshot(lineage, fleet, Rollout(record.version, rolls=(record,)), held, rooted)
    whole = planner.plan(snapshot, run.intent)
    plan = Plan(
        tuple(step for step in whole.steps if step.action.site == record.site and step.action.restarts_site),
        tuple(skip for skip in whole.skips if skip.site == record.site and not is_binding_subject(skip.subject)),
    ).refuse(lambda step: not_live(step, snapshot))  # what the plan would bring there is brought by another run
    report_plan(run.ports.journal, plan, snapshot)
    return App(run, lease, lineage, record, snapshot, plan, waits, inbound_of(run.ports, snapshot.site(record.site)))


# -------------------------------------------------------------------------------------------------------- the write


def _write(app: App) -> Outcome:
    if not app.plan.steps:
        return _nothing_to_write(app)
    if held := app.run.ports.journal.rollout(app.lineage.ref, app.record.version).held_by:
        where = ", ".join(f"{roll.site} ({roll.detail})" for roll in held)
        detail = f"{app.record.site}: this version failed meanwhile at {where}"
        return _conclude(app, RollState.REFUSED, Stalled(Reason.VERSION_HELD, detail))
    asked, sight = _ask_before(app)
    if sight is not None and asked.broken_before and app.record.broken_before is None:
        return _set_aside(app, sight)
    recorded = replace(asked, edits=_intention(app), failing_since=None)
    app = replace(app, record=app.run.ports.journal.put_roll(app.lineage.ref, recorded))
    refused = perform_all(app.run, app.lease, app.lineage.ref, app.plan.steps)
    report_skips(app.run.ports.journal, app.lineage.ref, refused, app.run.now())
    if refused and refused[0].reason is not Reason.NOT_SETTLED:  # which says that it was written, and not seen yet
        outcome = Stalled(refused[0].reason, f"{refused[0].subject}: {refused[0].detail}")
        return _conclude(app, RollState.REFUSED, outcome)
    return _settling(app, RollState.OVERLAPPING)


def _intention(app: App) -> tuple[SettingEdit, ...]:
    """Return the edits to record: those of this plan, and what was written before a crash and is not in it any more."""
    writes = [write for step in app.plan.steps if (write := step.action.settings_write) is not None]
    planned = {edit.key: edit for write in writes for edit in write.edits}
    return tuple(({edit.key: edit for edit in app.record.edits} | planned).values())


def _settling(app: App, state: RollState) -> Outcome:
    now = app.run.now()
    record = replace(app.record, state=state, at=now, failing_since=None)
    app.run.ports.journal.put_roll(app.lineage.ref, record)
    until = now + app.run.intent.probe_settle
    return Waiting(until, Reason.SETTLING, f"{record.site} restarts; it is asked afterwards", progress=True)


def _nothing_to_write(app: App) -> Outcome:
    """Return the outcome where the plan has nothing for the app: it was done before a crash, or may not be done now."""
    barred = next((skip for skip in app.plan.skips if skip.reason not in OTHERWISE), None)
    if barred is not None:
        return _refused(app, barred)
    settings = app.snapshot.settings_of(app.record.site)
    named = settings is not None and (
        app.new in settings.named or any(one.ref == app.lineage.ref for one in settings.vault_references)
    )
    if named:
        return _settling(app, RollState.OVERLAPPING)
    detail = f"the settings of {app.record.site} name no version of {app.lineage.ref} any more; nothing was written"
    return _conclude(app, RollState.REFUSED, Stalled(Reason.NOT_NAMED, detail))


def _refused(app: App, skip: Skip) -> Outcome:
    if skip.reason is Reason.OUTSIDE_WINDOW:
        _give_back(app.run, app.lineage, app.record)
        return Waiting(until_open(app.run), skip.reason, skip.detail)
    detail = f"{skip.subject}: {skip.detail}"
    stalled = skip.reason in NEEDS_A_PERSON
    missed = app.record.failing_since or app.run.now() if skip.reason is Reason.SETTINGS_SHRUNKEN else None
    outcome = (Stalled if stalled else Converged)(skip.reason, detail)
    return _conclude(app, RollState.REFUSED, outcome, failing_since=missed)


def _set_aside(app: App, sight: ProbeSight) -> Outcome:
    """Leave the app to those that can prove the version; it is rolled after them."""
    reason = Reason.PROBE_REDIRECTS if sight.redirected else Reason.BROKEN_BEFORE
    detail = f"{app.record.site} fails its own probe before anything is written: {sight.detail}"
    return _conclude(app, RollState.SET_ASIDE, Deferred(reason, detail), broken_before=True)


def _claimed(run: Run, lineage: Lineage, record: RollRecord) -> bool:
    """Say whether the app may restart now, beside the others of its plan and environment. Raises LeaseBusy."""
    room = record.room or Room("", 0, run.intent.max_restarts)
    places = zip(_places(record), (room.on_plan, room.in_all), strict=False)
    return claimed(run, tuple(places), record.site, lineage.ref)


def _places(record: RollRecord) -> tuple[str, ...]:
    return (record.plan, record.room.environment) if record.room else (record.plan,)


# ---------------------------------------------------------------------------------------------------- the app's answer


def _validate(app: App) -> Outcome:
    record = app.record
    if _is_undone(app):
        undone = Deferred(Reason.UNDONE, f"somebody else changed the settings of {record.site} back")
        return _conclude(app, RollState.UNPROVEN, undone)
    if wait := _not_yet(app):
        return wait
    try:
        probe = probe_of(app.snapshot.fleet, record.site)
    except ProbeInvalid as invalid:
        return _conclude(app, RollState.UNPROVEN, Converged(Reason.PROBE_INVALID, f"{record.site}: {invalid}"))
    if probe is None:
        detail = f"{record.site} has no certroll-probe tag, so nothing proves that it works with the new version"
        return _conclude(app, RollState.UNPROVEN, Converged(Reason.NO_PROBE, detail))
    return _judge(app, probe, _ask_in_a_row(app, probe))


def _not_yet(app: App) -> Waiting | None:
    """Return the wait while the app restarts, or does not run; its plan may restart others while it does not."""
    now, site = app.run.now(), app.record.site
    settled = app.record.at + app.run.intent.probe_settle
    if now < settled:
        return Waiting(settled, Reason.SETTLING, f"{site} restarts; it is asked afterwards")
    if app.running:
        return None
    _give_back(app.run, app.lineage, app.record)
    return Waiting(now + LONGEST_PAUSE, Reason.SITE_STOPPED, f"{site} is stopped; it is asked when it runs")


def _is_undone(app: App) -> bool:
    settings, site = app.snapshot.settings_of(app.record.site), app.snapshot.site(app.record.site)
    if settings is None or site is None or app.record.retiring:
        return False
    ours = tuple(one for one in app.snapshot.rollable(settings) if one in app.old)
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
        return _conclude(app, RollState.RETIRED, Converged(Reason.RETIRED, f"{site} works without the old version"))
    if not probe.proves:
        detail = f"{site} is well, but its probe does not show which certificate it uses"
        return _conclude(app, RollState.UNPROVEN, Converged(Reason.PROBE_PROVES_NOTHING, detail))
    proven = tuple(dict.fromkeys((app.new, *app.record.proven)))
    validated = Converged(Reason.VALIDATED, f"{site} uses {app.new}")
    return _conclude(app, RollState.VALIDATED, validated, proven=proven)


def _still_old(app: App, sight: ProbeSight) -> Outcome:
    """Wait for the new process: one that answers well with the old certificate is no failure."""
    site, waited = app.record.site, app.run.now() - app.record.at
    if waited >= RECYCLED_AFTER:
        detail = f"{site} still answers with the old certificate: {sight.detail}"
        return _conclude(app, RollState.UNPROVEN, Converged(Reason.SHOWS_OLD, detail))
    if app.record.failing_since is not None:
        app.run.ports.journal.put_roll(app.lineage.ref, replace(app.record, failing_since=None))
    again = PROBE_AGAIN if waited < 2 * app.run.intent.probe_settle else OLD_AGAIN
    return Waiting(app.run.now() + again, Reason.PROBING, f"{site}: {sight.detail}")


def _failing(app: App, probe: Probe, sight: ProbeSight) -> Outcome:
    """Ask again until it failed for as long as a start takes; only what passed before can fail by this roll."""
    record = app.record
    if not _has_failed_for_good(app):
        return Waiting(app.run.now() + PROBE_AGAIN, Reason.PROBING, f"{record.site}: {sight.detail}")
    if app.inbound.unknown:
        detail = f"{record.site} was asked by its name alone: {sight.detail}; {app.inbound.unknown}"
        return _conclude(app, RollState.UNPROVEN, Converged(Reason.UNREACHABLE, detail))
    if record.broken_before:
        detail = f"{record.site} failed its own probe before this roll, and does so now: {sight.detail}"
        return _conclude(app, RollState.UNPROVEN, Converged(Reason.BROKEN_BEFORE, detail))
    if record.asked != _digest(probe):
        detail = f"{record.site} fails a probe that it did not pass before this roll: {sight.detail}"
        return _conclude(app, RollState.UNPROVEN, Converged(Reason.NOT_ASKED_BEFORE, detail))
    return _failed(app, sight)


def _has_failed_for_good(app: App) -> bool:
    """Say whether it failed for as long as a start takes; note when it began."""
    record, now = app.record, app.run.now()
    if record.failing_since is None:
        app.run.ports.journal.put_roll(app.lineage.ref, replace(record, failing_since=now))
        return False
    return now - record.failing_since >= max(app.run.intent.probe_settle, PROBE_AGAIN)


def _ask_before(app: App) -> tuple[RollRecord, ProbeSight | None]:
    """Return the record with what the app answers before anything is written, and the answer where it can be asked."""
    record = replace(app.record, asked="")
    try:
        probe = probe_of(app.snapshot.fleet, record.site)
    except ProbeInvalid:
        return record, None
    if probe is not None and app.record.asked == _digest(probe):
        return app.record, None  # it passed before this write was begun; somebody else's may restart it just now
    if probe is None or not app.running:
        return record, None
    sight = _ask(app, _without_roots(app, probe))
    failed = sight.verdict is Verdict.FAILED
    return replace(record, broken_before=failed, asked="" if failed else _digest(probe)), sight


def _without_roots(app: App, probe: Probe) -> Probe:
    """Return the probe as it is asked where no version is named: an app that is given its first shows none yet."""
    return replace(probe, text="") if app.record.rooted and not app.old and probe.proves else probe


def _ask_in_a_row(app: App, probe: Probe) -> ProbeSight:
    return ask_in_a_row(app.run.ports.clock, partial(_ask, app, probe), BETWEEN_PASSES)


def _ask(app: App, probe: Probe) -> ProbeSight:
    """Ask on the site's own default host name, and on no other; in an internal environment at its address."""
    site = app.snapshot.site(app.record.site)
    if site is None:
        raise NotFound(f"site {app.record.site} is gone")
    return app.run.ports.app_probe.ask(site.default_host_name, probe, app.new, app.old, app.inbound.address)


def _digest(probe: Probe) -> str:
    return sha256(f"{probe.path} {probe.status} {probe.text}".encode()).hexdigest()


# -------------------------------------------------------------------------------------------------------- the way back


def _failed(app: App, sight: ProbeSight) -> Outcome:
    detail = f"its probe fails with the new version: {sight.detail}"
    now, ref = app.run.now(), app.lineage.ref
    record = replace(app.record, state=RollState.FAILED, at=now, detail=detail)
    record = app.run.ports.journal.put_roll(ref, record)
    return _restore(_look(app.run, app.lease, app.lineage, record, app.waits))


def _restore(app: App) -> Outcome:
    """Bring the last good values back, where there are any: what remains is a hold, and a person to be told."""
    run, record = app.run, app.record
    subject = settings_subject(record.site)
    barred = next((s for s in app.plan.skips if s.subject == subject and s.reason is not Reason.VERSION_HELD), None)
    steps = tuple(step for step in app.plan.steps if step.action.protects)
    lost = not steps and barred is not None and barred.reason is Reason.NOT_LIVE
    if not record.edits or lost:
        why = "the version before is not in its webspace any more" if record.edits else "no setting of it was written"
        detail = f"{record.site}: {record.detail}; there is nothing to bring back, {why}: mend it by hand"
        return _conclude(app, RollState.NO_LAST_GOOD, Stalled(Reason.NO_LAST_GOOD, detail))
    if not steps and barred is not None and barred.reason is Reason.SETTINGS_SHRUNKEN and _is_believed(app):
        return _restore(_look(run, app.lease, app.lineage, _believing(app), app.waits))
    if not steps and barred is not None:
        return _told(
            app, Stalled(barred.reason, f"{record.site}: {record.detail}; it is not taken back: {barred.detail}")
        )
    refused = perform_all(run, app.lease, app.lineage.ref, steps)
    report_skips(run.ports.journal, app.lineage.ref, refused, run.now())
    if refused and refused[0].reason is not Reason.NOT_SETTLED:
        detail = f"{record.site}: {record.detail}; it is not taken back: {refused[0].detail}"
        return _told(app, Stalled(refused[0].reason, detail))
    detail = f"{record.site}: {record.detail}; the last good values are back"
    settling = _settling(app, RollState.RESTORED)
    _told(app, Stalled(Reason.ROLLED_BACK, detail))
    return settling


def _is_believed(app: App) -> bool:
    """Say whether the same few settings were read an hour ago as well; note what is read now."""
    record, now = app.record, app.run.now()
    left = _names_left(app)
    if record.missing == left:
        return record.failing_since is not None and now - record.failing_since >= BELIEVED_AFTER
    app.run.ports.journal.put_roll(app.lineage.ref, replace(record, missing=left, failing_since=now))
    return False


def _believing(app: App) -> RollRecord:
    """Return the record with as many settings as are read now: their owner has taken the others out."""
    settings = app.snapshot.settings_of(app.record.site)
    fewer = replace(app.record, settings=len(settings.digests) if settings else 0)
    return app.run.ports.journal.put_roll(app.lineage.ref, fewer)


def _names_left(app: App) -> str:
    settings = app.snapshot.settings_of(app.record.site)
    return sha256("\0".join(sorted(settings.digests if settings else ())).encode("utf-8", "surrogatepass")).hexdigest()


def _check_restored(app: App) -> Outcome:
    """Ask the app once more, so that people learn whether the version before still works."""
    if wait := _not_yet(app):
        return wait
    try:
        probe = probe_of(app.snapshot.fleet, app.record.site)
    except ProbeInvalid:
        probe = None
    detail = f"{app.record.site}: {app.record.detail}; the last good values are back"
    if probe is None:
        return _conclude(app, RollState.ROLLED_BACK, Stalled(Reason.ROLLED_BACK, detail))
    sight = _ask_in_a_row(app, _without_roots(app, probe))
    if sight.verdict is not Verdict.FAILED:
        return _conclude(app, RollState.ROLLED_BACK, Stalled(Reason.ROLLED_BACK, f"{detail}, and it works with them"))
    if not _has_failed_for_good(app):
        return Waiting(app.run.now() + PROBE_AGAIN, Reason.PROBING, f"{app.record.site}: {sight.detail}")
    ill = Deferred(Reason.BROKEN_BEFORE, f"{detail}, but it fails with them as well: {sight.detail}")
    return _conclude(app, RollState.SET_ASIDE, ill, broken_before=True, failing_since=None)


# ------------------------------------------------------------------------------------------------------- the record


def _conclude(app: App, state: RollState, outcome: Outcome, **changes: object) -> Outcome:
    """Record what became of the app, let another of its plan restart, and return the outcome."""
    at = app.record.at if state is RollState.REFUSED else app.run.now()
    record = replace(app.record, state=state, at=at, detail=outcome.detail, **changes)  # type: ignore[arg-type]  # of any field
    app.run.ports.journal.put_roll(app.lineage.ref, record)
    _give_back(app.run, app.lineage, app.record)
    _wake(app, state, outcome)
    return _told(app, outcome)


def _wake(app: App, state: RollState, outcome: Outcome) -> None:
    """Have the certificate's own run look at once, where this was the last app that it waited for.

    What is deferred goes back to it anyway; an app that was refused frees no other. It looks once: the run that waits
    for the apps goes on by itself.
    """
    ref = app.lineage.ref
    silent = isinstance(outcome, Deferred) or state is RollState.REFUSED
    if not silent and not app.run.ports.journal.rollout(ref, app.record.version).rolling:
        app.run.ports.queue.send_certificate(CertificateMessage(ref, Cause.WAIT, MOST_WAITS))


def _told(app: App, outcome: Outcome) -> Outcome:
    ref, now, site = app.lineage.ref, app.run.now(), str(app.record.site)
    journal = app.run.ports.journal
    journal.add_history(ref, (HistoryEntry(now, "app.rolled", site, outcome.reason, outcome.detail[:1000]),))
    if outcome.reason not in UNTOLD:
        journal.report((Finding(now, str(ref), f"app {site}", outcome.reason, outcome.detail[:1000]),))
    return outcome


def _give_back(run: Run, lineage: Lineage, record: RollRecord) -> None:
    give_back(run, _places(record), record.site, lineage.ref)


def _unseen(run: Run, lineage: Lineage, record: RollRecord, error: AzureError) -> Outcome:
    """Record an app that could not be looked at.

    One that is gone is waited for no longer. What was written to one that is only hidden stays, and is looked at again
    by the sweep.
    """
    reason = Reason.NO_SUCH_SITE if isinstance(error, NotFound) else REFUSALS[type(error)]
    outcome = Stalled(reason, str(error))
    if record.state is RollState.STALE or isinstance(error, NotFound):
        changed = replace(record, state=RollState.REFUSED, detail=outcome.detail)
        run.ports.journal.put_roll(lineage.ref, changed)
        _give_back(run, lineage, record)
    finding = Finding(run.now(), str(lineage.ref), f"app {record.site}", outcome.reason, outcome.detail[:1000])
    run.ports.journal.report((finding,))
    return outcome
