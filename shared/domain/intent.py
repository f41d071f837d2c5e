"""What the operators want, from settings."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from shared.domain.fleet.vault_access import Principal, app_service, registration
from shared.domain.names import SiteRef, VaultName
from shared.domain.restart_window import RestartWindow
from shared.domain.rollout.budget import MaxUnavailable


class Mode(StrEnum):
    """Whether plans are carried out."""

    OBSERVE = "observe"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Intent:
    """What the operators want, from settings.

    No `subscriptions` means all that the identity sees. `own_site` is the site that Certroll runs on.
    `probe_settle` is the wait between a change of a site and the first probe that counts. `max_restarts` is how many
    sites of one App Service plan may be restarting at a time; no `restart_window` means at any time.
    `delete_superseded` is about what people uploaded; what Certroll made it deletes, both after `delete_grace`, and
    `max_deletes` of a vault certificate at a time. `order_actions` lets purchased certificates be renewed and reissued,
    which costs money. `ase_max_unavailable` is how many apps of an App Service Environment may be down at once, in all
    and on each plan; without it none is stopped. `app_service` and `registration` are the services of Azure that have
    to get into the vaults.
    """

    vaults: frozenset[VaultName] = frozenset()
    subscriptions: tuple[str, ...] = ()
    mode: Mode = Mode.OBSERVE
    stage_soak: timedelta = timedelta(hours=1)
    own_site: str | None = None
    own_subscription: str | None = None
    probe_settle: timedelta = timedelta(seconds=120)
    slots_first: bool = True
    restart_window: RestartWindow | None = None
    max_restarts: int = 1
    delete_superseded: bool = False
    delete_grace: timedelta = timedelta(days=30)
    max_deletes: int = 5
    order_actions: bool = False
    app_service: Principal = field(default_factory=app_service)
    registration: Principal = field(default_factory=registration)
    ase_max_unavailable: MaxUnavailable | None = None

    def owns(self, site: SiteRef) -> bool:
        """Say whether the site, or the site of the slot, is the one that Certroll itself runs on.

        Where it is not known in which subscription that is, every site of its name counts.
        """
        return site.name == self.own_site and self.own_subscription in {None, site.subscription}
