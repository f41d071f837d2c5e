"""A release has the same bytes each time, only the app's files, only compiled files, and says what a machine lacks."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from release import archive, packages, proof, pythons
from release.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
DEPLOYED = {"function_app.py", "functions", "host.json", "requirements.txt", "shared"}


def app(folder: Path, module: str = "answer = 42\n") -> Path:
    """Write a small Function App into the folder, and return the folder."""
    (folder / "shared").mkdir(parents=True)
    (folder / "function_app.py").write_text("import shared.work\n")
    (folder / "shared" / "work.py").write_text(module)
    return folder


def test_zip_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    """The bytes of a zip depend on neither the times, the permissions nor the order in which files were made."""
    early, late = app(tmp_path / "early"), app(tmp_path / "late")
    for path in late.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o600)
    for folder in (early, late):
        packages.compile_all(Path(sys.executable), folder)
        archive.write_zip(folder, folder.with_suffix(".zip"))
    assert early.with_suffix(".zip").read_bytes() == late.with_suffix(".zip").read_bytes()


def test_azure_uses_the_byte_code_of_a_zip(tmp_path: Path) -> None:
    """Python takes the byte code of an unpacked zip, although the times of its files are new."""
    folder = app(tmp_path, "raise LookupError('from byte code')\n")
    packages.compile_all(Path(sys.executable), folder)
    (folder / "shared" / "work.py").write_text("raise LookupError('from a newer source')\n")
    ended = subprocess.run([sys.executable, "function_app.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert "from byte code" in ended.stderr


def test_only_the_app_is_released() -> None:
    """A release has the tracked files that .funcignore lets through, and nothing else of the repository."""
    names = archive.deployed(
        packages.run(["git", "-C", ROOT, "ls-files"]).splitlines(), (ROOT / ".funcignore").read_text(encoding="utf-8")
    )
    assert {name.partition("/")[0] for name in names} == DEPLOYED
    assert "shared/__init__.py" in names


@pytest.mark.parametrize(("version", "functions"), [("3.12", "1."), ("3.13", "2.")])
def test_each_zip_has_the_packages_of_its_python(version: str, functions: str) -> None:
    """A zip has one version of each package, the one that the lock names for the Python of the zip."""
    found = packages.names(packages.locked(LOCK, version))
    assert len({name for name, _ in found}) == len(found)
    assert dict(found)["azure-functions"].startswith(functions)


def test_each_package_keeps_its_hashes() -> None:
    """The packages of a zip are checked by the hashes of the lock."""
    entries = packages.locked(LOCK, "3.12").splitlines()
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_machine_without_a_python_is_told_the_cure(tmp_path: Path, version: str) -> None:
    """A build on a machine without one of the two Pythons says which one is missing, and how to name it."""
    with pytest.raises(pythons.NoPython, match=rf"no Python {version}.*PYTHON{version.replace('.', '')}=/path/to/"):
        pythons.find(version, {"PATH": str(tmp_path), "HOME": str(tmp_path)})


def test_interpreter_of_another_version_is_refused(tmp_path: Path) -> None:
    """An interpreter that was named for a version, but has another one, is refused by its path."""
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.99.0\n")
    other.chmod(0o755)
    with pytest.raises(pythons.NoPython, match=f"{other} is no Python 3.12"):
        pythons.find("3.12", {"PYTHON312": str(other)})


def test_interpreter_of_pyenv_is_found(tmp_path: Path) -> None:
    """A build finds the interpreters of pyenv, whose shim on the path starts only the chosen version."""
    shim, real = tmp_path / "shims" / "python3.12", tmp_path / ".pyenv" / "versions" / "3.12.9" / "bin" / "python3.12"
    for path, answer in ((shim, "exit 127"), (real, "echo 3.12.9")):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{answer}\n")
        path.chmod(0o755)
    assert pythons.find("3.12", {"PATH": str(shim.parent), "HOME": str(tmp_path)}) == real


def test_zip_without_byte_code_is_refused(tmp_path: Path) -> None:
    """A zip with a source that nobody compiled is refused, because it would start slowly in Azure."""
    folder = app(tmp_path / "app")
    packages.compile_all(Path(sys.executable), folder)
    (folder / "shared" / "late.py").write_text("")
    archive.write_zip(folder, tmp_path / "app.zip")
    with pytest.raises(packages.Failed, match=r"app\.zip has files without byte code: \['shared/late\.py'\]"):
        proof.prove(tmp_path / "app.zip", ROOT, Path(sys.executable), tmp_path, tmp_path / "work")


def test_source_that_does_not_compile_stops_a_release(tmp_path: Path) -> None:
    """A file that Python cannot compile stops the release with the name of the file."""
    with pytest.raises(packages.Failed, match=r"work\.py"):
        packages.compile_all(Path(sys.executable), app(tmp_path, "def broken(:\n"))


def test_zip_can_be_unpacked(tmp_path: Path) -> None:
    """Everybody may read each file of a zip."""
    archive.write_zip(app(tmp_path / "app"), tmp_path / "app.zip")
    with ZipFile(tmp_path / "app.zip") as opened:
        assert {entry.external_attr >> 16 & 0o777 for entry in opened.infolist()} == {0o644}


def test_tag_of_another_version_stops_a_release(capsys: pytest.CaptureFixture[str]) -> None:
    """A tag that does not name the version of the app stops the release before anything is built."""
    with pytest.raises(SystemExit):
        main(["--tag", "v99.0.0"])
    assert "tag v" in capsys.readouterr().err
