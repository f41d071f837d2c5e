"""Try several mutants at a time, each in a child process.

The parent process has already imported everything except the code under test.
"""

import gc
import importlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from tests.mutation.choice import Choice
from tests.mutation.mutants import Mutant
from tests.mutation.trial import ERROR, Trial, run_child

SPARE = 30.0
FACTOR = 5.0
"""A mutant hangs after SPARE CPU seconds plus FACTOR times the recorded CPU seconds of its tests."""

MISDEEDS = frozenset({signal.SIGXCPU, signal.SIGSEGV, signal.SIGABRT})
"""The signals by which a mutant may end its process, after an endless computation or a deep recursion."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a mutant: the test that noticed the mutant, and the CPU seconds of the trial.

    The field `by` of an outcome names the test that noticed the mutant, or how the process of the mutant ended. The
    field `by` of an outcome is empty for a survivor (a mutant that no test noticed).
    """

    key: str
    by: str
    seconds: float

    @property
    def survived(self) -> bool:
        """True if no test noticed the mutant."""
        return not self.by


class Pool:
    """A pool of child processes that try mutants."""

    def __init__(self, choice: Choice, enums: Mapping[str, tuple[str, ...]], jobs: int) -> None:
        self._choice, self._enums, self._jobs = choice, enums, jobs
        self._running: dict[int, Trial] = {}

    def results(self, mutants: Iterable[Mutant]) -> Iterator[Result]:
        """Yield the outcome of each mutant, in the order in which the mutants end.

        Raise SystemExit if a mutant cannot be tried.
        """
        import_all(self._choice.libraries)
        try:
            for mutant in mutants:
                if len(self._running) >= self._jobs:
                    yield self._wait()
                self._start(mutant)
            while self._running:
                yield self._wait()
        finally:
            for child in self._running:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

    def _start(self, mutant: Mutant) -> None:
        rounds = self._choice.rounds(mutant)
        seconds = SPARE + FACTOR * self._choice.seconds(rounds)
        trial = Trial(mutant, self._enums, rounds, self._choice.known, seconds)
        trial.answer.unlink(missing_ok=True)
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                run_child(trial)
            finally:
                os._exit(1)
        self._running[child] = trial

    def _wait(self) -> Result:
        child, status, used = os.wait4(-1, 0)
        trial = self._running.pop(child)
        by = _noticed_by(trial, os.waitstatus_to_exitcode(status))
        if by.startswith(ERROR):
            raise SystemExit(f"{trial.mutant.module} {trial.mutant.change}: {by}; see {trial.log}")
        trial.answer.unlink(missing_ok=True)
        trial.log.unlink(missing_ok=True)
        return Result(trial.mutant.key, by, round(used.ru_utime + used.ru_stime, 1))


def _noticed_by(trial: Trial, code: int) -> str:
    """Return what noticed the mutant, from the answer of its process.

    If the process of a mutant ends without an answer, only an end by a signal of MISDEEDS counts as noticed.
    """
    if trial.answer.exists():
        return trial.answer.read_text(encoding="utf-8")
    if -code in MISDEEDS:
        return f"its process ended by {signal.Signals(-code).name}"
    return f"{ERROR} its process ended with {code}"


def import_all(names: Iterable[str]) -> None:
    """Import the third-party modules of the tests, so that no child process has to import the modules.

    The function ignores a third-party module that fails to import.
    """
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)
    gc.freeze()
