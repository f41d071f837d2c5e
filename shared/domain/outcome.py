"""How a run ended, as a value. Anything else is an exception: try again."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.reason import Reason


@dataclass(frozen=True, slots=True)
class Converged:
    """Nothing is left to do."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Come back at `until`. After `progress` the waits are counted anew."""

    until: datetime
    reason: Reason
    detail: str = ""
    progress: bool = False


@dataclass(frozen=True, slots=True)
class Stalled:
    """A person must act."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """Given back to the certificate's own run, which alone decides what may go."""

    reason: Reason
    detail: str


Outcome = Converged | Waiting | Stalled | Deferred
