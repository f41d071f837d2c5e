"""What Azure shows of a resource: chosen properties of one answer, under Azure's own names, read piece by piece.

A property that is missing, null or of an odd type hides only itself. A reader that needs it meets NotSeen, so that
nothing unread can pass for fine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

Found = TypeVar("Found")


class Source(StrEnum):
    """Where a fact comes from."""

    LIST = "list"
    """The lists of sites, certificates and environments that each inspection of the fleet reads."""
    CONFIG = "config"
    """The configuration of a site or slot (`…/config/web`)."""
    SETTINGS = "settings"
    """The app settings that are about certificates."""
    VAULT = "vault"
    """The vault as a resource of ARM."""
    POLICY = "policy"
    """A vault certificate with its versions and its policy."""
    DNS = "dns"
    """The resolution of a host name."""
    TLS = "tls"
    """A TLS handshake with a host name."""
    PROBE = "probe"
    """A request to an app with a client certificate that no authority issued, made only when a person asks for it."""
    EVENTS = "eventgrid"
    """The event subscriptions of a vault."""
    ROLES = "roles"
    """The role assignments of Certroll's own identity."""
    OWN = "own site"
    """The site on which Certroll runs."""
    JOURNAL = "journal"
    """Certroll's own records."""


class Gap(StrEnum):
    """Why a fact is not there."""

    DENIED = "DeniedByAzure"
    THROTTLED = "Throttled"
    UNREACHABLE = "Unreachable"
    TOO_OLD = "ConfigTooOld"
    NOT_PROBED = "NotProbed"
    NOT_READ = "NotReadYet"
    """No run has read it yet."""
    NOT_SHOWN = "NotShown"
    """Azure's answer lacks the property, or shows null."""
    ODD = "NotUnderstood"
    """The property has another type or form than Azure documents."""


class NotSeen(Exception):
    """A fact that is not there, with the source and the reason."""

    def __init__(self, source: Source, gap: Gap, what: str) -> None:
        """Name the fact that is not there."""
        super().__init__(f"{what}: {gap}")
        self.source, self.gap, self.what = source, gap, what


@dataclass(frozen=True, slots=True)
class Shown:
    """Chosen properties of one answer. A name with dots leads into nested objects."""

    source: Source
    read_at: datetime
    properties: Mapping[str, object] = field(default_factory=dict)
    gap: Gap | None = None
    """Why there is no answer, None if there is one."""
    detail: str = ""
    """What was said instead of the answer, for people."""

    @classmethod
    def missing(cls, source: Source, at: datetime, gap: Gap, detail: str = "") -> "Shown":
        """Return an answer that is not there."""
        return cls(source, at, gap=gap, detail=detail)

    def boolean(self, name: str) -> bool:
        """Return a boolean. Raise NotSeen for anything else."""
        return self._of(name, bool)

    def text(self, name: str) -> str:
        """Return a text, which may be empty. Raise NotSeen for anything else."""
        return self._of(name, str)

    def number(self, name: str) -> int:
        """Return a whole number. Raise NotSeen for anything else."""
        value = self._of(name, int)
        if isinstance(value, bool):
            raise self.unseen(name, Gap.ODD)
        return value

    def moment(self, name: str) -> datetime:
        """Return a time in UTC, which Azure shows in the form of ISO 8601. Raise NotSeen for anything else."""
        text = self.text(name)
        try:
            found = datetime.fromisoformat(text)
            return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            raise self.unseen(name, Gap.ODD) from None

    def optional_text(self, name: str) -> str | None:
        """Return a text, or None where Azure shows null. Raise NotSeen if the property is missing or no text."""
        return None if self.value(name) is None else self.text(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts. Raise NotSeen for anything else, also for a list with one other entry."""
        entries = self._of(name, Sequence)  # type: ignore[type-abstract]
        if isinstance(entries, str) or not all(isinstance(entry, str) for entry in entries):
            raise self.unseen(name, Gap.ODD)
        return tuple(entries)

    def entries(self, name: str) -> tuple["Shown", ...]:
        """Return a list of objects, each to be read in the same way. Raise NotSeen for anything else."""
        entries = self._of(name, Sequence)  # type: ignore[type-abstract]
        if isinstance(entries, str) or not all(isinstance(entry, Mapping) for entry in entries):
            raise self.unseen(name, Gap.ODD)
        return tuple(Shown(self.source, self.read_at, entry) for entry in entries)

    def value(self, name: str) -> object:
        """Return a property as it came, also null. Raise NotSeen if it is missing, or if there is no answer."""
        if self.gap is not None:
            raise NotSeen(self.source, self.gap, self.detail or name)
        found: object = self.properties
        for part in name.split("."):
            if found is None:
                raise self.unseen(name, Gap.NOT_SHOWN)
            if not isinstance(found, Mapping):
                raise self.unseen(name, Gap.ODD)
            if part not in found:
                raise self.unseen(name, Gap.NOT_SHOWN)
            found = found[part]
        return found

    def unseen(self, name: str, gap: Gap) -> NotSeen:
        """Return the error that names a property which is not there."""
        return NotSeen(self.source, gap, name)

    def _of(self, name: str, kind: type[Found]) -> Found:
        value = self.value(name)
        if value is None:
            raise self.unseen(name, Gap.NOT_SHOWN)
        if not isinstance(value, kind):
            raise self.unseen(name, Gap.ODD)
        return value
