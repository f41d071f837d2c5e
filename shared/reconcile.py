"""The loop: observe, plan, guard, apply, observe again. Event, timer and manual request all come through here.

    reconcile_certificate   one vault certificate: keeps what apps name, syncs its copies, stage by stage; one message
                            per affected site
    reconcile_site          one site or slot: overwrites its bindings, observes again, proves what is served; and its
                            app settings, see shared/roll_app.py

Both read everything again from Azure; a lost, doubled, reordered or forged message changes nothing but the time at
which they look. Only reconcile_certificate decides which sites may go: it records a site as pending, and a site that is
not recorded for the current version is given back to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

from shared import planner
from shared.actions.settle import settle
from shared.actions.subjects import copy_subject
from shared.carry_roots import carry_roots, report_waves
from shared.dispatch import roll_records
from shared.domain.errors import AzureError, Denied, LeaseBusy, NotFound, OutOfTime, Rejected
from shared.domain.lineage import Lineage
from shared.domain.messages import MOST_WAITS, Cause, CertificateMessage, SiteMessage
from shared.domain.model import Binding, CertificateVersion
from shared.domain.names import ObjectKind, SiteRef, VaultCertificateRef, Webspace
from shared.domain.outcome import Converged, Deferred, Outcome, Stalled, Waiting
from shared.domain.plan import Mode, Phase, Plan, Skip, Step
from shared.domain.ports import Lease
from shared.domain.reason import NEEDS_A_PERSON, Reason
from shared.domain.record import Finding, HistoryEntry
from shared.domain.roll import TAKING_BACK, UNFINISHED, RollRecord
from shared.domain.roll import opens_at as rolls_open_at
from shared.domain.rollout import LOST_AFTER, Again, Rollout, SiteRecord, SiteState, stage
from shared.domain.sight import Sight, verdict
from shared.domain.snapshot import Snapshot
from shared.guards.stages import first_webspace
from shared.observe import Targets, observe_fleet, observe_site
from shared.prove import prove
from shared.report import report_lineage, report_moved, report_plan, report_skips
from shared.roll_app import roll_app
from shared.run import LONGEST_PAUSE, SECOND_LOOK, Run, pause, perform_all, planning_again, until_free, until_open
from shared.telemetry import event

AWAITING = frozenset(
    {Reason.AWAITING_FIRST_STAGE, Reason.AWAITING_FIRST_SITE, Reason.AWAITING_SLOTS, Reason.AWAITING_WAVE}
)
NO_LINEAGE = frozenset({Reason.NOT_A_CERTIFICATE, Reason.BEHIND_A_CERTIFICATE})
URGENCY: tuple[type[Outcome], ...] = (Waiting, Deferred, Stalled, Converged)
"""Of two outcomes of one site the first of these counts: what has to come back does."""
VAULT_REASONS = {Denied: Reason.VAULT_DENIED, NotFound: Reason.NO_SUCH_CERTIFICATE}
SITE_REASONS: dict[type[AzureError], Reason] = {
    NotFound: Reason.NO_SUCH_SITE,
    Denied: Reason.DENIED_BY_AZURE,
    Rejected: Reason.REJECTED_BY_AZURE,
}


def reconcile_certificate(run: Run, message: CertificateMessage, *, redelivered: bool = False) -> Outcome:
    """Bring one vault certificate's current version a step further through the fleet.

    `redelivered` says that an earlier try of this message died: sites that it had recorded are sent again.
    """
    fresh = redelivered or message.cause is not Cause.WAIT
    if foreign := _foreign(run, message.ref):
        return _told("certificate.reconciled", str(message.ref), "", foreign)
    try:
        with run.ports.leases.hold(f"lineage {message.ref}") as lease:
            outcome = planning_again(lambda: _reconcile_lineage(run, lease, message, fresh=fresh))
    except LeaseBusy as busy:
        outcome = until_free(run, busy, message.waits)
    except OutOfTime as late:
        outcome = Waiting(run.now(), Reason.OUT_OF_TIME, str(late))
    except (Denied, Rejected) as error:
        outcome = Stalled(SITE_REASONS[type(error)], str(error))
        run.ports.journal.report((Finding(run.now(), str(message.ref), "App Service", outcome.reason, str(error)),))
    return _told("certificate.reconciled", str(message.ref), "", outcome)


def reconcile_site(run: Run, message: SiteMessage) -> Outcome:
    """Carry the current version of one vault certificate to the bindings of one site or slot, and prove it."""
    if foreign := _foreign(run, message.ref):
        return _told("site.reconciled", str(message.ref), str(message.site), foreign)
    try:
        with run.ports.leases.hold(f"site {message.site.resource_id}") as lease:
            outcome = planning_again(lambda: _reconcile_recorded_site(run, lease, message))
    except LeaseBusy as busy:
        outcome = until_free(run, busy, message.waits)
    except OutOfTime as late:
        outcome = Waiting(run.now(), Reason.OUT_OF_TIME, str(late))
    if isinstance(outcome, Deferred):
        waits = 0 if outcome.reason is Reason.NOT_DISPATCHED else MOST_WAITS  # else its run is there, and waits already
        run.ports.queue.send_certificate(CertificateMessage(message.ref, Cause.WAIT, waits))
    return _told("site.reconciled", str(message.ref), str(message.site), outcome)


def _foreign(run: Run, ref: VaultCertificateRef) -> Stalled | None:
    """Refuse a message for a vault that is not ours: it may be forged, or older than the setting."""
    if ref.vault in run.intent.vaults:
        return None
    detail = f"vault {ref.vault!r} is not among CERTROLL_VAULTS; add it, or leave the message"
    run.ports.journal.report((Finding(run.now(), str(ref), str(ref), Reason.UNKNOWN_VAULT, detail),))
    return Stalled(Reason.UNKNOWN_VAULT, detail)


# ------------------------------------------------------------------------------------------- one vault certificate


def _reconcile_lineage(run: Run, lease: Lease, message: CertificateMessage, *, fresh: bool) -> Outcome:
    ref, now = message.ref, run.now()
    lineage = _read_lineage(run, ref)
    if not isinstance(lineage, Lineage):
        return _finishing(run, ref, fresh=fresh) or lineage
    if lineage.ref.kind is ObjectKind.SECRET and lineage.refusal and lineage.refusal.reason in NO_LINEAGE:
        return Converged(*lineage.refusal)  # most secrets are passwords: where a copy comes of it, the sweep says so
    report_lineage(run.ports.journal, lineage, now)
    if lineage.current is None:
        return _finishing(run, ref, fresh=fresh) or _without_current(run, lineage)
    rollout = run.ports.journal.rollout(ref, lineage.current.version)
    if not fresh and rollout.holds_up(stage(rollout, now, run.intent.stage_soak, None), now):
        return _await_sites(run, message.waits, rollout)
    fleet = observe_fleet(
        run.ports,
        run.pool,
        run.intent.subscriptions,
        lambda copy: copy.source == ref or lineage.version_of(copy.thumbprint) is not None,
        lambda followed: followed == ref,
        now,
        Targets.of((lineage,)),
    )
    snapshot = Snapshot(lineage, fleet, rollout, cycles=run.ports.cycles.all() if fleet.environments else ())
    plan = planner.plan(snapshot, run.intent)
    report_plan(run.ports.journal, plan, snapshot)
    report_waves(snapshot, plan, run.intent)
    return _roll_out(run, lease, snapshot, lineage.current, plan, message, fresh=fresh)


def _finishing(run: Run, ref: VaultCertificateRef, *, fresh: bool) -> Waiting | None:
    """Have apps finished that another version was written to: no good version is needed for that."""
    unfinished = run.ports.journal.rollout(ref, "").unfinished(run.now())
    if not unfinished or not fresh:
        return None
    _send(run, ref, (roll.site for roll in unfinished))
    return Waiting(run.now() + run.intent.probe_settle, Reason.DISPATCHED, f"{len(unfinished)} sites are on their way")


def _roll_out(
    run: Run,
    lease: Lease,
    snapshot: Snapshot,
    current: CertificateVersion,
    plan: Plan,
    message: CertificateMessage,
    *,
    fresh: bool,
) -> Outcome:
    """Record, sync and send, webspace by webspace; a crash anywhere leaves records that the next run sends again."""
    rollout, skips, stopped = snapshot.rollout, list(plan.skips), set[str]()
    unanswered: list[AzureError] = []
    deletions = tuple(step for step in plan.steps if step.action.phase is Phase.DELETE)
    skips.extend(carry_roots(run, lease, snapshot, plan, unanswered))
    others = (step for step in plan.steps if step not in deletions and step.action.phase is not Phase.ROOT)
    plan = Plan(tuple(others), plan.skips)
    if plan.steps:
        rollout = replace(rollout, first=first_webspace(plan, snapshot, run.intent), held=snapshot.held_unknown)
    shown = _shown(snapshot)
    for webspace, planned in _by_webspace(plan.steps):
        run.check_time()
        steps, refused = _upload_again(run, lease, message.ref, planned, unanswered)
        skips.extend(refused)
        records = _pending_records(snapshot, current, webspace, steps, shown)
        run.ports.journal.begin(message.ref, replace(rollout, records=records))
        shared = (step for step in steps if step.action.site is None)
        refused = perform_all(run, lease, message.ref, shared, unanswered)
        if refused:
            records = _after_refusal(run, message.ref, records, refused)
            skips.extend(refused)
            stopped |= {skip.subject for skip in refused}
        _send(run, message.ref, (record.site for record in records if record.state is SiteState.PENDING))
        rollout = _merged(rollout, records)
    done = Plan(tuple(step for step in plan.steps if step.subject not in stopped), plan.skips)
    apps = roll_records(snapshot, done, run.intent, fresh=fresh)
    rollout = _tell_apps(run, message.ref, snapshot, apps, rollout)
    refused = perform_all(run, lease, message.ref, deletions, unanswered)
    report_skips(run.ports.journal, message.ref, refused, run.now())
    sent = _to_send_again(snapshot.rollout, rollout) if fresh else ()
    again = (*snapshot.rollout.rolling, *snapshot.rollout.unfinished(snapshot.now)) if fresh else ()
    _send(run, message.ref, sorted({record.site for record in sent} | {roll.site for roll in again}))
    if unanswered:
        raise unanswered[0]  # all else is on its way, and this comes back with the message
    if any(record.state is SiteState.FAILED for record in sent):
        return Waiting(run.now() + SECOND_LOOK, Reason.DISPATCHED, "what failed is looked at again")
    return _certificate_outcome(run, snapshot, rollout, tuple(skips), message.waits)


def _upload_again(
    run: Run, lease: Lease, ref: VaultCertificateRef, steps: tuple[Step, ...], unanswered: list[AzureError]
) -> tuple[tuple[Step, ...], tuple[Skip, ...]]:
    """Upload again what was asked for; return the steps that are left, and what Azure refused.

    No site changes by it, and Azure shows that it was done, so it needs no record; where it was refused nothing is to
    be bound again.
    """
    uploads = tuple(step for step in steps if step.action.phase is Phase.UPLOAD)
    left = tuple(step for step in steps if step not in uploads)
    refused = perform_all(run, lease, ref, uploads, unanswered)
    report_skips(run.ports.journal, ref, refused, run.now())
    return tuple(filter(None, map(Step.without_rebinding, left))) if refused else left, refused


def _tell_apps(
    run: Run, ref: VaultCertificateRef, snapshot: Snapshot, records: tuple[RollRecord, ...], rollout: Rollout
) -> Rollout:
    """Record the apps that may go now and send each its message; return the rollout with them."""
    if records or rollout.rolls:
        run.ports.journal.looked(ref, rollout, snapshot.now)
    recorded = tuple(run.ports.journal.put_roll(ref, record) for record in records)
    _send(run, ref, (roll.site for roll in recorded if roll.under_way))
    renewed = {roll.site for roll in recorded}
    return replace(rollout, rolls=(*(roll for roll in rollout.rolls if roll.site not in renewed), *recorded))


def _by_webspace(steps: tuple[Step, ...]) -> Iterable[tuple[Webspace, tuple[Step, ...]]]:
    ordered = sorted(
        ((step.action.webspace, step) for step in steps if step.action.webspace is not None), key=lambda one: one[0]
    )
    groups = groupby(ordered, key=lambda one: one[0])
    return ((webspace, tuple(step for _, step in group)) for webspace, group in groups)


def _shown(snapshot: Snapshot) -> Mapping[SiteRef, tuple[Binding, ...]]:
    """Return the bindings of each site as they are, without those of which it is not clear whose they are."""
    shown: dict[SiteRef, tuple[Binding, ...]] = {}
    for binding in (b for b in snapshot.bindings if not snapshot.is_ambiguous(b)):
        shown[binding.site] = (*shown.get(binding.site, ()), binding)
    return shown


def _pending_records(
    snapshot: Snapshot,
    current: CertificateVersion,
    webspace: Webspace,
    steps: tuple[Step, ...],
    shown: Mapping[SiteRef, tuple[Binding, ...]],
) -> tuple[SiteRecord, ...]:
    """Return a pending record for each site that the steps touch.

    What its bindings were before the first write of this version, and since when it is under way, is kept from an
    earlier look: looking again must not overwrite the one, nor start the soak anew. What came since is added.
    """
    synced = planner.project(Plan(tuple(step for step in steps if step.action.site is None)), snapshot).fleet
    known = {record.site: record for record in snapshot.rollout.records}
    bound = [binding for step in steps if (binding := step.action.binds) is not None]
    asked = {step.action.site for step in steps if step.action.rebinds}
    records = []
    for site in sorted({binding.site for binding in bound}):
        kept = known[site].last_good if site in known else ()
        names = {binding.host_name for binding in kept}
        there = (*shown.get(site, ()), *(b for b in bound if b.site == site and b.thumbprint is None))
        before = (*kept, *(binding for binding in there if binding.host_name not in names))
        started = site in known and known[site].state is not SiteState.PROVEN
        since = known[site].at if started else snapshot.now
        usable = (copy for copy in synced.certificates_of(site) if not copy.ref.public)
        copies = tuple(copy.ref for copy in usable if copy.thumbprint == current.thumbprint)
        again = Again.ASKED if site in asked else known[site].again if site in known else Again.NO
        pending = SiteRecord(site, current.version, webspace, SiteState.PENDING, since, copies, before, again=again)
        records.append(pending)
    return tuple(records)


def _after_refusal(
    run: Run, ref: VaultCertificateRef, records: tuple[SiteRecord, ...], refused: tuple[Skip, ...]
) -> tuple[SiteRecord, ...]:
    """Record what is left where Azure refused to sync a copy.

    Where the webspace has another copy that was synced, its sites go on with that one; else there is nothing to send
    them, and nothing is proven there.
    """
    report_skips(run.ports.journal, ref, refused, run.now())
    lost = {skip.subject for skip in refused}
    changed = []
    for record in records:
        if not any(copy_subject(copy, record.webspace) in lost for copy in record.copies):
            changed.append(record)
            continue
        left = tuple(copy for copy in record.copies if copy_subject(copy, record.webspace) not in lost)
        state = SiteState.PENDING if left else SiteState.UNPROVEN
        changed.append(replace(record, copies=left, state=state, detail=refused[0].detail[:1000]))
        run.ports.journal.record_site(ref, changed[-1])
    return tuple(changed)


def _merged(rollout: Rollout, records: tuple[SiteRecord, ...]) -> Rollout:
    renewed = {record.site for record in records}
    kept = tuple(record for record in rollout.records if record.site not in renewed)
    return replace(rollout, records=(*kept, *records))


def _send(run: Run, ref: VaultCertificateRef, sites: Iterable[SiteRef]) -> None:
    for site in sites:
        run.ports.queue.send_site(SiteMessage(site, ref))


def _to_send_again(before: Rollout, after: Rollout) -> tuple[SiteRecord, ...]:
    """Return the known sites that a fresh look sends another message for.

    What is pending may have been lost; what failed may have been mended, or is served late.
    """
    known = frozenset(before.records) & frozenset(after.records)
    again = {SiteState.PENDING, SiteState.FAILED}
    return tuple(record for record in after.records if record in known and record.state in again)


def _certificate_outcome(
    run: Run, snapshot: Snapshot, rollout: Rollout, skips: tuple[Skip, ...], waits: int
) -> Outcome:
    waiting = _to_wait_for(run, snapshot, rollout, skips, waits)
    blocked = next((skip for skip in skips if skip.reason in NEEDS_A_PERSON), None)
    refusal = snapshot.lineage.refusal
    if waiting is not None:
        return waiting
    if refusal and refusal.reason is Reason.NOT_YET_VALID and (not blocked or blocked.reason is Reason.NEWEST_REFUSED):
        return _without_current(run, snapshot.lineage)
    if blocked is not None:
        return Stalled(blocked.reason, f"{blocked.subject}: {blocked.detail}")
    return _failure(snapshot, rollout) or _success(rollout, skips)


def _to_wait_for(run: Run, snapshot: Snapshot, rollout: Rollout, skips: tuple[Skip, ...], waits: int) -> Waiting | None:
    if rollout.pending or rollout.rolling or rollout.unfinished(run.now()):
        return _await_sites(run, waits, rollout)
    awaiting = next((skip for skip in skips if skip.reason in AWAITING), None)
    if awaiting is not None and run.intent.mode is Mode.APPLY:
        return Waiting(_next_look(run, snapshot, rollout, waits), awaiting.reason, awaiting.detail)
    closed = next((skip for skip in skips if skip.reason is Reason.OUTSIDE_WINDOW), None)
    return None if closed is None else Waiting(until_open(run), closed.reason, closed.detail)


def _failure(snapshot: Snapshot, rollout: Rollout) -> Stalled | None:
    if rollout.failed:
        return Stalled(Reason.SERVED_ANOTHER, "; ".join(f"{record.site}: {record.detail}" for record in rollout.failed))
    if rollout.held_by:
        return Stalled(Reason.ROLLED_BACK, "; ".join(f"{roll.site}: {roll.detail}" for roll in rollout.held_by))
    if rollout.refused:
        return Stalled(Reason.APP_REFUSED, "; ".join(f"{roll.site}: {roll.detail}" for roll in rollout.refused))
    hidden = next((spot for spot in snapshot.fleet.blind_spots if spot.webspace is None), None)
    if hidden is not None:
        return Stalled(Reason.INCOMPLETE_VIEW, f"{hidden.subject} cannot be seen ({hidden.detail})")
    return None


def _success(rollout: Rollout, skips: tuple[Skip, ...]) -> Converged:
    if any(skip.reason is Reason.OBSERVE_ONLY for skip in skips):
        return Converged(Reason.OBSERVE_ONLY, "planned, and not carried out")
    done = bool(rollout.records or rollout.rolls)
    return Converged(Reason.ROLLED_OUT if done else Reason.NOTHING_STALE, f"version {rollout.version}")


def _next_look(run: Run, snapshot: Snapshot, rollout: Rollout, waits: int) -> datetime:
    """Return when to look at the stages again: when they open, a quarter of an hour at most.

    What is unproven stays so until then, and each look observes the fleet.
    """
    now, soak = run.now(), run.intent.stage_soak
    opens = (
        stage(rollout, now, soak, snapshot.expires_at()).opens_at,
        rolls_open_at(rollout.rolls, soak, LOST_AFTER, urgent=False),
    )
    soonest = min((moment for moment in opens if moment is not None and moment > now), default=now)
    return min(max(soonest, now + pause(waits)), now + LONGEST_PAUSE)


def _await_sites(run: Run, waits: int, rollout: Rollout) -> Waiting:
    """Come back when the sites may be done. The last app that is awaited calls for a look by itself."""
    unfinished = rollout.unfinished(run.now())
    sites = {one.site for one in rollout.pending} | {one.site for one in (*rollout.rolling, *unfinished)}
    least = timedelta(0) if rollout.pending else run.intent.probe_settle
    until = run.now() + min(max(pause(waits), least), LONGEST_PAUSE)
    return Waiting(until, Reason.DISPATCHED, f"{len(sites)} sites are on their way")


def _without_current(run: Run, lineage: Lineage) -> Outcome:
    """Return the outcome where the newest version may not be rolled out, nor any in its stead."""
    if lineage.refusal is None:
        return Stalled(Reason.NO_SUCH_CERTIFICATE, f"{lineage.ref} has no version")
    reason, detail = lineage.refusal
    if reason is Reason.NOT_YET_VALID:
        return Waiting(max(run.now(), lineage.versions[0].not_before), reason, detail)
    finding = Finding(run.now(), str(lineage.ref), str(lineage.ref), reason, f"its newest version is refused: {detail}")
    run.ports.journal.report((finding,))
    return Stalled(reason, finding.detail)


def _read_lineage(run: Run, ref: VaultCertificateRef) -> Lineage | Stalled:
    try:
        return run.ports.vault.lineage(ref, run.now())
    except (Denied, NotFound, Rejected) as error:
        return stalled_on_vault(run, ref, error)


def stalled_on_vault(run: Run, ref: VaultCertificateRef, error: AzureError) -> Stalled:
    """Report a vault certificate that cannot be read, and return the outcome."""
    reason = VAULT_REASONS.get(type(error), Reason.REJECTED_BY_AZURE)
    run.ports.journal.report((Finding(run.now(), str(ref), str(ref), reason, str(error)),))
    return Stalled(reason, str(error))


# ------------------------------------------------------------------------------------------------ one site or slot


def _reconcile_recorded_site(run: Run, lease: Lease, message: SiteMessage) -> Outcome:
    """Carry what is recorded of the site: its bindings first, and its settings, of whatever version they were begun."""
    lineage = _read_lineage(run, message.ref)
    known = lineage if isinstance(lineage, Lineage) else Lineage(message.ref, (), None)
    current = known.current
    record = run.ports.journal.site(message.ref, current.version, message.site) if current else None
    roll = _to_go_on_from(run.ports.journal.roll(message.ref, message.site), known)
    outcomes: list[Outcome] = []
    if record is not None and current and (roll is None or record.state in {SiteState.PENDING, SiteState.FAILED}):
        outcomes.append(_bindings_of_site(run, lease, known, current, record))
    if roll is not None:
        outcomes.append(roll_app(run, lease, _as_of(known, roll), roll, message.waits))
    if outcomes:
        return min(outcomes, key=lambda outcome: URGENCY.index(type(outcome)))
    if not isinstance(lineage, Lineage):
        return lineage
    if current is None:
        return _without_current(run, lineage)
    detail = f"{message.site} is not recorded for version {current.version} of {message.ref}"
    return Deferred(Reason.NOT_DISPATCHED, detail)


def _to_go_on_from(roll: RollRecord | None, lineage: Lineage) -> RollRecord | None:
    """Return the record of this version, or of another that was begun: bringing old values back needs no vault."""
    if roll is None or _is_of(roll, lineage.current):
        return roll
    judged = roll.state in UNFINISHED and any(_is_of(roll, version) for version in lineage.versions)
    return roll if judged or roll.state in TAKING_BACK else None


def _is_of(roll: RollRecord, version: CertificateVersion | None) -> bool:
    return version is not None and roll.version == version.version


def _as_of(lineage: Lineage, roll: RollRecord) -> Lineage:
    """Return the lineage as it was when the app was told to go: what was begun is judged by that version."""
    version = next((one for one in lineage.versions if one.version == roll.version), lineage.current)
    return replace(lineage, current=version, refusal=None)


def _bindings_of_site(
    run: Run, lease: Lease, lineage: Lineage, current: CertificateVersion, record: SiteRecord
) -> Outcome:
    try:
        return _carry_to_site(run, lease, lineage, current, record)
    except (NotFound, Denied, Rejected) as error:
        return _conclude(run, lineage, record, SiteState.UNPROVEN, Stalled(SITE_REASONS[type(error)], str(error)))


def _carry_to_site(
    run: Run, lease: Lease, lineage: Lineage, current: CertificateVersion, record: SiteRecord
) -> Outcome:
    snapshot = _look_at_site(run, lineage, record)
    plan = _plan_of_site(run, snapshot, record)
    report_plan(run.ports.journal, plan, snapshot)
    refused = perform_all(run, lease, lineage.ref, plan.steps)
    if not refused and any(step.action.rebinds for step in plan.steps):
        record = replace(record, again=Again.DONE)
    if plan.steps and not refused:
        snapshot = settle(
            run.ports.clock,
            lambda: _look_at_site(run, lineage, record),
            lambda seen: not _plan_of_site(run, seen, record).steps,
            f"site {record.site}",
        )
    report_moved(run.ports.journal, lineage.ref, record, snapshot)
    report_skips(run.ports.journal, lineage.ref, refused, run.now())
    sights = prove(run, snapshot, record.site, current.thumbprint)
    return _site_outcome(run, lineage, record, (*plan.skips, *refused), sights)


def _look_at_site(run: Run, lineage: Lineage, record: SiteRecord) -> Snapshot:
    fleet = observe_site(run.ports.app_service, record.site, record.copies, run.now())
    held = frozenset((record.webspace, b.thumbprint) for b in record.last_good if b.thumbprint is not None)
    told = (record,) if record.state is SiteState.FAILED or record.again is not Again.NO else ()
    return Snapshot(lineage, fleet, Rollout(record.version, record.webspace, told), held)


def _plan_of_site(run: Run, snapshot: Snapshot, record: SiteRecord) -> Plan:
    """Return the part of the plan that is the site's own, of the host names that the certificate's run recorded.

    Copies are synced by that run alone, and it alone sees the copies of other lineages in the webspace.
    """
    plan = planner.plan(snapshot, run.intent)
    recorded = {(binding.site, binding.host_name) for binding in record.last_good}
    bound = ((step, step.action.binds) for step in plan.steps)
    return Plan(
        tuple(step for step, binding in bound if binding and (binding.site, binding.host_name) in recorded),
        tuple(skip for skip in plan.skips if skip.site == record.site),
    )


def _site_outcome(
    run: Run, lineage: Lineage, record: SiteRecord, skips: tuple[Skip, ...], sights: tuple[Sight, ...]
) -> Outcome:
    blocked = next((skip for skip in skips if skip.reason in NEEDS_A_PERSON), None)
    state = verdict(sights)
    if record.state is SiteState.FAILED and state is not SiteState.PROVEN:
        state = SiteState.FAILED  # only proof ends a hold; somebody may have put the old certificate back
    telling = "; ".join(str(sight) for sight in sights if sight.state is state)
    outcome: Outcome
    if state is SiteState.FAILED:
        outcome = Stalled(Reason.SERVED_ANOTHER, telling or record.detail)
    elif blocked is not None:
        outcome = Stalled(blocked.reason, f"{blocked.subject}: {blocked.detail}")
    elif state is SiteState.PROVEN:
        outcome = Converged(Reason.SERVED, telling)
    else:
        outcome = Converged(Reason.UNREACHABLE, telling or "no host name of it is bound to the current version")
    return _conclude(run, lineage, record, state, outcome)


def _conclude(run: Run, lineage: Lineage, record: SiteRecord, state: SiteState, outcome: Outcome) -> Outcome:
    """Record what became of the site, and return the outcome.

    The soak of an unproven site counts from its dispatch: looking again does not start it anew.
    """
    detail = outcome.detail[:1000]
    ref, now = lineage.ref, run.now()
    run.ports.journal.record_site(ref, replace(record, state=state, detail=detail))
    run.ports.journal.add_history(ref, (HistoryEntry(now, "site.verified", str(record.site), outcome.reason, detail),))
    if isinstance(outcome, Stalled) or outcome.reason is Reason.UNREACHABLE:
        run.ports.journal.report((Finding(now, str(ref), str(record.site), outcome.reason, detail),))
    return outcome


def _told(name: str, certificate: str, site: str, outcome: Outcome) -> Outcome:
    event(
        name,
        certificate=certificate,
        site=site,
        outcome=type(outcome).__name__,
        reason=outcome.reason,
        detail=outcome.detail,
    )
    return outcome
