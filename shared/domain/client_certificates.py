"""Which paths of a site App Service asks for no client certificate (Azure docs, "Set up TLS mutual authentication").

The property `clientCertExclusionPaths` is one text. ARM's samples separate paths by `;`, the SDK's text by `,`, and the
portal takes both. An entry excludes every path that begins with it, in any letter case.
"""

import re

_SEPARATORS = re.compile(r"[;,]")


def exclusions(text: str | None) -> tuple[str, ...]:
    """Return the excluded paths, in lower case and in the order of the text."""
    return tuple(path for part in _SEPARATORS.split(text or "") if (path := part.strip().lower()))


def is_excluded(path: str, excluded: tuple[str, ...]) -> bool:
    """Return True if a request for the path is asked for no client certificate. An entry without a slash counts too."""
    wanted = path.lower()
    return any(wanted.startswith(entry if entry.startswith("/") else f"/{entry}") for entry in excluded)
