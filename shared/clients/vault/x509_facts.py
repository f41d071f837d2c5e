"""Read the facts of an X.509 certificate as plain values.

A certificate may come from any source and have any defect. A defect makes only the facts unread that depend on the
defect (`CertificateFacts.unread`). If the bytes are no certificate at all, this module raises ValueError.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from shared.clients.vault.der import dotted
from shared.clients.vault.x509_fields import Certificate, parse
from shared.clients.vault.x509_names import common_names, shown
from shared.clients.vault.x509_signatures import UNREADABLE, loaded_key, signature_hash
from shared.domain.certificates.version import CertificateFacts, KeyType, Part
from shared.domain.names import HostName, InvalidNameError, parse_host_name

PUBLIC_POLICIES = frozenset({"2.23.140.1.1", "2.23.140.1.2.1", "2.23.140.1.2.2", "2.23.140.1.2.3"})
"""The policies of which every publicly trusted certificate names at least one (CA/Browser Forum, Baseline Requirements,
7.1.2.7.9 and 7.1.6.1)."""
SERVER_AUTH, CLIENT_AUTH, ANY_USAGE = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"
_RSA_KEYS = frozenset({"1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"})
_EC_KEY = "1.2.840.10045.2.1"
Value = TypeVar("Value")


class Key(NamedTuple):
    """The facts of a certificate's public key."""

    kind: KeyType
    size: int
    """The size of the key in bits, 0 if it is unknown."""
    curve: str | None


class Reading:
    """The reading of one certificate, which remembers the parts that are unreadable."""

    def __init__(self) -> None:
        self.unread: set[Part] = set()

    def part(self, part: Part, read: Callable[[], Value], otherwise: Value) -> Value:
        """Return a part of the certificate, or the value `otherwise` if the part is unreadable."""
        try:
            return read()
        except UNREADABLE:
            self.unread.add(part)
            return otherwise


def read_facts(der: bytes) -> CertificateFacts:
    """Return the facts of a certificate in DER, such as host names and key type.

    Raise ValueError if the bytes are no certificate.
    """
    return facts_of(parse(der))


def facts_of(certificate: Certificate) -> CertificateFacts:
    """Return the facts of a certificate, such as host names and key type."""
    reading = Reading()
    key = reading.part(Part.KEY, lambda: _key(certificate), _kind_alone(certificate))
    usages = reading.part(Part.USAGES, lambda: certificate.usages, None)
    policies: frozenset[str] = reading.part(Part.POLICIES, lambda: certificate.policies, frozenset())
    if reading.part(Part.NAMES, lambda: _has_odd_name(certificate), otherwise=True):
        reading.unread.add(Part.NAMES)
    return CertificateFacts(
        host_names=reading.part(Part.NAMES, lambda: host_names(certificate), frozenset()),
        key_type=key.kind,
        key_size=key.size,
        self_signed=certificate.issuer_meaning == certificate.subject_meaning,
        server_auth=_allows(usages, SERVER_AUTH),
        client_auth=_allows(usages, CLIENT_AUTH),
        signature_hash=reading.part(Part.SIGNATURE, lambda: signature_hash(certificate), "an unreadable algorithm"),
        serial_octets=max(len(certificate.serial), 1),
        issuer=shown(certificate.issuer),
        curve=key.curve,
        public_policy=not PUBLIC_POLICIES.isdisjoint(policies),
        is_ca=reading.part(Part.CONSTRAINTS, lambda: certificate.is_authority, otherwise=False),
        unread=frozenset(reading.unread),
    )


def _key(certificate: Certificate) -> Key:
    """Return the facts of the certificate's key. Raise an error of UNREADABLE if the key is malformed."""
    kind, parameters = certificate.key_algorithm
    if kind not in {*_RSA_KEYS, _EC_KEY}:
        return Key(KeyType.OTHER, 0, None)
    try:
        key = loaded_key(certificate)
    except UNREADABLE:
        if kind == _EC_KEY and parameters is not None:
            return Key(KeyType.EC, 0, dotted(parameters))
        raise
    if isinstance(key, ec.EllipticCurvePublicKey):
        return Key(KeyType.EC, key.key_size, key.curve.name)
    return Key(KeyType.RSA, key.key_size if isinstance(key, rsa.RSAPublicKey) else 0, None)


def _kind_alone(certificate: Certificate) -> Key:
    """Return the kind of a malformed key, by the name of its algorithm."""
    try:
        kind, _ = certificate.key_algorithm
    except ValueError:
        return Key(KeyType.OTHER, 0, None)
    return Key(KeyType.RSA if kind in _RSA_KEYS else KeyType.OTHER, 0, None)


def _allows(usages: frozenset[str] | None, usage: str) -> bool:
    return usages is None or not usages.isdisjoint({usage, ANY_USAGE})


def host_names(certificate: Certificate) -> frozenset[HostName]:
    """Return the host names of a certificate.

    The common name counts only if the certificate has no extension with alternative names. Raise ValueError if the
    alternative names are unreadable. An alternative name with a blank or a final dot is no host name that a client
    accepts (RFC 5280, 4.2.1.6).
    """
    names = certificate.dns_names
    if names is None:
        return frozenset(name for text in common_names(certificate.subject) for name in _parsed(text))
    return frozenset(name for text in filter(str.isascii, names) for name in _parsed(text) if name == text.lower())


def _has_odd_name(certificate: Certificate) -> bool:
    """Return True if an alternative name of the certificate is a DNS name beyond ASCII."""
    return any(not name.isascii() for name in certificate.dns_names or ())


def _parsed(text: str) -> tuple[HostName, ...]:
    """Return the text as a host name, or an empty tuple if the text is no host name, such as a person's name."""
    try:
        return (parse_host_name(text),)
    except InvalidNameError:
        return ()
