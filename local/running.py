"""Note the local Azure that runs, in a file that other commands of `python -m local` read.

`python -m local up` holds a lock on the file while it runs. The system frees the lock when the process dies, so a file
that nobody locks is left from a crash.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from local import instance
from local.instance import NOTED
from local.process import open_private


class NotRunning(Exception):
    """A command of `python -m local` cannot run now. The message of `NotRunning` names the operator's next step."""


@dataclass(frozen=True, slots=True)
class Running:
    """A local Azure that runs in another process."""

    environment: Mapping[str, str]
    """The variables with which a program reaches the local Azure."""
    log: str
    """The log of the Functions host, or an empty text if another host runs the app."""
    noted: Path = NOTED
    """The file that notes the local Azure."""

    @property
    def log_file(self) -> Path:
        """The log of the Functions host. Raise NotRunning if another host runs the app."""
        if not self.log:
            raise NotRunning("this local Azure was started with --no-app: the log is with the host that runs the app")
        return Path(self.log)

    def command(self, words: str) -> str:
        """Return a command of `python -m local` for this local Azure, for a person to copy."""
        return instance.command(words, self.noted)


@contextmanager
def announced(path: Path) -> Iterator[Callable[[Running], None]]:
    """Lock the file, and return a function that writes what runs. Remove the file after the body.

    Raise NotRunning with the process id if another local Azure holds the lock.
    """
    file = _open_locked(path)

    def announce(running: Running) -> None:
        _write(file, {"environment": dict(running.environment), "log": running.log})

    with file:
        _write(file, {})
        try:
            yield announce
        finally:
            path.unlink(missing_ok=True)


def read_running(path: Path) -> Running:
    """Return the local Azure that runs. Raise NotRunning if no local Azure runs or is ready."""
    if _runs(path) is None:
        known = f"{path} notes no local Azure that still runs" if path.exists() else f"there is no file {path}"
        raise NotRunning(
            f"no local Azure is running here: {known}. Start one in another terminal: {instance.start(path)}"
        )
    noted = json.loads(path.read_text(encoding="utf-8"))
    if "environment" not in noted:
        raise NotRunning(
            f"the local Azure still starts, as process {noted['pid']}: try again when it says that it runs"
        )
    return Running(noted["environment"], noted["log"], path)


def _open_locked(path: Path) -> TextIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    if (pid := _runs(path)) is not None:
        raise NotRunning(
            f"a local Azure already runs, as process {pid}: press Ctrl-C in its terminal, or run `kill {pid}`. "
            f"To run a second local Azure too, give it its own file: {instance.second(path)}"
        )
    path.unlink(missing_ok=True)  # A file that is left from a crash may have the mode of another umask.
    file = open(path, "x+", encoding="utf-8", opener=open_private)  # noqa: SIM115 - the caller closes the file
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _write(file: TextIO, noted: Mapping[str, object]) -> None:
    file.seek(0)
    file.write(json.dumps({"pid": os.getpid(), **noted}, indent=2))
    file.truncate()


def _runs(path: Path) -> int | None:
    """Return the id of the process that holds the file's lock, or None."""
    with contextlib.suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid(file.read())
    return None


def _pid(noted: str) -> int:
    try:
        return int(json.loads(noted)["pid"])
    except ValueError:  # The process that starts a local Azure has made the file, and has not written its id yet.
        raise NotRunning("a local Azure starts at this moment: try again") from None
