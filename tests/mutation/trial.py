"""Try a mutant in its own process, until the first test fails.

The child process that tries a mutant compiles the mutant's module with the change.
"""

import importlib
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from tests.mutation.choice import Round
from tests.mutation.mutants import Edited, Mutant, mutated
from tests.mutation.recording import BUILD, PLAIN, PROFILE, register_profiles

ERROR = "error:"
"""The start of an answer that describes an error of the trial itself."""
MEMORY = 4 * 2**30
NOTICED = {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutant, with everything that its process needs to try the mutant."""

    mutant: Mutant
    enums: Mapping[str, tuple[str, ...]]
    rounds: tuple[Round, ...]
    known: frozenset[str]
    """The ids of all tests that were recorded."""
    seconds: float
    """The CPU seconds after which the mutant counts as hanging."""

    @property
    def answer(self) -> Path:
        """The file in which the process writes which test noticed the mutant."""
        return BUILD / f"{self.mutant.key}.answer"

    @property
    def log(self) -> Path:
        """The file in which the process writes the output of pytest."""
        return BUILD / f"{self.mutant.key}.log"


class MutantLoader(SourceFileLoader):
    """A loader that compiles a module with a mutant's change, and ignores compiled files."""

    def __init__(self, mutant: Mutant, enums: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(mutant.module, str(mutant.path.resolve()))
        self._mutant, self._enums = mutant, enums

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - there is only the one module
        """Return the compiled code of the changed module."""
        source = self._mutant.path.read_text(encoding="utf-8")
        return compile(mutated(source, self._mutant, self._enums), self.path, "exec")


class MutantFinder(MetaPathFinder):
    """A finder for the mutant's module, which leaves all other modules to Python."""

    def __init__(self, loader: MutantLoader) -> None:
        self._loader = loader

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - Python calls it so
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return the import spec of the mutant's module, or None for any other module."""
        if fullname != self._loader.name:
            return None
        file = Path(self._loader.path)
        package = [str(file.parent)] if file.name == "__init__.py" else None
        return spec_from_file_location(fullname, file, loader=self._loader, submodule_search_locations=package)


class Chosen:
    """A pytest plugin that runs the chosen tests in their order, and remembers the test that failed.

    A test with an unrecorded id also runs, because the mutant of a table may change the ids of a parametrised test.
    """

    def __init__(self, tests: tuple[str, ...], known: frozenset[str]) -> None:
        self._order = {test: place for place, test in enumerate(tests)}
        self._known = known
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Select the chosen tests, and all tests that were never recorded."""
        left = (item for item in items if item.nodeid in self._order or item.nodeid not in self._known)
        items[:] = sorted(left, key=lambda item: self._order.get(item.nodeid, len(self._order)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the id of a test that failed and so noticed the mutant."""
        if report.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record the name of a test file that pytest could not collect because of the mutant."""
        if report.failed:
            self.failed = report.nodeid


def run_child(trial: Trial) -> None:
    """Try the mutant, write the name of the test that noticed it, and end the process."""
    log = os.open(trial.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    _limit(trial.seconds)
    trial.answer.write_text(attempt(trial), encoding="utf-8")
    os._exit(0)


def attempt(trial: Trial) -> str:
    """Return the id of the first test that notices the mutant, or an empty text."""
    register_profiles()
    sys.meta_path.insert(0, MutantFinder(MutantLoader(trial.mutant, trial.enums)))
    try:
        importlib.import_module(trial.mutant.module)
    except Edited as error:
        return f"{ERROR} {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, no test could run
        return f"import: {type(error).__name__}"
    return next((noticed for tests in trial.rounds if (noticed := _run(tests, trial.known))), "")


def _run(tests: Round, known: frozenset[str]) -> str:
    """Return the id of the test that failed, or an empty text if all tests passed."""
    chosen = Chosen(tests.tests, known)
    code = pytest.main([*PLAIN, f"--hypothesis-profile={PROFILE}", "-x", *tests.files], plugins=[chosen])
    if code in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return ""
    unnamed = f"pytest ended with {int(code)}"
    return chosen.failed or (unnamed if code in NOTICED else f"{ERROR} {unnamed}")


def _limit(seconds: float) -> None:
    """Limit the CPU time and the memory of this process, because a mutant may loop or allocate without end.

    The trial of a mutant has a limit of CPU time, so that other load on the machine does not change the outcome.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
