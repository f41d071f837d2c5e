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
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter

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
from shared.domain.reason import Reason
from shared.domain.record import Finding, HistoryEntry
from shared.domain.roll import TAKING_BACK, UNFINISHED, RollRecord
from shared.domain.roll import opens_at as rolls_open_at
from shared.domain.rollout import LOST_AFTER, Again, Rollout, SiteRecord, SiteState, holds_up, stage
from shared.domain.sight import Sight, verdict
from shared.domain.snapshot import staleness
from shared.domain.snapshot.expiry import expires_at
from shared.domain.snapshot.snapshot import Snapshot
from shared.domain.snapshot.staleness import is_ambiguous
from shared.guards.stages import first_webspace
from shared.observe.fleet import observe_fleet
from shared.observe.site import observe_site
from shared.observe.targets import Targets
from shared.ports.storage import Lease
from shared.prove import SECOND_LOOK, prove
from shared.report import report_lineage, report_moved, report_plan, report_skips
from shared.roll_app import roll_app
from shared.run import (
    LONGEST_PAUSE,
    REFUSALS,
    Performed,
    Run,
    pause,
    perform_all,
    perform_each,
    planning_again,
    until_free,
    until_open,
)
from shared.telemetry import event

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
    if foreign := refuse_foreign(run, message.ref):
        return _log_certificate(message, foreign)
    try:
        with run.ports.leases.hold(f"lineage {message.ref}") as lease:
            outcome = planning_again(lambda: _reconcile_lineage(run, lease, message, fresh=fresh))
    except LeaseBusy as busy:
        outcome = until_free(run, busy, message.waits)
    except OutOfTime as late:
        outcome = Waiting(run.now(), Reason.OUT_OF_TIME, str(late))
    # Azure refused to list the fleet, so nothing can be planned. A refused step does not come here: it is a skip.
    except (Denied, Rejected) as error:
        outcome = Stalled(REFUSALS[type(error)], str(error))
        run.ports.findings.report((Finding(run.now(), str(message.ref), "App Service", outcome.reason, str(error)),))
    return _log_certificate(message, outcome)


def _log_certificate(message: CertificateMessage, outcome: Outcome) -> Outcome:
    event(
        "certificate.reconciled",
        certificate=str(message.ref),
        site="",
        outcome=type(outcome).__name__,
        reason=outcome.reason,
        detail=outcome.detail,
    )
    return outcome


def reconcile_site(run: Run, message: SiteMessage) -> Outcome:
    """Carry the current version of one vault certificate to the bindings of one site or slot, and prove it."""
    if foreign := refuse_foreign(run, message.ref):
        return _log_site(message, foreign)
    try:
        with run.ports.leases.hold(f"site {message.site.resource_id}") as lease:
            outcome = planning_again(lambda: _reconcile_recorded_site(run, lease, message))
    except LeaseBusy as busy:
        outcome = until_free(run, busy, message.waits)
    except OutOfTime as late:
        outcome = Waiting(run.now(), Reason.OUT_OF_TIME, str(late))
    # This site may not go on by itself: only the run of its certificate decides which sites go. A site without a record
    # starts such a run anew. For a recorded site that run waits already, so the message gets the last of all waits: the
    # run then observes the fleet once and leaves no second chain of waits behind.
    if isinstance(outcome, Deferred):
        waits = 0 if outcome.reason is Reason.NOT_DISPATCHED else MOST_WAITS
        run.ports.queue.send_certificate(CertificateMessage(message.ref, Cause.WAIT, waits))
    return _log_site(message, outcome)


def _log_site(message: SiteMessage, outcome: Outcome) -> Outcome:
    event(
        "site.reconciled",
        certificate=str(message.ref),
        site=str(message.site),
        outcome=type(outcome).__name__,
        reason=outcome.reason,
        detail=outcome.detail,
    )
    return outcome


