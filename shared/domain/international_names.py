"""Turn international host names into their ASCII form (A-labels) and back, by IDNA 2008 and the mapping of UTS 46.

Python's own codec `idna` is IDNA 2003, which makes `strasse.example` of `straße.example`, a name that may have another
owner.
"""

from contextlib import suppress

import idna

PREFIX = "xn--"
"""The beginning of each A-label (RFC 5890, 2.3.2.1)."""
LONGEST = 1_000
"""How many characters a host name may have before this module looks at it; the ASCII form has 253 at most."""


def to_ascii(name: str) -> str:
    """Return the host name in lower case and with A-labels. Raise ValueError if IDNA 2008 forbids the name.

    A label that is ASCII already stays as it is, because DNS and certificates also have labels with underscores.
    """
    if len(name) > LONGEST:
        raise ValueError(f"it has {len(name)} characters")
    if name.isascii():
        return name.lower()
    mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
    return ".".join(label if label.isascii() else idna.alabel(label).decode() for label in mapped.split("."))


def to_unicode(name: str) -> str:
    """Return the host name with A-labels in Unicode, as App Service shows international names; a huge name as it is."""
    return name if len(name) > LONGEST else ".".join(map(_unicode_label, name.split(".")))


def is_international(name: str) -> bool:
    """Return True if a label of the host name is in Unicode, or is an A-label."""
    return not name.isascii() or any(label.startswith(PREFIX) for label in name.lower().split("."))


def _unicode_label(label: str) -> str:
    if label.startswith(PREFIX):
        with suppress(idna.IDNAError):  # an A-label of IDNA 2003, or any text behind the prefix
            return idna.ulabel(label)
    return label
