"""Carry one version through its phases: roots, webspaces, apps, deletions."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from shared.controllers.certificate.admission import roll_records
from shared.controllers.certificate.outcome import certificate_outcome
from shared.controllers.certificate.progress import Progress, RolloutRun
from shared.controllers.certificate.records import after_refusal, pending_records, shown_bindings, to_send_again
from shared.controllers.certificate.roots import carry_roots
from shared.domain.fleet.bindings import Binding
from shared.domain.names import SiteRef, Webspace
from shared.domain.outcome import Outcome, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord
from shared.domain.rollout.site_record import SiteRecord, SiteState
from shared.loop.perform import Performed
from shared.loop.prove import SECOND_INSPECTION
from shared.planning.placing import first_webspace
from shared.planning.plan import Phase, Plan, Step


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
        return Waiting(work.run.now() + SECOND_INSPECTION, Reason.DISPATCHED, "what failed is looked at again")
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
    return replace(progress, rollout=_admit_apps(work, apps, progress.rollout))


def _admit_apps(work: RolloutRun, apps: tuple[RollRecord, ...], rollout: Rollout) -> Rollout:
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
