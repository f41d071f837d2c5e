"""A cycle: every app of an environment that ran when a root certificate came is stopped and started once.

    Pending ──stop, start──▶ Started ──its probe──▶ Answered
       │                        └──────────────────▶ Unproven   no probe, or one that failed before
       └─ not ours to stop ──▶ Excluded                Failed     it answered before, and does not any more

Only a start that follows a stop makes an app trust it; a restart does not (Azure docs, "Certificates in App Service
Environment", Root Certificate API).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.environments.apps import WaveApp
from shared.domain.names import EnvironmentRef, SiteRef, Thumbprint

MOST_ROOTS = 50
WANT_RENEWED = timedelta(days=1)
"""How often the record is renewed that a vault object is a root: a write a day instead of one with every sweep."""
WANT_LASTS = timedelta(days=8)
"""How long the record counts without being renewed: a week of sweeps that fail, and one renewal, may be missing."""
NOTED_FOR = timedelta(days=1)
"""How long a root is waited for that was to be put: its vault object's own run notes it again if it still is."""


class AppRestartState(StrEnum):
    """How far one app has come."""

    PENDING = "Pending"
    STARTED = "Started"
    ANSWERED = "Answered"
    UNPROVEN = "Unproven"
    FAILED = "Failed"
    EXCLUDED = "Excluded"


@dataclass(frozen=True, slots=True)
class AppRestart:
    """A site or slot of the environment. `at` is when its state began; `answered` what its probe said before the stop.

    `answered` is None where it was not asked: it has no probe.
    """

    app: WaveApp
    state: AppRestartState
    at: datetime
    detail: str = ""
    answered: bool | None = None

    @property
    def site(self) -> SiteRef:
        """The site or slot."""
        return self.app.site

    def now(self, state: AppRestartState, at: datetime, detail: str = "") -> "AppRestart":
        """Return it in a new state."""
        return replace(self, state=state, at=at, detail=detail[:1000])


