"""When the next webspace and the next app may go."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.domain.rollout.rollout import Rollout, Stage
from shared.domain.rollout.settings_record import PROVEN, RollRecord, RollState
from shared.domain.rollout.site_record import SiteState

UNWRITTEN = timedelta(hours=24)
"""How long apps wait for an earlier one that could not be written yet: its plan may be busy, or the window closed."""


def opens_at(rolls: Iterable[RollRecord], soak: timedelta, lost_after: timedelta, *, urgent: bool) -> datetime | None:
    """Return when apps after the first may go: as soon as one is proven, else when one has soaked; None before any.

    An app that was set aside, because it was broken before, proves nothing and is not waited for.
    """
    counted = (roll for roll in rolls if roll.state is not RollState.DEFERRED)
    return min((opens(roll, soak, lost_after, urgent=urgent) for roll in counted), default=None)


def opens(roll: RollRecord, soak: timedelta, lost_after: timedelta, *, urgent: bool) -> datetime:
    """Return from when one app holds up those after it no longer: nothing is waited for without end.

    One that is not written yet has proven nothing, however long ago it was told: its plan may be busy.
    """
    if roll.state is RollState.STALE and not urgent:
        return roll.at + max(soak, UNWRITTEN)
    if roll.under_way:
        return roll.at + (min(soak, lost_after) if urgent else soak)
    return roll.at if roll.state in PROVEN or urgent else roll.at + soak


URGENT = timedelta(hours=72)
"""How much of the old certificate must be left for Certroll to go on being careful. With less, a wait or a refusal may
cost more than it protects, and a weekend may pass before somebody reads a finding (ADR 3, ADR 5)."""


LOST_AFTER = timedelta(minutes=15)
"""How long a site under way is waited for if the old certificate is urgent: its message may be lost."""


def stage(rollout: Rollout, now: datetime, soak: timedelta, expires_at: datetime | None) -> Stage:
    """Return whether, and from when, the webspaces after the first may go.

    `expires_at` is when the first of the old certificates still in use runs out, None where none is in use.
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

    Return False if an app finished since Certroll last observed the fleet: that may let others go.
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
    """Return when apps prove the first place, where no binding can."""
    return opens_at((roll for roll in rollout.rolls if roll.webspace == rollout.first), soak, LOST_AFTER, urgent=urgent)
