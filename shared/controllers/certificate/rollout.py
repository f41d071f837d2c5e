"""Roll out one version in four phases: roots, webspaces, apps, deletions."""

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
    """Carry out the plan in four phases, then repeat the messages that may be lost.

    Each phase stores its records before it writes. After a crash, the next run sends a message for each stored record
    again.
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
    # Azure did not answer one of the steps. The run fails only now, so that Certroll does all other steps first. At the
    # next delivery of the message, Certroll observes the fleet, and sees whether Azure did the step.
    if progress.unanswered:
        raise progress.unanswered[0]
    # A site served another certificate before, and an operator may have mended the site. The run of the site needs
    # minutes to see which certificate the site serves now.
    if any(record.state is SiteState.FAILED for record in sent_again):
        return Waiting(work.run.now() + SECOND_INSPECTION, Reason.DISPATCHED, "Certroll checks the failed sites again")
    return certificate_outcome(work, progress)


def _roll_webspaces(work: RolloutRun, plan: Plan, progress: Progress) -> Progress:
    """Bring the version into one webspace after the other, as long as the run has time."""
    # Certroll chooses the first webspace once for each version, and records it with the first sites. If a later run
    # chose another webspace, two webspaces would go first.
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
    """Record the sites of one webspace as pending, write the copies that they share, and send each site a message."""
    uploads, steps = _upload_again(work, steps)
    records = pending_records(work.snapshot, work.current, webspace, steps, shown)
    # If Certroll dies after the first write, Azure shows the new version, and only these records tell the next run
    # which sites Certroll has still to prove.
    work.run.ports.rollouts.begin(work.ref, replace(progress.rollout, records=records))
    copies = work.perform(step for step in steps if step.action.site is None)
    if copies.refused:
        records = after_refusal(work.run, work.ref, records, copies.refused)
    work.send(record.site for record in records if record.state is SiteState.PENDING)
    return progress.after(uploads).after_copies(copies, records)


def _upload_again(work: RolloutRun, steps: tuple[Step, ...]) -> tuple[Performed, tuple[Step, ...]]:
    """Repeat the uploads that an operator asked Certroll to repeat, and return the result and the other steps.

    An upload needs no record, because an upload changes no site and Azure shows its time.
    """
    uploads = tuple(step for step in steps if step.action.phase is Phase.UPLOAD)
    left = tuple(step for step in steps if step not in uploads)
    performed = work.perform(uploads)
    work.report(performed.refused)
    # An operator asked Certroll to bind sites once more, so that the sites serve the new upload. Azure refused the
    # upload, and to bind the old upload again would only interrupt the sites.
    if performed.refused:
        left = tuple(filter(None, map(Step.without_rebinding, left)))
    return performed, left


def _roll_apps(work: RolloutRun, plan: Plan, progress: Progress) -> Progress:
    """Admit the apps that may roll now, and return the progress with their records."""
    done = Plan(tuple(step for step in plan.steps if step.subject not in progress.stopped), plan.skips)
    apps = roll_records(work.snapshot, done, work.run.intent, fresh=work.is_fresh)
    return replace(progress, rollout=_admit_apps(work, apps, progress.rollout))


def _admit_apps(work: RolloutRun, apps: tuple[RollRecord, ...], rollout: Rollout) -> Rollout:
    """Store the records of the admitted apps, send a message to each app, and return the rollout with these records."""
    ports = work.run.ports
    if apps or rollout.rolls:
        ports.rollouts.observed(work.ref, rollout, work.snapshot.now)
    recorded = tuple(ports.settings_rolls.put_roll(work.ref, app) for app in apps)
    work.send(roll.site for roll in recorded if roll.under_way)
    renewed = {roll.site for roll in recorded}
    return replace(rollout, rolls=(*(roll for roll in rollout.rolls if roll.site not in renewed), *recorded))


def _delete_superseded(work: RolloutRun, deletions: tuple[Step, ...], progress: Progress) -> Progress:
    """Delete the superseded copies that no site uses any more.

    A refused deletion becomes a finding and no skip, because the rollout of the new version is complete without it.
    """
    performed = work.perform(deletions)
    work.report(performed.refused)
    return progress.after(replace(performed, refused=()))


def _send_again(work: RolloutRun, rollout: Rollout) -> tuple[SiteRecord, ...]:
    """Send another message to the unfinished sites and apps of earlier runs, and return the records of the sites."""
    before = work.snapshot.rollout
    records = to_send_again(before, rollout)
    rolls = (*before.rolling, *before.unfinished(work.snapshot.now))
    work.send(sorted({record.site for record in records} | {roll.site for roll in rolls}))
    return records


def _by_webspace(steps: tuple[Step, ...]) -> Iterable[tuple[Webspace, tuple[Step, ...]]]:
    placed = ((step.action.webspace, step) for step in steps if step.action.webspace is not None)
    groups = groupby(sorted(placed, key=itemgetter(0)), key=itemgetter(0))
    return ((webspace, tuple(step for _, step in group)) for webspace, group in groups)
