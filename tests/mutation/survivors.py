"""Read the file of explained survivors, which has a line for each survivor."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.mutation.mutants import Mutant

EXPLAINED = Path("tests/mutation/survivors.txt")
SEPARATOR = " | "
FIELDS = 4


def explained(file: Path = EXPLAINED) -> dict[str, str]:
    """Return the explanation of each explained survivor, by the key of the mutant.

    Raise SystemExit if a line of the file cannot be read.
    """
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return dict(_parsed(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#"))


def line_of(mutant: Mutant, reason: str) -> str:
    """Return the line of the file that explains the mutant."""
    return SEPARATOR.join((mutant.key, mutant.unit, mutant.change, reason))


def idle(reasons: Mapping[str, str], mutants: Iterable[Mutant]) -> tuple[str, ...]:
    """Return the keys of explained survivors that no present mutant has.

    A survivor's key has no mutant any more if the text of the mutated function has changed.
    """
    return tuple(sorted(reasons.keys() - {mutant.key for mutant in mutants}))


def _parsed(number: int, line: str) -> tuple[str, str]:
    parts = line.split(SEPARATOR)
    if len(parts) < FIELDS or not parts[-1].strip():
        raise SystemExit(f"{EXPLAINED}:{number} is not: key{SEPARATOR}where{SEPARATOR}change{SEPARATOR}reason")
    return parts[0], parts[-1]
