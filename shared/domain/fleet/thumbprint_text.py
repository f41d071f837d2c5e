"""Find thumbprints in a text as people write them, and write another thumbprint in the same form.

The certificate dialog of Windows copies a thumbprint with blanks between the octets and an invisible character
(U+200E) before the first digit. .NET 10's FindByThumbprint was run with such texts. FindByThumbprint ignores case,
blanks, tabs, no-break spaces, a line break at the end and U+200E. FindByThumbprint finds nothing for colons, hyphens,
quotes, U+FEFF or U+200B, so an app whose setting has them takes them out itself.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from unicodedata import category

from shared.domain.names import Thumbprint

_DIGITS = "0123456789ABCDEFabcdef"
_LENGTH = 40
_THUMBPRINT = rf"(?P<thumbprint>[{_DIGITS}]{{{_LENGTH}}})"
_LINUX = rf"/var/ssl/(?:private|certs)/{_THUMBPRINT}\.(?:p12|pfx|der|crt|cer)"
_WINDOWS = rf"c:[\\/]appservice[\\/]certificates[\\/](?:private|public)[\\/]{_THUMBPRINT}\.(?:pfx|p12|cer|der|crt)"
_PATHS = (re.compile(_LINUX), re.compile(_WINDOWS, re.IGNORECASE))
_BARE = re.compile(_THUMBPRINT)
_ANYWHERE = re.compile(f"(?={_THUMBPRINT})")
_QUOTES_AND_SEPARATORS = frozenset("\"'`:-\u2018\u2019\u201c\u201d")
_IGNORED_CATEGORIES = frozenset({"Cf", "Zs", "Zl", "Zp"})
_REFERENCE = re.compile(r"\s*@Microsoft\.", re.IGNORECASE)
"""How a value begins that App Service takes from a vault or an App Configuration store (Azure docs, "Use Key Vault
references" and "Use App Configuration references")."""
_OCTET_PREFIX = re.compile("0x", re.IGNORECASE)


class Written(NamedTuple):
    """A thumbprint that a text names, with the text's own way to write the thumbprint."""

    thumbprint: Thumbprint
    start: int
    """The index of the first digit in the text."""
    end: int
    """The index behind the last digit in the text."""
    is_path: bool = False
    """True if the text is the path at which App Service gives the certificate to an app."""


def listed(entry: str) -> Thumbprint | None:
    """Return the thumbprint of an entry of a list setting, or None for any other entry.

    App Service takes only plain thumbprints in WEBSITE_LOAD_CERTIFICATES and WEBSITE_LOAD_ROOT_CERTIFICATES.
    """
    return Thumbprint(entry.upper()) if _BARE.fullmatch(entry) else None


def is_list_text(text: str) -> bool:
    """Return True if the value of a list setting is a list of thumbprints, or empty, so that an edit may extend it.

    App Service takes the value of a reference from elsewhere, and a wrong entry alone says nothing about the list.
    """
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    return not entries or (not is_reference(text) and any(map(listed, entries)))


def is_reference(text: str) -> bool:
    """Return True if App Service takes the value of the setting from elsewhere."""
    return _REFERENCE.match(text) is not None


def pinned(text: str) -> Written | None:
    """Return the thumbprint that is the whole text, or the thumbprint in the path of a certificate.

    Certroll ignores blanks, invisible characters, colons, hyphens and quotes. Return None for any other text.
    """
    counted = [index for index, character in enumerate(text) if not _is_ignored(character)]
    if len(counted) == _LENGTH and all(text[index] in _DIGITS for index in counted):
        digits = "".join(text[index] for index in counted)
        return Written(Thumbprint(digits.upper()), counted[0], counted[-1] + 1)
    if not counted:
        return None
    inside = slice(counted[0], counted[-1] + 1)
    match = next((match for path in _PATHS if (match := path.fullmatch(text[inside]))), None)
    if match is None:
        return None
    start, end = (inside.start + place for place in match.span("thumbprint"))
    return Written(Thumbprint(match["thumbprint"].upper()), start, end, is_path=True)


def mentioned(text: str) -> frozenset[Thumbprint]:
    """Return each run of 40 hex digits in the text, also inside a longer text or with other characters in between."""
    plain = "".join(character for character in text if character.isalnum())
    texts = {text, plain, _OCTET_PREFIX.sub("", plain)}
    return frozenset(found for searched in texts for found in _runs(searched))


def in_form_of(text: str, thumbprint: Thumbprint) -> str:
    """Return the thumbprint in the form of another thumbprint: the same case, and the same characters in between.

    Return the thumbprint in upper case if the other thumbprint mixes upper and lower case.
    """
    letters = {character for character in text if character in _DIGITS}
    is_lower = "".join(letters).islower()
    digits = iter(thumbprint.lower() if is_lower else thumbprint.upper())
    return "".join(next(digits, "") if character in _DIGITS else character for character in text) + "".join(digits)


def _runs(text: str) -> Iterator[Thumbprint]:
    return (Thumbprint(match["thumbprint"].upper()) for match in _ANYWHERE.finditer(text))


def _is_ignored(character: str) -> bool:
    return character in _QUOTES_AND_SEPARATORS or character.isspace() or category(character) in _IGNORED_CATEGORIES
