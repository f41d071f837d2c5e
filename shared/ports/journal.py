"""Define the ports to the journal, which keeps Certroll's progress, findings and history between runs.

Each protocol of the journal holds one kind of record. A function may ask for single ports if it needs only their
records.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from shared.domain.environments.record import AppRestart, EnvironmentRecord, PendingStart
from shared.domain.findings import DeadLetter, Finding, HistoryEntry, OpenFinding
from shared.domain.fleet.settings_memory import Memory
from shared.domain.looks import Look
from shared.domain.managed.issuance import Issuance
from shared.domain.names import EnvironmentRef, HostName, SiteRef, VaultCertificateRef
from shared.domain.orders.action import OrderRecord
from shared.domain.orders.order import OrderRef
from shared.domain.rollout.rollout import Rollout
from shared.domain.rollout.settings_record import RollRecord
from shared.domain.rollout.site_record import SiteRecord
from shared.domain.shown import Shown, Source
from shared.domain.sweeps import Sweeps as SweepsRecord
from shared.domain.turns import Turn


class Rollouts(Protocol):
    """The port for the progress of each version of a vault certificate, over all sites and at each site."""

    def rollout(self, ref: VaultCertificateRef, version: str) -> Rollout:
        """Return the progress of one version, an empty Rollout if the journal does not know the version."""

    def site(self, ref: VaultCertificateRef, version: str | None, site: SiteRef) -> SiteRecord | None:
        """Return the progress of a vault certificate's version in a site's bindings, None without a record.

        Without a version, return the record of whichever version the journal has.
        """

    def begun_in(self, ref: VaultCertificateRef) -> tuple[SiteRef, ...]:
        """Return the sites and apps in which Certroll has begun to bring any version of the vault certificate."""

    def begun(self) -> frozenset[VaultCertificateRef]:
        """Return the vault certificates for which Certroll has begun a change of any site or app.

        A secret has the reference of a vault certificate of its name.
        """

    def begin(self, ref: VaultCertificateRef, rollout: Rollout) -> tuple[SiteRecord, ...]:
        """Record the sites of a rollout, then the rollout's first webspace, and return the sites' stored records.

        Raises Conflict if another run has written the record of a site for this version since the read.

        After a crash between the record of the sites and the record of the first webspace, the next run chooses the
        first webspace of the rollout again.
        """

    def record_site(self, ref: VaultCertificateRef, record: SiteRecord) -> SiteRecord:
        """Record the state of one site's bindings, unless the journal now has the site with another version.

        Return the record with its new revision. Raises Conflict if another run has written the record of the site for
        this version since the read.
        """

    def observed(self, ref: VaultCertificateRef, rollout: Rollout, at: datetime) -> None:
        """Record the time at which Certroll last observed the fleet for a version, and `rollout.awaiting`."""


class SettingsRolls(Protocol):
    """The port for the progress of each version in the settings of each app."""

    def roll(self, ref: VaultCertificateRef, site: SiteRef) -> RollRecord | None:
        """Return the update of one app's settings to any version, None if the journal has no update of the app."""

    def put_roll(self, ref: VaultCertificateRef, record: RollRecord) -> RollRecord:
        """Replace the journal's record of an app if no other run has replaced the record since the read.

        Return the app's record with its new revision.

        Raises Conflict if another run has replaced the record in the meantime.
        """

    def forget(self, ref: VaultCertificateRef, record: RollRecord) -> bool:
        """Delete the record of an app's settings update and return True, or False if another run replaced it."""


