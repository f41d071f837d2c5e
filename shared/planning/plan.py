"""Intent, steps, skips and the plan: what Certroll would do, as a value."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import ClassVar, Protocol, Self

from shared.domain.certificates.requirements import Case
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.app_settings import SettingEdit, SiteSettings
from shared.domain.fleet.bindings import Binding
from shared.domain.fleet.copies import RootCertificate, WebspaceCertificate
from shared.domain.intent import Intent
from shared.domain.names import SiteRef, Thumbprint, Webspace
from shared.domain.reason import Reason
from shared.domain.snapshot.snapshot import Snapshot
from shared.ports import Ports


class Phase(Enum):
    """Which run performs an action, and when."""

    UPLOAD = auto()
    """The certificate's run, first in a webspace. If Azure refuses the upload, no binding there is written again."""
    SHARED = auto()
    """The certificate's run, webspace by webspace, after it has recorded the sites that follow."""
    BINDING = auto()
    """The site's run, for the bindings that the certificate's run has recorded."""
    APP = auto()
    """The site's run, one app at a time: the app restarts and its own probe is asked."""
    DELETE = auto()
    """The certificate's run, after everything else."""
    ROOT = auto()
    """The certificate's run, before any webspace: root certificates of App Service Environments."""


class View(Enum):
    """What Certroll must see completely in the webspace of an action."""

    NONE = auto()
    """Nothing but what the action itself names."""
    BINDINGS = auto()
    """All bindings, because the action moves those that Certroll does not see."""
    COPIES = auto()
    """All certificates, because one that Certroll does not see may be there already."""
    SETTINGS = auto()
    """All certificates, bindings and app settings, because any of them may need what the action takes away."""


@dataclass(frozen=True, slots=True)
class SettingsWrite:
    """The settings of one app as the plan saw them, and the edits that one write makes in them."""

    settings: SiteSettings
    edits: tuple[SettingEdit, ...]


class Traits(Protocol):
    """What guards and controllers ask of an action, each with the answer that most actions give.

    An action inherits from this class and overrides what differs. Nobody asks an action for its class.
    """

    __slots__ = ()

    phase: ClassVar[Phase]
    """Which run performs the action, and when. Every action says it."""
    is_staged: ClassVar[bool] = True
    """False if no webspace has to go first: the action changes nothing that is served and unproven."""
    protects: ClassVar[bool] = False
    """True if the action saves what works now. No stage, hold or restart window stops it; what follows waits for it."""
    retires: ClassVar[bool] = False
    """True if the action only takes older versions out of an app that is proven: no other app waits for that app."""
    needs_view: ClassVar[View] = View.NONE
    """What Certroll must see completely in the webspace, or the action is refused."""

    @property
    def restarts_site(self) -> bool:
        """Whether the action restarts the app, so that it needs a claim, a window and the app's own probe."""
        return self.phase is Phase.APP

    @property
    def owner(self) -> SiteRef | None:
        """The site that alone has the certificate, if the action itself is on no site."""
        return None

    @property
    def replaces(self) -> WebspaceCertificate | None:
        """The copy that the action replaces in place. App Service moves all bindings of the copy with it."""
        return None

    @property
    def binds(self) -> Binding | None:
        """The binding that the action writes, as the plan saw it. Every action of phase BINDING has one."""
        return None

    @property
    def rebinds(self) -> bool:
        """Whether the action writes the binding even if the binding shows the version already."""
        return False

    @property
    def settings_write(self) -> SettingsWrite | None:
        """The app settings that the action writes."""
        return None

    @property
    def deletes_copy(self) -> WebspaceCertificate | None:
        """The certificate of App Service that the action deletes."""
        return None

    @property
    def deletes_root(self) -> RootCertificate | None:
        """The root certificate of an App Service Environment that the action deletes."""
        return None

    def without_roots(self) -> Self:
        """Return the action without its edits of root lists; unchanged if it would then do nothing."""
        return self

    def without_rebinding(self) -> Self | None:
        """Return the action without what `rebinds` adds to it, None if it would then do nothing."""
        return self


class Action(Traits, Protocol):
    """One change to Azure: a value that can be shown, projected and carried out."""

    __slots__ = ()

    @property
    def subject(self) -> str:
        """The thing that changes, for people."""

    @property
    def webspace(self) -> Webspace | None:
        """The webspace whose traffic the action touches, None if it touches none."""

    @property
    def site(self) -> SiteRef | None:
        """The one site that the action touches, None if it is of the webspace as a whole."""

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """The thumbprints that the action writes somewhere. They have to be live certificates of the webspace."""

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return what the current version must be good for; empty if the action is about an older version."""

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return what Azure will look like afterwards. Pure."""

    def perform(self, ports: Ports) -> bool:
        """Read again, compare, and write once if the write is still needed. Return True if something was written.

        Raises Conflict if Azure holds something else than the plan saw.
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

    def without_rebinding(self) -> "Step | None":
        """Return the step with its action `without_rebinding`, None if nothing is left to do."""
        left = self.action.without_rebinding()
        return replace(self, action=left) if left is not None else None


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
