"""The files of the Function App, and a zip that has the same bytes each time."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pathspec import GitIgnoreSpec

from release.packages import run

OLDEST = (1980, 1, 1, 0, 0, 0)
"""The time of each file, which is the oldest that a zip can hold."""
READABLE = 0o100644
UNIX = 3


def deployed(names: Iterable[str], ignore: str) -> list[str]:
    """Return the names that the text of .funcignore lets through, sorted."""
    ignored = GitIgnoreSpec.from_lines(ignore.splitlines())
    return sorted(name for name in names if not ignored.match_file(name))


def copy_app(root: Path, folder: Path) -> None:
    """Copy the tracked files of the Function App into the folder, so that no stray file enters a release."""
    tracked = run(["git", "-C", root, "ls-files", "-z"]).split("\0")
    for name in deployed(filter(None, tracked), (root / ".funcignore").read_text(encoding="utf-8")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)


def write_zip(folder: Path, target: Path) -> None:
    """Write all files of the folder into a zip, in the order of their names, with fixed times and permissions."""
    target.parent.mkdir(parents=True, exist_ok=True)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    with ZipFile(target, "w") as archive:
        for name in sorted(files):
            entry = ZipInfo(name, OLDEST)
            entry.create_system, entry.external_attr, entry.compress_type = UNIX, READABLE << 16, ZIP_DEFLATED
            archive.writestr(entry, files[name].read_bytes(), compresslevel=9)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
