"""The record of an App Service Environment and of the stop and start of its apps for a new root certificate.

    ```
    Pending ──stop, start──▶ Started ──its probe──▶ Answered
       │                        └──────────────────▶ Unproven   no probe, or a probe that failed before the stop
       └─ must not be stopped ──▶ Excluded             Failed     the probe passed before the stop, and fails now
    ```

An app trusts a new root only after a stop and a start, and a restart is not enough (Azure docs, "Certificates in App
Service Environment", Root Certificate API).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.environments.apps import WaveApp
from shared.domain.names import EnvironmentRef, SiteRef, Thumbprint

MOST_ROOTS = 50
"""How many roots the record of an environment holds."""
WANT_RENEWED = timedelta(days=1)
"""How often Certroll renews the record that a vault object is a root: once a day, and not with every hourly sweep."""
WANT_LASTS = timedelta(days=8)
"""How long the record that a vault object is a root counts: a week of failed sweeps and a missed renewal."""
NOTED_FOR = timedelta(days=1)
"""How long Certroll waits for a root that it is about to add. A later run of the vault object notes the root again."""


class AppRestartState(StrEnum):
    """How far Certroll has come with the stop and start of one app."""

    PENDING = "Pending"
    STARTED = "Started"
    ANSWERED = "Answered"
    UNPROVEN = "Unproven"
    FAILED = "Failed"
    EXCLUDED = "Excluded"


@dataclass(frozen=True, slots=True)
class AppRestart:
    """The stop and start of one site or slot of an App Service Environment."""

    app: WaveApp
    state: AppRestartState
    at: datetime
    """The time at which the state began."""
    detail: str = ""
    answered: bool | None = None
    """True if the app passed its probe before the stop, None if the app has no probe."""
    missing_since: datetime | None = None
    """Since when Azure no longer lists the app in the environment, None if Azure lists the app."""

    @property
    def site(self) -> SiteRef:
        """The site or slot that Certroll stops and starts."""
        return self.app.site

    def now(self, state: AppRestartState, at: datetime, detail: str = "") -> "AppRestart":
        """Return the app's record with a new state of the app's stop and start."""
        return replace(self, state=state, at=at, detail=detail[:1000])


@dataclass(frozen=True, slots=True)
class NotedRoot:
    """A root certificate that Certroll adds to an environment, or that the environment already has."""

    thumbprint: Thumbprint
    noted_at: datetime
    seen_at: datetime | None = None
    """The time at which Certroll first saw the root in the environment, None until then."""
    name: str = ""
    """The name of the authority, as certificates that it issued name it. Empty if Certroll does not know the name."""


@dataclass(frozen=True, slots=True)
class Want:
    """A vault object whose version must be a root certificate of the environment."""

    ref: str
    thumbprint: Thumbprint
    at: datetime
    """The time of the latest renewal."""


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """The journal's record of an App Service Environment."""

    environment: EnvironmentRef
    roots: tuple[NotedRoot, ...] = ()
    since: datetime | None = None
    """The time at which Certroll last listed the apps to stop and start, None before the first list."""
    done_at: datetime | None = None
    """The time at which all listed apps were stopped and started, None until then."""
    requested_at: datetime | None = None
    """The time at which an operator requested a stop and start. The next list of apps clears it."""
    hidden: bool = False
    """True if Certroll could not see all apps of the environment when it listed them."""
    wants: tuple[Want, ...] = ()
    """The vault objects that are roots of the environment."""
    revision: str | None = None

    @property
    def is_open(self) -> bool:
        """True if an expected root has not arrived, or if Certroll still has to stop and start apps."""
        waits = any(root.seen_at is None for root in self.roots) or self.is_requested
        return waits or self.is_under_way

    @property
    def is_under_way(self) -> bool:
        """True if Certroll listed the apps of an environment and has not finished their stops and starts."""
        return self.since is not None and self.done_at is None

    @property
    def is_requested(self) -> bool:
        """True if an operator requested a stop and start, and Certroll has not listed the apps since."""
        return self.requested_at is not None

    def root(self, thumbprint: Thumbprint) -> NotedRoot | None:
        """Return the root certificate with the thumbprint from the environment's record, or None."""
        return next((root for root in self.roots if root.thumbprint == thumbprint), None)

    def done_for(self, thumbprint: Thumbprint) -> datetime | None:
        """Return when Certroll finished the starts after a root's arrival, or None if apps may not trust the root.

        Apps trust a root certificate if Certroll listed the apps after the root arrived, and then stopped and started
        them.
        """
        root = self.root(thumbprint)
        seen_at = root.seen_at if root else None
        listed = seen_at is not None and self.since is not None and seen_at <= self.since
        return self.done_at if listed and not self.is_open else None

    def noting(self, thumbprint: Thumbprint, at: datetime, name: str = "") -> "EnvironmentRecord":
        """Return the environment's record with a root that Certroll will add, in place of an old entry for the root."""
        return self._with(NotedRoot(thumbprint, at, name=name))

    @property
    def arriving(self) -> tuple[NotedRoot, ...]:
        """The roots that some running apps do not trust yet, because Certroll still stops and starts the apps."""
        since = self.since
        return tuple(
            root
            for root in self.roots
            if root.seen_at is None or (self.is_under_way and since is not None and root.seen_at >= since)
        )

    def without_lost(self, there: frozenset[Thumbprint | None], now: datetime) -> "EnvironmentRecord":
        """Return the environment's record without root certificates that did not arrive within a day.

        A root is lost if Certroll recorded the root a day ago or earlier, and never saw the root in the environment.
        """
        known = (root for root in self.roots if root.seen_at is not None or root.thumbprint in there)
        recent = (root for root in self.roots if now < root.noted_at + NOTED_FOR)
        return replace(self, roots=tuple(dict.fromkeys((*known, *recent))))

    def wanting(self, ref: str, thumbprint: Thumbprint, at: datetime) -> "EnvironmentRecord":
        """Return the environment's record with a vault object that is to be a root certificate of the environment.

        If the vault object's thumbprint stays the same, Certroll renews its entry in the environment's record at most
        once a day.
        """
        known = next((want for want in self.wants if want.ref == ref), None)
        if known is not None and known.thumbprint == thumbprint and at < known.at + WANT_RENEWED:
            return self
        others = tuple(want for want in self.wants if want.ref != ref and at < want.at + WANT_LASTS)
        return replace(self, wants=(*others, Want(ref, thumbprint, at)))

    def lasting(self, now: datetime) -> tuple[Want, ...]:
        """Return the vault objects that are still to be root certificates of the environment."""
        return tuple(want for want in self.wants if now < want.at + WANT_LASTS)

    def causes(self, now: datetime) -> tuple[str, ...]:
        """Return the vault objects whose roots make Certroll stop and start the apps now.

        These are the vault objects of the roots that came since the last list of apps. If an operator requested the
        stops without a new root, these are all vault objects that are roots of the environment.
        """
        new = {root.thumbprint for root in self.roots if self.since is None or (root.seen_at or now) >= self.since}
        lasting = self.lasting(now)
        return tuple(want.ref for want in lasting if not new or want.thumbprint in new)

    def wanted_by_another(self, ref: str, thumbprint: Thumbprint | None, now: datetime) -> str | None:
        """Return another vault object whose tags want the same root certificate in the environment, or None."""
        found = (want for want in self.lasting(now) if want.ref != ref and want.thumbprint == thumbprint)
        return next((want.ref for want in found), None)

    def knowing(self, thumbprint: Thumbprint, at: datetime) -> "EnvironmentRecord":
        """Return the environment's record with a root certificate that somebody other than Certroll added.

        A root that somebody other than Certroll added does not make Certroll stop apps.
        """
        return self if self.root(thumbprint) else self._with(NotedRoot(thumbprint, at, at))

    def _with(self, root: NotedRoot) -> "EnvironmentRecord":
        others = [other for other in self.roots if other.thumbprint != root.thumbprint]
        wanted = {want.thumbprint for want in self.wants}
        spare = [other for other in others if other.seen_at is not None and other.thumbprint not in wanted]
        gone = spare[: max(len(others) + 1 - MOST_ROOTS, 0)]
        return replace(self, roots=(*(other for other in others if other not in gone), root))

    def requested(self, at: datetime) -> "EnvironmentRecord":
        """Return the environment's record with an operator's request to stop and start all apps."""
        return replace(self, requested_at=at)

    def done(self, at: datetime) -> "EnvironmentRecord":
        """Return the environment's record after Certroll stopped and started all listed apps.

        Root certificates that Certroll expects and that have not arrived in the environment stay in the environment's
        record.
        """
        return replace(self, done_at=at)

    def done_by_hand(self, at: datetime) -> "EnvironmentRecord":
        """Return the environment's record after an operator confirmed stops and starts of all apps by hand."""
        return replace(self, since=at, done_at=at, requested_at=None, hidden=False)

    def listed(
        self, there: frozenset[Thumbprint | None], now: datetime, *, hidden: bool = False
    ) -> "EnvironmentRecord":
        """Return the environment's record with the roots that arrived and a new list of apps to stop and start."""
        roots = tuple(
            replace(root, seen_at=now) if root.seen_at is None and root.thumbprint in there else root
            for root in self.roots
        )
        return replace(self, roots=roots, since=now, done_at=None, requested_at=None, hidden=hidden)

    def has_news(self, there: frozenset[Thumbprint | None]) -> bool:
        """Return True if Certroll must list the apps to stop, because a root arrived or an operator requested stops."""
        return self.is_requested or any(root.seen_at is None and root.thumbprint in there for root in self.roots)


@dataclass(frozen=True, slots=True)
class PendingStart:
    """The pending start of an app that Certroll stopped or is about to stop.

    Before Certroll stops an app, Certroll records the pending start, and deletes the record after the app runs again.
    """

    site: SiteRef
    environment: EnvironmentRef
    at: datetime
