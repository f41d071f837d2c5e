"""Write the bill of materials (SBOM) of a zip in CycloneDX, from the lock."""

import json
from pathlib import Path

from packaging.utils import canonicalize_name

from release.packages import Failed, names, run

FORMAT = ("--output-reproducible", "--output-format", "JSON", "--spec-version", "1.6")


def write_bill(tools: Path, lock: Path, pyproject: Path, target: Path) -> None:
    """Write the bill of the packages in a lock without markers; raise Failed if a package is missing in the bill.

    The bill has neither the time nor a random number, so it is the same each time.
    """
    run(
        [
            tools / "bin" / "cyclonedx-py",
            "requirements",
            lock,
            "--pyproject",
            pyproject,
            *FORMAT,
            "--output-file",
            target,
        ]
    )
    bill = json.loads(target.read_text(encoding="utf-8"))
    listed = {(canonicalize_name(found["name"]), found["version"]) for found in bill["components"]}
    missing = names(lock.read_text(encoding="utf-8")) ^ listed
    if missing:
        raise Failed(f"{target.name} and the lock differ in {sorted(missing)}")
