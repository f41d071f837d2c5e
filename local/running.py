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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from local import instance
from local.instance import NOTED
from local.process import open_private

FIELDS = ({"pid"}, {"pid", "environment", "app", "log"})
"""The fields of a note while the local Azure starts, and from then on."""
MOST = 1_000_000
"""The number of characters that a note has at most. A note has about 4,000."""


class NotRunning(Exception):
    """A command of `python -m local` cannot run now. The message of `NotRunning` names the operator's next step."""


@dataclass(frozen=True, slots=True)
class Running:
    """A local Azure that runs in another process."""

    environment: Mapping[str, str]
    """The variables with which a program of a person reaches the local Azure, as the operator."""
    log: str
    """The log of the Functions host, or an empty text if another host runs the app."""
    noted: Path = NOTED
    """The file that notes the local Azure."""
    app: Mapping[str, str] = field(default_factory=dict)
    """The variables of the function app, as Certroll's identity. Empty if the local host runs the app."""

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
        _write(file, {"environment": dict(running.environment), "app": dict(running.app), "log": running.log})

    with file:
        _write(file, {})
        own = os.fstat(file.fileno())
        try:
            yield announce
        finally:
            # A person may have put another file in this place meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(path.lstat(), own):
                    path.unlink()


def read_running(path: Path) -> Running:
    """Return the local Azure that runs. Raise NotRunning if no local Azure runs or is ready."""
    noted = _held_note(path)
    if noted is None:
        known = f"{path} notes no local Azure that still runs" if path.exists() else f"there is no file {path}"
        raise NotRunning(
            f"no local Azure is running here: {known}. Start one in another terminal: {instance.start(path)}"
        )
    if "environment" not in noted:
        raise NotRunning(
            f"the local Azure still starts, as process {noted['pid']}: try again when it says that it runs"
        )
    return Running(noted["environment"], noted["log"], path, noted["app"])


def has_ended(path: Path) -> bool:
    """Return True if no local Azure holds the note any more."""
    try:
        return holder(path) is None
    except NotRunning:  # Another file has taken the place of the note.
        return True


def _open_locked(path: Path) -> TextIO:
    if (pid := holder(path)) is not None:
        raise NotRunning(
            f"a local Azure already runs, as process {pid}: press Ctrl-C in its terminal, or run `kill {pid}`. "
            f"To run a second local Azure too, give it its own file: {instance.second(path)}"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # A note that is left from a crash may have the mode of another umask.
        file = open(path, "x+", encoding="utf-8", opener=open_private)  # noqa: SIM115 - the caller closes the file
    except OSError as problem:
        raise _unusable(path, problem) from problem
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _write(file: TextIO, noted: Mapping[str, object]) -> None:
    file.seek(0)
    file.write(json.dumps({"pid": os.getpid(), **noted}, indent=2))
    file.truncate()
    file.flush()


def holder(path: Path) -> int | None:
    """Return the id of the process that holds the note's lock. Return None without a note, and for an old note.

    Raise NotRunning for a file that is no note, so that no command replaces a file of a person.
    """
    noted = _held_note(path)
    return None if noted is None else int(noted["pid"])


def _held_note(path: Path) -> Mapping[str, Any] | None:
    try:
        if path.exists() and not path.is_file():  # To open a pipe would wait for a writer.
            raise _no_note(path)
        with path.open(encoding="utf-8") as file:
            is_held = _is_locked(file)
            noted = _note(path, file.read(MOST), is_held=is_held)
            return noted if is_held else None
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise _unusable(path, problem) from problem
    except UnicodeDecodeError:
        raise _no_note(path) from None


def _is_locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _note(path: Path, text: str, *, is_held: bool) -> Mapping[str, Any]:
    """Return the fields of a note. Raise NotRunning for any other text."""
    if is_held and not text:  # The process that starts a local Azure has made the file, and has not written its id yet.
        raise NotRunning("a local Azure starts at this moment: try again")
    try:
        noted = json.loads(text)
    except (ValueError, RecursionError):
        raise _no_note(path) from None
    if not isinstance(noted, dict) or set(noted) not in FIELDS or not isinstance(noted["pid"], int):
        raise _no_note(path)
    return noted


def _no_note(path: Path) -> NotRunning:
    return NotRunning(f"{path} is no note of a local Azure; name another file")


def _unusable(path: Path, problem: OSError) -> NotRunning:
    why = os.strerror(problem.errno) if problem.errno else str(problem)
    return NotRunning(f"{path} cannot note a local Azure ({why}); name another file")
