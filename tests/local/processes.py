"""Find the processes that a test has started, and wait for their end."""

import os
import select
from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import monotonic

from local.patience import HANG


def marked(marker: str) -> set[int]:
    """Return the ids of the processes that run and whose environment has the marker.

    While a process starts another program, its environment is empty for a moment. A test of a count waits with `until`.
    """
    return {int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _has(folder, marker)}


def _has(folder: Path, marker: str) -> bool:
    try:
        return marker.encode() in (folder / "environ").read_bytes()
    except OSError:  # The process has ended, or belongs to somebody else.
        return False


def await_end(pid: int) -> None:
    """Wait until the process has ended, whoever its parent is."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([process], [], [], HANG)[0], f"process {pid} still runs"
    finally:
        os.close(process)


def await_none(marker: str) -> None:
    """Wait until no process with the marker runs."""
    while found := marked(marker):
        for pid in found:
            await_end(pid)


def until(condition: Callable[[], object]) -> None:
    """Wait until the condition is true."""
    end = monotonic() + HANG
    while not condition():
        assert monotonic() < end
        Event().wait(0.02)
