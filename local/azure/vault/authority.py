"""The certificate authority of the simulated Azure, and the private keys of its certificates.

The running Python process makes the certificate authority and all private keys, and writes no key to a file. RSA keys
are slow to make, so a few RSA keys are made on demand and used in turn. Two successive certificates with keys of one
type and size from the pool differ in key and serial number.
"""

import functools
import ipaddress
import itertools
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import NameOID

from local.azure.vault.extensions import dns_names, is_authority
from local.azure.vault.links import issued, names_itself

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
KeyType = Literal["RSA", "EC"]

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
LOCAL = "Certroll Local"
ISSUER_NAME = f"{LOCAL} Issuing CA"
ROOT_SUFFIX = " Root CA"
COMMON_NAME_LIMIT = 64
FALSE_IN_FULL = bytes.fromhex("3003010100")
"""Basic constraints with a default value in full, which DER forbids (X.690, 11.5)."""
KEYS_PER_KIND = 4
_FOREVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


@dataclass(slots=True)
class KeyPool:
    """A pool of private keys, which makes keys on demand and returns them in turn."""

    _rings: dict[tuple[KeyType, int], Iterator[PrivateKey]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key_type: KeyType = "RSA", size: int = 2048) -> PrivateKey:
        """Return a private key that differs from the previous key of the same type and size."""
        with self._lock:
            return next(self._rings.setdefault((key_type, size), _ring(key_type, size)))


def _ring(key_type: KeyType, size: int) -> Iterator[PrivateKey]:
    made: list[PrivateKey] = []
    for _ in range(KEYS_PER_KIND):
        made.append(_new_key(key_type, size))
        yield made[-1]
    yield from itertools.cycle(made)


def _new_key(key_type: KeyType, size: int) -> PrivateKey:
    if key_type == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate with its private key and its chain, which does not include the root."""

    certificate: x509.Certificate
    private_key: PrivateKey | None
    """The private key, or None if only its owner has it."""
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def thumbprint(self) -> str:
        """The SHA-1 hash of the certificate in upper-case hexadecimal, as App Service writes it."""
        return self.certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Azure's identifier, not a safeguard

    @property
    def host_names(self) -> tuple[str, ...]:
        """The DNS names that the certificate covers, in their original spelling."""
        return dns_names(self.certificate)

    @property
    def self_signed(self) -> bool:
        """True if the certificate names itself as its issuer."""
        return names_itself(self.certificate)

    @property
    def is_root(self) -> bool:
        """True if the certificate is the root of an authority: an issuer of certificates that names itself."""
        return self.self_signed and is_authority(self.certificate)

    @property
    def key_type(self) -> KeyType:
        """The type of the certificate's public key."""
        return "EC" if isinstance(self.certificate.public_key(), ec.EllipticCurvePublicKey) else "RSA"

    @property
    def chain_pem(self) -> bytes:
        """The chain of the certificate, as PEM."""
        return b"".join(above.public_bytes(Encoding.PEM) for above in self.chain)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def private_key_pem(self) -> bytes:
        """The private key as unencrypted PKCS #8 PEM, or empty if the key is not known."""
        return b"" if self.private_key is None else key_pem(self.private_key)

    def without_key(self) -> "Leaf":
        """Return the certificate and its chain without the private key.

        Key Vault gives out a certificate without its private key if the key is not exportable.
        """
        return Leaf(self.certificate, None, self.chain)

    def pfx(self) -> bytes:
        """Return certificate, key and chain as a PFX without a password, like the secret behind a vault certificate."""
        return pkcs12.serialize_key_and_certificates(
            None, self.private_key, self.certificate, list(self.chain), NoEncryption()
        )


@functools.lru_cache(maxsize=256)
def key_pem(key: PrivateKey) -> bytes:
    """Return the key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@dataclass(frozen=True, slots=True)
class Request:
    """A request for a certificate: its names, dates, key and usages."""

    host_names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key_type: KeyType = "RSA"
    key_size: int = 2048
    self_signed: bool = False
    usages: tuple[str, ...] = (SERVER_AUTH, CLIENT_AUTH)
    subject: x509.Name | None = None
    """The subject; None stands for the first host name."""
    odd: bool = False
    """True for a certificate as some authorities write it.

    Its basic constraints have FALSE in full, and the issuer's name is in capital letters.
    """

    @property
    def name(self) -> x509.Name:
        """The subject of the requested certificate, by default the first host name."""
        return self.subject or common_name((self.host_names or ("unnamed",))[0])


def common_name(text: str) -> x509.Name:
    """Return an X.509 name that has only this common name, cut to the maximum of 64 characters."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:COMMON_NAME_LIMIT])])


