"""Which tests a mutant is shown to, and in which order: those that run its lines, the likeliest first."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.mutation.mutants import Mutant
from tests.mutation.recording import Recording

FIRST = 40
"""So many tests are tried before the others: to collect the files of all takes longer than to run these."""
FIRST_FILES = 3


@dataclass(frozen=True, slots=True)
class Round:
    """Tests that run together, in their order."""

    tests: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The files that they are in, each once."""
        return tuple(dict.fromkeys(map(file_of, self.tests)))


def file_of(test: str) -> str:
    """Return the file that a test is in, from its id."""
    return test.partition("::")[0]


@dataclass(frozen=True)
class Choice:
    """Chooses among the tests that were recorded."""

    unit: Recording
    later: tuple[tuple[Recording, float], ...] = ()
    """What is tried where no unit test notices, in turn, each with the CPU seconds that it may take."""

    @cached_property
    def known(self) -> frozenset[str]:
        """Every test that was recorded."""
        return frozenset(self._seconds)

    @property
    def libraries(self) -> tuple[str, ...]:
        """The modules of others that any test imports."""
        return tuple(dict.fromkeys(name for held in self._recordings for name in held.libraries))

    def rounds(self, mutant: Mutant) -> tuple[Round, ...]:
        """Return what is tried, in turn, until a test notices the mutant."""
        found = self._ranked(self.unit, mutant)
        files = tuple(dict.fromkeys(map(file_of, found[:FIRST])))[:FIRST_FILES]
        first = tuple(test for test in found[:FIRST] if file_of(test) in files)
        rest = tuple(test for test in found if test not in set(first))
        later = (_within(self._ranked(held, mutant), held.seconds, limit) for held, limit in self.later)
        return tuple(Round(tests) for tests in (first, rest, *later) if tests)

    def seconds(self, rounds: Iterable[Round]) -> float:
        """Return how much CPU the tests of the rounds took when they were recorded."""
        return sum(self._seconds[test] for one in rounds for test in one.tests)

    @property
    def _recordings(self) -> tuple[Recording, ...]:
        return (self.unit, *(held for held, _ in self.later))

    @cached_property
    def _seconds(self) -> dict[str, float]:
        return {test: seconds for held in self._recordings for test, seconds in held.seconds.items()}

    @cached_property
    def _breadth(self) -> Counter[str]:
        """How many lines each test runs: one that runs few says the most."""
        runs = (tests for held in self._recordings for lines in held.lines.values() for tests in lines.values())
        return Counter(test for tests in runs for test in tests)

    def _ranked(self, recording: Recording, mutant: Mutant) -> tuple[str, ...]:
        """Return the tests that may notice it; what runs while tests are collected may be noticed by every test."""
        direct = recording.tests_of(mutant.path, mutant.lines)
        near = direct or _mentioning(recording, mutant)
        own = f"test_{mutant.path.stem}.py"

        def rank(test: str) -> tuple[bool, bool, int, float]:
            named = Path(file_of(test)).name == own
            return test not in near, not named, self._breadth[test], recording.seconds[test]

        every = not direct or recording.is_shared(mutant.path, mutant.lines)
        return tuple(sorted(recording.seconds if every else direct, key=rank))


def _mentioning(recording: Recording, mutant: Mutant) -> frozenset[str]:
    """Return the tests that run a line with a name of the mutant's statement, or else any line of its module."""
    names = [name for name in re.split(r"\W+", mutant.unit.rpartition(".")[2]) if name]
    runs = (recording.tests_of(path, (line, line)) for path, line in _lines_with(names))
    return frozenset().union(*runs) or recording.tests_in(mutant.path)


def _lines_with(names: Sequence[str]) -> Iterator[tuple[Path, int]]:
    """Yield the lines of the code on which one of the names stands."""
    word = re.compile(rf"\b(?:{'|'.join(names) or '(?!)'})\b")
    for path in Path("shared").rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if word.search(line):
                yield path, number


def _within(tests: Sequence[str], seconds: dict[str, float], limit: float) -> tuple[str, ...]:
    """Return the first tests that take no longer than the limit together."""
    taken, kept = 0.0, []
    for test in tests:
        taken += seconds[test]
        if taken > limit:
            break
        kept.append(test)
    return tuple(kept)
