"""The entries of the journal for operators: history, findings (reported problems) and dead letters.

An entry for operators contains no private key and no password.
"""

from dataclasses import dataclass
from datetime import datetime

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


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem or a fact that Certroll reports to operators."""

    at: datetime
    scope: str
    """The vault certificate, vault or queue that the finding belongs to."""
    subject: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A queue message that failed for good, with the unchanged body."""

    key: str
    queue: str
    body: str
    cause: str
