"""Sum up a run of mutants: counts for each module, and the verdict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.mutation.mutants import Mutant
from tests.mutation.pool import Result

BAR = 0.02
"""The largest share of mutants that may survive unexplained."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant with its outcome, and the reason why the mutant may survive.

    The reason is empty if the file of survivors does not explain the mutant.
    """

    mutant: Mutant
    result: Result
    reason: str = ""

    @property
    def unexplained(self) -> bool:
        """True if the mutant survived and the file of survivors has no reason for the mutant."""
        return self.result.survived and not self.reason


def judged(mutants: Iterable[Mutant], results: Mapping[str, Result], reasons: Mapping[str, str]) -> tuple[Judged, ...]:
    """Return each mutant with its outcome, and with the reason why the mutant may survive."""
    return tuple(Judged(mutant, results[mutant.key], reasons.get(mutant.key, "")) for mutant in mutants)


def table(found: Sequence[Judged]) -> str:
    """Return a table with a row for each module and a row for all modules.

    A row of the table counts mutants: all, noticed, survived, explained, unexplained.
    """
    modules = sorted({judgement.mutant.module for judgement in found})
    rows = [
        (module, _counts([judgement for judgement in found if judgement.mutant.module == module])) for module in modules
    ]
    rows.append(("all", _counts(found)))
    head = f"{'':44}{'mutants':>9}{'killed':>9}{'survived':>10}{'explained':>11}{'unexplained':>13}"
    return "\n".join([head, *(f"{name:44}{a:>9}{b:>9}{c:>10}{d:>11}{e:>13}" for name, (a, b, c, d, e) in rows)])


def passes(found: Sequence[Judged]) -> bool:
    """Return True if the share of unexplained survivors is at most BAR."""
    return sum(judgement.unexplained for judgement in found) <= BAR * len(found)


def verdict(found: Sequence[Judged]) -> str:
    """Return a line with the share of unexplained survivors, compared with BAR."""
    left = sum(judgement.unexplained for judgement in found)
    share = left / len(found) if found else 0.0
    state = "at most" if passes(found) else "OVER"
    return f"{left} unexplained survivors of {len(found)} mutants: {share:.1%}, {state} {BAR:.0%}"


def _counts(found: Sequence[Judged]) -> tuple[int, int, int, int, int]:
    survived = sum(judgement.result.survived for judgement in found)
    left = sum(judgement.unexplained for judgement in found)
    return len(found), len(found) - survived, survived, survived - left, left