class RestartClaims(Protocol):
    """The port for claims of restarting sites on a restart budget (how many apps may restart at once).

    A claim on a restart budget ends by itself after an hour (`CLAIM`).

    `budget` is the resource id of the App Service plan or environment that limits restarts.
    """

    def claim(self, budget: str, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef, limit: int) -> bool:
        """Record a claim and return True if fewer than `limit` other sites have a claim on the restart budget.

        The caller must hold the lease (lock) of the restart budget.
        """

    def has_room(self, budget: str, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef, limit: int) -> bool:
        """Return True if `claim` would record a claim now. Anybody may ask without the lease."""

    def restarting(self, budget: str, environment: EnvironmentRef) -> tuple[SiteRef, ...]:
        """Return the sites with a claim on the restart budget, except claims for stops in the environment itself."""

    def give_back(self, budget: str, site: SiteRef, ref: VaultCertificateRef | EnvironmentRef) -> None:
        """Delete the claim of the site on the restart budget."""


class Requests(Protocol):
    """The port for records of Certroll's requests to Azure about orders and managed certificates."""

    def asked(self, order: OrderRef) -> tuple[OrderRecord, ...]:
        """Return every recorded request about an order, for all certificates of the order."""

    def put_asked(self, record: OrderRecord) -> OrderRecord:
        """Replace the stored request if its revision is unchanged, and return the request with its new revision.

        Raises Conflict if another run records the request at the same time.
        """

    def issuance(self, site: SiteRef, host_name: HostName) -> Issuance | None:
        """Return the request for a managed certificate of a host name, None if Certroll made no request."""

    def put_issuance(self, issuance: Issuance) -> None:
        """Record the request for a managed certificate of a host name."""

    def forget_issuance(self, site: SiteRef, host_name: HostName) -> None:
        """Delete the record of a request for a managed certificate of a host name."""


class History(Protocol):
    """The port for the history of Certroll's changes, in the order of the changes."""

    def add(self, ref: VaultCertificateRef | str, entries: tuple[HistoryEntry, ...]) -> None:
        """Append entries to the history of a vault certificate or of another scope."""


class Findings(Protocol):
    """The port for findings (problems that Certroll reports to operators)."""

    def report(self, findings: tuple[Finding, ...]) -> None:
        """Record findings. If the journal already has the same finding, that finding gets the new date and detail."""

    def close(self, scope: str, at: datetime, is_gone: Callable[[OpenFinding], bool], why: str = "") -> None:
        """Close the open findings of the scope whose cause is gone, as `is_gone` decides.

        `why` says why Certroll no longer looks for the cause, and is empty if an inspection saw that the cause is gone.
        """

    def close_mended(self, at: datetime) -> None:
        """Close the findings about unreadable rows of the journal that are gone, or that have become readable."""

    def scopes(self) -> frozenset[str]:
        """Return the scopes that have, or had, an open finding."""


class DeadLetters(Protocol):
    """The port for dead letters: messages that failed for good."""

    def note_cause(self, body: str, cause: str) -> None:
        """Record why a message failed, for the case that Azure later moves the message to a poison queue."""

    def add(self, queue: str, body: str, cause: str | None) -> DeadLetter:
        """Record a message that failed for good, with the given cause or the cause from `note_cause`."""

    def get(self, queue: str, key: str) -> DeadLetter:
        """Return a dead letter.

        Raises NotFound if the journal does not have the dead letter (a message that failed for good).
        """

    def forget(self, record: DeadLetter) -> None:
        """Delete the record of a dead letter after Certroll put its message back on the queue."""


class EnvironmentRecords(Protocol):
    """The port for records of App Service Environments: their roots, and the stops and starts of their apps."""

    def all(self) -> tuple[EnvironmentRecord, ...]:
        """Return the records of all App Service Environments."""

    def of(self, environment: EnvironmentRef) -> EnvironmentRecord:
        """Return the journal's record of an App Service Environment, or an empty record if the journal has none."""

    def put(self, record: EnvironmentRecord) -> EnvironmentRecord:
        """Replace the record in the journal if no other run has replaced the record since the read.

        Return the journal's record with its new revision.

        Raises Conflict if another run has replaced the record in the meantime.
        """

    def change(
        self, environment: EnvironmentRef, change: Callable[[EnvironmentRecord], EnvironmentRecord]
    ) -> EnvironmentRecord:
        """Change the journal's record of an App Service Environment, and return the changed record."""


