"""Run a child process that writes to a log file, and wait for lines of its output."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, TextIO

from local.patience import HANG

TAIL_LINES = 25
LINES_TO_EXPECT = 1000
PRIVATE = 0o600
TIED = Path(__file__).with_name("tied.py")
_RUNNING: set["Child"] = set()


def tied(command: Sequence[str]) -> list[str]:
    """Return the command in a form that dies with this process. On systems other than Linux, see local/tied.py."""
    return [sys.executable, "-I", "-S", str(TIED), str(os.getpid()), *command]


def running_children() -> frozenset["Child"]:
    """Return the children of this process that run now."""
    return frozenset(_RUNNING)


def kill_children(older: frozenset["Child"]) -> None:
    """Kill every child of this process that is not among the older ones, with all processes that the child started."""
    for child in running_children() - older:
        child.kill_group()


def open_private(path: str, flags: int) -> int:
    """Open a file that only its owner may read, for `open(…, opener=open_private)`.

    The log of an app or of Azurite may hold keys. A file gets its mode when it is made, so that the file is never open
    to others.
    """
    return os.open(path, flags, PRIVATE)


class StartFailed(Exception):
    """A program did not start. The text of StartFailed has the last output of this program."""


class Child:
    """A running program in its own session and process group, so that Ctrl-C reaches only the parent process.

    The program ends with this process, even if this process dies by SIGKILL.
    """

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path) -> None:
        self.name = name
        self.log = log
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._unread: deque[str] = deque(maxlen=LINES_TO_EXPECT)
        self._changed = threading.Condition()
        self._ended = False
        log.parent.mkdir(parents=True, exist_ok=True)
        started: Future[subprocess.Popen[str]] = Future()
        given = (started, tied(command), dict(environment), cwd)
        self._reader = threading.Thread(target=self._run, args=given, name=f"{name} output", daemon=True)
        self._reader.start()
        try:
            self._process = started.result()
        except BaseException:
            started.add_done_callback(_kill_started)
            raise

    @property
    def pid(self) -> int:
        """The process id of the program."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True while the program runs."""
        return self._process.poll() is None

    def expect(self, pattern: str, deadline: float) -> re.Match[str]:
        """Return the next output line that matches the pattern.

        Raise StartFailed if the program ends or `deadline` seconds pass.
        """
        end = time.monotonic() + deadline
        while (line := self._next_line(end)) is not None:
            if match := re.search(pattern, line):
                return match
        why = f"printed nothing like {pattern!r} within {deadline:g} s" if self.running else f"ended with {self.wait()}"
        raise StartFailed(f"{self.name} {why}. Its log is {self.log}; the last lines:\n{self.tail()}")

    def tail(self) -> str:
        """Return the last lines of the child process's output."""
        with self._changed:
            return "\n".join(self._lines)

    def stop(self, grace: float = HANG) -> int:
        """End the program by SIGTERM, after `grace` seconds by SIGKILL, and return its exit code."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)
        self.kill_group()
        code = self._process.wait()
        self._reader.join(timeout=HANG)
        return code

    def kill(self) -> None:
        """Kill the program as a crash does, before the program finishes its work."""
        self.kill_group()
        self.stop()

    def kill_group(self) -> None:
        """Kill the program with every process of its process group, without a wait."""
        _kill_group(self._process)

    def wait(self) -> int:
        """Wait for the end of the child process, and return its exit code."""
        return self._process.wait()

    def _run(
        self, started: "Future[subprocess.Popen[str]]", command: list[str], environment: dict[str, str], cwd: Path
    ) -> None:
        """Start the program in this thread, copy its output, and stay until the program has ended.

        The system ends the program when the thread that started the program ends: see local/tied.py.
        """
        try:
            process = subprocess.Popen(  # noqa: S603 - the command is ours, no shell
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as problem:
            started.set_exception(problem)
            return
        self._process = process
        _RUNNING.add(self)
        started.set_result(process)
        if process.stdout is not None:
            self._read(process.stdout)
        process.wait()
        _RUNNING.discard(self)

    def _read(self, stream: IO[str]) -> None:
        with stream, open(self.log, "a", encoding="utf-8", opener=open_private) as log:
            self._copy(stream, log)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _copy(self, stream: IO[str], log: TextIO) -> None:
        for line in stream:
            log.write(line)
            log.flush()
            with self._changed:
                self._lines.append(line.rstrip("\n"))
                self._unread.append(line.rstrip("\n"))
                self._changed.notify_all()

    def _next_line(self, end: float) -> str | None:
        with self._changed:
            while not self._unread:
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    return None
                self._changed.wait(left)
            return self._unread.popleft()


def _kill_started(started: "Future[subprocess.Popen[str]]") -> None:
    """Kill a program whose start was interrupted. Nothing is left to do if the program could not start."""
    if started.exception() is None:
        _kill_group(started.result())


def _kill_group(process: "subprocess.Popen[str]") -> None:
    # The process id is also the id of the group, because the program has a session of its own. The group is gone when
    # its last process has ended.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