class Authority:
    """A certificate authority: a root, an issuing CA below the root, and a pool of keys for certificates.

    Two authorities with the same name have different keys. A client that trusts one authority does not trust another
    authority of the same name.
    """

    def __init__(self, name: str = LOCAL, span: tuple[datetime, datetime] = _FOREVER) -> None:
        """Make the authority's root and its issuing CA, both valid between the given times.

        The root and the issuing CA use elliptic-curve keys, because these keys sign quickly.
        """
        self.keys = KeyPool()
        root_key, self._key = _new_key("EC", 256), _new_key("EC", 256)
        root_name, issuer_name = common_name(f"{name}{ROOT_SUFFIX}"), common_name(f"{name} Issuing CA")
        root = _authority_builder(root_name, root_name, root_key, root_key, 1, span)
        self.root_leaf = Leaf(root.sign(root_key, hashes.SHA256()), root_key)
        issuer = _authority_builder(issuer_name, root_name, self._key, root_key, 0, span)
        self.issuer = issuer.sign(root_key, hashes.SHA256())

    @property
    def root(self) -> x509.Certificate:
        """The certificate of the root."""
        return self.root_leaf.certificate

    @property
    def root_pem(self) -> bytes:
        """The certificate of the root as PEM, which clients have to trust."""
        return self.root.public_bytes(Encoding.PEM)

    def issue(self, request: Request) -> Leaf:
        """Issue a certificate for this request with a private key from the pool, and return the certificate."""
        key = self.keys.take(request.key_type, request.key_size)
        builder = _leaf_builder(request, key.public_key())
        if request.self_signed:
            return Leaf(_signed(builder, request.name, key), key)
        name = common_name(_text(self.issuer.subject).upper()) if request.odd else self.issuer.subject
        return Leaf(_signed(builder, name, self._key), key, (self.issuer,))

    def sign(self, request: x509.CertificateSigningRequest, not_before: datetime, not_after: datetime) -> Leaf:
        """Issue a certificate for a signing request (CSR); the private key stays with the sender of the request."""
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        wanted = Request(tuple(names.get_values_for_type(x509.DNSName)), not_before, not_after, subject=request.subject)
        public_key = request.public_key()
        if not isinstance(public_key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            raise TypeError(f"The signing request has a key that App Service cannot use: {type(public_key).__name__}.")
        return Leaf(_signed(_leaf_builder(wanted, public_key), self.issuer.subject, self._key), None, (self.issuer,))


@functools.lru_cache(maxsize=1)
def authority() -> Authority:
    """Return the local certificate authority, which all simulated Azures of one process share."""
    return Authority()


def successor(root: Leaf, year: int) -> Authority:
    """Return the next authority after the authority of this root, with new keys and the year in its name."""
    return Authority(re.sub(r" \d{4}$", f" {year}", _text(root.certificate.subject).removesuffix(ROOT_SUFFIX)))


def _text(name: x509.Name) -> str:
    """Return the common name in a name."""
    (attribute,) = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


def _authority_builder(
    name: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    issuer_key: PrivateKey,
    path_length: int,
    span: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(name, key.public_key(), *span)
        .issuer_name(issuer)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )


def _builder(
    name: x509.Name,
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _leaf_builder(request: Request, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    usages = [x509.ObjectIdentifier(usage) for usage in request.usages]
    constraints: x509.ExtensionType = x509.BasicConstraints(ca=False, path_length=None)
    if request.odd:
        constraints = x509.UnrecognizedExtension(constraints.oid, FALSE_IN_FULL)
    builder = _builder(request.name, key, request.not_before, request.not_after)
    builder = builder.add_extension(constraints, critical=True)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if request.host_names:
        names = x509.SubjectAlternativeName([_general_name(name) for name in request.host_names])
        builder = builder.add_extension(names, critical=False)
    return builder


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _signed(builder: x509.CertificateBuilder, issuer: x509.Name, key: PrivateKey) -> x509.Certificate:
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return builder.issuer_name(issuer).add_extension(identifier, critical=False).sign(key, hashes.SHA256())


@functools.lru_cache(maxsize=512)
def leads_to_root(der: bytes, chain_pem: bytes) -> bool:
    """Return True if the certificate and its chain lead to the local authority's root, ignoring dates."""
    chain = x509.load_pem_x509_certificates(chain_pem) if chain_pem else []
    return _leads_to_root(x509.load_der_x509_certificate(der), chain)


def _leads_to_root(certificate: x509.Certificate, chain: list[x509.Certificate]) -> bool:
    if issued(authority().root, certificate):
        return True
    rest = [other for other in chain if other != certificate]
    above = next((other for other in rest if issued(other, certificate)), None)
    return above is not None and _leads_to_root(above, rest)


def is_trusted_through(root_der: bytes, issuer: x509.Certificate) -> bool:
    """Return True if this root has signed the certificate of this issuing CA, ignoring dates."""
    return issued(x509.load_der_x509_certificate(root_der), issuer)


def server_leaf(*host_names: str, by: Authority | None = None) -> Leaf:
    """Return a long-lived certificate for servers of the simulation, with an elliptic-curve key for fast handshakes."""
    not_before, not_after = _FOREVER
    span = (not_before + timedelta(days=1), not_after - timedelta(days=1))
    return (by or authority()).issue(Request(host_names, *span, key_type="EC", key_size=256))
