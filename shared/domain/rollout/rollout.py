"""How far one version has come: which place is first, and what was proven there.

A new version goes to one webspace first and is proven there by what is served; only then does it go to the rest. Only
proof of failure holds the others back: where nothing can be proven they follow after a soak, and where the old
certificate is about to expire they do not wait for that either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.rollout.settings_record import RECYCLED_AFTER, TAKING_BACK, UNFINISHED, RollRecord, RollState
from shared.domain.rollout.site_record import SiteRecord, SiteState


@dataclass(frozen=True, slots=True)
class Rollout:
    """One version on its way. `first` and `started_at` are None before the first place is chosen.

    `rolls` are of this version, `past_rolls` what is left of earlier ones: one app has one or the other. `looked_at` is
    when the fleet was last observed for it. `held` is what imported copies held before the version came to them, where
    the vault knows it no more.
    """

    version: str
    first: Webspace | None = None
    records: tuple[SiteRecord, ...] = ()
    started_at: datetime | None = None
    rolls: tuple[RollRecord, ...] = ()
    past_rolls: tuple[RollRecord, ...] = ()
    looked_at: datetime | None = None
    held: frozenset[tuple[Webspace, Thumbprint]] = frozenset()
    _roll_by_site: Mapping[SiteRef, RollRecord] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the rolls: each app of a large fleet looks its own up."""
        object.__setattr__(self, "_roll_by_site", {roll.site: roll for roll in self.rolls})

    def record_of(self, site: SiteRef) -> SiteRecord | None:
        """Return what is known of a site, None where nothing is."""
        return next((record for record in self.records if record.site == site), None)

    @property
    def pending(self) -> tuple[SiteRecord, ...]:
        """Sites whose result is outstanding."""
        return tuple(record for record in self.records if record.state is SiteState.PENDING)

    def roll_of(self, site: SiteRef) -> RollRecord | None:
        """Return what is known of this version in the settings of an app, None where nothing is."""
        return self._roll_by_site.get(site)

    def proven_at(self, site: SiteRef) -> frozenset[Thumbprint]:
        """Return the thumbprints that the app was seen to use."""
        return frozenset(
            thumbprint for roll in (*self.rolls, *self.past_rolls) if roll.site == site for thumbprint in roll.proven
        )

    @property
    def rolling(self) -> tuple[RollRecord, ...]:
        """Apps whose result is outstanding."""
        return tuple(roll for roll in self.rolls if roll.under_way)

    def unfinished(self, now: datetime) -> tuple[RollRecord, ...]:
        """Return the apps in which another version was written and is not judged yet, or not taken back.

        One that cannot be judged within the time of a restart, a stopped one say, is left to the newer version.
        """
        return tuple(
            roll
            for roll in self.past_rolls
            if roll.state in TAKING_BACK or (roll.state in UNFINISHED and now - roll.at < RECYCLED_AFTER)
        )

    @property
    def refused(self) -> tuple[RollRecord, ...]:
        """Apps that could not be written; each has a finding of its own."""
        return tuple(roll for roll in self.rolls if roll.state is RollState.REFUSED)

    @property
    def held_by(self) -> tuple[RollRecord, ...]:
        """Apps in which this version was seen to fail."""
        return tuple(roll for roll in self.rolls if roll.holds)

    @property
    def failed(self) -> tuple[SiteRecord, ...]:
        """Sites that were seen to serve another certificate."""
        return tuple(record for record in self.records if record.state is SiteState.FAILED)


@dataclass(frozen=True, slots=True)
class Stage:
    """Whether webspaces after the first may go: `opens_at` is None while a failure holds them."""

    opens_at: datetime | None
    failed: tuple[SiteRecord, ...] = ()

    def is_open(self, now: datetime) -> bool:
        """Say whether they may go now."""
        return self.opens_at is not None and self.opens_at <= now
