"""`pip install .` installs the packages that a command line needs, as azd does for its hooks in Python."""

import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from local.environment import for_child
from shared.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared", "functions", "local", "release")
SOURCES = ("pyproject.toml", "requirements.in", "README.md")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
IMPORT_ALL = """
import importlib, sys
sys.path.append({packages!r})
for module in {modules!r}:
    found = importlib.import_module(module).__file__
    assert found.startswith(sys.prefix), found
"""


def run(*command: str | Path) -> None:
    """Run a command, and fail with what the command printed if it fails."""
    ended = subprocess.run(  # noqa: S603 - pip and an interpreter, without a shell
        command, capture_output=True, text=True, check=False, env=for_child({})
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment in which only the repository was installed, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    repository, environment = folder / "repository", folder / "environment"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, repository / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in SOURCES:
        shutil.copyfile(ROOT / name, repository / name)
    run(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, repository)
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    (wheel,) = folder.glob("*.whl")
    run(*PIP, "--python", environment / "bin" / "python", "install", "--no-index", "--no-deps", "--no-compile", wheel)
    return environment


def packages(environment: Path) -> Path:
    """Return the folder of an environment that has its packages."""
    (found,) = environment.glob("lib/python*/site-packages")
    return found


def test_repository_can_be_installed_and_imported(empty: Path) -> None:
    """Each module of `shared` is imported from the installed package, in an environment without anything else."""
    installed = packages(empty)
    paths = [path.relative_to(installed).with_suffix("") for path in sorted((installed / "shared").rglob("*.py"))]
    modules = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    assert len(modules) == len(list((ROOT / "shared").rglob("*.py")))
    code = IMPORT_ALL.format(packages=sysconfig.get_path("purelib"), modules=modules)
    run(empty / "bin" / "python", "-I", "-c", code)


def test_installation_brings_nothing_else(empty: Path) -> None:
    """The package holds neither tests nor the local Azure, whose names other packages have too."""
    assert {path.name for path in packages(empty).iterdir()} == {"shared", f"certroll-{VERSION}.dist-info"}


def test_installation_asks_for_the_packages_of_the_app(empty: Path) -> None:
    """The installed package needs the packages that requirements.in names, and has the version of the app."""
    (found,) = distributions(path=[str(packages(empty))])
    wanted = {line for line in (ROOT / "requirements.in").read_text().splitlines() if line}
    assert {str(Requirement(line)) for line in found.requires or ()} == wanted
    assert found.version == VERSION
