"""Which mutants a run tries: a seeded sample over all modules."""

from collections.abc import Iterable
from hashlib import sha256
from math import ceil

from tests.mutation.mutants import Mutant

LEAST = 3
"""So many of each module, however small it is."""


def sample(mutants: Iterable[Mutant], count: int, seed: int) -> tuple[Mutant, ...]:
    """Return about as many mutants, of each module its share, in an order that is as good as random.

    A mutant's place is made of the seed and its key, so that the sample stays the same where code moves.
    """

    def place(mutant: Mutant) -> bytes:
        return sha256(f"{seed} {mutant.key}".encode()).digest()

    by_module: dict[str, list[Mutant]] = {}
    for mutant in sorted(mutants, key=place):
        by_module.setdefault(mutant.module, []).append(mutant)
    total = sum(map(len, by_module.values()))
    taken = (held[: max(LEAST, ceil(count * len(held) / total))] for held in by_module.values() if total)
    return tuple(sorted((mutant for held in taken for mutant in held), key=place))
