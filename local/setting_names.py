"""Check the names of the settings that a person gives to the function app, so that a misspelt name has an effect."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

PAGE = Path("docs") / "reference" / "settings.md"
"""The page that lists the settings of Certroll. A test compares the page with the code."""
ROWS = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
OF_HOST = ("AzureFunctionsJobHost__", "AzureFunctionsWebHost__", "AzureWebJobs", "FUNCTIONS_", "PYTHON_", "WEBSITE_")
"""How the settings of the Functions host, of its Python worker and of App Service begin."""


class UnknownSetting(ValueError):
    """A setting has a name that neither Certroll nor the Functions host reads."""


def check_names(names: Iterable[str]) -> None:
    """Raise UnknownSetting for the first name that neither Certroll nor the Functions host reads."""
    known = ROWS.findall((Path(__file__).parents[1] / PAGE).read_text(encoding="utf-8"))
    for name in names:
        if name not in known and not name.startswith(OF_HOST):
            near = difflib.get_close_matches(name, known, 1)
            guess = f" Do you mean {near[0]}?" if near else ""
            raise UnknownSetting(f"Certroll has no setting {name}.{guess} {PAGE} lists the settings.")
