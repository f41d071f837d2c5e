"""Test the workflow, the hooks before a commit, and the targets of make."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from local.environment import of_this_process

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+(\.\d+)*")
MISSING = [("test-hosted", ", so nothing was tested"), ("setup", ""), ("demo", "")]
HOOKS = {"ruff": "astral-sh/ruff-pre-commit", "codespell": "codespell-project/codespell"}


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(workflow: Path) -> None:
    """Each GitHub action is pinned by the hash of a commit, because a tag can be moved."""
    used = re.findall(r"uses: (.+)", workflow.read_text(encoding="utf-8"))
    assert used
    assert [action for action in used if not PINNED.fullmatch(action)] == []


def test_workflow_runs_targets_that_exist() -> None:
    """The CI workflow runs the checks, the tests, the demo and the nightly soak by targets of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    run = set(re.findall(r"run: make (\S+)", _text(".github/workflows/ci.yml")))
    assert {"check", "test", "demo", "soak"} <= run <= targets


def test_workflow_begins_with_the_oldest_python() -> None:
    """The CI workflow runs on the oldest Python that the project supports, and on two newer versions."""
    needed = tomllib.loads(_text("pyproject.toml"))["project"]["requires-python"].removeprefix(">=")
    (versions,) = re.findall(r"python: \[(.+)\]", _text(".github/workflows/ci.yml"))
    assert re.findall(r'"(.+?)"', versions) == [needed, "3.12", "3.13"]


@pytest.mark.parametrize("package", HOOKS)
def test_hooks_have_the_versions_of_make_check(package: str) -> None:
    """The hooks before a commit use the same versions of ruff and codespell as `make check`."""
    (version,) = re.findall(rf"^{package}==(\S+)", _text("requirements-dev.txt"), re.MULTILINE)
    assert f"{HOOKS[package]}\n    rev: v{version}\n" in _text(".pre-commit-config.yaml")


def test_make_check_checks_words() -> None:
    """The target `make check` checks the words of code and documents."""
    assert "python -m tests.style" in _text("Makefile")


@pytest.mark.parametrize(("target", "effect"), MISSING)
def test_make_names_a_missing_python(tmp_path: Path, target: str, effect: str) -> None:
    """A target with a Python that is missing fails with a sentence about that Python, and without a shell's error."""
    locks = [f"local/{tool}/package-lock.json" for tool in ("azurite", "kusto")]
    for name in ("Makefile", "requirements-dev.txt", "requirements-runtime.txt", *locks):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    command = [shutil.which("make") or "make", target, "PYTHON=python3.99"]
    own = {name: value for name, value in of_this_process().items() if not name.startswith(("MAKE", "MFLAGS"))}
    made = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    sentence, end, *more = made.stderr.splitlines()
    assert sentence.startswith(f"There is no python3.99{effect}. Name another one: make ")
    assert (end.startswith("make: *** "), more, made.stdout) == (True, [], "")
    assert made.returncode != 0


def test_pip_is_quiet() -> None:
    """The first `make` prints the warnings and errors of pip, and none of its hundreds of other lines."""
    commands = re.findall(r"-m pip install.*", _text("Makefile"))
    assert commands
    assert [command for command in commands if "--quiet" not in command] == []


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-runtime"])
def test_every_list_of_packages_is_locked(name: str) -> None:
    """The target `make lock` pins every package of each list to a version, with hashes."""
    assert re.search(rf"\$\(LOCK\) .*{name}\.in -o {name}\.txt", _text("Makefile"))
    packages = re.split(r"\n(?=\S)", _text(f"{name}.txt"))
    assert [package for package in packages if "==" not in package or "--hash=sha256:" not in package] == []
