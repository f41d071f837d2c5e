"""Rolling a thumbprint through the settings of one app: the states, and whose turn it is.

    Stale ──one PUT: list + new, pins → new──▶ Overlapping ──proven──▶ Validated ──on request──▶ Retired
                                                 │  └──no proof──▶ Unproven
                                                 └──fails for good──▶ Failed ──inverse edit──▶ Restored ──▶ RolledBack

Only the app's own answer proves a roll, and only an answer that shows the new thumbprint. What is unproven lets the
next app go after a soak, but never retires anything; what fails is taken back and holds the version.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.fleet.app_settings import SettingEdit
from shared.domain.names import CopyRef, SiteRef, Thumbprint, Webspace
from shared.domain.rollout.budget import RestartBudget

CONTEST_WINDOW = timedelta(hours=24)
"""How long it counts that somebody took an edit back: a pipeline that does so runs every night at least."""


RECYCLED_AFTER = timedelta(minutes=45)
"""How long an old process may answer: Linux defers a restart by up to 40 minutes (App Service team, May 2026)."""


class RollState(StrEnum):
    """How far one version has come in the settings of one app."""

    STALE = "Stale"
    DEFERRED = "Deferred"
    OVERLAPPING = "Overlapping"
    VALIDATED = "Validated"
    UNPROVEN = "Unproven"
    REFUSED = "Refused"
    FAILED = "Failed"
    RESTORED = "Restored"
    NO_LAST_GOOD = "NoLastGood"
    ROLLED_BACK = "RolledBack"
    RETIRED = "Retired"
    CONTESTED = "Contested"


UNDER_WAY = frozenset({RollState.STALE, RollState.OVERLAPPING, RollState.FAILED, RollState.RESTORED})


WRITTEN = frozenset({RollState.OVERLAPPING, RollState.VALIDATED, RollState.UNPROVEN, RollState.RETIRED})


PROVEN = frozenset({RollState.VALIDATED, RollState.RETIRED})


HOLDING = frozenset({RollState.FAILED, RollState.RESTORED, RollState.ROLLED_BACK, RollState.NO_LAST_GOOD})


TAKING_BACK = frozenset({RollState.FAILED, RollState.RESTORED})


UNFINISHED = TAKING_BACK | {RollState.OVERLAPPING}
"""What was written and is not judged yet; it is finished before a newer version is written there."""


@dataclass(frozen=True, slots=True)
class RollRecord:
    """What the journal knows of one version in the settings of one app.

    `at` is when it came into this state (UTC). `plan` is the App Service plan that it runs on. `copies` hold the new
    version and those it replaces; `replaces` are the thumbprints that were named before. `edits` is the intention,
    recorded before the write: its inverse brings the last good values back. `broken_before` says that the app failed
    its own probe before anything was written, None where it was not asked; `asked` is a digest of the probe that it
    passed then. `failing_since` is when it was first seen not to be well. `undone` are the moments at which somebody
    else took the roll back. `proven` are thumbprints that the app was seen to use. `settings` is how many settings it
    had when it was told to go, `missing` a digest of the names that were left where many were missed. `retiring` tells
    a retirement from a roll. `room` is what CERTROLL_ASE_MAX_UNAVAILABLE leaves in its environment, None where it does
    not count. `wants_root` says that a tag asked for the version in a root list that lacked it.
    `revision` is the journal's own.
    """

    site: SiteRef
    version: str
    webspace: Webspace
    state: RollState
    at: datetime
    plan: str = ""
    copies: tuple[CopyRef, ...] = ()
    replaces: tuple[Thumbprint, ...] = ()
    edits: tuple[SettingEdit, ...] = ()
    broken_before: bool | None = None
    asked: str = ""
    failing_since: datetime | None = None
    undone: tuple[datetime, ...] = ()
    proven: tuple[Thumbprint, ...] = ()
    settings: int = 0
    missing: str = ""
    retiring: bool = False
    wants_root: bool = False
    budget: RestartBudget | None = None
    detail: str = ""
    revision: str | None = None

    @property
    def under_way(self) -> bool:
        """Whether a message is to carry it on."""
        return self.state in UNDER_WAY

    @property
    def holds(self) -> bool:
        """Whether it is proof that the version does not work; a retirement that fails is not."""
        return self.state in HOLDING and not self.retiring

    def undone_lately(self, now: datetime) -> tuple[datetime, ...]:
        """Return when others took it back within the last 24 hours."""
        return tuple(moment for moment in self.undone if now - moment < CONTEST_WINDOW)
