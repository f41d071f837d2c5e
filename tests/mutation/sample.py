"""Choose the mutants that a run tries: a seeded sample over all modules."""

from collections.abc import Iterable
from hashlib import sha256
from math import ceil

from tests.mutation.mutants import Mutant

LEAST = 3
"""The least number of mutants from each module, however small the module is."""


def sample(mutants: Iterable[Mutant], count: int, seed: int) -> tuple[Mutant, ...]:
    """Return about `count` mutants in a random order, with a fair share from each module.

    The place of a mutant in the random order depends only on the seed and the mutant's key. The random sample of
    mutants stays the same if code moves to another place.
    """

    def place(mutant: Mutant) -> bytes:
        return sha256(f"{seed} {mutant.key}".encode()).digest()

    by_module: dict[str, list[Mutant]] = {}
    for mutant in sorted(mutants, key=place):
        by_module.setdefault(mutant.module, []).append(mutant)
    total = sum(map(len, by_module.values()))
    chosen = (held[: max(LEAST, ceil(count * len(held) / total))] for held in by_module.values() if total)
    return tuple(sorted((mutant for held in chosen for mutant in held), key=place))
