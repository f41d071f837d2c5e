"""Decide when the next webspaces and the next apps may get a new version of a vault certificate."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.domain.rollout.rollout import Rollout, Stage
from shared.domain.rollout.settings_record import PROVEN, WRITTEN, RollRecord, RollState
from shared.domain.rollout.site_record import SiteState

UNWRITTEN = timedelta(hours=24)
"""How long apps wait for an earlier app that Certroll could not write yet, for instance outside the restart window."""


def opens_at(rolls: Iterable[RollRecord], soak: timedelta, lost_after: timedelta, *, urgent: bool) -> datetime | None:
    """Return when Certroll may update the settings of the apps after the first, None if no update has begun.

    Certroll updates the other apps as soon as one app has proved that it uses the new certificate. If no app proves the
    new certificate, Certroll updates the other apps after one app ran with it for the time `soak`. An app that was
    broken before the update (deferred) proves nothing and blocks no other app.
    """
    counted = (roll for roll in rolls if roll.state is not RollState.DEFERRED)
    return min((opens(roll, soak, lost_after, urgent=urgent) for roll in counted), default=None)


def opens(roll: RollRecord, soak: timedelta, lost_after: timedelta, *, urgent: bool) -> datetime:
    """Return the time at which one app's settings update stops blocking the settings updates of other apps.

    The wait for an app's settings update always ends, because this function returns a time. An app whose settings
    Certroll has not written yet blocks the settings updates of other apps for the longer of `UNWRITTEN` and `soak`. If
    the old certificate ends soon, the app blocks these updates for a shorter time.
    """
    if roll.state is RollState.STALE and not urgent:
        return roll.at + max(soak, UNWRITTEN)
    if roll.under_way:
        return roll.at + (min(soak, lost_after) if urgent else soak)
    return roll.at if roll.state in PROVEN or urgent else roll.at + soak


LOST_AFTER = timedelta(minutes=15)
"""How long Certroll waits for a site in progress if the old certificate ends soon: the site's message may be lost."""


def stage(rollout: Rollout, now: datetime, soak: timedelta, *, urgent: bool) -> Stage:
    """Return when the webspaces after the first webspace may get the new version of the vault certificate.

    `urgent` is True if an old certificate in use must be replaced soon, so that nothing waits for the whole soak.
    """
    if rollout.failed:
        return Stage(None)
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
    """Return True if Certroll's run can only wait for sites whose update is in progress.

    If an app finished its update after Certroll last read Azure, return False, because Certroll may now update other
    apps. If the last plan left no app for later, only an app whose update failed or was refused is news.
    """
    pending, looked_at = rollout.pending, rollout.looked_at
    first = any(record.webspace == rollout.first for record in pending)
    ended = (roll for roll in rollout.rolls if not roll.under_way and (rollout.awaiting or roll.state not in WRITTEN))
    news = looked_at is None or any(roll.at > looked_at for roll in ended)
    return (
        bool(pending or rollout.rolling or rollout.unfinished(now))
        and not (first and gate.is_open(now))
        and not (rollout.rolls and news)
    )


def _opened_by_rolls(rollout: Rollout, soak: timedelta, *, urgent: bool) -> datetime | None:
    """Return when settings updates in the first webspace allow Certroll to go on to the other webspaces.

    The settings updates decide only if no site of the first webspace has a record of its bindings.
    """
    return opens_at((roll for roll in rollout.rolls if roll.webspace == rollout.first), soak, LOST_AFTER, urgent=urgent)
