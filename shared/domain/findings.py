"""The entries of the journal for operators: history, findings (reported problems) and dead letters.

An entry for operators contains no private key and no password.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.names import SiteRef, Webspace
from shared.domain.reason import Reason
from shared.domain.writes import AzureWrite


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One action that Certroll took or skipped, as an entry of the history."""

    at: datetime
    event: str
    subject: str
    reason: Reason
    detail: str = ""
    writes: tuple[AzureWrite, ...] = ()
    """The requests that the action sent to Azure, in order."""


class SeenBy(StrEnum):
    """The part of Certroll's work that sees a finding again as long as its cause lasts."""

    INSPECTION = "inspection"
    """Each complete inspection of the finding's scope."""
    WRITE = "write"
    """Only an attempt to write the subject."""
    SITE = "site"
    """Only a run that binds and proves the site."""
    APP = "app"
    """Only a run that rolls the app's settings."""
    VERSION = "version"
    """Only the next version: Key Vault reports an event once, and an upload shows its chain once."""
    START = "start"
    """Only the timer that completes pending starts."""
    ROOT = "root"
    """Only the run that first finds a root in an environment."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem or a fact that Certroll reports to operators."""

    at: datetime
    scope: str
    """The vault certificate, vault or queue that the finding belongs to."""
    subject: str
    reason: Reason
    detail: str
    seen_by: SeenBy = SeenBy.INSPECTION
    """What sees the finding again as long as its cause lasts."""
    site: SiteRef | None = None
    """The only site or slot that the finding is about, None if it is about something else."""
    webspace: Webspace | None = None
    """The webspace that Certroll must see completely to see the finding again, None if it must see everything."""


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """A finding whose cause lasts, as the journal knows it."""

    subject: str
    reason: str
    seen_by: SeenBy
    site: SiteRef | None
    webspace: Webspace | None
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A queue message that failed for good, with the unchanged body."""

    key: str
    queue: str
    body: str
    cause: str
