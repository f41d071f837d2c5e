"""Report the ten slowest tests, and the cost of each directory of tests, as a pytest plugin.

The processor seconds of a test depend on the machine and on its other programs. The budget of a directory of tests is a
number of yardsticks (a yardstick is a fixed piece of CPU work). local/yardstick.py measures the time of a yardstick (a
fixed piece of CPU work) during the test run. Each process that runs tests measures the yardstick at its start, at its
end, and after about every ten processor seconds. The plugin divides by the mean of the measured yardsticks, because
other programs slow the tests and the mean alike. The smallest yardstick, or the median of the yardsticks, would miss
the busy part of a run.
"""

import resource
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local.yardstick import yardstick

BUDGETS: Mapping[str, float] = {
    "unit": 200,
    "properties": 400,
    "scenarios": 3500,
    "triggers": 130,
    "local": 160,
    "infra": 60,
    "mutation": 10,
    "contract": 120,
    "bench": 100,
}
"""The yardsticks (a measured unit of work) that each directory of tests/ may cost, without child processes.

A test run fails if a directory of tests costs twice its budget.
"""

SLOWEST = 10
MEASURE_EVERY = 10.0
FAILS_AT = 2.0
UNUSUAL = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "no_budgets")
"""The pytest options with which a run selects other tests, or runs the same tests in another way."""
EVERY_DAY = frozenset({None, "", "default"})
"""The Hypothesis profiles that have a budget of test costs; other profiles try more examples."""
PART = "budgets"
"""The name under which a worker of pytest-xdist sends its costs."""


@dataclass(slots=True)
class Cost:
    """The cost of the tests of one or more processes.

    The field `tests` has the processor seconds and the wall seconds of each test.
    """

    tests: dict[str, tuple[float, float]] = field(default_factory=dict)
    yardsticks: list[float] = field(default_factory=list)
    children: float = 0.0

    def add(self, other: Mapping[str, Any]) -> None:
        """Add the costs that a worker sent."""
        self.tests.update({name: (cpu, wall) for name, (cpu, wall) in other["tests"].items()})
        self.yardsticks.extend(other["yardsticks"])
        self.children += other["children"]

    def to_json(self) -> dict[str, Any]:
        """Return the costs as values that a worker can send."""
        return {"tests": self.tests, "yardsticks": self.yardsticks, "children": self.children}

    @property
    def yardstick(self) -> float:
        """The mean of the yardsticks (a unit of work) that were measured in the run."""
        return sum(self.yardsticks) / len(self.yardsticks)


@dataclass(frozen=True, slots=True)
class Spent:
    """The cost of a directory of tests, in seconds and yardsticks, with its budget."""

    directory: str
    seconds: float
    yardsticks: float
    budget: float

    @property
    def ratio(self) -> float:
        """The costs of the directory of tests as a share of its budget."""
        return self.yardsticks / self.budget

    @property
    def word(self) -> str:
        """The verdict on a directory of tests, empty if the tests stay within the directory's budget."""
        if self.ratio >= FAILS_AT:
            return f"FAILED: over {FAILS_AT:g} times its budget"
        return "over its budget" if self.ratio > 1 else ""


def spent(cost: Cost, budgets: Mapping[str, float]) -> list[Spent]:
    """Return the cost of each directory that has a budget and of which a test ran."""
    seconds: dict[str, float] = {}
    for name, (cpu, _) in cost.tests.items():
        directory = directory_of(name)
        seconds[directory] = seconds.get(directory, 0.0) + cpu
    return [
        Spent(directory, seconds[directory], seconds[directory] / cost.yardstick, budget)
        for directory, budget in budgets.items()
        if directory in seconds
    ]


def directory_of(test: str) -> str:
    """Return the directory of tests/ that a test is in, or an empty text for other tests."""
    parts = test.partition("::")[0].split("/")
    return parts[1] if parts[0] == "tests" and len(parts) > 2 else ""


def whole_directories(root: Path, arguments: Iterable[str], directories: Iterable[str]) -> set[str]:
    """Return the directories of tests/ that pytest runs whole with the given path arguments."""
    paths = [(root / argument).resolve() for argument in arguments if "::" not in argument]
    return {name for name in directories for path in paths if (root / "tests" / name).resolve().is_relative_to(path)}


