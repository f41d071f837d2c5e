"""Intent, steps, skips and the plan: what Certroll would do, as a value.

Every step and every refusal carries a reason of one documented vocabulary.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol

from shared.domain.names import SiteRef, VaultName, Webspace

if TYPE_CHECKING:
    from shared.domain.ports import Ports
    from shared.domain.snapshot import Snapshot


class Reason(StrEnum):
    """Why something is done, not done, or reported. Each is explained in docs/reasons.md."""

    # a step
    STALE_COPY = "StaleCopy"
    STALE_THUMBPRINT = "StaleThumbprint"
    # a step refused, by a guard or by the proposal itself
    OBSERVE_ONLY = "ObserveOnly"
    OPTED_OUT = "OptedOut"
    OWN_SITE = "OwnSite"
    INCOMPLETE_VIEW = "IncompleteView"
    NOT_COVERED = "NotCovered"
    KEY_NOT_IMPORTABLE = "KeyNotImportable"
    KEY_TOO_SMALL = "KeyTooSmall"
    NEWEST_REFUSED = "NewestRefused"
    NOT_LIVE = "NotLive"
    NO_PLAN_IN_WEBSPACE = "NoPlanInWebspace"
    AWAITING_FIRST_STAGE = "AwaitingFirstStage"
    VERSION_HELD = "VersionHeld"
    # a version refused: the version half of the gate
    VERSION_DISABLED = "VersionDisabled"
    KEY_NOT_EXPORTABLE = "KeyNotExportable"
    NOT_PKCS12 = "NotPkcs12"
    EXPIRED = "Expired"
    NEWLY_SELF_SIGNED = "NewlySelfSigned"
    NOT_YET_VALID = "NotYetValid"
    # an outcome, a finding or a record
    NOTHING_STALE = "NothingStale"
    ROLLED_OUT = "RolledOut"
    DISPATCHED = "Dispatched"
    NOT_DISPATCHED = "NotDispatched"
    BUSY = "Busy"
    OUT_OF_TIME = "OutOfTime"
    NO_SUCH_CERTIFICATE = "NoSuchCertificate"
    NO_SUCH_SITE = "NoSuchSite"
    VAULT_DENIED = "VaultDenied"
    BLIND_SPOT = "BlindSpot"
    REJECTED_BY_AZURE = "RejectedByAzure"
    DENIED_BY_AZURE = "DeniedByAzure"
    SERVED_ANOTHER = "ServedAnother"
    UNREACHABLE = "Unreachable"
    SERVED = "Served"
    BINDING_MOVED = "BindingMoved"
    DUPLICATE_IMPORT = "DuplicateImport"
    TAGS_INHERITED = "TagsInherited"
    NEAR_EXPIRY = "NearExpiry"
    UNKNOWN_VAULT = "UnknownVault"
    UNKNOWN_EVENT = "UnknownEvent"
    MALFORMED_EVENT = "MalformedEvent"
    MALFORMED_MESSAGE = "MalformedMessage"
    POISONED = "Poisoned"


NEEDS_A_PERSON = frozenset(
    {
        Reason.INCOMPLETE_VIEW,
        Reason.NOT_COVERED,
        Reason.KEY_NOT_IMPORTABLE,
        Reason.KEY_TOO_SMALL,
        Reason.NEWEST_REFUSED,
        Reason.NOT_LIVE,
        Reason.NO_PLAN_IN_WEBSPACE,
        Reason.VERSION_HELD,
        Reason.REJECTED_BY_AZURE,
        Reason.DENIED_BY_AZURE,
    }
)


class Mode(StrEnum):
    """Whether plans are carried out."""

    OBSERVE = "observe"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class Intent:
    """What the operators want, from settings.

    No `subscriptions` means all that the identity sees. `own_site` is the site that Certroll runs on.
    """

    vaults: frozenset[VaultName] = frozenset()
    subscriptions: tuple[str, ...] = ()
    mode: Mode = Mode.OBSERVE
    stage_soak: timedelta = timedelta(hours=1)
    own_site: str | None = None
    own_subscription: str | None = None

    def owns(self, site: SiteRef) -> bool:
        """Say whether the site, or the site of the slot, is the one that Certroll itself runs on."""
        return site.name == self.own_site and site.subscription == self.own_subscription


class Action(Protocol):
    """One change to Azure: a value that can be shown, projected and carried out."""

    restarts_site: ClassVar[bool]

    @property
    def subject(self) -> str:
        """The thing that changes, for people."""

    @property
    def webspace(self) -> Webspace:
        """The webspace whose traffic it touches."""

    @property
    def site(self) -> SiteRef | None:
        """The one site that it touches, None where it is of the webspace as a whole."""

    def project(self, snapshot: "Snapshot") -> "Snapshot":
        """Return what Azure will look like afterwards. Pure."""

    def perform(self, ports: "Ports") -> bool:
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


Propose = Callable[["Snapshot", Intent], Iterable[Step | Skip]]
Guard = Callable[[Plan, "Snapshot", Intent], Plan]
