"""What is written down: history, findings and kept messages. Never a secret."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.reason import Reason


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing done or left undone."""

    at: datetime
    event: str
    subject: str
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should know. `scope` is the vault certificate, vault or queue it belongs to."""

    at: datetime
    scope: str
    subject: str
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that failed for good, kept as it was."""

    key: str
    queue: str
    body: str
    cause: str