def lines(cost: Cost, judged: Iterable[Spent]) -> list[str]:
    """Return the lines that pytest prints about the costs at the end of a run."""
    slowest = sorted(cost.tests.items(), key=lambda test: test[1], reverse=True)[:SLOWEST]
    said = [f"the {len(slowest)} slowest tests, by processor seconds (and wall):"]
    said += [f"  {cpu:6.2f} s ({wall:6.2f} s)  {name}" for name, (cpu, wall) in slowest]
    said += [f"yardstick: {cost.yardstick * 1000:.0f} ms of processor time, the mean of {len(cost.yardsticks)}"]
    said += [
        f"  tests/{part.directory:<11} {part.seconds:7.1f} s = {part.yardsticks:6.0f} yardsticks,"
        f" {part.ratio:4.0%} of {part.budget:.0f}  {part.word}".rstrip()
        for part in judged
    ]
    return [*said, f"  child processes {cost.children:6.1f} s, Azurite and hosted apps, in no budget"]


class Budgets:
    """Measure the costs in every process that runs tests.

    The process that controls pytest-xdist's workers prints the costs of the tests and compares the costs with the
    budgets.
    """

    def __init__(self) -> None:
        """Begin without any measured cost."""
        self.cost = Cost()
        self.lost_worker = False
        self._since = 0.0

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Measure the speed of the machine by the yardstick (a fixed piece of work)."""
        if not _controls(session.config):
            self.cost.yardsticks.append(yardstick())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure a test with its setup and teardown, and at times also measure the speed of the machine."""
        cpu, wall = time.process_time(), time.monotonic()
        try:
            return (yield)
        finally:
            cpu, wall = time.process_time() - cpu, time.monotonic() - wall
            self.cost.tests[item.nodeid] = (cpu, wall)
            self._since += cpu
            if self._since >= MEASURE_EVERY:
                self._since = 0.0
                self.cost.yardsticks.append(yardstick())

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 - pytest-xdist carries no types
        """Add the costs of a worker that has ended.

        A crashed pytest-xdist worker sends no test costs.
        """
        share = getattr(node, "workeroutput", {}).get(PART)
        self.lost_worker |= share is None
        if share is not None:
            self.cost.add(share)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send a pytest-xdist worker's test costs, or fail a test run that cost twice its budget."""
        output = getattr(session.config, "workeroutput", None)
        if not _controls(session.config):
            self.cost.yardsticks.append(yardstick())
            children = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.cost.children += children.ru_utime + children.ru_stime
        if output is not None:
            output[PART] = self.cost.to_json()
        elif session.exitstatus == pytest.ExitCode.OK and any(
            part.ratio >= FAILS_AT for part in self._judged(session.config)
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Print what the tests cost."""
        if not self.cost.tests:
            return
        terminalreporter.section("what the tests cost")
        for line in lines(self.cost, self._judged(config)):
            terminalreporter.write_line(line)

    def _judged(self, config: pytest.Config) -> list[Spent]:
        """Return the costs of the directories of tests that this pytest run may compare with their budgets.

        A run may judge a directory of tests if it runs the whole directory with a usual Hypothesis profile. The tests'
        costs are not compared with the budgets if a worker of pytest-xdist crashed.
        """
        if self.lost_worker or not self.cost.yardsticks or any(config.getoption(name, None) for name in UNUSUAL):
            return []
        if config.getoption("hypothesis_profile", None) not in EVERY_DAY:
            return []
        whole = whole_directories(config.rootpath, config.args, BUDGETS)
        return [part for part in spent(self.cost, BUDGETS) if part.directory in whole]


def _controls(config: pytest.Config) -> bool:
    """Return True if this process only controls pytest-xdist's workers, which run the tests."""
    return bool(getattr(config.option, "tx", None)) and not hasattr(config, "workeroutput")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--no-budgets`, with which no run fails for its costs."""
    parser.addoption("--no-budgets", action="store_true", help="say what the tests cost, and judge nothing")


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin that measures the run."""
    config.pluginmanager.register(Budgets(), "certroll-budgets")
