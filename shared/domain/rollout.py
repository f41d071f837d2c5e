"""How far one version has come: which place is first, and what was proven there.

A new version goes to one webspace first and is proven there by what is served; only then does it go to the rest. Only
proof of failure holds the others back: where nothing can be proven they follow after a soak, and where the old
certificate is about to expire they do not wait for that either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.model import Binding
from shared.domain.names import CopyRef, SiteRef, Thumbprint, Webspace
from shared.domain.roll import RECYCLED_AFTER, TAKING_BACK, UNFINISHED, RollRecord, RollState, opens_at

URGENT = timedelta(hours=72)
"""How much of the old certificate must be left for Certroll to go on being careful. With less, a wait or a refusal may
cost more than it protects, and a weekend may pass before somebody reads a finding (ADR 3, ADR 5)."""
LOST_AFTER = timedelta(minutes=15)
"""How long a site under way is waited for if the old certificate is urgent: its message may be lost."""


class SiteState(StrEnum):
    """What is known of one site for one version."""

    PENDING = "Pending"
    PROVEN = "Proven"
    UNPROVEN = "Unproven"
    FAILED = "Failed"


class Again(StrEnum):
    """Whether what shows the version already is to be bound to it once more; nothing in Azure tells that it was."""

    NO = ""
    ASKED = "asked"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """What the journal knows of one site for one version.

    `copies` are the webspace certificates that hold the version for this site; `last_good` the bindings as they were
    before the version's first write, for comparison.
    """

    site: SiteRef
    version: str
    webspace: Webspace
    state: SiteState
    at: datetime
    copies: tuple[CopyRef, ...] = ()
    last_good: tuple[Binding, ...] = ()
    detail: str = ""
    again: Again = Again.NO


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
