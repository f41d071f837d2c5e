"""What Certroll remembers between runs: how far each thing came, what people must know, and what was done.

Each protocol is one kind of record. A function asks for the kind that it reads or writes.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from shared.domain.environments.record import AppRestart, EnvironmentRecord, PendingStart
from shared.domain.findings import DeadLetter, Finding, HistoryEntry
from shared.domain.managed.prerequisites import Issuance
from shared.domain.names import EnvironmentRef, HostName, SiteRef, VaultCertificateRef
from shared.domain.orders.action import OrderRecord
from shared.domain.orders.order import OrderRef
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord
from shared.domain.rollout.site_record import SiteRecord


class Rollouts(Protocol):
    """How far each version of a vault certificate came, and each site with it."""

    def rollout(self, ref: VaultCertificateRef, version: str) -> Rollout:
        """Return the state of one version, an empty one if the journal does not know the version."""

    def site(self, ref: VaultCertificateRef, version: str, site: SiteRef) -> SiteRecord | None:
        """Return the record of one site for one version, None if there is none."""

    def begin(self, ref: VaultCertificateRef, rollout: Rollout) -> None:
        """Record the sites, then which place is first: after a crash between the two the place is chosen again."""

    def record_site(self, ref: VaultCertificateRef, record: SiteRecord) -> None:
        """Record the state of one site, unless the record of another version has replaced it meanwhile."""

    def looked(self, ref: VaultCertificateRef, rollout: Rollout, at: datetime) -> None:
        """Record when Certroll last observed the fleet for a version."""


class SettingsRolls(Protocol):
    """How far a version came in the settings of each app."""

    def roll(self, ref: VaultCertificateRef, site: SiteRef) -> RollRecord | None:
        """Return the record of one app's settings, of whatever version it is; None if there is none."""

    def put_roll(self, ref: VaultCertificateRef, record: RollRecord) -> RollRecord:
        """Replace the revision that the record was made from; return the record with its new revision.

        Raises Conflict if that revision is no longer there.
        """

    def forget(self, ref: VaultCertificateRef, record: RollRecord) -> bool:
        """Delete the record of one app and return True; return False if its revision is no longer there."""


class RestartClaims(Protocol):
    """Which sites restart just now, counted at each place that limits restarts. A claim ends by itself after CLAIM."""

    def claim(self, place: str, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef, most: int) -> bool:
        """Count the site and return True if it may restart now, with at most so many sites of the place.

        The caller holds the lease of the place.
        """

    def restarting(self, place: str, but: EnvironmentRef) -> tuple[SiteRef, ...]:
        """Return the sites that the place counts, without those that the environment's own waves claimed."""

    def give_back(self, place: str, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef) -> None:
        """Stop counting the site."""


class Requests(Protocol):
    """What Certroll asked Azure for: actions on orders, and managed certificates."""

    def asked(self, order: OrderRef) -> tuple[OrderRecord, ...]:
        """Return every request about an order, for whatever certificate of it."""

    def put_asked(self, record: OrderRecord) -> OrderRecord:
        """Replace the revision that the record was made from; return the record with its new revision.

        Raises Conflict if that revision is no longer there: another run asks.
        """

    def issuance(self, site: SiteRef, host_name: HostName) -> Issuance | None:
        """Return the request for a managed certificate of a host name, None if there is none."""

    def put_issuance(self, issuance: Issuance) -> None:
        """Record the request for a managed certificate."""

    def forget_issuance(self, site: SiteRef, host_name: HostName) -> None:
        """Forget the request for a managed certificate of a host name."""


class History(Protocol):
    """What was done, in the order in which it was done."""

    def add(self, ref: VaultCertificateRef | str, entries: tuple[HistoryEntry, ...]) -> None:
        """Append to the history of a vault certificate, or of another scope."""


class Findings(Protocol):
    """What a person should know."""

    def report(self, findings: tuple[Finding, ...]) -> None:
        """Record findings; the same finding reported again only renews its date."""


class DeadLetters(Protocol):
    """Messages that failed for good."""

    def note_cause(self, body: str, cause: str) -> None:
        """Record why a message failed, for the day on which Azure moves it to a poison queue."""

    def add(self, queue: str, body: str, cause: str | None) -> DeadLetter:
        """Record a message that failed for good, with the given cause or the one that was noted."""

    def get(self, queue: str, key: str) -> DeadLetter:
        """Return a recorded message. Raises NotFound."""

    def forget(self, record: DeadLetter) -> None:
        """Forget a recorded message that was put back on its queue."""


class EnvironmentRecords(Protocol):
    """What is known of each App Service Environment."""

    def all(self) -> tuple[EnvironmentRecord, ...]:
        """Return the record of every environment."""

    def of(self, environment: EnvironmentRef) -> EnvironmentRecord:
        """Return the record of an environment, an empty one if the journal does not know the environment."""

    def put(self, record: EnvironmentRecord) -> EnvironmentRecord:
        """Replace the revision that the record was made from; return the record with its new revision.

        Raises Conflict if that revision is no longer there.
        """

    def change(
        self, environment: EnvironmentRef, change: Callable[[EnvironmentRecord], EnvironmentRecord]
    ) -> EnvironmentRecord:
        """Apply the change to the record as it is stored by then, and return the result."""


class AppRestarts(Protocol):
    """How far each app of an environment came with being stopped and started."""

    def of(self, environment: EnvironmentRef) -> tuple[AppRestart, ...]:
        """Return the records of the apps of an environment."""

    def put(self, environment: EnvironmentRef, apps: Iterable[AppRestart]) -> None:
        """Record how far apps came."""

    def forget(self, environment: EnvironmentRef, site: SiteRef) -> None:
        """Forget an app that is gone."""


class PendingStarts(Protocol):
    """Apps that Certroll stopped, or is about to stop, and has to start."""

    def record(self, start: PendingStart) -> None:
        """Record that an app has to be started."""

    def all(self) -> tuple[PendingStart, ...]:
        """Return every start that is pending, the oldest first."""

    def complete(self, site: SiteRef) -> None:
        """Forget the pending start of an app that runs."""
