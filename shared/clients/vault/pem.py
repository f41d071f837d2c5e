"""Read certificates from PEM, block by block, so that an odd block spoils no other block."""

import base64
import binascii
import re
from typing import NamedTuple

from shared.clients.vault.x509_fields import Certificate, parse

_BLOCK = re.compile(r"-----BEGIN (X509 |)CERTIFICATE-----(.+?)-----END \1CERTIFICATE-----", re.DOTALL)


class Found(NamedTuple):
    """The certificates in a text or a file."""

    readable: tuple[Certificate, ...]
    """The certificates, in their order, each once for each time that the text has it."""
    unreadable: int = 0
    """How many more certificates there are that Certroll cannot read at all."""


def certificates_in(text: str) -> Found:
    """Return the certificates in the PEM blocks of a text."""
    blocks = [_certificate(match[2]) for match in _BLOCK.finditer(text)]
    readable = tuple(block for block in blocks if block is not None)
    return Found(readable, len(blocks) - len(readable))


def parsed(ders: tuple[bytes, ...]) -> Found:
    """Return the certificates in DER."""
    found = [_parsed(der) for der in ders]
    readable = tuple(certificate for certificate in found if certificate is not None)
    return Found(readable, len(found) - len(readable))


def _certificate(block: str) -> Certificate | None:
    try:
        return _parsed(base64.b64decode("".join(block.split()), validate=True))
    except (binascii.Error, ValueError):
        return None


def _parsed(der: bytes) -> Certificate | None:
    try:
        return parse(der)
    except ValueError:
        return None
