"""Install the packages of a release into its folder, and compile all byte code there.

uv chooses the wheels, because pip judges the markers of another Python's packages by its own version.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local import environment

PACKAGES = Path(".python_packages/lib/site-packages")
"""The folder from which Azure's worker imports an app's packages (azure-functions-python-worker, dependency.py)."""
ROOT_IN_AZURE = "/home/site/wwwroot"
"""The folder of the app in Azure, which the tracebacks of compiled files name (same source)."""
UV = Path(sys.executable).parent / "uv"
PLATFORM = "x86_64-manylinux2014"
HASH = re.compile(r"\s*\\?\s*--hash=(\S+)")
LEFT_OUT = ("bin", ".lock")
"""Scripts, whose first lines name the Python of the building machine, and the lock of the installer."""


class Failed(Exception):
    """A command that a release needs failed. The message has the command and what the command printed."""


def run(command: Sequence[str | Path], **more: str) -> str:
    """Run a command and return its standard output. Raise Failed if the command fails.

    The command sees only the environment variables that every program needs, and `more`.
    """
    return _ended(command, environment.for_child(more))


def uv(*arguments: str | Path) -> str:
    """Run uv with all environment variables, which may name a package index, and return its standard output.

    Raise Failed if uv fails.
    """
    return _ended([UV, *arguments], environment.of_this_process())


def _ended(command: Sequence[str | Path], variables: Mapping[str, str]) -> str:
    ended = subprocess.run(  # noqa: S603 - commands of this package, without a shell
        list(command), capture_output=True, text=True, check=False, env=variables
    )
    if ended.returncode != 0:
        said = (ended.stdout + ended.stderr)[-3000:]
        raise Failed(f"`{' '.join(map(str, command))}` ended with {ended.returncode}:\n{said}")
    return ended.stdout


def locked(lock: str, version: str) -> str:
    """Return the entries of a universal lock that a minor version of Python on Linux takes, with their hashes."""
    taken = [entry for entry in _entries(lock) if _applies(entry, version)]
    return "".join(f"{entry}\n" for entry in taken)


def names(lock: str) -> set[tuple[str, str]]:
    """Return the normalized name and the version of each entry of a lock without markers."""
    wanted = [Requirement(HASH.sub("", entry)) for entry in _entries(lock)]
    return {(canonicalize_name(entry.name), str(entry.specifier).removeprefix("==")) for entry in wanted}


def installed(folder: Path) -> set[tuple[str, str]]:
    """Return the normalized name and the version of each package in the folder of an unpacked release."""
    found = distributions(path=[str(folder / PACKAGES)])
    return {(canonicalize_name(package.metadata["Name"]), package.version) for package in found}


def install(lock: Path, version: str, folder: Path) -> None:
    """Install the packages of a lock without markers into the release's folder. Raise Failed without the right wheels.

    uv checks every hash, and takes wheels alone, so that no package's own code runs.
    """
    target = folder / PACKAGES
    wheels = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--link-mode", "copy")
    python = ("--python-version", version, "--python-platform", PLATFORM)
    uv("pip", "install", "--quiet", *wheels, *python, "--target", target, "-r", lock)
    for name in LEFT_OUT:
        left = target / name
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink(missing_ok=True)


def compile_all(python: Path, folder: Path) -> None:
    """Compile each Python file of the folder; raise Failed if a file does not compile.

    Python never compares such byte code with its source, whose time in a zip is no real one.
    """
    flags = ("-q", "-f", "--invalidation-mode", "unchecked-hash", "-s", folder, "-p", ROOT_IN_AZURE)
    run([python, "-I", "-m", "compileall", *flags, folder], PYTHONHASHSEED="0")


def _entries(lock: str) -> Iterator[str]:
    """Yield each requirement of a lock with its hashes, on one line."""
    joined = re.sub(r"\\\n\s*", " ", lock)
    yield from (line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def _applies(entry: str, version: str) -> bool:
    marker = Requirement(HASH.sub("", entry)).marker
    there = {"python_version": version, "python_full_version": f"{version}.0", "sys_platform": "linux"}
    machine = {"platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}
    implementation = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    return marker is None or marker.evaluate({**there, **machine, **implementation})