def refuse_foreign(run: Run, ref: VaultCertificateRef) -> Stalled | None:
    """Return the refusal of a message for a vault outside of CERTROLL_VAULTS: it may be forged, or older than that."""
    if ref.vault in run.intent.vaults:
        return None
    detail = f"vault {ref.vault!r} is not among CERTROLL_VAULTS; add it, or leave the message"
    run.ports.findings.report((Finding(run.now(), str(ref), str(ref), Reason.UNKNOWN_VAULT, detail),))
    return Stalled(Reason.UNKNOWN_VAULT, detail)


# ------------------------------------------------------------------------------------------- one vault certificate


def _reconcile_lineage(run: Run, lease: Lease, message: CertificateMessage, *, fresh: bool) -> Outcome:
    ref, now = message.ref, run.now()
    lineage = read_lineage(run, ref)
    # The operator deleted the certificate, or the vault refuses Certroll. Apps that Certroll has begun to change are
    # finished all the same: to judge them, or to bring their last good values back, needs no vault.
    if not isinstance(lineage, Lineage):
        return _finishing(run, ref, fresh=fresh) or lineage
    # Most secrets are passwords. If a secret was copied into App Service as a certificate, the sweep reports that.
    if lineage.ref.kind is ObjectKind.SECRET and lineage.refusal and lineage.refusal.reason.is_no_lineage:
        return Converged(*lineage.refusal)
    report_lineage(run.ports.findings, lineage, now)
    # No version may be rolled out: an operator disabled the newest, for instance. Certroll begins nothing new.
    if lineage.current is None:
        return _finishing(run, ref, fresh=fresh) or without_current(run, lineage)
    rollout = run.ports.rollouts.rollout(ref, lineage.current.version)
    # This message only ends a wait, and the sites that Certroll waits for are not done. To observe the fleet now costs
    # many requests and shows nothing new.
    if not fresh and holds_up(rollout, stage(rollout, now, run.intent.stage_soak, None), now):
        return await_sites(run, message.waits, rollout)
    snapshot = _observed(run, lineage, rollout, now)
    plan = planner.plan(snapshot, run.intent)
    report_plan(run.ports.findings, plan, snapshot)
    report_waves(snapshot, plan, run.intent)
    return roll_out(RolloutRun(run, lease, snapshot, lineage.current, message.waits, is_fresh=fresh), plan)


def _observed(run: Run, lineage: Lineage, rollout: Rollout, now: datetime) -> Snapshot:
    """Return the fleet as one lineage sees it: the webspaces that hold a version of it, and the targets of its tags."""
    fleet = observe_fleet(
        run.ports,
        run.pool,
        run.intent.subscriptions,
        lambda copy: copy.source == lineage.ref or lineage.version_of(copy.thumbprint) is not None,
        lambda followed: followed == lineage.ref,
        now,
        Targets.of((lineage,)),
    )
    return Snapshot(lineage, fleet, rollout, cycles=run.ports.cycles.all() if fleet.environments else ())


def _finishing(run: Run, ref: VaultCertificateRef, *, fresh: bool) -> Waiting | None:
    """Have apps finished that another version was written to: no good version is needed for that."""
    unfinished = run.ports.rollouts.rollout(ref, "").unfinished(run.now())
    if not unfinished or not fresh:
        return None
    send_sites(run, ref, (roll.site for roll in unfinished))
    return Waiting(run.now() + run.intent.probe_settle, Reason.DISPATCHED, f"{len(unfinished)} sites are on their way")


