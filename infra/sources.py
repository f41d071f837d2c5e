"""List the sources of the templates, with their hashes, so that tests notice a source that nobody compiled."""

import hashlib
import json
from pathlib import Path

INFRA = Path(__file__).parent
KEPT = INFRA / "sources.json"
"""The hashes of the sources from which the kept templates and snapshots were made."""
PATTERNS = ("bicep.version", "bicepconfig.json", "workbook.json", "**/*.bicep", "**/*.bicepparam", "**/*.kql")


def sources() -> list[Path]:
    """Return every file that the compiler reads, in a fixed order."""
    return sorted({path for pattern in PATTERNS for path in INFRA.glob(pattern)})


def hashes() -> dict[str, str]:
    """Return the SHA-256 of every source, by its path in infra/."""
    return {path.relative_to(INFRA).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sources()}


def kept_hashes() -> dict[str, str]:
    """Return the hashes of the sources at the last `make infra WRITE=--write`."""
    found: dict[str, str] = json.loads(KEPT.read_text(encoding="utf-8"))
    return found
