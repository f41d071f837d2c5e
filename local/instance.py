"""Tell the local Azures of one machine apart: each has a file that notes it while it runs, and its own logs."""

import shlex
from pathlib import Path

NOTED = Path(__file__).resolve().parents[1] / "build" / "local.json"
"""The file of the local Azure that `make local` starts."""
PYTHON = ".venv/bin/python"
"""The program in commands that a person copies."""
UP = "up"


def command(words: str, noted: Path = NOTED) -> str:
    """Return a command of `python -m local` for the local Azure that the file notes, for a person to copy.

    The option `--file` follows the first word, because `shell` gives all later words to the program that it starts.
    """
    first, _, others = words.partition(" ")
    file = () if noted.resolve() == NOTED else ("--file", shlex.quote(str(noted)))
    return " ".join((PYTHON, "-m", "local", first, *file, *([others] if others else [])))


def start(noted: Path) -> str:
    """Return the command with which a person starts the local Azure that the file notes."""
    return "make local" if noted.resolve() == NOTED else command(UP, noted)


def second(noted: Path) -> str:
    """Return the command with which a person starts a second local Azure while the file notes the first."""
    return command(f"{UP} --port 0", short(noted.with_stem(f"{noted.stem}-2")))


def logs_of(noted: Path) -> Path:
    """Return the directory for the logs of the local Azure that the file notes, next to the file.

    A file `notes.txt` does not share its directory with `notes.json`.
    """
    return noted.with_name(f"{noted.name.removesuffix('.json')}.logs")


def short(path: Path) -> Path:
    """Return the path from the present directory if the path is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
