"""Read certificates from PEM, block by block, so that an odd block spoils no other block."""

import base64
from collections.abc import Iterator
from typing import NamedTuple

from shared.clients.vault.x509_fields import Certificate, parse

_BEGIN, _DASHES = "-----BEGIN ", "-----"
_LABELS = frozenset({"CERTIFICATE", "X509 CERTIFICATE"})


class Block(NamedTuple):
    """A block of PEM."""

    label: str
    body: str
    """The text between the first and the last line."""


def blocks_in(text: str) -> Iterator[Block]:
    """Yield the complete PEM blocks of a text, in one pass over the text, however many blocks begin in it."""
    for piece in text.split(_BEGIN)[1:]:
        label, _, rest = piece.partition(_DASHES)
        body, ends, _ = rest.partition(f"-----END {label}{_DASHES}")
        if ends:
            yield Block(label, body)


def der_of(block: Block) -> bytes:
    """Return the bytes of a PEM block. Raise ValueError if the block is not base64."""
    return base64.b64decode("".join(block.body.split()), validate=True)


class Found(NamedTuple):
    """The certificates in a text or a file."""

    readable: tuple[Certificate, ...]
    """The certificates, in their order, each once for each time that the text has it."""
    unreadable: int = 0
    """How many more certificates there are that Certroll cannot read at all."""


def certificates_in(text: str) -> Found:
    """Return the certificates in the PEM blocks of a text."""
    blocks = [_certificate(block) for block in blocks_in(text) if block.label in _LABELS]
    readable = tuple(block for block in blocks if block is not None)
    return Found(readable, len(blocks) - len(readable))


def parsed(ders: tuple[bytes, ...]) -> Found:
    """Return the certificates in DER."""
    found = [_parsed(der) for der in ders]
    readable = tuple(certificate for certificate in found if certificate is not None)
    return Found(readable, len(found) - len(readable))


def _certificate(block: Block) -> Certificate | None:
    try:
        return _parsed(der_of(block))
    except ValueError:
        return None


def _parsed(der: bytes) -> Certificate | None:
    try:
        return parse(der)
    except ValueError:
        return None
