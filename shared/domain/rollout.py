"""How far one version has come: which place is first, and what was proven there.

A new version goes to one webspace first and is proven there by what is served; only then does it go to the rest. Only
proof of failure holds the others back: where nothing can be proven they follow after a soak, and where the old
certificate is about to expire they do not wait for that either.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.model import Binding
from shared.domain.names import CopyRef, SiteRef, Webspace

URGENT = timedelta(hours=72)
LOST_AFTER = timedelta(minutes=15)


class SiteState(StrEnum):
    """What is known of one site for one version."""

    PENDING = "Pending"
    PROVEN = "Proven"
    UNPROVEN = "Unproven"
    FAILED = "Failed"


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


@dataclass(frozen=True, slots=True)
class Rollout:
    """One version on its way. `first` and `started_at` are None before the first place is chosen."""

    version: str
    first: Webspace | None = None
    records: tuple[SiteRecord, ...] = ()
    started_at: datetime | None = None

    def record_of(self, site: SiteRef) -> SiteRecord | None:
        """Return what is known of a site, None where nothing is."""
        return next((record for record in self.records if record.site == site), None)

    @property
    def pending(self) -> tuple[SiteRecord, ...]:
        """Sites whose result is outstanding."""
        return tuple(record for record in self.records if record.state is SiteState.PENDING)

    def holds_up(self, stage: "Stage", now: datetime) -> bool:
        """Say whether there is nothing to do but to wait for the pending sites."""
        first = any(record.webspace == self.first for record in self.pending)
        return bool(self.pending) and not (first and stage.is_open(now))

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
    first = tuple(record for record in rollout.records if record.webspace == rollout.first)
    outstanding = tuple(record for record in first if record.state is SiteState.PENDING)
    if not outstanding and any(record.state is SiteState.PROVEN for record in first):
        return Stage(now)
    urgent = expires_at is not None and expires_at - now < URGENT
    patience = {
        SiteState.PENDING: min(soak, LOST_AFTER) if urgent else soak,
        SiteState.UNPROVEN: timedelta(0) if urgent else soak,
    }
    since = [record.at + patience[record.state] for record in first if record.state in patience]
    return Stage(max(since, default=(rollout.started_at or now) + patience[SiteState.UNPROVEN]))
