"""Choose the tests to try on a mutant: tests that run its lines, the likeliest test first."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.mutation.mutants import Mutant
from tests.mutation.recording import Recording

FIRST = 40
"""The number of tests that are tried first, because collecting all files takes longer than these tests."""
FIRST_FILES = 3


@dataclass(frozen=True, slots=True)
class Round:
    """Some tests that pytest runs together, in this order, to check a mutant."""

    tests: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """The test files that contain the chosen tests, each file once."""
        return tuple(dict.fromkeys(map(file_of, self.tests)))


def file_of(test: str) -> str:
    """Return the file that a test is in, from its id."""
    return test.partition("::")[0]


@dataclass(frozen=True)
class Choice:
    """The choice of tests for mutants, from the recordings of test runs."""

    unit: Recording
    later: tuple[tuple[Recording, float], ...] = ()
    """The recordings that are tried in turn if no unit test notices a mutant, each with its limit of CPU seconds."""

    @cached_property
    def known(self) -> frozenset[str]:
        """The ids of all tests that were recorded."""
        return frozenset(self._seconds)

    @property
    def libraries(self) -> tuple[str, ...]:
        """The third-party modules that any recorded test imports."""
        return tuple(dict.fromkeys(name for held in self._recordings for name in held.libraries))

    def rounds(self, mutant: Mutant) -> tuple[Round, ...]:
        """Return groups of tests to run one after the other, until a test notices the mutant."""
        found = self._ranked(self.unit, mutant)
        files = tuple(dict.fromkeys(map(file_of, found[:FIRST])))[:FIRST_FILES]
        first = tuple(test for test in found[:FIRST] if file_of(test) in files)
        rest = tuple(test for test in found if test not in set(first))
        later = (_within(self._ranked(held, mutant), held.seconds, limit) for held, limit in self.later)
        return tuple(Round(tests) for tests in (first, rest, *later) if tests)

    def seconds(self, rounds: Iterable[Round]) -> float:
        """Return the CPU seconds that the chosen tests took when their coverage was recorded."""
        return sum(self._seconds[test] for group in rounds for test in group.tests)

    @property
    def _recordings(self) -> tuple[Recording, ...]:
        return (self.unit, *(held for held, _ in self.later))

    @cached_property
    def _seconds(self) -> dict[str, float]:
        return {test: seconds for held in self._recordings for test, seconds in held.seconds.items()}

    @cached_property
    def _breadth(self) -> Counter[str]:
        """The number of lines that each test runs.

        A test that runs few lines is tried before a test that runs many lines.
        """
        runs = (tests for held in self._recordings for lines in held.lines.values() for tests in lines.values())
        return Counter(test for tests in runs for test in tests)

    def _ranked(self, recording: Recording, mutant: Mutant) -> tuple[str, ...]:
        """Return the tests that may notice the mutant, the likeliest test first.

        Every test may notice a mutant of lines that also run while pytest collects tests.
        """
        direct = recording.tests_of(mutant.path, mutant.lines)
        near = direct or _mentioning(recording, mutant)
        own = f"test_{mutant.path.stem}.py"

        def rank(test: str) -> tuple[bool, bool, int, float]:
            named = Path(file_of(test)).name == own
            return test not in near, not named, self._breadth[test], recording.seconds[test]

        every = not direct or recording.is_shared(mutant.path, mutant.lines)
        return tuple(sorted(recording.seconds if every else direct, key=rank))


def _mentioning(recording: Recording, mutant: Mutant) -> frozenset[str]:
    """Return the tests that run a line with a name from the mutant's statement.

    If no test runs a line of `shared` with a name from the mutant's statement, return the tests that run any line of
    the mutant's module.
    """
    names = [name for name in re.split(r"\W+", mutant.unit.rpartition(".")[2]) if name]
    runs = (recording.tests_of(path, (line, line)) for path, line in _lines_with(names))
    return frozenset().union(*runs) or recording.tests_in(mutant.path)


def _lines_with(names: Sequence[str]) -> Iterator[tuple[Path, int]]:
    """Yield the lines of `shared` that contain one of the names."""
    word = re.compile(rf"\b(?:{'|'.join(names) or '(?!)'})\b")
    for path in Path("shared").rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if word.search(line):
                yield path, number


def _within(tests: Sequence[str], seconds: dict[str, float], limit: float) -> tuple[str, ...]:
    """Return the first tests whose CPU seconds together stay within the limit."""
    taken, kept = 0.0, []
    for test in tests:
        taken += seconds[test]
        if taken > limit:
            break
        kept.append(test)
    return tuple(kept)
