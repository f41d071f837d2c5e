"""What a reason means: where operators meet it, how severe it is, and how the run of Certroll continues."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self


class Shows(StrEnum):
    """Where operators meet a reason, in the words of the documentation."""

    STEP = "step"
    REFUSAL = "refusal"
    WOULD = "step that Certroll would perform"
    VERSION_REFUSAL = "refusal of a version"
    CONVERGED = "outcome (`Converged`)"
    WAITING = "outcome (`Waiting`)"
    DEFERRED = "outcome (`Deferred`)"
    STALLED = "outcome (`Stalled`)"
    FINDING = "finding"
    HISTORY = "history"
    EVENT = "log"
    DEAD_LETTER = "dead letter"


class Severity(StrEnum):
    """How much a reason matters to the operators of Certroll."""

    INFO = "info"
    """Nobody has to act because of the reason."""
    LOW = "low"
    """An operator should act some day, and no renewal is late."""
    MEDIUM = "medium"
    """An operator must act before Certroll can renew a certificate or see a resource."""
    HIGH = "high"
    """A renewal stands still, or a site shows the wrong certificate."""
    CRITICAL = "critical"
    """An app is down or broken, or will be down if no operator acts."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a reason means for operators, and for the run of Certroll that meets the reason."""

    shows: tuple[Shows, ...]
    """Where people meet the reason."""
    severity: Severity = Severity.INFO
    """How much the reason matters to the operators."""
    stalls: bool = False
    """True if a refusal with the reason, or a problem of an order, makes the outcome `Stalled`."""
    awaits_turn: bool = False
    """True if Certroll does the step later, after other sites, slots, webspaces or waves of apps."""
    allows_roll: bool = False
    """True if Certroll may update the settings of an app in spite of a refusal with the reason."""
    once: bool = False
    """True if a finding with the reason is about one event or message, which nobody can inspect again."""
    is_no_lineage: bool = False
    """True if the vault secret is not a certificate of its own.

    Most secrets are passwords, so a run skips such a secret silently.
    """

    def but(self, **changes: object) -> Self:
        """Return the traits of a reason with the given changes."""
        return replace(self, **changes)  # type: ignore[arg-type]  # a change may have the type of any field


STEP = Traits((Shows.STEP,))
CONVERGED = Traits((Shows.CONVERGED,))
WAITING = Traits((Shows.WAITING,))
HISTORY = Traits((Shows.HISTORY,))
FINDING = Traits((Shows.FINDING,))
DEAD_LETTER = Traits((Shows.DEAD_LETTER,), Severity.HIGH)
BLOCKS = Traits((Shows.REFUSAL, Shows.STALLED, Shows.FINDING), Severity.HIGH, stalls=True)
REFUSED = Traits((Shows.REFUSAL, Shows.FINDING), Severity.MEDIUM)
REFUSED_FOR_INFO = Traits((Shows.REFUSAL, Shows.FINDING))
AWAITS_TURN = Traits((Shows.REFUSAL, Shows.WAITING), awaits_turn=True)
NOT_DELETED = Traits((Shows.REFUSAL,))
STALLED = Traits((Shows.STALLED, Shows.FINDING), Severity.HIGH)
BAD_VERSION = Traits((Shows.VERSION_REFUSAL, Shows.STALLED, Shows.FINDING), Severity.HIGH)
PREREQUISITE = Traits((Shows.FINDING,), Severity.MEDIUM, stalls=True)
ORDER = Traits((Shows.STALLED, Shows.FINDING), Severity.HIGH, stalls=True)
