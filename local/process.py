"""Run a child process that writes to a log file, and wait for lines of its output."""

import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TextIO

from local.patience import HANG

TAIL_LINES = 25
LINES_TO_EXPECT = 1000


class StartFailed(Exception):
    """A program did not start. The text of StartFailed has the last output of this program."""


class Child:
    """A running program in its own session, so that Ctrl-C reaches only the parent process."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path) -> None:
        self.name = name
        self.log = log
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._unread: deque[str] = deque(maxlen=LINES_TO_EXPECT)
        self._changed = threading.Condition()
        self._ended = False
        log.parent.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(  # noqa: S603 - the command is ours, no shell
            command,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"{name} output", daemon=True)
        self._reader.start()

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
        try:
            code = self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join(timeout=HANG)
        return code

    def kill(self) -> None:
        """Kill the program as a crash does, before the program finishes its work."""
        self._process.kill()
        self.stop()

    def wait(self) -> int:
        """Wait for the end of the child process, and return its exit code."""
        return self._process.wait()

    def _read(self) -> None:
        stream = self._process.stdout
        if stream is None:  # pragma: no cover - Popen was given a pipe
            return
        with stream, self.log.open("a", encoding="utf-8") as log:
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
