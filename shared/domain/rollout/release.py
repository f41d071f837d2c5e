"""What an operator lets go who releases a hold: the records of a version, judged. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.errors import Conflict
from shared.domain.names import SiteRef
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import TAKING_BACK, RollRecord, RollState
from shared.domain.rollout.site_record import SiteRecord, SiteState


@dataclass(frozen=True, slots=True)
class Release:
    """What becomes of the records that hold a version."""

    rolls: tuple[RollRecord, ...] = ()
    """Apps whose record is to be forgotten, so that the version is tried there from the start."""
    records: tuple[SiteRecord, ...] = ()
    """Sites that failed, as they are to be recorded: nothing is proven there, and nothing holds."""

    def sites(self, forgotten: tuple[RollRecord, ...]) -> tuple[SiteRef, ...]:
        """Return where the version was let go; `forgotten` are the rolls that no other run recorded meanwhile.

        Raises Conflict if other runs recorded everything that was held.
        """
        if self.rolls and not forgotten and not self.records:
            names = ", ".join(sorted(str(roll.site) for roll in self.rolls))
            raise Conflict(f"{names} was recorded by another run meanwhile; release the hold again")
        return (*(roll.site for roll in forgotten), *(record.site for record in self.records))


def released(rollout: Rollout, now: datetime) -> Release:
    """Return what a release of the version changes; nothing if no record holds the version.

    Raises Conflict while Certroll takes an app back: only the app's record knows its last good values.
    """
    busy = sorted(str(roll.site) for roll in rollout.rolls if roll.state in TAKING_BACK)
    if busy:
        raise Conflict(f"{', '.join(busy)} is being taken back; release the hold when that is done")
    rolls = tuple(roll for roll in rollout.rolls if roll.holds or roll.state is RollState.CONTESTED)
    return Release(rolls, tuple(_unproven(record, now) for record in rollout.failed))


def _unproven(record: SiteRecord, now: datetime) -> SiteRecord:
    detail = f"released at {now:%Y-%m-%d %H:%M} UTC; before: {record.detail}"
    return replace(record, state=SiteState.UNPROVEN, detail=detail[:1000])
