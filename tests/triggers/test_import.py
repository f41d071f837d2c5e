"""Measure the cost of a cold start by importing the app in fresh processes."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from local.patience import HANG
from tests.triggers.app import ROOT

ROUNDS = 3
MOST_YARDSTICKS = 10
"""The limit of a cold import in yardsticks (a measured unit of work).

Ten yardsticks took one second on the machine on which the limit was chosen.
"""
MOST_MEMORY_KB = 150 * 1024
LOOKED_FOR = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
CHILD = f"""
import json, sys, time
seen = []
sys.addaudithook(lambda name, _: seen.append(name) if name in {LOOKED_FOR!r} else None)
sys.path.insert(0, ".")
before, began = time.process_time(), time.perf_counter()
import function_app
wall, cpu = time.perf_counter() - began, time.process_time() - before
with open("/proc/self/status") as status:
    memory = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
from local.yardstick import yardstick
stick = min(yardstick(), yardstick(), yardstick())
print(json.dumps({{"cpu": cpu, "wall": wall, "yardstick": stick, "memory": memory, "seen": seen}}))
"""


@dataclass(frozen=True)
class Import:
    """The cost of one import of function_app: the times are in seconds, the memory is in kilobytes.

    `seen` names the network calls that the import made.
    """

    cpu: float
    wall: float
    yardstick: float
    memory: int
    seen: list[str]


def import_once() -> Import:
    """Import function_app in a new process with an empty environment, and return the cost."""
    result = subprocess.run(  # noqa: S603 - the test starts its own interpreter, without a shell
        [sys.executable, "-W", "error", "-c", CHILD], cwd=ROOT, env={}, capture_output=True, timeout=HANG, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"")
    return Import(**json.loads(result.stdout))


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    """Return the costs of several imports; the first import writes the bytecode if none exists."""
    return [import_once() for _ in range(ROUNDS)]


def test_import_needs_no_setting_and_no_network(imports: list[Import]) -> None:
    """The app can be imported with an empty environment, without warnings and without network calls."""
    assert [cost.seen for cost in imports] == [[]] * len(imports)


def test_import_is_quick(imports: list[Import]) -> None:
    """The best of three cold imports takes less processor time than ten yardsticks (a unit of work) in its process."""
    assert min(cost.cpu / cost.yardstick for cost in imports) < MOST_YARDSTICKS, imports


def test_import_is_small(imports: list[Import]) -> None:
    """The process of an imported app stays below 150 MB."""
    assert max(cost.memory for cost in imports) < MOST_MEMORY_KB
