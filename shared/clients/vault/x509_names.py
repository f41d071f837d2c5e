"""Read the names in a certificate: by their meaning for comparisons, and as a text for operators."""

import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from shared.clients.vault.der import (
    BMP_STRING,
    IA5_STRING,
    NUMERIC_STRING,
    PRINTABLE_STRING,
    SEQUENCE,
    SET,
    T61_STRING,
    UNIVERSAL_STRING,
    UTF8_STRING,
    VISIBLE_STRING,
    Element,
    dotted,
    inside,
    only,
)
from shared.domain.certificates.version import IssuerName

LONGEST_SHOWN = 200
LONGEST_COMPARED = 2_000
"""The longest attribute that Certroll compares by its meaning, in bytes. To compose the accents of a long text takes
seconds. RFC 5280, appendix A.1, allows 64 characters in a common name."""
COMMON_NAME = "2.5.4.3"
_ENCODINGS = {
    UTF8_STRING: "utf-8",
    NUMERIC_STRING: "latin-1",
    PRINTABLE_STRING: "latin-1",
    T61_STRING: "latin-1",
    IA5_STRING: "latin-1",
    VISIBLE_STRING: "latin-1",
    UNIVERSAL_STRING: "utf-32-be",
    BMP_STRING: "utf-16-be",
}
"""The encoding of each type of string. OpenSSL also reads T61String as Latin-1 (ASN1_STRING_to_UTF8)."""
_SHORT = {
    COMMON_NAME: "CN",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
}
"""The short names of attributes (RFC 4514, 3)."""

Meaning = tuple[object, ...]
"""A name in a form in which two names with the same meaning are equal."""


class Attribute(NamedTuple):
    """One attribute of a name, such as its common name."""

    rdn: int
    """Which relative distinguished name of the name has the attribute, counted from 0."""
    kind: str
    """The object identifier of the attribute."""
    value: Element


def attributes(name: bytes) -> Iterator[Attribute]:
    """Return the attributes of a name in DER. Raise ValueError if the name is malformed."""
    for number, rdn in enumerate(inside(only(name, SEQUENCE), SEQUENCE)):
        for pair in inside(rdn, SET):
            kind, value = inside(pair, SEQUENCE)
            yield Attribute(number, dotted(kind), value)


def meaning(name: bytes) -> Meaning:
    """Return the meaning of a name in DER; names with the same meaning are equal (RFC 5280, 7.1).

    Two names mean the same if their texts differ only in type of string, letter case, blanks and Unicode composition.
    """
    try:
        parts = [(attribute.rdn, attribute.kind, _folded(attribute.value)) for attribute in attributes(name)]
    except ValueError:
        return ("malformed", name)
    return tuple(sorted(parts, key=repr))


def _folded(value: Element) -> object:
    if len(value.content) > LONGEST_COMPARED:
        return value.raw
    try:
        text = value.content.decode(_ENCODINGS[value.tag])
    except (KeyError, ValueError):
        return value.raw
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def shown(name: bytes) -> str:
    """Return a name for operators: the common name, or the whole name if the common name is missing.

    This function replaces what cannot be read or printed, so that it never fails.
    """
    try:
        found = list(attributes(name))
    except ValueError:
        return "an unreadable name"
    common = [_text(attribute.value) for attribute in found if attribute.kind == COMMON_NAME]
    return _printable(common[0] if common else _whole(found))


def issuer_named(name: bytes) -> IssuerName:
    """Return a name in DER with its text for operators and its meaning for comparisons."""
    return IssuerName(shown(name), sha256(repr(meaning(name)).encode()).hexdigest())


def common_names(name: bytes) -> list[str]:
    """Return the common names in a name, empty if the name is malformed."""
    try:
        return [_text(attribute.value) for attribute in attributes(name) if attribute.kind == COMMON_NAME]
    except ValueError:
        return []


def _whole(found: list[Attribute]) -> str:
    """Return all attributes of a name as one text, the last first (RFC 4514, 2.1)."""
    rdns: dict[int, list[str]] = {}
    for attribute in found:
        text = f"{_SHORT.get(attribute.kind, attribute.kind)}={_text(attribute.value)}"
        rdns.setdefault(attribute.rdn, []).append(text)
    return ",".join("+".join(rdns[number]) for number in sorted(rdns, reverse=True))


def _text(value: Element) -> str:
    return value.content.decode(_ENCODINGS.get(value.tag, "latin-1"), errors="replace")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:LONGEST_SHOWN])
