"""Read the facts of an X.509 certificate as plain values.

A certificate may come from any source and have any defect. If a certificate cannot be parsed, this module raises
ValueError.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.domain.certificates.version import CertificateFacts, KeyType
from shared.domain.names import HostName, InvalidNameError, Thumbprint, parse_host_name

LARGEST = 128 * 1024
"""The largest certificate that Certroll parses, in bytes; a certificate with 1,000 names has about 40,000 bytes."""
LONGEST_ISSUER = 200
PUBLIC_POLICIES = frozenset({"2.23.140.1.1", "2.23.140.1.2.1", "2.23.140.1.2.2", "2.23.140.1.2.3"})
"""The policies of which every publicly trusted certificate names at least one (CA/Browser Forum, Baseline Requirements,
7.1.2.7.9 and 7.1.6.1)."""
_OLD_HASHES = {"1.2.840.113549.1.1.2": "md2", "1.2.840.113549.1.1.3": "md4", "1.2.840.113549.1.1.4": "md5"}
UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""The errors that the library `cryptography` raises for malformed input."""
Value = TypeVar("Value")
Extension = TypeVar("Extension", bound=x509.ExtensionType)


def thumbprint_of(der: bytes) -> Thumbprint:
    """Return the thumbprint by which Azure names a certificate: its SHA-1 in upper-case hex."""
    return Thumbprint(hashlib.sha1(der, usedforsecurity=False).hexdigest().upper())


def read_facts(der: bytes) -> CertificateFacts:
    """Return the facts of a certificate in DER, such as host names and key type.

    Raise ValueError if the certificate is unreadable.
    """
    if len(der) > LARGEST:
        raise ValueError(f"a certificate of {len(der)} bytes, more than {LARGEST}")
    return _readable(lambda: _facts(x509.load_der_x509_certificate(der)))


def facts_of(certificate: x509.Certificate) -> CertificateFacts:
    """Return the facts of a parsed certificate, such as host names and key type.

    Raise ValueError if Certroll cannot read a part of the certificate.
    """
    return _readable(lambda: _facts(certificate))


def _readable(read: Callable[[], Value]) -> Value:
    try:
        return read()
    except UNREADABLE as error:
        raise ValueError(f"the certificate cannot be read: {str(error)[:LONGEST_ISSUER]}") from error


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    key = certificate.public_key()
    kind, size = _kind(key)
    usages = _usages(certificate)
    return CertificateFacts(
        host_names=_names(certificate),
        key_type=kind,
        key_size=size,
        self_signed=certificate.issuer == certificate.subject,
        server_auth=_allows(usages, ExtendedKeyUsageOID.SERVER_AUTH),
        client_auth=_allows(usages, ExtendedKeyUsageOID.CLIENT_AUTH),
        signature_hash=_signature_hash(certificate),
        serial_octets=certificate.serial_number.bit_length() // 8 + 1,
        issuer=name_of(certificate.issuer),
        curve=key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else None,
        public_policy=not PUBLIC_POLICIES.isdisjoint(_policies(certificate)),
        is_ca=_is_ca(certificate),
    )


def _is_ca(certificate: x509.Certificate) -> bool:
    """Return True if the certificate belongs to a certificate authority.

    A certificate without basic constraints does not belong to an authority (RFC 5280, 4.2.1.9).
    """
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def name_of(name: x509.Name) -> str:
    """Return an X.509 name for operators: the common name, or the whole name if the common name is missing."""
    common = [str(attribute.value) for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    text = (common[0] if common else name.rfc4514_string())[:LONGEST_ISSUER]
    return "".join(character if character.isprintable() else "?" for character in text)


def _kind(key: object) -> tuple[KeyType, int]:
    if isinstance(key, rsa.RSAPublicKey):
        return KeyType.RSA, key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return KeyType.EC, key.key_size
    return KeyType.OTHER, 0


def _signature_hash(certificate: x509.Certificate) -> str:
    """Return the hash algorithm of the issuer's signature, or the signature's OID if there is no separate hash."""
    number = certificate.signature_algorithm_oid.dotted_string
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return _OLD_HASHES.get(number, number)
    return algorithm.name if algorithm else number


def _extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _usages(certificate: x509.Certificate) -> frozenset[x509.ObjectIdentifier] | None:
    """Return the extended key usages, or None for a certificate without that extension (RFC 5280, 4.2.1.12)."""
    extension = _extension(certificate, x509.ExtendedKeyUsage)
    return None if extension is None else frozenset(extension)


def _allows(usages: frozenset[x509.ObjectIdentifier] | None, usage: x509.ObjectIdentifier) -> bool:
    return usages is None or usage in usages or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages


def _policies(certificate: x509.Certificate) -> Iterable[str]:
    extension = _extension(certificate, x509.CertificatePolicies)
    return [policy.policy_identifier.dotted_string for policy in extension or ()]


def _names(certificate: x509.Certificate) -> frozenset[HostName]:
    """Return the host names of a certificate.

    The common name counts only if the certificate has no extension with alternative names.
    """
    alternative = _extension(certificate, x509.SubjectAlternativeName)
    if alternative is not None:
        texts: Iterable[str] = alternative.get_values_for_type(x509.DNSName)
    else:
        texts = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return frozenset(name for text in texts for name in _host_names(text))


def _host_names(text: str) -> tuple[HostName, ...]:
    """Return the text as a host name, or an empty tuple if the text is no host name, such as a person's name."""
    try:
        return (parse_host_name(text),)
    except InvalidNameError:
        return ()
