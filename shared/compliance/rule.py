"""A compliance rule: what it is about, why it matters, by which source, and the function that judges one subject."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from shared.compliance.facts import Facts
from shared.domain.shown import Shown, Source
from shared.domain.tags import Tags

Value = str | int | bool | None | tuple[str, ...]
"""A value in evidence: never a secret, never the value of an app setting."""


class Severity(StrEnum):
    """How bad a finding of a rule is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Status(StrEnum):
    """What a rule says of a subject."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    WAIVED = "waived"
    NOT_APPLICABLE = "not_applicable"
    NOT_EFFECTIVE = "not_effective"
    """The rule applies to certificates of later or earlier dates."""
    NOT_CHECKED = "not_checked"
    """A fact that the rule needs is not there."""
    ERROR = "error"
    """The rule itself failed."""


class Area(StrEnum):
    """The part of the fleet that a rule is about, by the hundreds of the rule's number."""

    CERTIFICATES = "certificates"
    BINDINGS = "bindings and names"
    TLS = "TLS"
    CLIENT_CERTIFICATES = "client certificates"
    SETTINGS = "app settings"
    VAULTS = "vaults"
    EVENTS = "events"
    ROOTS = "roots of environments"
    CERTROLL = "Certroll itself"


class Fix(StrEnum):
    """Who mends a finding."""

    ROTATION = "rotation"
    """Certroll mends it with the next renewal or sweep."""
    REQUEST = "request"
    """Certroll mends it if a person asks for it."""
    COMMAND = "command"
    """A person runs the command that the finding shows."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Citation:
    """The source of a rule."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact on which a verdict rests."""

    field: str
    value: Value
    expected: Value
    read_at: datetime
    source: Source


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of one subject."""

    status: Status
    detail: str = ""
    evidence: tuple[Evidence, ...] = ()
    severity: Severity | None = None
    """The severity of this finding, None for the severity of the rule."""
    remedy: str = ""
    """The command or the step that mends this finding, empty for the remedy of the rule."""


class Subject(Protocol):
    """What a rule judges: a site, a host name, a certificate, a vault."""

    @property
    def key(self) -> str:
        """The stable name in lower case: the resource id, or vault/name, with what tells several apart after `#`."""

    @property
    def label(self) -> str:
        """The name for people."""

    @property
    def waiver_tags(self) -> Tags:
        """The tags in which the owner may waive rules for the subject."""


About = TypeVar("About", bound=Subject)


@dataclass(frozen=True, slots=True)
class Example:
    """A world as data, and what the rule says of it. docs/reference/compliance.md prints a finding of each rule."""

    title: str
    """What the example shows, in one sentence."""
    world: Mapping[str, object]
    """What differs from a world in good order (tests/unit/compliance/worlds.py), in the words of Azure's answers."""
    status: Status
    severity: Severity | None = None
    """The severity of the finding, None if it is that of the rule."""
    subject: str = ""
    """The label of the subject, empty if the rule judges all subjects of the example alike."""


@dataclass(frozen=True, slots=True)
class Rule(Generic[About]):
    """One compliance rule. The id stays for ever, and no later rule takes it."""

    id: str
    """`CRT` and three digits."""
    name: str
    """The name in one word, as `HttpsOnlyOff`."""
    title: str
    """What a finding says, in one sentence."""
    why: str
    """What goes wrong for whom if nobody mends it."""
    area: Area
    severity: Severity
    citations: tuple[Citation, ...]
    needs: frozenset[Source]
    """The sources of the facts that the rule reads."""
    about: Callable[[Facts], Iterable[About]]
    """The subjects of the rule."""
    check: Callable[[About, Facts], Verdict]
    """The judgement of one subject, a pure function. A fact that is not there raises NotSeen."""
    fix: Fix
    remedy: str
    """How to mend a finding. `{name}`, `{group}`, `{subscription}` and `{host}` stand for the subject's own."""
    silent: str
    """When the rule finds nothing although it might look so."""
    examples: tuple[Example, ...]


AnyRule = Rule[Any]
"""A rule about any kind of subject."""


def passed(*evidence: Evidence) -> Verdict:
    """Return the verdict that the subject is in order."""
    return Verdict(Status.PASS, evidence=evidence)


def failed(detail: str, *evidence: Evidence, severity: Severity | None = None, remedy: str = "") -> Verdict:
    """Return a finding with its evidence."""
    return Verdict(Status.FAIL, detail, evidence, severity, remedy)


def not_applicable(detail: str) -> Verdict:
    """Return the verdict that the rule says nothing of the subject, with the reason."""
    return Verdict(Status.NOT_APPLICABLE, detail)


def not_effective(detail: str) -> Verdict:
    """Return the verdict that the dates of the subject lie outside those of the rule."""
    return Verdict(Status.NOT_EFFECTIVE, detail)


def evidence(shown: Shown, name: str, expected: Value) -> Evidence:
    """Return the evidence of a property of Azure's answer. Raise NotSeen if the answer lacks the property."""
    value = shown.value(name)
    if isinstance(value, (list, tuple)):
        value = tuple(map(str, value))
    return Evidence(
        name, value if isinstance(value, (str, int, tuple)) else None, expected, shown.read_at, shown.source
    )
