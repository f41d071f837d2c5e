"""The operators' decisions, which Certroll reads from the settings of the Function App."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from shared.domain.fleet.vault_access import Principal, app_service, registration
from shared.domain.freeze import Freeze
from shared.domain.names import SiteRef, VaultName
from shared.domain.reason import Reason
from shared.domain.restart_window import RestartWindow
from shared.domain.rollout.budget import MaxUnavailable
from shared.domain.tags import Tags, opted_in


class Mode(StrEnum):
    """The mode of Certroll: Certroll only reports its plans, or also applies the plans to Azure."""

    OBSERVE = "observe"
    APPLY = "apply"


class Scope(StrEnum):
    """The resources to which Certroll writes: all, or only those that carry the tag `certroll: on`."""

    ALL = "all"
    TAGGED = "tagged"


class Barrier(NamedTuple):
    """Why Certroll only observes a resource, although every guard allows a change."""

    reason: Reason
    remedy: str
    """What lets Certroll write, as text for operators."""


OBSERVING = Barrier(Reason.OBSERVE_ONLY, "set CERTROLL_MODE=apply to let it")


@dataclass(frozen=True, slots=True)
class Intent:
    """The operators' decisions, which Certroll reads from the settings of the Function App."""

    vaults: frozenset[VaultName] = frozenset()
    """The vaults whose certificates Certroll carries to App Service."""
    subscriptions: tuple[str, ...] = ()
    """The subscriptions that Certroll reads. If empty, Certroll reads every subscription that its identity sees."""
    mode: Mode = Mode.OBSERVE
    scope: Scope = Scope.ALL
    stage_soak: timedelta = timedelta(hours=1)
    """How long a new version without proof runs in its first webspace before Certroll goes on to the next webspace."""
    own_site: str | None = None
    """The name of the site that Certroll runs on."""
    installation: str = ""
    """The name of this installation of Certroll, by which other installations know it."""
    own_subscription: str | None = None
    """The subscription of the site that Certroll runs on."""
    probe_settle: timedelta = timedelta(seconds=120)
    """The wait between a change of an app's settings and the first probe that counts."""
    slots_first: bool = True
    """True if the slots of a site get a new version before the site itself."""
    freeze: Freeze | None = None
    """The intervals in which Certroll begins nothing new. None if there are none."""
    restart_window: RestartWindow | None = None
    """The windows in which Certroll may restart sites. None allows a restart at any time."""
    max_restarts: int = 1
    """How many sites of one App Service plan may restart at the same time."""
    delete_superseded: bool = False
    """True if Certroll also deletes superseded certificates that a person other than Certroll uploaded."""
    delete_grace: timedelta = timedelta(days=30)
    """How long Certroll waits before it deletes a superseded certificate."""
    max_deletes: int = 5
    """How many superseded certificates in App Service Certroll deletes in one run for a vault certificate."""
    settings_reread: timedelta = timedelta(hours=24)
    """How old a memory of an app's settings may be. With 0 Certroll reads the settings at each inspection."""
    no_waive: frozenset[str] = frozenset()
    """The compliance rules whose waivers do not count, or `ALL`."""
    order_actions: bool = False
    """True if Certroll may renew and reissue purchased certificates, which costs money."""
    app_service: Principal = field(default_factory=app_service)
    """App Service as a principal, which reads the vaults to import certificates."""
    registration: Principal = field(default_factory=registration)
    """Certificate registration as a principal, which stores purchased certificates in the vaults."""
    ase_max_unavailable: MaxUnavailable | None = None
    """How many apps of an App Service Environment may be down at once, in all and on each plan.

    If it is None, Certroll stops no app.
    """

    def barrier(self, tags: Tags | None, what: str) -> Barrier | None:
        """Return why Certroll only observes a resource, None if Certroll may write to it.

        `tags` are the tags of the resource to which the write belongs, and `what` is its name in messages.
        """
        if self.mode is not Mode.APPLY:
            return OBSERVING
        if self.scope is Scope.TAGGED and not opted_in(tags or ()):
            return Barrier(Reason.NOT_TAGGED, f"tag {what} with certroll: on, or set CERTROLL_SCOPE=all, to let it")
        return None

    def frozen_until(self, now: datetime) -> datetime | None:
        """Return when the freeze ends that lasts at the time `now`, or None if Certroll may begin something new."""
        return self.freeze.until(now) if self.freeze else None

    def owns(self, site: SiteRef) -> bool:
        """Return True if the Function App of Certroll runs on the site, or on the site of the slot.

        If Certroll does not know its own subscription, a site with the Function App's name counts in any subscription.
        """
        return site.name == self.own_site and self.own_subscription in {None, site.subscription}
