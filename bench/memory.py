"""Measure the memory and the processor time of the Function App while all its queues are full.

The program hosts the Function App on the local Azure, and fills the three queues. Azure answers nothing until as many
runs are under way as the host allows, and then answers slowly. The program prints one JSON object. Run
`python -m bench memory`.
"""

import argparse
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import requests

from bench.crowd import ENVIRONMENTS, crowd, everything, roots, send
from bench.process import Need, child_of, need_of
from local.app import LocalApp
from local.azure.scripting.clock import Clock
from local.azure.scripting.faults import Fault
from local.azure.world import World
from local.host import FunctionHost

SETTINGS = {
    "PYTHON_THREADPOOL_THREAD_COUNT": "1000",
    "CERTROLL_ASE_MAX_UNAVAILABLE": "1",
    "CERTROLL_PROBE_SETTLE": "1s",
}
QUEUES = "AzureFunctionsJobHost__extensions__queues__"
SLOW_SECONDS = 1.0
HELD_SECONDS = 45.0
"""How long Azure holds its answers back at most: less than a client waits for an answer."""
RUNS_PER_QUEUE = 12
"""How many messages of a queue the host handles at once: batchSize and newBatchThreshold of host.json together."""
LOOK_EVERY = 0.1
WORKER = "local.host.worker_child"
QUIET = 5.0
"""Seconds without a run after which the work counts as done. A message that waits comes back after a second."""


class Gate:
    """Azure's answers wait here until all runs are under way, or until a client would lose patience."""

    def __init__(self) -> None:
        self._opened = threading.Event()

    def open(self) -> None:
        """Let Azure answer from now on."""
        self._opened.set()

    def wait(self, seconds: float) -> None:
        """Hold an answer back."""
        if self._opened.is_set():
            time.sleep(seconds)  # noqa: TID251 - Azure answers slowly in real time
        self._opened.wait(HELD_SECONDS)


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(prog="python -m bench memory", description=__doc__)
    parser.add_argument(
        "--runs-per-queue", type=int, default=RUNS_PER_QUEUE, help="how many runs of a queue go at once"
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to keep the queues busy at most")
    chosen = parser.parse_args(arguments)
    settings = {**SETTINGS, **_sizes(chosen.runs_per_queue)}
    print(json.dumps(_measured(settings, 3 * chosen.runs_per_queue, chosen.seconds), indent=2))
    return 0


def _sizes(runs: int) -> dict[str, str]:
    """Return the settings with which the host takes single messages, until `runs` runs of a queue are under way."""
    return {f"{QUEUES}batchSize": "1", f"{QUEUES}newBatchThreshold": str(runs - 1)}


def _measured(settings: dict[str, str], runs: int, seconds: float) -> dict[str, object]:
    """Return what the hosted Function App needs idle, and with all queues full."""
    gate = Gate()
    with LocalApp(crowd(World(Clock.real(sleep=gate.wait))), settings) as local:
        host = local.host
        if host is None:
            raise RuntimeError("this program hosts the Function App itself")
        send(local.azurite, roots())
        list(_watched(host, seconds, runs, gate))
        idle, world = need_of(child_of(host.pid, WORKER)), local.stand.world
        world.faults.add(Fault("latency", times=None, seconds=SLOW_SECONDS))
        for vault, name in world.renewing:
            world.vaults[vault].renew(name)
        send(local.azurite, everything(world))
        for name in ENVIRONMENTS:
            _ask_for_restart(host, name)
        began = time.monotonic()
        return _result(idle, list(_watched(host, seconds, runs, gate)), time.monotonic() - began)


def _ask_for_restart(host: FunctionHost, name: str) -> None:
    url = f"{host.url}/api/environments/{name}-group/{name}/stop-start"
    requests.post(url, headers={"x-functions-key": host.ready.function_key}, timeout=60).raise_for_status()


def _watched(host: FunctionHost, seconds: float, runs: int, gate: Gate) -> Iterator[tuple[int, Need]]:
    """Yield how many runs are under way and what the process needs, until all is done or the time is over."""
    end = quiet = time.monotonic()
    end += seconds
    while (now := time.monotonic()) < min(end, quiet + QUIET):
        running = int(host.status()["running"])
        quiet = now if running else quiet
        if running >= runs:
            gate.open()
        yield running, need_of(child_of(host.pid, WORKER))
        time.sleep(LOOK_EVERY)  # noqa: TID251 - the program watches a real process


def _result(idle: Need, seen: list[tuple[int, Need]], wall: float) -> dict[str, object]:
    def most(of: Callable[[Need], float]) -> float:
        return max(of(need) for _, need in seen)

    last = seen[-1][1]
    return {
        "runs at once": max(running for running, _ in seen),
        "idle MB": round(idle.resident_mb),
        "busy MB": round(most(lambda need: need.resident_mb)),
        "peak MB": round(last.peak_mb),
        "threads": round(most(lambda need: need.threads)),
        "processor seconds": round(last.cpu_seconds - idle.cpu_seconds, 1),
        "wall seconds": round(wall, 1),
    }
