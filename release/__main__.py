"""`python -m release` builds the zips, the bills of materials and the checksums of a release into build/release."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local import environment
from release import archive, pythons
from release.bill import write_bill
from release.packages import Failed, compile_all, install, installed, locked, names, uv
from release.proof import prove
from shared.version import VERSION

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "build" / "release"
APP_LOCK, RUNTIME_LOCK, TOOLS_LOCK = "requirements.txt", "requirements-runtime.txt", "requirements-release.txt"
WITH_RUNTIME = ("3.13",)
"""The versions of Python whose zip carries Microsoft's runtime, so that Azure runs the one that was tested.

From 3.13 on, Azure's worker takes the runtime from the app's packages (Azure docs, python-313-changes; the worker's
dependency.py puts the app's packages first). Earlier workers have the runtime built in.
"""


@dataclass(frozen=True, slots=True)
class Tools:
    """What only a build needs: the environment with cyclonedx-py, and the folder with Microsoft's runtime."""

    environment: Path
    runtime: Path


def build(version: str, tools: Tools, work: Path) -> str:
    """Build the zip and the bill for one version of Python, prove both, and return the lines with their checksums."""
    python = pythons.find(version, environment.of_this_process())
    stem = f"certroll-{VERSION}-py{version.replace('.', '')}"
    lock = work / "lock.txt"
    lock.write_text(_lock(version), encoding="utf-8")
    first, second = (_zip(python, version, lock, work / name) for name in ("first", "second"))
    if first.read_bytes() != second.read_bytes():
        raise Failed(f"Two builds of {stem}.zip differ. Compare them in {shutil.copytree(work, TARGET / 'differing')}")
    functions = prove(first, ROOT, python, tools.runtime, work / "proof")
    print(f"  Microsoft's runtime indexes {len(functions)} functions from {stem}.zip: {', '.join(functions)}")
    made = [Path(shutil.copyfile(first, TARGET / f"{stem}.zip")), TARGET / f"{stem}.cdx.json"]
    write_bill(tools.environment, lock, ROOT / "pyproject.toml", made[1])
    sums = "".join(f"{archive.digest(path)}  {path.name}\n" for path in made)
    return f"# Byte code of Python {pythons.full_version(python)}\n{sums}"


def _lock(version: str) -> str:
    wanted = (APP_LOCK, RUNTIME_LOCK) if version in WITH_RUNTIME else (APP_LOCK,)
    return "".join(locked((ROOT / name).read_text(encoding="utf-8"), version) for name in wanted)


def _zip(python: Path, version: str, lock: Path, work: Path) -> Path:
    """Build the zip in a folder of its own, and return its path."""
    folder = work / "app"
    archive.copy_app(ROOT, folder)
    install(lock, version, folder)
    difference = installed(folder) ^ names(lock.read_text(encoding="utf-8"))
    if difference:
        raise Failed(f"The installed packages and the lock differ in {sorted(difference)}")
    compile_all(python, folder)
    archive.write_zip(folder, work / "app.zip")
    return work / "app.zip"


def _tools(work: Path) -> Tools:
    """Install the programs that only a release needs, each by its hash."""
    made = Tools(work / "venv", work / "runtime")
    uv("venv", "--quiet", "--python", sys.executable, made.environment)
    into = ("pip", "install", "--quiet", "--require-hashes")
    uv(*into, "--python", made.environment / "bin" / "python", "-r", ROOT / TOOLS_LOCK)
    runtime = ("--no-deps", "--python-version", WITH_RUNTIME[0], "--target", made.runtime)
    uv(*into, *runtime, "-r", ROOT / RUNTIME_LOCK)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the command line asks for, and return 0, or 1 after a sentence about what is missing."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("--python", nargs="+", choices=pythons.VERSIONS, default=pythons.VERSIONS)
    parser.add_argument("--tag", default=f"v{VERSION}", help="the tag of the release, which has its version")
    asked = parser.parse_args(arguments)
    versions: Sequence[str] = asked.python
    if asked.tag != f"v{VERSION}":
        parser.error(f"The tag {asked.tag} does not fit version {VERSION} of shared/version.py: tag v{VERSION}")
    TARGET.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            tools = _tools(Path(scratch))
            sums = [build(version, tools, _fresh(Path(scratch) / version)) for version in versions]
    except (Failed, pythons.NoPython) as problem:
        print(problem, file=sys.stderr)
        return 1
    (TARGET / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    print(f"- {TARGET.relative_to(ROOT)} has the release. Check it with: (cd build/release && sha256sum -c SHA256SUMS)")
    return 0


def _fresh(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
