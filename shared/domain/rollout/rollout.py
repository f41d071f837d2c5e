"""The progress of one version through the fleet.

Certroll brings a new version to one webspace first, and proves there that App Service serves it. A failure in the first
webspace holds all other webspaces. If nothing proves the version, the other webspaces follow after a soak. The other
webspaces do not wait for the soak if the old certificate ends soon.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.rollout.settings_record import RECYCLED_AFTER, TAKING_BACK, UNFINISHED, RollRecord, RollState
from shared.domain.rollout.site_record import SiteRecord, SiteState


@dataclass(frozen=True, slots=True)
class Rollout:
    """The progress of one version."""

    version: str
    first: Webspace | None = None
    """The first webspace that gets the version, None before Certroll chose it."""
    records: tuple[SiteRecord, ...] = ()
    started_at: datetime | None = None
    """The time at which Certroll chose the first webspace."""
    rolls: tuple[RollRecord, ...] = ()
    """The records of apps about this version."""
    past_rolls: tuple[RollRecord, ...] = ()
    """The records of apps about earlier versions. An app has either such a record or a record in `rolls`."""
    looked_at: datetime | None = None
    """The time at which Certroll last observed the fleet for the version."""
    held: frozenset[tuple[Webspace, Thumbprint]] = frozenset()
    """The thumbprints that imported copies had before this version and that the vault no longer knows."""
    _roll_by_site: Mapping[SiteRef, RollRecord] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build an index of the rolls, because a plan looks up the roll of every app."""
        object.__setattr__(self, "_roll_by_site", {roll.site: roll for roll in self.rolls})

    def record_of(self, site: SiteRef) -> SiteRecord | None:
        """Return the record of a site's bindings, None if there is no record."""
        return next((record for record in self.records if record.site == site), None)

    @property
    def pending(self) -> tuple[SiteRecord, ...]:
        """The records of sites without a result yet."""
        return tuple(record for record in self.records if record.state is SiteState.PENDING)

    def roll_of(self, site: SiteRef) -> RollRecord | None:
        """Return the record of an app's settings, None if there is no record."""
        return self._roll_by_site.get(site)

    def proven_at(self, site: SiteRef) -> frozenset[Thumbprint]:
        """Return the thumbprints that the app's own answers have shown."""
        return frozenset(
            thumbprint for roll in (*self.rolls, *self.past_rolls) if roll.site == site for thumbprint in roll.proven
        )

    @property
    def rolling(self) -> tuple[RollRecord, ...]:
        """The records of apps without a result yet."""
        return tuple(roll for roll in self.rolls if roll.under_way)

    def unfinished(self, now: datetime) -> tuple[RollRecord, ...]:
        """Return the records of apps in which an earlier version is not judged or not yet taken back.

        If Certroll cannot judge an earlier version within the time of a restart, it leaves the app to the new version.
        A stopped app is an example.
        """
        return tuple(
            roll
            for roll in self.past_rolls
            if roll.state in TAKING_BACK or (roll.state in UNFINISHED and now - roll.at < RECYCLED_AFTER)
        )

    @property
    def refused(self) -> tuple[RollRecord, ...]:
        """The records of apps that Certroll could not write, each reported by a finding."""
        return tuple(roll for roll in self.rolls if roll.state is RollState.REFUSED)

    @property
    def held_by(self) -> tuple[RollRecord, ...]:
        """The records of apps in which this version failed."""
        return tuple(roll for roll in self.rolls if roll.holds)

    @property
    def failed(self) -> tuple[SiteRecord, ...]:
        """The records of sites that serve another certificate."""
        return tuple(record for record in self.records if record.state is SiteState.FAILED)


@dataclass(frozen=True, slots=True)
class Stage:
    """The gate before the webspaces after the first."""

    opens_at: datetime | None
    """The time at which the gate opens, None while a failure holds the version."""
    failed: tuple[SiteRecord, ...] = ()

    def is_open(self, now: datetime) -> bool:
        """Return True if the webspaces after the first may get the version now."""
        return self.opens_at is not None and self.opens_at <= now
