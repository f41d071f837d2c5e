"""The operations in Microsoft's lists, from a kept extract."""

import functools
import json
from pathlib import Path
from typing import Literal

EXTRACT = Path(__file__).with_name("operations.json")
Kind = Literal["actions", "dataActions"]


@functools.cache
def listed(kind: Kind = "actions") -> frozenset[str]:
    """Return the operations on resources, or on data, that Microsoft's lists have, in lower case."""
    extract = json.loads(EXTRACT.read_text(encoding="utf-8"))
    return frozenset(operation.lower() for page in extract["pages"] for operation in page[kind])
