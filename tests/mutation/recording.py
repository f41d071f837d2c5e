"""Record which test runs which line, and how long each test takes.

A recording of test runs is made again if the code or the tests change.
"""

import json
import os
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import coverage
import hypothesis
import pytest

BUILD = Path("build/mutants")
PROFILE = "mutants"
RECORDING = "recording"
"""Hypothesis profiles: PROFILE tries a mutant, and RECORDING records the lines of a property test."""
OWN = frozenset(
    {"shared", "tests", "functions", "function_app", "local", "docs", "bench", "infra", "release", "conftest"}
)
PLAIN = (
    *("-q", "--no-header", "--tb=no", "-W", "ignore::pytest.PytestAssertRewriteWarning", "-o", "timeout=600"),
    *("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:certroll-budgets"),
)


@dataclass(frozen=True, slots=True)
class Recording:
    """The lines that the tests of some directories run, and the time that the tests take.

    A recording of tests leaves out the lines that run during an import.
    """

    lines: dict[str, dict[int, frozenset[str]]] = field(default_factory=dict)
    """The ids of the tests that run a line, by the path of the module and the line."""
    shared: dict[str, frozenset[int]] = field(default_factory=dict)
    """The lines that also run while tests are collected, by the path of the module. Any test may depend on these lines.
    """
    seconds: dict[str, float] = field(default_factory=dict)
    """The CPU seconds of a test, by its id."""
    libraries: tuple[str, ...] = ()
    """The third-party modules that the tests import, in the order of import."""

    def tests_of(self, path: Path, lines: tuple[int, int]) -> frozenset[str]:
        """Return the tests that run any line from the first to the last of `lines`."""
        held = self.lines.get(str(path), {})
        return frozenset().union(*(held.get(line, frozenset()) for line in range(lines[0], lines[1] + 1)))

    def is_shared(self, path: Path, lines: tuple[int, int]) -> bool:
        """Return True if any of the lines also runs while tests are collected."""
        return not self.shared.get(str(path), frozenset()).isdisjoint(range(lines[0], lines[1] + 1))

    def tests_in(self, path: Path) -> frozenset[str]:
        """Return the tests that run any line of the module."""
        return frozenset().union(*self.lines.get(str(path), {}).values())


def register_profiles() -> None:
    """Register the Hypothesis profiles for recordings and for trials.

    The Hypothesis profiles of the mutation tool try the first examples that `make test` tries, and do not shrink
    failures.
    """
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    plain = hypothesis.settings(
        hypothesis.settings.get_profile("default"),
        derandomize=True,
        database=None,
        deadline=None,
        phases=phases,
        report_multiple_bugs=False,
        print_blob=False,
    )
    hypothesis.settings.register_profile(PROFILE, plain, max_examples=100)
    hypothesis.settings.register_profile(RECORDING, plain, max_examples=25)


def recorded(directory: str) -> Recording:
    """Return the recording of a directory's tests, which is made if code or tests changed.

    Raise SystemExit if a test fails, because only tests that pass without a mutant can notice the mutant.
    """
    kept = BUILD / f"recording-{Path(directory).name}.json"
    state = fingerprint("shared", "tests/*.py", directory)
    if kept.exists() and (held := json.loads(kept.read_text(encoding="utf-8")))["state"] == state:
        return _read(held)
    sys.stdout.write(f"Recording which lines the tests of {directory} run\n")
    sys.stdout.flush()
    BUILD.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child == 0:
        os._exit(_record(directory, kept, state))
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"The tests of {directory} do not pass without a mutant: see {BUILD}/recording.log")
    return _read(json.loads(kept.read_text(encoding="utf-8")))


def fingerprint(*parts: str) -> str:
    """Return a digest of all Python files in the given directories and patterns."""
    found = (file for part in parts for file in (Path(part).rglob("*.py") if "*" not in part else Path().glob(part)))
    digest = sha256()
    for file in sorted(found):
        digest.update(f"{file}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _read(held: dict[str, Any]) -> Recording:
    tests: list[str] = held["tests"]
    lines = {
        path: {int(line): frozenset(tests[place] for place in places) for line, places in by_line.items()}
        for path, by_line in held["lines"].items()
    }
    shared = {path: frozenset(held_lines) for path, held_lines in held["shared"].items()}
    return Recording(lines, shared, dict(zip(tests, held["seconds"], strict=True)), tuple(held["libraries"]))


class _Watch:
    """A pytest plugin that names the running test to coverage, and records its CPU seconds."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Run the test, with the test's id as the context of coverage."""
        self._measured.switch_context(item.nodeid)
        began = time.process_time()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = round(time.process_time() - began, 4)
            self._measured.switch_context("")


def _record(directory: str, kept: Path, state: str) -> int:
    register_profiles()
    measured = coverage.Coverage(data_file=None, source=["shared"], config_file=False)
    watch = _Watch(measured)
    measured.start()
    with (BUILD / "recording.log").open("w", encoding="utf-8") as log, redirect_stdout(log):
        code = pytest.main([*PLAIN, f"--hypothesis-profile={RECORDING}", directory], plugins=[watch])
    measured.stop()
    if code == pytest.ExitCode.OK:
        kept.write_text(json.dumps({"state": state, **_held(measured.get_data(), watch.seconds)}), encoding="utf-8")
    return int(code)


def _held(data: coverage.CoverageData, seconds: dict[str, float]) -> dict[str, object]:
    places = {test: place for place, test in enumerate(seconds)}
    files = {str(Path(file).relative_to(Path.cwd())): file for file in data.measured_files()}
    by_file = {path: data.contexts_by_lineno(file) for path, file in files.items()}
    lines = {
        path: {line: [places[test] for test in contexts if test in places] for line, contexts in by_line.items()}
        for path, by_line in by_file.items()
    }
    shared = {path: [line for line, contexts in by_line.items() if "" in contexts] for path, by_line in by_file.items()}
    held = {"tests": list(seconds), "seconds": list(seconds.values()), "libraries": _libraries()}
    return {**held, "lines": lines, "shared": shared}


def _libraries() -> Sequence[str]:
    return [name for name in sys.modules if name.partition(".")[0] not in OWN and not name.startswith("__")]