@dataclass(frozen=True, slots=True)
class RolloutRun:
    """One run for one version of a vault certificate: what each phase of the rollout works with."""

    run: Run
    lease: Lease
    """The lease of the vault certificate. A run that has lost this lease may write nothing more."""
    snapshot: Snapshot
    """The fleet and the journal before the first write of this run."""
    current: CertificateVersion
    """The version that is rolled out."""
    waits: int
    """How often the message has waited already."""
    is_fresh: bool
    """True unless the message only ends a wait: then Certroll sends no message a second time."""

    @property
    def ref(self) -> VaultCertificateRef:
        """The vault certificate."""
        return self.snapshot.lineage.ref

    def perform(self, steps: Iterable[Step]) -> Performed:
        """Perform the steps; return those that Azure refused or did not answer."""
        return perform_each(self.run, self.lease, self.ref, steps)

    def report(self, refused: Iterable[Skip]) -> None:
        """Record refusals as findings."""
        report_skips(self.run.ports.findings, self.ref, refused, self.run.now())

    def send(self, sites: Iterable[SiteRef]) -> None:
        """Send each site its message."""
        send_sites(self.run, self.ref, sites)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: each phase of the rollout takes this value and returns the next one."""

    rollout: Rollout
    """The records as the journal has them now."""
    skips: tuple[Skip, ...]
    """What this run did not do, and why: the refusals of the plan, then those of Azure."""
    unanswered: tuple[AzureError, ...] = ()
    """The errors of the steps that Azure did not answer."""
    stopped: frozenset[str] = frozenset()
    """The subjects of the copies that Azure did not write: no app that needs one of them may go."""

    def after(self, performed: Performed) -> "Progress":
        """Return the progress with what Azure refused and did not answer."""
        unanswered = (*self.unanswered, *performed.unanswered)
        return replace(self, skips=(*self.skips, *performed.refused), unanswered=unanswered)

    def after_copies(self, performed: Performed, records: tuple[SiteRecord, ...]) -> "Progress":
        """Return the progress after the copies of one webspace, with the records of its sites."""
        stopped = self.stopped.union(skip.subject for skip in performed.refused)
        return replace(self.after(performed), rollout=_merged(self.rollout, records), stopped=stopped)


def roll_out(work: RolloutRun, plan: Plan) -> Outcome:
    """Carry out the plan in phases: roots, webspaces, apps, deletions; then send again what may have been lost.

    Each phase records before it writes. A crash anywhere leaves records that the next run sends again.
    """
    deletions = tuple(step for step in plan.steps if step.action.phase is Phase.DELETE)
    others = (step for step in plan.steps if step.action.phase not in {Phase.DELETE, Phase.ROOT})
    staged = Plan(tuple(others), plan.skips)
    progress = Progress(work.snapshot.rollout, plan.skips)
    progress = progress.after(carry_roots(work.run, work.lease, work.snapshot, plan))
    progress = _roll_webspaces(work, staged, progress)
    progress = _roll_apps(work, staged, progress)
    progress = _delete_superseded(work, deletions, progress)
    sent_again = _send_again(work, progress.rollout) if work.is_fresh else ()
    # Azure did not answer a step. All other steps are on their way, so the message fails only now. The next try of the
    # message observes the fleet, and sees whether Azure did the step.
    if progress.unanswered:
        raise progress.unanswered[0]
    # A site served another certificate, and an operator may have mended the site. The run of the site needs minutes to
    # find out.
    if any(record.state is SiteState.FAILED for record in sent_again):
        return Waiting(work.run.now() + SECOND_LOOK, Reason.DISPATCHED, "what failed is looked at again")
    return certificate_outcome(work, progress)


def _roll_webspaces(work: RolloutRun, plan: Plan, progress: Progress) -> Progress:
    """Bring the version into one webspace after the other, as far as the time allows."""
    # The first webspace is chosen once for each version, and recorded with the first sites: a later run must not choose
    # another, or two webspaces would go first.
    if plan.steps:
        first = first_webspace(plan, work.snapshot, work.run.intent)
        rollout = replace(progress.rollout, first=first, held=work.snapshot.held_unknown)
        progress = replace(progress, rollout=rollout)
    shown = shown_bindings(work.snapshot)
    for webspace, steps in _by_webspace(plan.steps):
        work.run.check_time()
        progress = _roll_webspace(work, webspace, steps, shown, progress)
    return progress


def _roll_webspace(
    work: RolloutRun,
    webspace: Webspace,
    steps: tuple[Step, ...],
    shown: Mapping[SiteRef, tuple[Binding, ...]],
    progress: Progress,
) -> Progress:
    """Record the sites of one webspace as pending, write the copies that they share, and send each site its message."""
    uploads, steps = _upload_again(work, steps)
    records = pending_records(work.snapshot, work.current, webspace, steps, shown)
    # Certroll may die after the first write. Azure shows the new version then, and only these records tell the next run
    # which sites have still to be proven.
    work.run.ports.rollouts.begin(work.ref, replace(progress.rollout, records=records))
    copies = work.perform(step for step in steps if step.action.site is None)
    if copies.refused:
        records = after_refusal(work.run, work.ref, records, copies.refused)
    work.send(record.site for record in records if record.state is SiteState.PENDING)
    return progress.after(uploads).after_copies(copies, records)


def _upload_again(work: RolloutRun, steps: tuple[Step, ...]) -> tuple[Performed, tuple[Step, ...]]:
    """Upload again what an operator asked for; return what became of it, and the steps that are left.

    This phase needs no record: no site changes by it, and Azure shows whether it was done.
    """
    uploads = tuple(step for step in steps if step.action.phase is Phase.UPLOAD)
    left = tuple(step for step in steps if step not in uploads)
    performed = work.perform(uploads)
    work.report(performed.refused)
    # An operator asked for sites to be bound once more, so that they serve the new upload. Azure refused the upload:
    # to bind the old one again would only interrupt them.
    if performed.refused:
        left = tuple(filter(None, map(Step.without_rebinding, left)))
    return performed, left


def _roll_apps(work: RolloutRun, plan: Plan, progress: Progress) -> Progress:
    """Record the apps that may go now, and send each its message."""
    done = Plan(tuple(step for step in plan.steps if step.subject not in progress.stopped), plan.skips)
    apps = roll_records(work.snapshot, done, work.run.intent, fresh=work.is_fresh)
    return replace(progress, rollout=_tell_apps(work, apps, progress.rollout))


def _tell_apps(work: RolloutRun, apps: tuple[RollRecord, ...], rollout: Rollout) -> Rollout:
    """Record the apps that may go now and send each its message; return the rollout with them."""
    ports = work.run.ports
    if apps or rollout.rolls:
        ports.rollouts.looked(work.ref, rollout, work.snapshot.now)
    recorded = tuple(ports.settings_rolls.put_roll(work.ref, app) for app in apps)
    work.send(roll.site for roll in recorded if roll.under_way)
    renewed = {roll.site for roll in recorded}
    return replace(rollout, rolls=(*(roll for roll in rollout.rolls if roll.site not in renewed), *recorded))


def _delete_superseded(work: RolloutRun, deletions: tuple[Step, ...], progress: Progress) -> Progress:
    """Delete what nothing uses any more.

    A refusal becomes a finding and no skip: the version is rolled out, whether Azure deletes an old one or not.
    """
    performed = work.perform(deletions)
    work.report(performed.refused)
    return progress.after(replace(performed, refused=()))


def _send_again(work: RolloutRun, rollout: Rollout) -> tuple[SiteRecord, ...]:
    """Send the sites and apps of earlier runs another message; return the records of the sites."""
    before = work.snapshot.rollout
    records = to_send_again(before, rollout)
    rolls = (*before.rolling, *before.unfinished(work.snapshot.now))
    work.send(sorted({record.site for record in records} | {roll.site for roll in rolls}))
    return records


def _by_webspace(steps: tuple[Step, ...]) -> Iterable[tuple[Webspace, tuple[Step, ...]]]:
    placed = ((step.action.webspace, step) for step in steps if step.action.webspace is not None)
    groups = groupby(sorted(placed, key=itemgetter(0)), key=itemgetter(0))
    return ((webspace, tuple(step for _, step in group)) for webspace, group in groups)


def shown_bindings(snapshot: Snapshot) -> Mapping[SiteRef, tuple[Binding, ...]]:
    """Return the bindings of each site as they are, without those of which it is not clear whose they are."""
    shown: dict[SiteRef, tuple[Binding, ...]] = {}
    for binding in (b for b in staleness.shown_bindings(snapshot) if not is_ambiguous(snapshot, b)):
        shown[binding.site] = (*shown.get(binding.site, ()), binding)
    return shown


def pending_records(
    snapshot: Snapshot,
    current: CertificateVersion,
    webspace: Webspace,
    steps: tuple[Step, ...],
    shown: Mapping[SiteRef, tuple[Binding, ...]],
) -> tuple[SiteRecord, ...]:
    """Return a pending record for each site that the steps touch."""
    synced = planner.project(Plan(tuple(step for step in steps if step.action.site is None)), snapshot).fleet
    known = {record.site: record for record in snapshot.rollout.records}
    bound = [binding for step in steps if (binding := step.action.binds) is not None]
    asked = {step.action.site for step in steps if step.action.rebinds}
    records = []
    for site in sorted({binding.site for binding in bound}):
        usable = (copy for copy in synced.certificates_of(site) if not copy.ref.public)
        copies = tuple(copy.ref for copy in usable if copy.thumbprint == current.thumbprint)
        bindings = (*shown.get(site, ()), *(b for b in bound if b.site == site and b.thumbprint is None))
        again = Again.ASKED if site in asked else Again.NO
        version, state = current.version, SiteState.PENDING
        pending = SiteRecord(site, version, webspace, state, snapshot.now, copies, bindings, again=again)
        records.append(_continuing(pending, known.get(site)))
    return tuple(records)


def _continuing(pending: SiteRecord, known: SiteRecord | None) -> SiteRecord:
    """Return the pending record with `last_good` and `at` of the record that an earlier run made.

    Otherwise this run would take bindings that Certroll has written for the original ones, and restart the soak.
    """
    if known is None:
        return pending
    names = {binding.host_name for binding in known.last_good}
    added = tuple(binding for binding in pending.last_good if binding.host_name not in names)
    return replace(
        pending,
        at=pending.at if known.state is SiteState.PROVEN else known.at,
        last_good=(*known.last_good, *added),
        again=known.again if pending.again is Again.NO else pending.again,
    )


def after_refusal(
    run: Run, ref: VaultCertificateRef, records: tuple[SiteRecord, ...], refused: tuple[Skip, ...]
) -> tuple[SiteRecord, ...]:
    """Record what is left where Azure refused to sync a copy.

    Where the webspace has another copy that was synced, its sites go on with that one; else there is nothing to send
    them, and nothing is proven there.
    """
    report_skips(run.ports.findings, ref, refused, run.now())
    lost = {skip.subject for skip in refused}
    changed = []
    for record in records:
        if not any(copy_subject(copy, record.webspace) in lost for copy in record.copies):
            changed.append(record)
            continue
        left = tuple(copy for copy in record.copies if copy_subject(copy, record.webspace) not in lost)
        state = SiteState.PENDING if left else SiteState.UNPROVEN
        changed.append(replace(record, copies=left, state=state, detail=refused[0].detail[:1000]))
        run.ports.rollouts.record_site(ref, changed[-1])
    return tuple(changed)


def _merged(rollout: Rollout, records: tuple[SiteRecord, ...]) -> Rollout:
    renewed = {record.site for record in records}
    kept = tuple(record for record in rollout.records if record.site not in renewed)
    return replace(rollout, records=(*kept, *records))


def send_sites(run: Run, ref: VaultCertificateRef, sites: Iterable[SiteRef]) -> None:
    """Send each site its message."""
    for site in sites:
        run.ports.queue.send_site(SiteMessage(site, ref))


def to_send_again(before: Rollout, after: Rollout) -> tuple[SiteRecord, ...]:
    """Return the known sites that a fresh look sends another message for.

    What is pending may have been lost; what failed may have been mended, or is served late.
    """
    known = frozenset(before.records) & frozenset(after.records)
    again = {SiteState.PENDING, SiteState.FAILED}
    return tuple(record for record in after.records if record in known and record.state in again)


def certificate_outcome(work: RolloutRun, progress: Progress) -> Outcome:
    """Return what the run came to: what it waits for, what needs a person, or that the version is rolled out."""
    blocked = next((skip for skip in progress.skips if skip.reason.stalls), None)
    refusal = work.snapshot.lineage.refusal
    if (waiting := _to_wait_for(work, progress)) is not None:
        return waiting
    # The newest version is valid from tomorrow on, and Certroll carries the one before it. That needs nobody: it comes
    # back when the newest becomes valid, unless something else needs a person.
    if refusal and refusal.reason is Reason.NOT_YET_VALID and (not blocked or blocked.reason is Reason.NEWEST_REFUSED):
        return without_current(work.run, work.snapshot.lineage)
    if blocked is not None:
        return Stalled(blocked.reason, f"{blocked.subject}: {blocked.detail}")
    return _failure(work.snapshot, progress.rollout) or _success(progress)


def _to_wait_for(work: RolloutRun, progress: Progress) -> Waiting | None:
    run, rollout = work.run, progress.rollout
    if rollout.pending or rollout.rolling or rollout.unfinished(run.now()):
        return await_sites(run, work.waits, rollout)
    awaiting = next((skip for skip in progress.skips if skip.reason.awaits_turn), None)
    if awaiting is not None and run.intent.mode is Mode.APPLY:
        return Waiting(_next_look(work, rollout), awaiting.reason, awaiting.detail)
    closed = next((skip for skip in progress.skips if skip.reason is Reason.OUTSIDE_WINDOW), None)
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


def _success(progress: Progress) -> Converged:
    if any(skip.reason is Reason.OBSERVE_ONLY for skip in progress.skips):
        return Converged(Reason.OBSERVE_ONLY, "planned, and not carried out")
    rollout = progress.rollout
    done = bool(rollout.records or rollout.rolls)
    return Converged(Reason.ROLLED_OUT if done else Reason.NOTHING_STALE, f"version {rollout.version}")


def _next_look(work: RolloutRun, rollout: Rollout) -> datetime:
    """Return when to observe the fleet for the next stage: when it opens, and within a quarter of an hour.

    An unproven site stays unproven until then, and each run in between would observe the whole fleet.
    """
    now, soak = work.run.now(), work.run.intent.stage_soak
    opens = (
        stage(rollout, now, soak, expires_at(work.snapshot)).opens_at,
        rolls_open_at(rollout.rolls, soak, LOST_AFTER, urgent=False),
    )
    soonest = min((moment for moment in opens if moment is not None and moment > now), default=now)
    return min(max(soonest, now + pause(work.waits)), now + LONGEST_PAUSE)


def await_sites(run: Run, waits: int, rollout: Rollout) -> Waiting:
    """Come back when the sites may be done. The last app that is awaited calls for a look by itself."""
    unfinished = rollout.unfinished(run.now())
    sites = {record.site for record in rollout.pending} | {roll.site for roll in (*rollout.rolling, *unfinished)}
    least = timedelta(0) if rollout.pending else run.intent.probe_settle
    until = run.now() + min(max(pause(waits), least), LONGEST_PAUSE)
    return Waiting(until, Reason.DISPATCHED, f"{len(sites)} sites are on their way")


def without_current(run: Run, lineage: Lineage) -> Outcome:
    """Return the outcome if no version of the certificate may be rolled out."""
    if lineage.refusal is None:
        return Stalled(Reason.NO_SUCH_CERTIFICATE, f"{lineage.ref} has no version")
    reason, detail = lineage.refusal
    if reason is Reason.NOT_YET_VALID:
        return Waiting(max(run.now(), lineage.versions[0].not_before), reason, detail)
    finding = Finding(run.now(), str(lineage.ref), str(lineage.ref), reason, f"its newest version is refused: {detail}")
    run.ports.findings.report((finding,))
    return Stalled(reason, finding.detail)


def read_lineage(run: Run, ref: VaultCertificateRef) -> Lineage | Stalled:
    """Return the versions of a vault certificate; if the vault refuses Certroll, report that and return the outcome."""
    try:
        return run.ports.vault.lineage(ref, run.now())
    except (Denied, NotFound, Rejected) as error:
        return stalled_on_vault(run, ref, error)


def stalled_on_vault(run: Run, ref: VaultCertificateRef, error: AzureError) -> Stalled:
    """Report a vault certificate that cannot be read, and return the outcome."""
    reason = VAULT_REASONS.get(type(error), Reason.REJECTED_BY_AZURE)
    run.ports.findings.report((Finding(run.now(), str(ref), str(ref), reason, str(error)),))
    return Stalled(reason, str(error))


# ------------------------------------------------------------------------------------------------ one site or slot


def _reconcile_recorded_site(run: Run, lease: Lease, message: SiteMessage) -> Outcome:
    """Carry what is recorded of the site: its bindings first, and its settings, of whatever version they were begun."""
    lineage = read_lineage(run, message.ref)
    known = lineage if isinstance(lineage, Lineage) else Lineage(message.ref, (), None)
    current = known.current
    record = run.ports.rollouts.site(message.ref, current.version, message.site) if current else None
    roll = _to_go_on_from(run.ports.settings_rolls.roll(message.ref, message.site), known)
    outcomes: list[Outcome] = []
    if record is not None and current and (roll is None or record.state in {SiteState.PENDING, SiteState.FAILED}):
        outcomes.append(bindings_of_site(run, lease, known, current, record))
    if roll is not None:
        outcomes.append(roll_app(run, lease, _as_of(known, roll), roll, message.waits))
    if outcomes:
        return min(outcomes, key=lambda outcome: URGENCY.index(type(outcome)))
    if not isinstance(lineage, Lineage):
        return lineage
    if current is None:
        return without_current(run, lineage)
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
    version = next((known for known in lineage.versions if known.version == roll.version), lineage.current)
    return replace(lineage, current=version, refusal=None)


def bindings_of_site(
    run: Run, lease: Lease, lineage: Lineage, current: CertificateVersion, record: SiteRecord
) -> Outcome:
    """Carry the current version to the bindings of the site. If Azure refuses, record the site as unproven."""
    try:
        return _carry_to_site(run, lease, lineage, current, record)
    except (NotFound, Denied, Rejected) as error:
        return _conclude(run, lineage, record, SiteState.UNPROVEN, Stalled(SITE_REASONS[type(error)], str(error)))


def _carry_to_site(
    run: Run, lease: Lease, lineage: Lineage, current: CertificateVersion, record: SiteRecord
) -> Outcome:
    snapshot = _look_at_site(run, lineage, record)
    plan = _plan_of_site(run, snapshot, record)
    report_plan(run.ports.findings, plan, snapshot)
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
    report_moved(run.ports.findings, lineage.ref, record, snapshot)
    report_skips(run.ports.findings, lineage.ref, refused, run.now())
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
    blocked = next((skip for skip in skips if skip.reason.stalls), None)
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
    run.ports.rollouts.record_site(ref, replace(record, state=state, detail=detail))
    run.ports.history.add(ref, (HistoryEntry(now, "site.verified", str(record.site), outcome.reason, detail),))
    if isinstance(outcome, Stalled) or outcome.reason is Reason.UNREACHABLE:
        run.ports.findings.report((Finding(now, str(ref), str(record.site), outcome.reason, detail),))
    return outcome
