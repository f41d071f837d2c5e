"""Intent, steps, skips and the plan: what Certroll would do, as a value."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Protocol

from shared.domain.names import SiteRef, Thumbprint, VaultName, Webspace
from shared.domain.ports import Ports
from shared.domain.reason import Reason
from shared.domain.snapshot import Snapshot
from shared.domain.vault_access import Principal, app_service, registration
from shared.domain.waves import MostDown
from shared.domain.window import RestartWindow


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
    ase_max_unavailable: MostDown | None = None

    def owns(self, site: SiteRef) -> bool:
        """Say whether the site, or the site of the slot, is the one that Certroll itself runs on.

        Where it is not known in which subscription that is, every site of its name counts.
        """
        return site.name == self.own_site and self.own_subscription in {None, site.subscription}


class Action(Protocol):
    """One change to Azure: a value that can be shown, projected and carried out."""

    restarts_site: ClassVar[bool]

    @property
    def subject(self) -> str:
        """The thing that changes, for people."""

    @property
    def webspace(self) -> Webspace | None:
        """The webspace whose traffic it touches, None where it touches none."""

    @property
    def site(self) -> SiteRef | None:
        """The one site that it touches, None where it is of the webspace as a whole."""

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """The thumbprints that it writes somewhere, which have to be live certificates of the webspace."""

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return what Azure will look like afterwards. Pure."""

    def perform(self, ports: Ports) -> bool:
        """Read again, compare, write once where it is still needed; True where something was written.

        Raises Conflict where what is there is not what was planned against.
        """


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do."""

    action: Action
    reason: Reason

    @property
    def subject(self) -> str:
        """The thing that changes, for people."""
        return self.action.subject


@dataclass(frozen=True, slots=True)
class Skip:
    """Something not done, and why."""

    subject: str
    reason: Reason
    detail: str
    site: SiteRef | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do in order, and what is left undone."""

    steps: tuple[Step, ...] = ()
    skips: tuple[Skip, ...] = ()

    def refuse(self, refusal: "Callable[[Step], Skip | None]") -> "Plan":
        """Return the plan with every step for which a skip is given replaced by it."""
        judged = [(step, refusal(step)) for step in self.steps]
        return Plan(
            tuple(step for step, skip in judged if skip is None),
            (*self.skips, *(skip for _, skip in judged if skip is not None)),
        )


Propose = Callable[[Snapshot, Intent], Iterable[Step | Skip]]
Guard = Callable[[Plan, Snapshot, Intent], Plan]
