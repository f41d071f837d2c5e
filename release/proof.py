"""Prove a release's zip: same bytes twice, only compiled files, and a Function App that Microsoft's runtime indexes."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from local import environment
from local.host.inspection import ANSWER, CHILD
from local.host.supervisor import WORKER_SETTINGS
from local.patience import HANG
from release.packages import PACKAGES, Failed, run

UNCHECKED_HASH = b"\x01\x00\x00\x00"
"""The flags in a file of byte code that Python never compares with its source (PEP 552)."""
IMPORT_ALL = "import importlib, sys; sys.path[:0] = {paths}; list(map(importlib.import_module, {modules}))"


def prove(archive: Path, root: Path, python: Path, runtime: Path, work: Path) -> list[str]:
    """Unpack the zip, check it, and return the names of the functions that Microsoft's runtime indexes, sorted.

    Raise Failed if the zip is not fit to be deployed. `runtime` is the folder with Microsoft's runtime, which stands
    behind the zip's own packages, as in Azure. `work` is a folder for what the proof makes.
    """
    app, harness = work / "app", work / "harness"
    with ZipFile(archive) as opened:
        opened.extractall(app)
    uncompiled = [str(path.relative_to(app)) for path in _sources(app) if not _is_compiled(path)]
    if uncompiled:
        raise Failed(f"{archive.name} has files without byte code: {uncompiled[:5]}")
    harness.mkdir(parents=True)
    (harness / "local").symlink_to(root / "local")
    _import_all(app, python)
    return _index(app, python, (app / PACKAGES, runtime, harness))


def _sources(app: Path) -> Iterator[Path]:
    yield from sorted(app.rglob("*.py"))


def _is_compiled(source: Path) -> bool:
    compiled = [path.read_bytes()[4:8] for path in source.parent.glob(f"__pycache__/{source.stem}.cpython-*.pyc")]
    return compiled == [UNCHECKED_HASH]


def _import_all(app: Path, python: Path) -> None:
    """Import every module of the app from the unpacked folder alone. Raise Failed if an import fails."""
    own = [path.relative_to(app) for path in _sources(app) if ".python_packages" not in path.parts]
    modules = [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in own]
    paths = [str(app / PACKAGES), str(app)]
    run(
        [
            python,
            "-I",
            "-S",
            "-c",
            f"import importlib, sys\nsys.path[:0] = {paths}\nfor m in {modules}: importlib.import_module(m)",
        ]
    )


def _index(app: Path, python: Path, paths: tuple[Path, ...]) -> list[str]:
    """Return the names of the functions that Microsoft's runtime indexes with only these paths and the app.

    `-S` keeps the packages of the interpreter out of the proof.
    """
    search = ":".join(map(str, paths))
    ended = subprocess.run(  # noqa: S603 - our own module, no shell
        [python, "-S", "-m", CHILD, "--app", app.resolve()],
        input="[]",
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        cwd=app,
        env=environment.for_child({**WORKER_SETTINGS, "PYTHONPATH": search}),
    )
    answers = [line for line in ended.stdout.splitlines() if line.startswith(ANSWER)]
    answer: dict[str, Any] = {"error": ended.stderr[-2000:]}
    if answers:
        answer = json.loads(answers[-1].removeprefix(ANSWER))
    if "error" in answer:
        raise Failed(f"Microsoft's runtime does not index the unpacked zip: {answer['error']}")
    return sorted(function["name"] for function in answer["functions"])
