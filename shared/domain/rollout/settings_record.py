"""The record of a settings update, by which Certroll replaces a thumbprint in the settings of one app.

    ```
    Stale ──one PUT: list + new, pins → new──▶ Overlapping ──proven──▶ Validated ──on request──▶ Retired
                                                 │  └──no proof──▶ Unproven
                                                 └──fails for good──▶ Failed ──inverse edit──▶ Restored ──▶ RolledBack
    ```

A settings update is proven only if an answer of the app shows the new thumbprint. After an update without proof
Certroll waits before it updates the next app, and leaves the old thumbprint in the settings. After a failed update
Certroll tries to restore the old settings, and usually stops the rollout of the version.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.fleet.app_settings import SettingEdit
from shared.domain.names import CopyRef, SiteRef, Thumbprint, Webspace
from shared.domain.rollout.budget import RestartBudget

CONTEST_WINDOW = timedelta(hours=24)
"""How long Certroll remembers that somebody reverted its edit. A pipeline that reverts edits runs at least nightly."""


RECYCLED_AFTER = timedelta(minutes=45)
"""How long an old process may answer after a write. On Linux App Service defers a restart by up to 40 minutes (App
Service team, May 2026)."""


class RollState(StrEnum):
    """The state of one app's update to a version of a vault certificate."""

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


LEFT_OPEN = TAKING_BACK | {RollState.OVERLAPPING, RollState.STALE}
"""The states in which Certroll may have written settings that it has not judged yet."""


UNFINISHED = TAKING_BACK | {RollState.OVERLAPPING}
"""The states in which Certroll finishes the settings update before it writes a newer version into the app."""


@dataclass(frozen=True, slots=True)
class RollRecord:
    """The journal's record of one app's settings update to a version of a vault certificate."""

    site: SiteRef
    version: str
    webspace: Webspace
    state: RollState
    at: datetime
    """The UTC time at which the state began."""
    plan: str = ""
    """The resource id of the App Service plan on which the app runs."""
    copies: tuple[CopyRef, ...] = ()
    """The certificates in App Service with the new version and the replaced versions."""
    replaces: tuple[Thumbprint, ...] = ()
    """The thumbprints that the settings named before the settings update."""
    edits: tuple[SettingEdit, ...] = ()
    """The edits of the settings update, recorded before the write. Their inverse brings the last good values back."""
    broken_before: bool | None = None
    """True if the app failed its probe before the write, None if Certroll did not probe the app then."""
    asked: str = ""
    """A digest of the probe that the app passed before the write."""
    shows_another: bool = False
    """True if the app showed another certificate than those of the record when it passed the probe before the write."""
    failing_since: datetime | None = None
    """The time of the first failed probe after the write, or of the first read with too few settings."""
    undone: tuple[datetime, ...] = ()
    """The times at which a person or program other than Certroll reverted the settings update."""
    proven: tuple[Thumbprint, ...] = ()
    """The thumbprints that the app's own answers have shown."""
    settings: int = 0
    """How many settings the app had when Certroll admitted the roll."""
    missing: str = ""
    """A digest of the names of the remaining settings, recorded if many settings were missing."""
    retiring: bool = False
    """True if the record is about the removal of an old thumbprint, and not about a new thumbprint."""
    wants_root: bool = False
    """True if a tag asks for the version in the root list of the app, and the list lacked the version."""
    budget: RestartBudget | None = None
    """The restart budget of the environment, None if CERTROLL_ASE_MAX_UNAVAILABLE does not apply to the app."""
    detail: str = ""
    in_doubt: bool = False
    """True if Certroll does not know whether Azure carried out the change of the app."""
    retry: datetime | None = None
    """The time of the message by which Certroll goes on after a failed run, None if no run of the app has failed."""
    missing_since: datetime | None = None
    """Since when Azure answers 404 for the app, None if Azure showed the app at the last inspection."""
    revision: str | None = None
    """The revision of the entry in the journal."""

    @property
    def under_way(self) -> bool:
        """True if a queue message must continue the settings update."""
        return self.state in UNDER_WAY

    @property
    def begun(self) -> bool:
        """True if Certroll may have written settings of the app for the version."""
        return self.state is not RollState.STALE or bool(self.edits)

    @property
    def is_left_open(self) -> bool:
        """True if Certroll must still judge or restore settings of the app that it has written."""
        return self.begun and self.state in LEFT_OPEN

    @property
    def holds(self) -> bool:
        """True if the failed settings update stops the rollout of the version.

        A failed removal of an old thumbprint does not stop the rollout.
        """
        return self.state in HOLDING and not self.retiring

    def undone_lately(self, now: datetime) -> tuple[datetime, ...]:
        """Return when, in the last 24 hours, a person or program other than Certroll reverted the update."""
        return tuple(moment for moment in self.undone if now - moment < CONTEST_WINDOW)
