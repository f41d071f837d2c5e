"""Read three extensions of a certificate, of which another extension may be malformed.

Key Vault and App Service accept such certificates. The library `cryptography` refuses all extensions of a certificate
for one malformed extension, so this module reads the bytes of a single extension.
"""

from collections.abc import Iterator

from cryptography import x509

_NAMES, _CONSTRAINTS, _USAGES = bytes.fromhex("0603551d11"), bytes.fromhex("0603551d13"), bytes.fromhex("0603551d25")
"""The object identifiers of the extensions in DER (RFC 5280, 4.2.1)."""
_TRUE = bytes.fromhex("0101ff")
_EXTENSIONS, _DNS_NAME, _LONG_LENGTH = 0xA3, 0x82, 0x80
Part = tuple[int, bytes]
"""An element of DER: its tag and its content."""


def dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names in the certificate's subject alternative names."""
    value = _value(certificate, _NAMES)
    names = _parts(_first(value))
    return tuple(content.decode() for tag, content in names if tag == _DNS_NAME)


def is_authority(certificate: x509.Certificate) -> bool:
    """Return True if the basic constraints of the certificate make it a certificate authority's."""
    return _TRUE in _value(certificate, _CONSTRAINTS)


def allows(certificate: x509.Certificate, usage: x509.ObjectIdentifier) -> bool:
    """Return True if the extended key usage names the usage, or if the certificate has no extended key usage."""
    value = _value(certificate, _USAGES)
    wanted = x509.ExtendedKeyUsage([usage]).public_bytes()
    return not value or wanted[2:] in value


def _value(certificate: x509.Certificate, kind: bytes) -> bytes:
    """Return the value of an extension in DER, empty if the certificate lacks the extension."""
    signed = _parts(_first(certificate.tbs_certificate_bytes))
    held = next((content for tag, content in signed if tag == _EXTENSIONS), b"")
    listed = _parts(_first(held))
    found = (content for _, content in listed if content.startswith(kind))
    return next((list(_parts(content))[-1][1] for content in found), b"")


def _first(data: bytes) -> bytes:
    """Return the content of the first element of DER in `data`, empty without an element."""
    return next((content for _, content in _parts(data)), b"")


def _parts(data: bytes) -> Iterator[Part]:
    """Return the elements of DER that stand one after another in `data`."""
    while len(data) > 1:
        tag, length, start = data[0], data[1], 2
        if length & _LONG_LENGTH:
            start += length & ~_LONG_LENGTH
            length = int.from_bytes(data[2:start])
        yield tag, data[start : start + length]
        data = data[start + length :]
