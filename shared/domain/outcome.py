"""The ways in which a run can end. A run that ends with an exception is repeated."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.reason import Reason


@dataclass(frozen=True, slots=True)
class Converged:
    """The run has nothing left to do."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The run has to wait, and goes on at a later time."""

    until: datetime
    """The time at which the run goes on."""
    reason: Reason
    detail: str = ""
    progress: bool = False
    """True if the run made progress, so that the count of waits begins at zero."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """The run stands still until a person acts."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """The run of a site hands the work back to the run of the certificate.

    Only the run of the certificate decides which sites are admitted.
    """

    reason: Reason
    detail: str


Outcome = Converged | Waiting | Stalled | Deferred
