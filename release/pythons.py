"""Find the interpreters that compile the byte code, because Python reads only byte code of its own minor version."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

VERSIONS = ("3.12", "3.13")
"""The versions of Python for which a release has a zip (Azure docs, functions-versions: Python of Functions 4.x)."""
SHOW = "import platform; print(platform.python_version())"


class NoPython(Exception):
    """This machine has no interpreter of a version. The message says how to name one."""


def find(version: str, environment: Mapping[str, str]) -> Path:
    """Return an interpreter of the given minor version, such as `3.12`; raise NoPython if there is none.

    The variable `PYTHON312` names the interpreter of 3.12. Without the variable, the interpreter comes from the path or
    from pyenv, whose shims start only the versions that somebody chose.
    """
    variable = f"PYTHON{version.replace('.', '')}"
    given = environment.get(variable)
    for candidate in [given] if given else _candidates(version, environment):
        if full_version(Path(candidate)).startswith(f"{version}."):
            return Path(candidate)
    found = f"{given} is no Python {version}" if given else f"This machine has no Python {version}"
    raise NoPython(
        f"{found}, which compiles the byte code of the zip for {version}. Install Python {version}, or name its"
        f" interpreter: make release {variable}=/path/to/python{version}"
    )


def full_version(python: Path) -> str:
    """Return the version with its patch release, or an empty text if the interpreter does not start."""
    try:
        shown = subprocess.run([python, "-I", "-c", SHOW], capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    except OSError:
        return ""
    return shown.stdout.strip() if shown.returncode == 0 else ""


def _candidates(version: str, environment: Mapping[str, str]) -> Iterator[str]:
    found = shutil.which(f"python{version}", path=environment.get("PATH"))
    if found:
        yield found
    pyenv = Path(environment.get("PYENV_ROOT") or Path(environment.get("HOME", "/")) / ".pyenv")
    yield from sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}")))
