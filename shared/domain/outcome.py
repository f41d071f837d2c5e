"""The outcomes with which a run of Certroll can end.

If a run of Certroll for a message ends with an exception, the queue usually delivers the message again.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.reason import Reason


@dataclass(frozen=True, slots=True)
class Converged:
    """The run of Certroll has nothing left to do."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run of Certroll has to wait, and goes on at a later time."""

    until: datetime
    """The time at which the run goes on."""
    reason: Reason
    detail: str = ""
    progress: bool = False
    """True if the run made progress, so that the count of waits begins at zero."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """The run of Certroll ended, and Certroll cannot go on until an operator acts."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """The run for a site hands the work back to the run for the vault certificate.

    Only the run for the vault certificate decides which sites may restart now.
    """

    reason: Reason
    detail: str


Outcome = Converged | Waiting | Stalled | Deferred
