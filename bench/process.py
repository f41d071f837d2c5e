"""Read from Linux how much memory and processor time a process needs."""

import os
import re
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")


class Need(NamedTuple):
    """What a process needs at one moment."""

    resident_mb: float
    """The memory of the process that is in RAM."""
    peak_mb: float
    """The most memory of the process that was in RAM at once, since its start."""
    threads: int
    cpu_seconds: float
    """The processor time of the process since its start."""


def child_of(pid: int, name: str) -> int:
    """Return the id of the child process whose command line names `name`. Raise LookupError without such a child."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text("utf-8").split():
            if name.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise LookupError(f"process {pid} has no child {name}")


def need_of(pid: int) -> Need:
    """Return how much memory and processor time the process needs. Linux writes both files (proc(5))."""
    status = dict(re.findall(r"^(\w+):\s+(\d+)", Path(f"/proc/{pid}/status").read_text("utf-8"), re.MULTILINE))
    after_name = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    cpu = (int(after_name[11]) + int(after_name[12])) / TICKS
    return Need(int(status["VmRSS"]) / 1024, int(status["VmHWM"]) / 1024, int(status["Threads"]), cpu)
