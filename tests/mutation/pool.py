"""Tries mutants two at a time, each in a child of a process that has imported everything but the code under test."""

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
"""A mutant may take so many CPU seconds, and so many times what its tests took without it; then it hangs."""

MISDEEDS = frozenset({signal.SIGXCPU, signal.SIGSEGV, signal.SIGABRT})
"""How a mutant may end its process: it computes without end, or recurses too deep."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mutant. `by` is what noticed it, empty where nothing did; `seconds` is the CPU that it took."""

    key: str
    by: str
    seconds: float

    @property
    def survived(self) -> bool:
        """Whether nothing noticed it."""
        return not self.by


class Pool:
    """Processes that try mutants."""

    def __init__(self, choice: Choice, enums: Mapping[str, tuple[str, ...]], jobs: int) -> None:
        self._choice, self._enums, self._jobs = choice, enums, jobs
        self._running: dict[int, Trial] = {}

    def results(self, mutants: Iterable[Mutant]) -> Iterator[Result]:
        """Yield what becomes of each mutant, in the order in which they end. Raises SystemExit if none can be."""
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
    """Return what noticed the mutant. Without an answer only what a mutant can do to its process counts as noticed."""
    if trial.answer.exists():
        return trial.answer.read_text(encoding="utf-8")
    if -code in MISDEEDS:
        return f"its process ended by {signal.Signals(-code).name}"
    return f"{ERROR} its process ended with {code}"


def import_all(names: Iterable[str]) -> None:
    """Import what the tests import of others, so that no child has to. What cannot be imported is left to them."""
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)
    gc.freeze()
