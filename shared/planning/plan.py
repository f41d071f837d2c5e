"""Define actions, steps, skips and plans: values that describe what Certroll would do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
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
    """The run (of a vault certificate, site or app) that performs an action, and the action's place in that run."""

    UPLOAD = auto()
    """The certificate's run uploads first in a webspace. If Azure refuses, Certroll does not rebind there."""
    SHARED = auto()
    """The certificate's run acts webspace by webspace, after it has recorded the sites that follow."""
    BINDING = auto()
    """The site's run writes the bindings that the certificate's run has recorded."""
    APP = auto()
    """The site's run changes one app at a time: the app restarts, and Certroll asks the app's own probe."""
    DELETE = auto()
    """The certificate's run deletes last, after all other actions."""
    ROOT = auto()
    """The certificate's run changes root certificates of App Service Environments before any webspace."""


class View(Enum):
    """The resources in an action's webspace that Certroll must be able to read completely."""

    NONE = auto()
    """Certroll needs to see only the resources that the action itself names."""
    BINDINGS = auto()
    """All bindings, because the action also moves bindings that Certroll cannot read."""
    COPIES = auto()
    """All certificates, because a certificate that Certroll cannot read may be there already."""
    SETTINGS = auto()
    """All certificates, bindings and app settings, because each of them may need the removed version."""


@dataclass(frozen=True, slots=True)
class SettingsWrite:
    """One write of the settings of one app."""

    settings: SiteSettings
    """The settings as the plan saw them."""
    edits: tuple[SettingEdit, ...]
    """The edits that the write makes in the settings."""


class Traits(Protocol):
    """The properties of an action that guards and controllers read, with the values of most actions as defaults.

    An action class inherits the default answers from `Traits`, and overrides the answers that differ for this action.
    Guards and controllers decide by the properties of an action instead of by its Python class.
    """

    __slots__ = ()

    phase: ClassVar[Phase]
    """The run that performs the action. Every action sets this field."""
    is_staged: ClassVar[bool] = True
    """False if all webspaces may get the action at once, because it does not change what visitors are served."""
    protects: ClassVar[bool] = False
    """True if the action saves what works now. No stage, hold or restart window stops such an action."""
    retires: ClassVar[bool] = False
    """True if the action only takes older versions out of a proven app. No other app waits for that app."""
    needs_view: ClassVar[View] = View.NONE
    """What Certroll must see completely in the webspace. Otherwise a guard refuses the action."""

    @property
    def restarts_site(self) -> bool:
        """True if the action makes App Service restart the app.

        Except for a restore, an action that restarts an app needs room under the restart limits and an open window.
        """
        return self.phase is Phase.APP

    @property
    def is_visible(self) -> bool:
        """True if a later read of Azure shows whether Azure carried out the action. No read shows a restart."""
        return True

    @property
    def owner(self) -> SiteRef | None:
        """The only site that has the certificate, None if the webspace shares it or the action is on a site."""
        return None

    @property
    def replaces(self) -> WebspaceCertificate | None:
        """The imported certificate that the action replaces in place, so that App Service moves all its bindings."""
        return None

    @property
    def binds(self) -> Binding | None:
        """The TLS binding that the action writes, as Certroll saw the binding before it planned.

        Each action of phase BINDING has a binding.
        """
        return None

    @property
    def rebinds(self) -> bool:
        """True if the action writes the binding even if the binding already shows the version."""
        return False

    @property
    def settings_write(self) -> SettingsWrite | None:
        """The write of app settings that the action makes, None if the action writes no settings."""
        return None

    @property
    def deletes_copy(self) -> WebspaceCertificate | None:
        """The certificate of App Service that the action deletes, None if the action deletes none."""
        return None

    @property
    def deletes_root(self) -> RootCertificate | None:
        """The root certificate that the action deletes from an environment, None if the action deletes none."""
        return None

    def preflight(self, _: Ports) -> bool:
        """Return True without a read, because only Azure's answer to the write shows whether Azure allows it."""
        return True

    def without_roots(self) -> Self:
        """Return the action without its edits of root lists.

        This method returns the action unchanged if all its edits change root lists (WEBSITE_LOAD_ROOT_CERTIFICATES).
        """
        return self

    def without_rebinding(self) -> Self | None:
        """Return the action without its rebinding, or None if the action would then write nothing."""
        return self


