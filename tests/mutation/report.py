"""What a run of mutants is summed up to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.mutation.mutants import Mutant
from tests.mutation.pool import Result

BAR = 0.02
"""Unexplained survivors of all mutants, at most."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant with what became of it, and why it may survive, empty where nobody said it."""

    mutant: Mutant
    result: Result
    reason: str = ""

    @property
    def unexplained(self) -> bool:
        """Whether it survived and nobody said why."""
        return self.result.survived and not self.reason


def judged(mutants: Iterable[Mutant], results: Mapping[str, Result], reasons: Mapping[str, str]) -> tuple[Judged, ...]:
    """Return the mutants with what became of them."""
    return tuple(Judged(mutant, results[mutant.key], reasons.get(mutant.key, "")) for mutant in mutants)


def table(found: Sequence[Judged]) -> str:
    """Return a row for each module and one for all: mutants, noticed, survived, explained, unexplained."""
    modules = sorted({one.mutant.module for one in found})
    rows = [(module, _counts([one for one in found if one.mutant.module == module])) for module in modules]
    rows.append(("all", _counts(found)))
    head = f"{'':44}{'mutants':>9}{'killed':>9}{'survived':>10}{'explained':>11}{'unexplained':>13}"
    return "\n".join([head, *(f"{name:44}{a:>9}{b:>9}{c:>10}{d:>11}{e:>13}" for name, (a, b, c, d, e) in rows)])


def passes(found: Sequence[Judged]) -> bool:
    """Return True if no more than the bar survived without a reason."""
    return sum(one.unexplained for one in found) <= BAR * len(found)


def verdict(found: Sequence[Judged]) -> str:
    """Return the two numbers and whether they are good enough."""
    left = sum(one.unexplained for one in found)
    share = left / len(found) if found else 0.0
    state = "at most" if passes(found) else "OVER"
    return f"{left} unexplained survivors of {len(found)} mutants: {share:.1%}, {state} {BAR:.0%}"


def _counts(found: Sequence[Judged]) -> tuple[int, int, int, int, int]:
    survived = sum(one.result.survived for one in found)
    left = sum(one.unexplained for one in found)
    return len(found), len(found) - survived, survived, survived - left, left
