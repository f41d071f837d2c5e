"""Keep the outcomes of mutants from run to run, a line for each mutant in `build`.

A mutant stays noticed while the text of its function is unchanged and the test that noticed the mutant exists. A
survivor (a mutant that no test noticed) is tried again as soon as a test changes.
"""

import json
from dataclasses import asdict
from pathlib import Path

from tests.mutation.pool import Result
from tests.mutation.recording import BUILD, fingerprint

KEPT = BUILD / "results.jsonl"


class Results:
    """The known outcomes of mutants, and the file that keeps them."""

    def __init__(self, known: frozenset[str], file: Path = KEPT) -> None:
        """Read the kept outcomes. The parameter `known` has the ids of all present tests."""
        self._there = known
        self._file, self._tests = file, fingerprint("tests/*.py", "tests/unit", "tests/properties", "tests/scenarios")
        self._known: dict[str, Result] = {}
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
            self._take(json.loads(line))

    def of(self, key: str) -> Result | None:
        """Return the outcome of the mutant, or None if the outcome is unknown for the present tests."""
        return self._known.get(key)

    def keep(self, result: Result) -> None:
        """Append the outcome of a mutant to the file."""
        self._known[result.key] = result
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as kept:
            kept.write(json.dumps({**asdict(result), "tests": self._tests}) + "\n")

    def _take(self, line: dict[str, str | float]) -> None:
        result = Result(str(line["key"]), str(line["by"]), float(line["seconds"]))
        gone = "::" in result.by and result.by not in self._there
        if gone or (result.survived and line["tests"] != self._tests):
            self._known.pop(result.key, None)
        else:
            self._known[result.key] = result