@dataclass(frozen=True, slots=True)
class NotedRoot:
    """A root that was to be put into the environment. `seen_at` is when it was first seen there, None until then."""

    thumbprint: Thumbprint
    noted_at: datetime
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Want:
    """A vault object that is a root of the environment with this version, as of a moment."""

    ref: str
    thumbprint: Thumbprint
    at: datetime


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """What the journal knows of an environment.

    `since` is when its apps were last listed to be stopped and started, None before; `done_at` when that was done.
    `asked_at` is when somebody asked for it without a new root, until they are listed for that. `hidden` says that not
    all of them could be seen then. `wants` are the vault objects that are roots of it.
    """

    environment: EnvironmentRef
    roots: tuple[NotedRoot, ...] = ()
    since: datetime | None = None
    done_at: datetime | None = None
    asked_at: datetime | None = None
    hidden: bool = False
    wants: tuple[Want, ...] = ()
    revision: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether something is left: a root that was not seen yet, a request, or apps that were not cycled since."""
        waits = any(root.seen_at is None for root in self.roots) or self.is_asked
        return waits or self.is_under_way

    @property
    def is_under_way(self) -> bool:
        """Whether its apps were listed and are not all done."""
        return self.since is not None and self.done_at is None

    @property
    def is_asked(self) -> bool:
        """Whether somebody asked for it, and its apps were not listed for that yet."""
        return self.asked_at is not None

    def root(self, thumbprint: Thumbprint) -> NotedRoot | None:
        """Return what is known of a root."""
        return next((one for one in self.roots if one.thumbprint == thumbprint), None)

    def done_for(self, thumbprint: Thumbprint) -> datetime | None:
        """Return when the apps were done that were listed with the root already there; None while that is not so."""
        root = self.root(thumbprint)
        seen_at = root.seen_at if root else None
        listed = seen_at is not None and self.since is not None and seen_at <= self.since
        return self.done_at if listed and not self.is_open else None

    def noting(self, thumbprint: Thumbprint, at: datetime) -> "EnvironmentRecord":
        """Return it with a root that is about to be put, as of now: what was known of it before counts no more."""
        return self._with(NotedRoot(thumbprint, at))

    def without_lost(self, there: frozenset[Thumbprint | None], now: datetime) -> "EnvironmentRecord":
        """Return it without roots that were to be put, did not come for a day, and are not there now."""
        known = (one for one in self.roots if one.seen_at is not None or one.thumbprint in there)
        lately = (one for one in self.roots if now < one.noted_at + NOTED_FOR)
        return replace(self, roots=tuple(dict.fromkeys((*known, *lately))))

    def wanting(self, ref: str, thumbprint: Thumbprint, at: datetime) -> "EnvironmentRecord":
        """Return it with a vault object that is a root of it with this version; what is known is renewed daily."""
        known = next((one for one in self.wants if one.ref == ref), None)
        if known is not None and known.thumbprint == thumbprint and at < known.at + WANT_RENEWED:
            return self
        others = tuple(one for one in self.wants if one.ref != ref and at < one.at + WANT_LASTS)
        return replace(self, wants=(*others, Want(ref, thumbprint, at)))

    def lasting(self, now: datetime) -> tuple[Want, ...]:
        """Return the vault objects that are roots of it by now."""
        return tuple(one for one in self.wants if now < one.at + WANT_LASTS)

    def wanted_by_another(self, ref: str, thumbprint: Thumbprint | None, now: datetime) -> str | None:
        """Return another vault object that is a root of it with this version, None where there is none."""
        found = (one for one in self.lasting(now) if one.ref != ref and one.thumbprint == thumbprint)
        return next((one.ref for one in found), None)

    def knowing(self, thumbprint: Thumbprint, at: datetime) -> "EnvironmentRecord":
        """Return it with a root that somebody else put: nobody asks for apps to be stopped because of it."""
        return self if self.root(thumbprint) else self._with(NotedRoot(thumbprint, at, at))

    def _with(self, root: NotedRoot) -> "EnvironmentRecord":
        others = [one for one in self.roots if one.thumbprint != root.thumbprint]
        wanted = {one.thumbprint for one in self.wants}
        spare = [one for one in others if one.seen_at is not None and one.thumbprint not in wanted]
        gone = spare[: max(len(others) + 1 - MOST_ROOTS, 0)]
        return replace(self, roots=(*(one for one in others if one not in gone), root))

    def asked(self, at: datetime) -> "EnvironmentRecord":
        """Return it with somebody asking for all apps to be stopped and started."""
        return replace(self, asked_at=at)

    def done(self, at: datetime) -> "EnvironmentRecord":
        """Return it with every app stopped and started; a root that is still to come is not forgotten."""
        return replace(self, done_at=at)

    def done_by_hand(self, at: datetime) -> "EnvironmentRecord":
        """Return it with people saying that every app was stopped and started, for all roots that are there."""
        return replace(self, since=at, done_at=at, asked_at=None, hidden=False)

    def listed(
        self, there: frozenset[Thumbprint | None], now: datetime, *, hidden: bool = False
    ) -> "EnvironmentRecord":
        """Return it with its apps listed anew, for the noted roots that are there now."""
        roots = tuple(
            replace(one, seen_at=now) if one.seen_at is None and one.thumbprint in there else one for one in self.roots
        )
        return replace(self, roots=roots, since=now, done_at=None, asked_at=None, hidden=hidden)

    def has_news(self, there: frozenset[Thumbprint | None]) -> bool:
        """Say whether its apps are to be listed anew: a noted root has come, or somebody asks."""
        return self.is_asked or any(one.seen_at is None and one.thumbprint in there for one in self.roots)


@dataclass(frozen=True, slots=True)
class PendingStart:
    """A start that is owed: written down before the stop, and forgotten only when the app was seen running again."""

    site: SiteRef
    environment: EnvironmentRef
    at: datetime
