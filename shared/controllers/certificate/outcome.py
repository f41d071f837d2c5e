"""Decide the outcome of a run for a vault certificate, and when the next run is due."""

from datetime import datetime, timedelta

from shared.controllers.certificate.progress import Progress, RolloutRun
from shared.domain.outcome import Converged, Outcome, Stalled, Waiting
from shared.domain.reason import Reason
from shared.domain.rollout.gates import LOST_AFTER, stage
from shared.domain.rollout.gates import opens_at as rolls_open_at
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollState
from shared.domain.snapshot.expiry import is_urgent
from shared.domain.snapshot.snapshot import Snapshot
from shared.loop.backoff import LONGEST_PAUSE, pause, until_open, until_thawed
from shared.loop.lineage import without_current
from shared.loop.run import Run
from shared.planning.notices import newest_refused


def certificate_outcome(work: RolloutRun, progress: Progress) -> Outcome:
    """Return the outcome of the run for a vault certificate: a wait, a problem for an operator, or success."""
    blocked = next((skip for skip in progress.skips if skip.reason.stalls), None)
    refusal = work.snapshot.lineage.refusal
    if (waiting := _to_wait_for(work, progress)) is not None:
        return waiting
    # If the newest version of the vault certificate is not yet valid, Certroll installs the previous version. Certroll
    # waits for the first day of such a newest version, unless another problem needs an operator.
    if refusal and refusal.reason is Reason.NOT_YET_VALID and (not blocked or blocked.reason is Reason.NEWEST_REFUSED):
        return without_current(work.run, work.snapshot.lineage)
    if blocked is not None:
        return Stalled(blocked.reason, f"{blocked.subject}: {blocked.detail}")
    if failure := _failure(work.snapshot, progress.rollout):
        return failure
    refused = newest_refused(work.snapshot, progress.skips)
    return Stalled(refused[0].reason, f"{refused[0].subject}: {refused[0].detail}") if refused else _success(progress)


def _to_wait_for(work: RolloutRun, progress: Progress) -> Waiting | None:
    """Return why the rollout waits (sites, webspaces, the restart window or a freeze), None if it need not wait."""
    run, rollout = work.run, progress.rollout
    if rollout.pending or rollout.rolling or rollout.unfinished(run.now()):
        return await_sites(run, work.waits, rollout)
    awaiting = next((skip for skip in progress.skips if skip.reason.awaits_turn), None)
    if awaiting is not None:
        return Waiting(_next_inspection(work, rollout), awaiting.reason, awaiting.detail)
    for reason, until in ((Reason.OUTSIDE_WINDOW, until_open), (Reason.FROZEN, until_thawed)):
        closed = next((skip for skip in progress.skips if skip.reason is reason), None)
        if closed is not None:
            return Waiting(until(run), closed.reason, closed.detail)
    return None


def _failure(snapshot: Snapshot, rollout: Rollout) -> Stalled | None:
    """Return the outcome if a site or app failed, Azure refused an app, or Certroll cannot read a subscription.

    The outcome is None if nothing in the rollout failed.
    """
    if rollout.failed:
        return Stalled(Reason.SERVED_ANOTHER, "; ".join(f"{record.site}: {record.detail}" for record in rollout.failed))
    if rollout.held_by:
        lost = any(roll.state is RollState.NO_LAST_GOOD for roll in rollout.held_by)
        reason = Reason.NO_LAST_GOOD if lost else Reason.ROLLED_BACK
        return Stalled(reason, "; ".join(f"{roll.site}: {roll.detail}" for roll in rollout.held_by))
    if rollout.refused:
        return Stalled(Reason.APP_REFUSED, "; ".join(f"{roll.site}: {roll.detail}" for roll in rollout.refused))
    hidden = next((spot for spot in snapshot.fleet.blind_spots if spot.webspace is None), None)
    if hidden is not None:
        return Stalled(Reason.INCOMPLETE_VIEW, f"Certroll cannot read {hidden.subject} ({hidden.detail})")
    return None


def _success(progress: Progress) -> Converged:
    """Return the outcome of a run for a vault certificate that has no open work."""
    if progress.would:
        first = progress.would[0]
        return Converged(
            first.why, f"steps of the plan that Certroll does not perform: {len(progress.would)}; {first.remedy}"
        )
    rollout = progress.rollout
    done = bool(rollout.records or rollout.rolls)
    return Converged(Reason.ROLLED_OUT if done else Reason.NOTHING_STALE, f"version {rollout.version}")


def _next_inspection(work: RolloutRun, rollout: Rollout) -> datetime:
    """Return when Certroll reads the resources in Azure again.

    Certroll reads the resources in Azure again when it may install the version in further webspaces, and after 15
    minutes at the latest.

    If Certroll may not yet install the version in further webspaces, reading all resources in Azure again has no
    effect.
    """
    now, soak = work.run.now(), work.run.intent.stage_soak
    opens = (
        stage(rollout, now, soak, urgent=is_urgent(work.snapshot)).opens_at,
        rolls_open_at(rollout.rolls, soak, LOST_AFTER, urgent=False),
    )
    soonest = min((moment for moment in opens if moment is not None and moment > now), default=now)
    return min(max(soonest, now + pause(work.waits)), now + LONGEST_PAUSE)


def await_sites(run: Run, waits: int, rollout: Rollout) -> Waiting:
    """Return a `Waiting` outcome for the sites and apps that Certroll has queued messages for.

    When Certroll finishes the last app that a vault certificate waits for, the next run of the vault certificate starts
    early.
    """
    unfinished = rollout.unfinished(run.now())
    sites = {record.site for record in rollout.pending} | {roll.site for roll in (*rollout.rolling, *unfinished)}
    least = timedelta(0) if rollout.pending else run.intent.probe_settle
    until = run.now() + min(max(pause(waits), least), LONGEST_PAUSE)
    return Waiting(until, Reason.DISPATCHED, f"sites for which Certroll waits: {len(sites)}")
