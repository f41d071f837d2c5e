"""Decide when the next webspaces and the next apps may get a new version."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.domain.rollout.rollout import Rollout, Stage
from shared.domain.rollout.settings_record import PROVEN, RollRecord, RollState
from shared.domain.rollout.site_record import SiteState

UNWRITTEN = timedelta(hours=24)
"""How long apps wait for an earlier app that Certroll could not write yet: its plan is busy, or the window closed."""


def opens_at(rolls: Iterable[RollRecord], soak: timedelta, lost_after: timedelta, *, urgent: bool) -> datetime | None:
    """Return when the apps after the first may roll, None if no app has begun to roll.

    The apps may roll as soon as one app is proven. Without proof the apps may roll when one app has soaked. A deferred
    app proves nothing and blocks no other app, because it was broken before.
    """
    counted = (roll for roll in rolls if roll.state is not RollState.DEFERRED)
    return min((opens(roll, soak, lost_after, urgent=urgent) for roll in counted), default=None)


def opens(roll: RollRecord, soak: timedelta, lost_after: timedelta, *, urgent: bool) -> datetime:
    """Return the time at which this app stops blocking the apps after it. Every wait has an end.

    An admitted app that Certroll has not written yet blocks for at least `UNWRITTEN`, because its plan may be busy.
    """
    if roll.state is RollState.STALE and not urgent:
        return roll.at + max(soak, UNWRITTEN)
    if roll.under_way:
        return roll.at + (min(soak, lost_after) if urgent else soak)
    return roll.at if roll.state in PROVEN or urgent else roll.at + soak


URGENT = timedelta(hours=72)
"""How much time the old certificate must have left for Certroll to be careful. With less time, a wait or a refusal may
cost more than it protects, and a weekend may pass before an operator reads a finding (ADR 3, ADR 5)."""


LOST_AFTER = timedelta(minutes=15)
"""How long Certroll waits for a site in progress if the old certificate ends soon: the site's message may be lost."""


def stage(rollout: Rollout, now: datetime, soak: timedelta, expires_at: datetime | None) -> Stage:
    """Return the time from which the webspaces after the first may get the version.

    `expires_at` is the earliest end of the old certificates in use, None if no old certificate is in use.
    """
    if rollout.failed:
        return Stage(None, rollout.failed)
    urgent = _urgent(expires_at, now)
    first = tuple(record for record in rollout.records if record.webspace == rollout.first)
    if not first and (proof := _opened_by_rolls(rollout, soak, urgent=urgent)):
        return Stage(proof)
    outstanding = tuple(record for record in first if record.state is SiteState.PENDING)
    if not outstanding and any(record.state is SiteState.PROVEN for record in first):
        return Stage(now)
    patience = {
        SiteState.PENDING: min(soak, LOST_AFTER) if urgent else soak,
        SiteState.UNPROVEN: timedelta(0) if urgent else soak,
    }
    since = [record.at + patience[record.state] for record in first if record.state in patience]
    return Stage(max(since, default=(rollout.started_at or now) + patience[SiteState.UNPROVEN]))


def holds_up(rollout: Rollout, gate: Stage, now: datetime) -> bool:
    """Return True if the run can only wait for sites in progress.

    Return False if an app finished after Certroll last observed the fleet, because other apps may roll now.
    """
    pending, looked_at = rollout.pending, rollout.looked_at
    first = any(record.webspace == rollout.first for record in pending)
    news = looked_at is None or any(roll.at > looked_at for roll in rollout.rolls if not roll.under_way)
    return (
        bool(pending or rollout.rolling or rollout.unfinished(now))
        and not (first and gate.is_open(now))
        and not (rollout.rolls and news)
    )


def _urgent(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is not None and expires_at - now < URGENT


def _opened_by_rolls(rollout: Rollout, soak: timedelta, *, urgent: bool) -> datetime | None:
    """Return when the apps of the first webspace open the stage. This decides only if that webspace has no bindings."""
    return opens_at((roll for roll in rollout.rolls if roll.webspace == rollout.first), soak, LOST_AFTER, urgent=urgent)
