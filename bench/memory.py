"""Measure the memory and the processor time of the Function App while all its queues are full.

The program hosts the Function App on the local Azure, fills the three queues, and slows each answer of Azure down, so
that as many runs as the host allows are under way at once. It prints one JSON object. Run `make bench-memory`.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator

import requests

from bench.crowd import ENVIRONMENTS, crowd, everything, roots, send
from bench.process import Need, need_of
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
SLOW_SECONDS = 3.0
LOOK_EVERY = 0.1
QUIET = 5.0
"""Seconds without a run after which the work counts as done. A message that waits comes back after a second."""


def main() -> int:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, help="another batchSize than the one of host.json")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to keep the queues busy at most")
    chosen = parser.parse_args()
    sizes = {} if chosen.batch_size is None else _sizes(chosen.batch_size)
    print(json.dumps(_measured({**SETTINGS, **sizes}, chosen.seconds), indent=2))
    return 0


def _sizes(batch: int) -> dict[str, str]:
    return {f"{QUEUES}batchSize": str(batch), f"{QUEUES}newBatchThreshold": str(batch // 2)}


def _measured(settings: dict[str, str], seconds: float) -> dict[str, object]:
    """Return what the hosted Function App needs idle, and with all queues full."""
    with LocalApp(crowd(World(Clock.real())), settings) as local:
        host = local.host
        if host is None:
            raise RuntimeError("this program hosts the Function App itself")
        send(local.azurite.connection_string, roots())
        list(_watched(host, seconds))
        idle, world = need_of(host.pid), local.stand.world
        world.faults.add(Fault("latency", times=None, seconds=SLOW_SECONDS))
        for vault, name in world.renewing:
            world.vaults[vault].renew(name)
        send(local.azurite.connection_string, everything(world))
        for name in ENVIRONMENTS:
            _ask_for_restart(host, name)
        began = time.monotonic()
        return _result(idle, list(_watched(host, seconds)), time.monotonic() - began)


def _ask_for_restart(host: FunctionHost, name: str) -> None:
    url = f"{host.url}/api/environments/{name}-group/{name}/stop-start"
    requests.post(url, headers={"x-functions-key": host.ready.function_key}, timeout=60).raise_for_status()


def _watched(host: FunctionHost, seconds: float) -> Iterator[tuple[int, Need]]:
    """Yield how many runs are under way and what the process needs, until all is done or the time is over."""
    end = quiet = time.monotonic()
    end += seconds
    while (now := time.monotonic()) < min(end, quiet + QUIET):
        running = int(requests.get(f"{host.url}/admin/host/status", timeout=60).json()["running"])
        quiet = now if running else quiet
        yield running, need_of(host.pid)
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


if __name__ == "__main__":
    sys.exit(main())
