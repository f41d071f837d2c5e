"""Install one version in four phases: root certificates, webspaces, app settings, deletions."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from operator import itemgetter

from shared.controllers.certificate.admission import roll_records
from shared.controllers.certificate.outcome import certificate_outcome
from shared.controllers.certificate.progress import Progress, RolloutRun
from shared.controllers.certificate.records import (
    after_refusal,
    begin_sites,
    pending_records,
    shown_bindings,
    to_send_again,
)
from shared.controllers.certificate.roots import carry_roots
from shared.domain.errors import Conflict, OutOfTime
from shared.domain.fleet.bindings import Binding
from shared.domain.names import SiteRef, Webspace
from shared.domain.outcome import Outcome, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord
from shared.domain.rollout.site_record import SiteRecord, SiteState
from shared.loop.perform import Performed
from shared.loop.prove import SECOND_INSPECTION
from shared.loop.turns import Turns, taking_turns
from shared.planning.placing import first_webspace
from shared.planning.plan import Phase, Plan, Skip, Step

WEBSPACES_IN_A_ROW = 50
"""How many webspaces a thread gives their certificates one after another, which takes about half a minute."""
MOST_WEBSPACES_AT_ONCE = 8
"""How many webspaces get their certificates at once at most: a third of the threads of the pool (shared/runtime.py)."""


def roll_out(work: RolloutRun, plan: Plan) -> Outcome:
    """Carry out the plan in four phases, then send again the messages that the queue may have lost.

    Each phase of the rollout stores the journal records of sites before it writes to Azure. After a crash, the next run
    sends a message for each stored record of an unfinished site.
    """
    # Azure refused some bindings to the runs of their sites. A retry after seconds would usually meet the same refusal.
    if not work.is_fresh:
        plan = plan.refuse(partial(_refused_before, work.snapshot.rollout))
    deletions = tuple(step for step in plan.steps if step.action.phase is Phase.DELETE)
    others = (step for step in plan.steps if step.action.phase not in {Phase.DELETE, Phase.ROOT})
    staged = Plan(tuple(others), plan.skips)
    progress = Progress(work.snapshot.rollout, plan.skips, plan.would)
    progress = progress.after(carry_roots(work.run, work.lease, work.snapshot, plan))
    progress = _roll_webspaces(work, staged, progress)
    progress = _roll_apps(work, staged, progress)
    progress = _delete_superseded(work, deletions, progress)
    sent_again = _send_again(work, progress.rollout) if work.is_fresh else ()
    # Azure did not answer one of the plan's steps, or no longer shows what Certroll observed. Certroll raises the error
    # only after it has tried all other steps of the plan. The next run observes the fleet again, and sees whether Azure
    # carried out the unanswered step. After a change Certroll plans again at once.
    if progress.unanswered:
        raise next((error for error in progress.unanswered if isinstance(error, Conflict)), progress.unanswered[0])
    # The site served another certificate than the new version before, and an operator may have repaired the site.
    # Certroll needs minutes to see with handshakes which certificate the site serves now.
    if any(record.state is SiteState.FAILED for record in sent_again):
        return Waiting(work.run.now() + SECOND_INSPECTION, Reason.DISPATCHED, "Certroll checks the failed sites again")
    return certificate_outcome(work, progress)


def _refused_before(rollout: Rollout, step: Step) -> Skip | None:
    """Return the refusal of a binding that Azure refused to the run of the site, None for all other steps."""
    binding = step.action.binds
    record = rollout.record_of(binding.site) if binding else None
    reason = record.refusal_of(binding.host_name) if record and binding else None
    return Skip(step.subject, reason, record.detail, step.action.site) if record and reason else None


def _roll_webspaces(work: RolloutRun, plan: Plan, progress: Progress) -> Progress:
    """Bring the version of the vault certificate into one webspace after another, until the run has no more time."""
    # Certroll chooses the first webspace once for each version, and records the choice with the first sites. If a later
    # run chose another first webspace, Certroll would change two webspaces before a site has served the new version.
    if plan.steps:
        first = first_webspace(plan, work.snapshot, work.run.intent)
        rollout = replace(progress.rollout, first=first, held=work.snapshot.held_unknown)
        progress = replace(progress, rollout=rollout)
    shown, steps = shown_bindings(work.snapshot), dict(_by_webspace(plan.steps))
    webspaces = alternating(steps)
    with taking_turns(work.run, f"webspaces of {work.ref}", webspaces, _full_name) as turns:
        at_once = webspaces_at_once(len(turns.order))
        for first_of_group in range(0, len(turns.order), at_once):
            work.run.check_time()
            group = turns.order[first_of_group : first_of_group + at_once]
            progress = _roll_group(work, turns, {webspace: steps[webspace] for webspace in group}, shown, progress)
    return progress


def alternating(webspaces: Iterable[Webspace]) -> tuple[Webspace, ...]:
    """Return the webspaces so that subscriptions alternate, because Azure limits the requests of each subscription."""
    seen: Counter[str] = Counter()
    rounds = []
    for webspace in webspaces:
        rounds.append((seen[webspace.subscription], webspace))
        seen[webspace.subscription] += 1
    return tuple(webspace for _, webspace in sorted(rounds, key=itemgetter(0)))


def webspaces_at_once(webspaces: int) -> int:
    """Return how many webspaces get their certificates at the same time, of this number that get the version now.

    A webspace takes about half a second. Fifty or fewer go one after another. Of more, as many go together as keep the
    whole below half a minute, up to the threads of the pool.
    """
    return min(1 + webspaces // WEBSPACES_IN_A_ROW, MOST_WEBSPACES_AT_ONCE)


def _roll_group(
    work: RolloutRun,
    turns: Turns[Webspace],
    steps: Mapping[Webspace, tuple[Step, ...]],
    shown: Mapping[SiteRef, tuple[Binding, ...]],
    progress: Progress,
) -> Progress:
    """Bring the version of the vault certificate into a few webspaces at the same time.

    Record the sites of the webspaces as pending, write the certificates that the sites of each share, and queue a
    message for each site. If the time ends in one webspace, finish the others before raising OutOfTime.
    """
    uploads: dict[Webspace, Performed] = {}
    shared: dict[Webspace, tuple[Step, ...]] = {}
    records: list[SiteRecord] = []
    for webspace, planned in steps.items():
        turns.begin(webspace)
        uploads[webspace], left = _upload_again(work, planned)
        shared[webspace] = tuple(step for step in left if step.action.site is None)
        records += pending_records(work.snapshot, work.current, webspace, left, shown)
    # If Certroll crashes after the first write of the new version, Azure already shows the new version. After a crash
    # between the write and the proof, the next run learns from the records of sites which sites still have to show the
    # new version in a TLS handshake.
    begun = begin_sites(work.run, work.ref, progress.rollout, tuple(records))
    late = []
    for webspace, copies in zip(steps, work.perform_at_once(shared.values()), strict=True):
        if isinstance(copies, OutOfTime):
            late.append(copies)
            continue
        own = tuple(record for record in begun if record.webspace == webspace)
        if copies.refused:
            own = after_refusal(work.run, work.ref, own, copies.refused)
        work.send(record.site for record in own if record.state is SiteState.PENDING)
        before, progress = progress, progress.after(uploads[webspace]).after_copies(copies, own)
        turns.end(webspace, failed=progress.skips != before.skips or progress.unanswered != before.unanswered)
    if late:
        raise late[0]
    return progress


def _upload_again(work: RolloutRun, steps: tuple[Step, ...]) -> tuple[Performed, tuple[Step, ...]]:
    """Repeat the uploads that an operator asked Certroll to repeat, and return the result with the remaining steps.

    Certroll does not record a repeated upload in its journal, because the upload changes no site and Azure shows the
    upload time.
    """
    uploads = tuple(step for step in steps if step.action.phase is Phase.UPLOAD)
    left = tuple(step for step in steps if step not in uploads)
    performed = work.perform(uploads)
    work.report(performed.refused)
    # An operator asked Certroll to write the same thumbprint into bindings again, so that the sites serve the repeated
    # upload. Azure refused the repeated upload, so writing the bindings again would interrupt the sites without any
    # use.
    if performed.refused:
        left = tuple(filter(None, map(Step.without_rebinding, left)))
    return performed, left


def _roll_apps(work: RolloutRun, plan: Plan, progress: Progress) -> Progress:
    """Choose the apps whose settings Certroll may update now, and return the progress with records of these apps."""
    done = Plan(tuple(step for step in plan.steps if step.subject not in progress.stopped), plan.skips)
    apps = roll_records(work.snapshot, done, work.run.intent, fresh=work.is_fresh)
    awaiting = any(skip.reason.passes for skip in plan.skips) or bool(progress.rollout.unfinished(work.snapshot.now))
    return replace(progress, rollout=_admit_apps(work, apps, replace(progress.rollout, awaiting=awaiting)))


def _admit_apps(work: RolloutRun, apps: tuple[RollRecord, ...], rollout: Rollout) -> Rollout:
    """Store a journal record of each app to update, queue a message for each app, and return the changed rollout.

    An admitted app is an app whose settings Certroll may update now.
    """
    ports = work.run.ports
    if (apps or rollout.rolls) and not rollout.is_unreadable:
        ports.rollouts.observed(work.ref, rollout, work.snapshot.now)
    recorded = tuple(ports.settings_rolls.put_roll(work.ref, app) for app in apps)
    work.send(roll.site for roll in recorded if roll.under_way)
    renewed = {roll.site for roll in recorded}
    return replace(rollout, rolls=(*(roll for roll in rollout.rolls if roll.site not in renewed), *recorded))


def _delete_superseded(work: RolloutRun, deletions: tuple[Step, ...], progress: Progress) -> Progress:
    """Delete the App Service certificates of older versions that no site uses any more.

    A refused deletion becomes a finding (a reported problem), because the rollout of the new version is complete
    without the deletion.
    """
    with taking_turns(work.run, f"deletions of {work.ref}", deletions, _deleted) as turns:
        for step in turns.order:
            work.run.check_time()
            turns.begin(step)
            performed = work.perform((step,))
            work.report(performed.refused)
            progress = progress.after(replace(performed, refused=()))
            turns.end(step, failed=bool(performed.refused))
    return progress


def _send_again(work: RolloutRun, rollout: Rollout) -> tuple[SiteRecord, ...]:
    """Send another message to each failed or unfinished site or app, and return the sites' records."""
    before = work.snapshot.rollout
    records = to_send_again(before, rollout)
    rolls = (*before.rolling, *before.unfinished(work.snapshot.now), *before.held_by)
    work.send(sorted({record.site for record in records} | {roll.site for roll in rolls}))
    return records


def _full_name(webspace: Webspace) -> str:
    """Return a name that tells webspaces of different subscriptions apart."""
    return f"{webspace.subscription}/{webspace.name}"


def _deleted(step: Step) -> str:
    """Return a name that tells deletions in different subscriptions apart."""
    copy = step.action.deletes_copy
    return copy.ref.resource_id if copy else step.subject


def _by_webspace(steps: tuple[Step, ...]) -> Iterable[tuple[Webspace, tuple[Step, ...]]]:
    placed = ((step.action.webspace, step) for step in steps if step.action.webspace is not None)
    groups = groupby(sorted(placed, key=itemgetter(0)), key=itemgetter(0))
    return ((webspace, tuple(step for _, step in group)) for webspace, group in groups)
