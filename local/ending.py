"""End a command of `python -m local` on Ctrl-C, SIGTERM, SIGHUP, or the death of its parent, and leave no process."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from local import process

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_EVERY = 0.5


class Ended(BaseException):
    """A person or the system ends this command. `Ended` is no `Exception`, so that no `except Exception` stops it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)

    @property
    def exit_code(self) -> int:
        """The exit code that shells use for a command that a signal ended."""
        return 128 + self.number


class Ending:
    """The signal handler: the first signal raises `Ended` in the main thread, a later signal kills all children."""

    def __init__(self) -> None:
        self._begun = False
        self._older = process.running_children()

    def __call__(self, number: int, _: FrameType | None) -> None:
        """Raise Ended at the first signal. At a later signal, kill what the command still waits for."""
        if self._begun:
            self.kill_children()
            return
        self._begun = True
        raise Ended(number)

    def kill_children(self) -> None:
        """Kill every child that the command has started."""
        process.kill_children(self._older)


@contextmanager
def on_signals() -> Iterator[None]:
    """Raise `Ended` in the body if a signal asks for the end or the parent dies. Leave no child after the body.

    `nohup` ignores SIGHUP. A command under `nohup` outlives its terminal and its parent.
    """
    handler, stays = Ending(), signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    wanted = [number for number in SIGNALS if not (stays and number == signal.SIGHUP)]
    before = {number: signal.signal(number, handler) for number in wanted}
    over = threading.Event()
    if not stays:
        threading.Thread(target=_follow, args=(os.getppid(), over), name="parent", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        handler.kill_children()
        for number, was in before.items():
            signal.signal(number, was)


def _follow(parent: int, over: threading.Event) -> None:
    """Send SIGTERM to this process when its parent has died: the system then gives the process another parent."""
    while not over.wait(LOOK_EVERY):
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return
