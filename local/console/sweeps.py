"""Run a sweep of the hosted app, and follow the log until the sweep has ended."""

import threading
import time
from pathlib import Path

from local.console.client import HostClient
from local.console.log import Event, events
from local.patience import HANG

LOOK_EVERY = 0.1
TIMER = "sweep_timer"


def run_sweep(host: HostClient, log: Path) -> Event | None:
    """Begin a sweep, and return the event with which it ended, or None if it did not end well.

    The timer only begins the sweep, and the runs of its parts follow on the queue `sweeps`. A sweep has not ended well
    if its timer fails, if one of its parts fails, or if it takes longer than nine minutes.
    """
    before, seen = host.ended(), len(_completed(log))
    host.run(TIMER)
    if not host.await_end(TIMER, before):
        return None
    give_up = time.monotonic() + HANG
    while time.monotonic() < give_up:
        for ended in _completed(log)[seen:]:
            return ended if ended["judged"] and not ended["failed"] else None
        threading.Event().wait(LOOK_EVERY)
    return None


def last_judged(log: Path) -> Event | None:
    """Return the event with which the last sweep told what it had judged, or None."""
    judged = _named(log, "sweep.judged")
    return judged[-1] if judged else None


def _completed(log: Path) -> list[Event]:
    return _named(log, "sweep.completed")


def _named(log: Path, name: str) -> list[Event]:
    return [event for event in events(log) if event["event"] == name]