class AppRestarts(Protocol):
    """The port for the progress of each app of an environment through its stop and start."""

    def of(self, environment: EnvironmentRef) -> tuple[AppRestart, ...]:
        """Return the records of the apps of an App Service Environment."""

    def unreadable(self, environment: EnvironmentRef) -> frozenset[str]:
        """Return the keys (`record_key`) of apps whose record or pending start is unreadable."""

    def put(self, environment: EnvironmentRef, apps: Iterable[AppRestart]) -> None:
        """Record the progress of apps of an App Service Environment."""

    def forget(self, environment: EnvironmentRef, site: SiteRef) -> None:
        """Delete the record of an app that Azure no longer has."""


class PendingStarts(Protocol):
    """The port for the pending starts of apps that Certroll stopped or is about to stop."""

    def record(self, start: PendingStart) -> None:
        """Record that Certroll must start an app."""

    def all(self) -> tuple[PendingStart, ...]:
        """Return all pending starts, the oldest first."""

    def complete(self, site: SiteRef) -> None:
        """Delete the record of an app's pending start."""


class Turns(Protocol):
    """The port for the last turns of things that may use up the time of a run, such as orders or webspaces."""

    def of(self, kind: str, things: Iterable[str]) -> dict[str, Turn]:
        """Return the last turn of each thing of a kind that had one."""

    def put(self, kind: str, turns: Mapping[str, Turn]) -> None:
        """Replace the turns of all things of a kind."""


class Sweeps(Protocol):
    """The port for the record of the sweeps that have not ended."""

    def change(self, change: Callable[[SweepsRecord], SweepsRecord]) -> tuple[SweepsRecord, SweepsRecord]:
        """Change the record, and return it as it was before the change and after it.

        Raises Conflict if other runs change the record all the time.
        """

    def keep(self, began: datetime, targets: str) -> None:
        """Keep what the slices of a sweep need to know, in place of what an earlier sweep kept."""

    def kept(self, began: datetime) -> str | None:
        """Return what was kept for the slices of a sweep, or None without it."""


class Looks(Protocol):
    """The port for the numbers of looks at the fleet, for each vault certificate."""

    def last(self, ref: VaultCertificateRef) -> Look:
        """Return the last inspection that began, or the inspection 0."""

    def begin(self, ref: VaultCertificateRef, last: Look) -> Look:
        """Number the next inspection, and return it. Raises Conflict if another run has begun one since `last`."""

    def end(self, ref: VaultCertificateRef, ended: Look) -> None:
        """Record that an inspection ended well, unless another run has begun an inspection since."""


class SettingsMemory(Protocol):
    """The port for what Certroll remembers of the app settings of sites and slots."""

    def of(self, subscription: str) -> Mapping[str, Memory]:
        """Return what Certroll remembers of the sites and slots of a subscription, by resource id."""

    def put(self, subscription: str, memories: Iterable[Memory]) -> None:
        """Write what Certroll remembers of sites and slots of one subscription."""

    def forget(self, subscription: str, resource_ids: Iterable[str]) -> None:
        """Delete what Certroll remembers of sites and slots of one subscription."""


class ShownMemory(Protocol):
    """The port for what the compliance sweep has read of single things, so that a later run reads it not again."""

    def of(self, source: Source) -> Mapping[str, Shown]:
        """Return everything that was read from a source, by the name of the thing."""

    def put(self, source: Source, shown: Mapping[str, Shown]) -> None:
        """Replace what was read of things from a source."""

    def forget(self, source: Source, names: Iterable[str]) -> None:
        """Delete what was read of things that are gone."""


class Reports(Protocol):
    """The port for the reports of the compliance sweep."""

    def latest(self) -> bytes | None:
        """Return the last report as JSON, or None without one."""

    def put(self, at: datetime, files: Mapping[str, bytes]) -> None:
        """Store the files of a report as the last one and in the history, and delete history that is too old."""

    def names(self) -> tuple[str, ...]:
        """Return the names of all stored files."""