class Action(Traits, Protocol):
    """One change to Azure, as a value that Certroll can show, project onto a snapshot and perform."""

    __slots__ = ()

    @property
    def subject(self) -> str:
        """The name of the resource that the action changes, as text for operators."""

    @property
    def webspace(self) -> Webspace | None:
        """The webspace whose traffic the action touches, None if the action touches no traffic."""

    @property
    def site(self) -> SiteRef | None:
        """The site that the action touches, None if the action touches the webspace as a whole."""

    @property
    def writes(self) -> frozenset[Thumbprint]:
        """The thumbprints that the action writes, each of a certificate that the webspace holds."""

    def cases(self, current: CertificateVersion, snapshot: Snapshot) -> tuple[Case, ...]:
        """Return the requirements that the current version must meet, empty if the action is about an older version."""

    def project(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot of what Azure will show after the action. This method is pure."""

    def preflight(self, ports: Ports) -> bool:
        """Read what Certroll checks before the write, and return False if Azure shows that no write is needed.

        This method writes nothing. It raises the error that `perform` would raise before its write.
        """

    def perform(self, ports: Ports) -> bool:
        """Read Azure, compare Azure's state with the plan, write once if still needed, and return True after a write.

        Raises Conflict if Azure's state differs from the state that the plan saw.
        """


@dataclass(frozen=True, slots=True)
class Step:
    """An action that Certroll should perform, with the reason for it."""

    action: Action
    reason: Reason

    @property
    def subject(self) -> str:
        """The name of the resource that the step changes, as text for operators."""
        return self.action.subject

    def without_rebinding(self) -> "Step | None":
        """Return the step without the second write of the same thumbprint, None if no other write is left."""
        left = self.action.without_rebinding()
        return replace(self, action=left) if left is not None else None


@dataclass(frozen=True, slots=True)
class Skip:
    """A possible change in Azure that Certroll does not make, with the reason."""

    subject: str
    """The name of the unchanged resource, as text for operators."""
    reason: Reason
    detail: str
    """The circumstances and the next step, as text for operators."""
    site: SiteRef | None = None
    """The site that the change would touch, None if it would touch no single site."""
    step: Step | None = field(default=None, compare=False, repr=False)
    """The step that a guard refused, None if no action proposed a step."""


@dataclass(frozen=True, slots=True)
class Would:
    """A step that every guard allows, and that Certroll does not perform because of its settings or tags."""

    step: Step
    why: Reason
    """Why Certroll does not perform the step."""
    remedy: str
    """What lets Certroll perform the step, as text for operators."""
    waits: Skip | None = None
    """What the step would still wait for after the remedy, None if Certroll would perform it at once."""

    @property
    def skip(self) -> Skip:
        """The step as a change that Certroll does not make."""
        later = f"; afterwards the step waits: {self.waits.detail}" if self.waits else ""
        detail = f"Certroll would do this ({self.step.reason}): {self.remedy}{later}"
        return Skip(self.step.subject, self.why, detail, self.step.action.site, self.step)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps to perform, in order, and the changes that Certroll does not make."""

    steps: tuple[Step, ...] = ()
    skips: tuple[Skip, ...] = ()
    would: tuple[Would, ...] = ()
    """The steps that Certroll would perform with other settings or tags, in order."""

    @property
    def not_done(self) -> tuple[Skip, ...]:
        """All changes that Certroll does not make: the refused steps, and the steps that it only would perform."""
        return (*self.skips, *(would.skip for would in self.would))

    def refuse(self, refusal: "Callable[[Step], Skip | None]") -> "Plan":
        """Return the plan with each refused step replaced by the skip that `refusal` returns for that step."""
        judged = [(step, refusal(step)) for step in self.steps]
        refused = [replace(skip, step=step) for step, skip in judged if skip is not None]
        if not refused:
            return self
        kept = tuple(step for step, skip in judged if skip is None)
        return replace(self, steps=kept, skips=(*self.skips, *refused))

    def of(self, site: SiteRef) -> "Plan":
        """Return the part of the plan that is about one site or slot."""
        return Plan(
            tuple(step for step in self.steps if step.action.site == site),
            tuple(skip for skip in self.skips if skip.site == site),
            tuple(would for would in self.would if would.step.action.site == site),
        )


Propose = Callable[[Snapshot, Intent], Iterable[Step | Skip]]
"""A proposal of an action: it reads a snapshot and yields the steps that this action should take."""
Guard = Callable[[Plan, Snapshot, Intent], Plan]
"""A guard: it returns the plan with each step that it refuses replaced by a skip."""
