"""One mutant in a process of its own: its module is compiled with the change, and the tests run until one fails."""

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
"""Before what is wrong with the trial itself."""
MEMORY = 4 * 2**30
NOTICED = {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}


@dataclass(frozen=True, slots=True)
class Trial:
    """A mutant, and all that is needed to try it."""

    mutant: Mutant
    enums: Mapping[str, tuple[str, ...]]
    rounds: tuple[Round, ...]
    known: frozenset[str]
    """Every test that was recorded."""
    seconds: float
    """The CPU seconds after which it hangs."""

    @property
    def answer(self) -> Path:
        """Where the process writes what noticed the mutant."""
        return BUILD / f"{self.mutant.key}.answer"

    @property
    def log(self) -> Path:
        """Where the process writes what pytest says."""
        return BUILD / f"{self.mutant.key}.log"


class MutantLoader(SourceFileLoader):
    """Loads a module with one change, never from what was compiled before."""

    def __init__(self, mutant: Mutant, enums: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(mutant.module, str(mutant.path.resolve()))
        self._mutant, self._enums = mutant, enums

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - there is only the one module
        """Return the code of the changed module."""
        source = self._mutant.path.read_text(encoding="utf-8")
        return compile(mutated(source, self._mutant, self._enums), self.path, "exec")


class MutantFinder(MetaPathFinder):
    """Finds the mutant's module, and leaves all others to Python."""

    def __init__(self, loader: MutantLoader) -> None:
        self._loader = loader

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - Python calls it so
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return how the mutant's module is loaded, None for any other."""
        if fullname != self._loader.name:
            return None
        file = Path(self._loader.path)
        package = [str(file.parent)] if file.name == "__init__.py" else None
        return spec_from_file_location(fullname, file, loader=self._loader, submodule_search_locations=package)


class Chosen:
    """A plugin that runs the chosen tests in their order, and keeps which one failed.

    A test whose id was never recorded is run as well: a mutant of a table may change the ids of a parametrised test.
    """

    def __init__(self, tests: tuple[str, ...], known: frozenset[str]) -> None:
        self._order = {test: place for place, test in enumerate(tests)}
        self._known = known
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the chosen tests, and those that were never recorded."""
        left = (item for item in items if item.nodeid in self._order or item.nodeid not in self._known)
        items[:] = sorted(left, key=lambda item: self._order.get(item.nodeid, len(self._order)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the name of a test that failed."""
        if report.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep the name of a file that could not be collected."""
        if report.failed:
            self.failed = report.nodeid


def run_child(trial: Trial) -> None:
    """Try the mutant in this process, write what noticed it, and end the process."""
    log = os.open(trial.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    _limit(trial.seconds)
    trial.answer.write_text(attempt(trial), encoding="utf-8")
    os._exit(0)


def attempt(trial: Trial) -> str:
    """Return the id of the first test that notices the mutant, empty where none does."""
    register_profiles()
    sys.meta_path.insert(0, MutantFinder(MutantLoader(trial.mutant, trial.enums)))
    try:
        importlib.import_module(trial.mutant.module)
    except Edited as error:
        return f"{ERROR} {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, no test could run
        return f"import: {type(error).__name__}"
    return next((noticed for one in trial.rounds if (noticed := _run(one, trial.known))), "")


def _run(tests: Round, known: frozenset[str]) -> str:
    """Return which of the tests failed, empty where none did."""
    chosen = Chosen(tests.tests, known)
    code = pytest.main([*PLAIN, f"--hypothesis-profile={PROFILE}", "-x", *tests.files], plugins=[chosen])
    if code in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return ""
    unnamed = f"pytest ended with {int(code)}"
    return chosen.failed or (unnamed if code in NOTICED else f"{ERROR} {unnamed}")


def _limit(seconds: float) -> None:
    """Limit this process: CPU, so that a loaded machine decides nothing, and memory. Only mutants run into either."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
