"""`python -m tests.cover` prints how much of the code the tests run, and fails under the required percentages.

The command `make cover` runs the tests with measurement before `python -m tests.cover`.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import coverage

PURE = ("shared/domain/", "shared/ports/", "shared/planning/")
"""The pure core of Certroll has no clock, randomness, environment, logging or SDK.

The tests can run all branches of the pure core.
"""
BARS = {"pure core": 100.0, "rest of shared": 95.0}
"""The least percentage of branches that the tests must run."""


@dataclass(frozen=True, slots=True)
class Covered:
    """The number of code lines and branches, and how many of the lines and branches the tests ran."""

    lines: int = 0
    lines_run: int = 0
    branches: int = 0
    branches_run: int = 0

    @classmethod
    def of(cls, summaries: Iterable[Mapping[str, Any]]) -> "Covered":
        """Return the sum of the coverage figures for all files."""
        held = list(summaries)
        names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
        return cls(*(sum(summary[name] for summary in held) for name in names))

    @property
    def line_share(self) -> float:
        """The percentage of the lines that the tests ran."""
        return _share(self.lines_run, self.lines)

    @property
    def branch_share(self) -> float:
        """The percentage of the branches that the tests ran."""
        return _share(self.branches_run, self.branches)


def measured(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Covered]:
    """Return the test coverage of the pure core, and of the rest of `shared`.

    The argument `files` is the part of the same name in coverage's JSON report.
    """
    ours = {name: held["summary"] for name, held in files.items() if name.startswith("shared/")}
    return {
        "pure core": Covered.of(held for name, held in ours.items() if name.startswith(PURE)),
        "rest of shared": Covered.of(held for name, held in ours.items() if not name.startswith(PURE)),
    }


def missed(files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the branches of the pure core that did not run, as `file: line -> line`."""
    core = ((name, held) for name, held in sorted(files.items()) if name.startswith(PURE))
    return [f"{name}: {first} -> {last}" for name, held in core for first, last in held["missing_branches"]]


def report(found: Mapping[str, Covered]) -> str:
    """Return the table of coverage as a text."""
    head = f"{'':16}{'lines':>16}{'branches':>18}{'bar (branches)':>16}"
    return "\n".join([head, *(_row(name, held) for name, held in found.items())])


def _row(name: str, held: Covered) -> str:
    lines, branches = _ran(held.lines_run, held.lines), _ran(held.branches_run, held.branches)
    return f"{name:16}{lines:>16}{branches:>18}{BARS[name]:>15.0f}%"


def main() -> int:
    """Print the test coverage; return 0 if the pure core and the rest of `shared` are covered enough."""
    files = _files()
    found = measured(files)
    print("\n".join([*missed(files), report(found)]))
    under = [name for name, held in found.items() if held.branch_share < BARS[name]]
    if under:
        print(f"Too few branches run of: {', '.join(under)}")
    return 1 if under else 0


def _files() -> dict[str, Mapping[str, Any]]:
    data = coverage.Coverage()
    data.load()
    with TemporaryDirectory() as folder:
        written = Path(folder) / "coverage.json"
        data.json_report(outfile=str(written))
        files: dict[str, Mapping[str, Any]] = json.loads(written.read_text(encoding="utf-8"))["files"]
        return files


def _share(ran: int, of: int) -> float:
    return 100.0 * ran / of if of else 100.0


def _ran(ran: int, of: int) -> str:
    return f"{ran}/{of} {_share(ran, of):.1f}%"


if __name__ == "__main__":
    sys.exit(main())
