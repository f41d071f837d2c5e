"""Decide which records change if an operator lets the stopped rollout of a version go on."""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.errors import Conflict
from shared.domain.names import SiteRef
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import TAKING_BACK, RollRecord, RollState
from shared.domain.rollout.site_record import SiteRecord, SiteState


@dataclass(frozen=True, slots=True)
class Release:
    """The changes to the records that stop the rollout of a version."""

    rolls: tuple[RollRecord, ...] = ()
    """The app records that Certroll deletes, so that it tries the version in these apps from the start."""
    records: tuple[SiteRecord, ...] = ()
    """The new records of failed sites: the version is unproven there and no longer on hold."""

    def sites(self, forgotten: tuple[RollRecord, ...]) -> tuple[SiteRef, ...]:
        """Return the sites that no longer stop the rollout of the version.

        The argument `forgotten` lists the records of settings updates that Certroll deletes. Raise Conflict if other
        runs of Certroll changed all records that stopped the rollout.
        """
        if self.rolls and not forgotten and not self.records:
            names = ", ".join(sorted(str(roll.site) for roll in self.rolls))
            raise Conflict(f"{names} was recorded by another run meanwhile; release the hold again")
        return (*(roll.site for roll in forgotten), *(record.site for record in self.records))


def released(rollout: Rollout, now: datetime) -> Release:
    """Return the changes to records that let a stopped rollout go on, or no changes if no record stops the rollout.

    Raise Conflict while Certroll restores an app's settings, because only the app's record has the old values.
    """
    busy = sorted(str(roll.site) for roll in rollout.rolls if roll.state in TAKING_BACK)
    if busy:
        raise Conflict(f"{', '.join(busy)} is being taken back; release the hold when that is done")
    rolls = tuple(roll for roll in rollout.rolls if roll.holds or roll.state is RollState.CONTESTED)
    return Release(rolls, tuple(_unproven(record, now) for record in rollout.failed))


def _unproven(record: SiteRecord, now: datetime) -> SiteRecord:
    detail = f"released at {now:%Y-%m-%d %H:%M} UTC; before: {record.detail}"
    return replace(record, state=SiteState.UNPROVEN, detail=detail[:1000])
