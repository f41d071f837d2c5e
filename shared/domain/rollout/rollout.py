"""The rollout of one version of a vault certificate to the sites of the fleet.

Certroll brings a new version to one webspace (a group of plans that share certificates) first, and checks there that
App Service serves the version. A failure in any webspace stops the rollout. If no handshake and no app proves the
version, Certroll goes on to the other webspaces after a waiting time. If the old certificate ends soon, Certroll goes
on to the other webspaces after a shorter waiting time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.rollout.settings_record import RECYCLED_AFTER, TAKING_BACK, UNFINISHED, RollRecord, RollState
from shared.domain.rollout.site_record import SiteRecord, SiteState, record_key


@dataclass(frozen=True, slots=True)
class Rollout:
    """The rollout of one version of a vault certificate."""

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
    awaiting: bool = True
    """False if the last plan left nothing for later, so that an app's success lets Certroll do nothing more."""
    held: frozenset[tuple[Webspace, Thumbprint]] = frozenset()
    """The thumbprints that imported certificates had before this version and that the vault no longer knows."""
    unreadable: frozenset[str] = frozenset()
    """The keys (`record_key`) of the sites with a record that this release of Certroll cannot read."""
    is_unreadable: bool = False
    """True if this release cannot read what the journal says about the rollout as a whole."""
    past_failed: tuple[SiteRecord, ...] = ()
    """The records of sites that failed with earlier versions, which no site of this version has replaced."""
    _record_by_site: Mapping[SiteRef, SiteRecord] = field(init=False, repr=False, compare=False)
    _roll_by_site: Mapping[SiteRef, RollRecord] = field(init=False, repr=False, compare=False)
    _proven_by_site: Mapping[SiteRef, frozenset[Thumbprint]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Build the indexes by site, because a plan looks up the records of every site and app several times."""
        object.__setattr__(self, "_record_by_site", {record.site: record for record in reversed(self.records)})
        object.__setattr__(self, "_roll_by_site", {roll.site: roll for roll in self.rolls})
        proven: dict[SiteRef, frozenset[Thumbprint]] = {}
        for roll in (*self.rolls, *self.past_rolls):
            proven[roll.site] = proven.get(roll.site, frozenset()) | frozenset(roll.proven)
        object.__setattr__(self, "_proven_by_site", proven)

    def record_of(self, site: SiteRef) -> SiteRecord | None:
        """Return the progress of the rollout's version in a site's bindings, None if the rollout has no such site."""
        return self._record_by_site.get(site)

    @property
    def thumbprints(self) -> frozenset[Thumbprint]:
        """The thumbprints that the records name, of which some may be of certificates that no vault has any more."""
        rolls = (*self.rolls, *self.past_rolls)
        named = {thumbprint for roll in rolls for thumbprint in (*roll.replaces, *roll.proven)}
        edited = {thumbprint for roll in rolls for edit in roll.edits for thumbprint in (*edit.remove, edit.add)}
        held = {thumbprint for _, thumbprint in self.held}
        return frozenset(thumbprint for thumbprint in named | edited | held if thumbprint is not None)

    def hides(self, site: SiteRef | None) -> bool:
        """Return True if the journal may know something about the site that this release of Certroll cannot read."""
        return self.is_unreadable or (site is not None and record_key(site) in self.unreadable)

    @property
    def pending(self) -> tuple[SiteRecord, ...]:
        """The records of sites whose bindings Certroll has not yet found updated or failed."""
        return tuple(record for record in self.records if record.state is SiteState.PENDING)

    def roll_of(self, site: SiteRef) -> RollRecord | None:
        """Return the rollout's update of an app's settings, None if the rollout has no update of the app."""
        return self._roll_by_site.get(site)

    def proven_at(self, site: SiteRef) -> frozenset[Thumbprint]:
        """Return the thumbprints of the certificates that the app's own answers to probes have shown."""
        return self._proven_by_site.get(site, frozenset())

    @property
    def rolling(self) -> tuple[RollRecord, ...]:
        """The records of settings updates that Certroll has not finished yet, a restore included."""
        return tuple(roll for roll in self.rolls if roll.under_way)

    def unfinished(self, now: datetime) -> tuple[RollRecord, ...]:
        """Return the records of apps in which Certroll must first judge or undo the update to an earlier version.

        If Certroll cannot judge the earlier update within `RECYCLED_AFTER`, Certroll updates the app to the new
        version. Certroll cannot judge the update of an app, for example, while the app is stopped.
        """
        return tuple(
            roll
            for roll in self.past_rolls
            if roll.state in TAKING_BACK or (roll.state in UNFINISHED and now - roll.at < RECYCLED_AFTER)
        )

    @property
    def refused(self) -> tuple[RollRecord, ...]:
        """The records of apps whose settings Certroll could not write."""
        return tuple(roll for roll in self.rolls if roll.state is RollState.REFUSED)

    @property
    def held_by(self) -> tuple[RollRecord, ...]:
        """The records of apps that failed with the rollout's version of the vault certificate."""
        return tuple(roll for roll in self.rolls if roll.holds)

    @property
    def failed(self) -> tuple[SiteRecord, ...]:
        """The records of sites that App Service serves with another certificate."""
        return tuple(record for record in self.records if record.state is SiteState.FAILED)


@dataclass(frozen=True, slots=True)
class Stage:
    """The states of a rollout that decide whether webspaces after the first webspace may get the version."""

    opens_at: datetime | None
    """The time at which the gate opens, None while a failure holds the version."""

    def is_open(self, now: datetime) -> bool:
        """Return True if the webspaces after the first webspace may get the version now."""
        return self.opens_at is not None and self.opens_at <= now
