"""These tests cover the budgets of processor time for the project's tests."""

from pathlib import Path

import pytest

from local.yardstick import yardstick
from tests import budgets
from tests.budgets import Cost, Spent, directory_of, lines, spent, whole_directories

pytest_plugins = ["pytester"]

LIMIT = {"unit": 10.0, "local": 10.0}
BUSY = """
import time

def test_busy():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass

def test_idle():
    pass
"""


def cost(**seconds: float) -> Cost:
    """Return costs of one test per directory, on a machine whose yardstick (fixed work) takes 0.1 seconds."""
    return Cost({f"tests/{name}/test_x.py::test_x": (cpu, cpu) for name, cpu in seconds.items()}, [0.05, 0.15])


@pytest.mark.parametrize(
    ("seconds", "ratio", "word"),
    [(0.9, 0.9, ""), (1.1, 1.1, "over its budget"), (2.0, 2.0, "FAILED: over 2 times its budget")],
)
def test_a_directory_is_held_to_its_yardsticks(seconds: float, ratio: float, word: str) -> None:
    """A test directory's budget is counted in yardsticks: the processor time of a fixed piece of work.

    A test directory above its budget of processor time gets a warning, and fails above twice the budget.
    """
    (part,) = spent(cost(unit=seconds), LIMIT)
    assert (round(part.ratio, 3), part.word) == (ratio, word)


def test_a_slow_machine_changes_no_ratio() -> None:
    """Tests on a machine that is three times slower use the same percentage of each budget."""
    fast, slow = cost(unit=1.0), Cost({"tests/unit/test_x.py::test_x": (3.0, 9.0)}, [0.15, 0.45])
    assert [round(part.ratio, 3) for part in spent(slow, LIMIT)] == [
        round(part.ratio, 3) for part in spent(fast, LIMIT)
    ]


def test_shares_of_workers_add_up() -> None:
    """The cost of a run is the sum of all workers' tests, yardsticks and child processes."""
    whole = Cost()
    for share in (cost(unit=1.0), cost(local=2.0)):
        share.children = 4.0
        whole.add(share.to_json())
    assert [(part.directory, part.seconds) for part in spent(whole, LIMIT)] == [("unit", 1.0), ("local", 2.0)]
    assert (whole.children, len(whole.yardsticks)) == (8.0, 4)


@pytest.mark.parametrize(
    ("test", "directory"),
    [
        ("tests/unit/test_x.py::test_y[a/b]", "unit"),
        ("tests/local/host/test_x.py::test_y", "local"),
        ("tests/test_x.py::test_y", ""),
        ("other/unit/test_x.py::test_y", ""),
    ],
)
def test_directory_of_a_test(test: str, directory: str) -> None:
    """A test counts for its top directory below `tests/`, however deep the test's file is."""
    assert directory_of(test) == directory


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        ((), set()),
        (("tests",), {"unit", "local"}),
        ((".",), {"unit", "local"}),
        (("tests/unit/", "tests/local/host"), {"unit"}),
        (("tests/unit/test_x.py",), set()),
        (("tests/unit::test_x",), set()),
    ],
)
def test_only_whole_directories_are_judged(tmp_path: Path, arguments: tuple[str, ...], whole: set[str]) -> None:
    """A budget of processor time applies only to a test directory whose tests all run."""
    assert whole_directories(tmp_path, arguments, ("unit", "local")) == whole


def test_the_ten_slowest_are_named() -> None:
    """The report of a test run names the ten tests with the most processor time, the slowest first."""
    tests = {f"tests/unit/test_x.py::test_{number}": (float(number), 20.0) for number in range(12)}
    said = lines(Cost(tests, [0.1]), [Spent("unit", 66.0, 660.0, 600.0)])
    assert [line.rpartition("_")[2] for line in said[1:11]] == [str(number) for number in range(11, 1, -1)]
    assert "110% of 600  over its budget" in said[12]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a project with an expensive test, and with a budget that is too small for it."""
    folder = pytester.mkdir("tests") / "unit"
    folder.mkdir()
    (folder / "test_costs.py").write_text(BUSY)
    monkeypatch.setattr(budgets, "BUDGETS", {"unit": 0.1})
    return pytester


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["in this process", "in a worker"])
def test_twice_the_budget_fails_the_run(project: pytest.Pytester, workers: tuple[str, ...]) -> None:
    """A test run fails if a directory takes more than twice its budget, even if all tests pass."""
    result = project.runpytest_inprocess("-p", "tests.budgets", *workers, "tests")
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*test_costs.py::test_busy", "*test_idle", "*tests/unit*FAILED: over 2 times*"])


@pytest.mark.parametrize(
    "arguments",
    [("-k", "busy"), ("tests/unit/test_costs.py",), ("--no-budgets",), ("--hypothesis-profile=soak",)],
    ids=["a selection", "one file", "on request", "a longer version"],
)
def test_other_runs_are_not_judged(project: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    """Budgets of processor time do not fail a run of selected tests, of another profile, or with `--no-budgets`."""
    (project.path / "conftest.py").write_text("import hypothesis\nhypothesis.settings.register_profile('soak')\n")
    result = project.runpytest_inprocess("-p", "tests.budgets", *arguments)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*FAILED*")
    result.stdout.fnmatch_lines(["*what the tests cost*"])


def test_the_yardstick_is_work_of_the_processor() -> None:
    """Two measurements of the yardstick, a fixed piece of work, differ by less than a factor of ten."""
    first, second = yardstick(), yardstick()
    assert 0 < first < 10 * second < 100 * first
