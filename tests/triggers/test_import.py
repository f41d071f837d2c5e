"""What it costs to start: the app is imported in fresh processes, as after a cold start."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from local.patience import HANG
from tests.triggers.app import ROOT

ROUNDS = 3
MOST_YARDSTICKS = 10
"""On the machine for which the bar of one second was set, ten yardsticks take a second."""
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
    """What one import of function_app cost and did: seconds, the yardstick's too, and kilobytes of the process."""

    cpu: float
    wall: float
    yardstick: float
    memory: int
    seen: list[str]


def import_once() -> Import:
    """Import function_app in a new process with an empty environment."""
    result = subprocess.run(  # noqa: S603 - our own interpreter, no shell
        [sys.executable, "-W", "error", "-c", CHILD], cwd=ROOT, env={}, capture_output=True, timeout=HANG, check=False
    )
    assert (result.returncode, result.stderr) == (0, b"")
    return Import(**json.loads(result.stdout))


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    """Return several imports; the first leaves the bytecode behind where there was none."""
    return [import_once() for _ in range(ROUNDS)]


def test_import_needs_no_setting_and_no_network(imports: list[Import]) -> None:
    """The app is imported with an empty environment and without a warning; no address is looked up or called."""
    assert [cost.seen for cost in imports] == [[]] * len(imports)


def test_import_is_quick(imports: list[Import]) -> None:
    """The best of a few cold imports takes less processor time than ten yardsticks, measured in the same process."""
    assert min(cost.cpu / cost.yardstick for cost in imports) < MOST_YARDSTICKS, imports


def test_import_is_small(imports: list[Import]) -> None:
    """The process of an imported app stays below 150 MB."""
    assert max(cost.memory for cost in imports) < MOST_MEMORY_KB
