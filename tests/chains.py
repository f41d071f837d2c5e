"""Build certificate chains of every shape, with keys that are made once per run."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from shared.domain.names import Thumbprint
from tests.build import DAY, NOW

Kind = Literal["RSA", "EC"]
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
OPENSSL = shutil.which("openssl")
LONG = NOW + timedelta(days=3650)


@cache
def key(kind: Kind, name: str) -> Key:
    """Return the private key of the given name, which is made at the first call."""
    del name
    if kind == "EC":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - loading a key of 2048 bits takes 30 ms for checks


def certificate(subject: str, own: Key, issuer: str, signer: Key, until: datetime = LONG) -> x509.Certificate:
    """Return a certificate with the given subject, issuer and end date.

    Each certificate that this function builds has a new serial number.
    """
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(until)
        .sign(signer, hashes.SHA256())
    )


def thumbprint(made: x509.Certificate) -> Thumbprint:
    """Return the thumbprint of a certificate: its SHA-1 in upper-case hex."""
    return Thumbprint(made.fingerprint(hashes.SHA1()).hex().upper())  # noqa: S303 - Azure's identifier, not a safeguard


@dataclass(frozen=True)
class Issued:
    """A leaf certificate with its key and chain, and certificates that do not belong to the chain.

    The older root certificate has the same name and key as the root certificate of the chain. A built chain contains
    the older root certificate only in place of the root certificate.
    """

    key: Key
    leaf: x509.Certificate
    intermediates: tuple[x509.Certificate, ...]
    root: x509.Certificate
    older_root: x509.Certificate
    strangers: tuple[x509.Certificate, ...]


@cache
def issued(kind: Kind, depth: int) -> Issued:
    """Return a certificate chain with `depth` intermediates.

    The authorities of the chain have RSA and EC keys in turn.
    """
    kinds: tuple[Kind, Kind, Kind] = ("RSA", "EC", "RSA")
    names = [f"authority {level}" for level in range(depth + 1)]
    keys = [key(kinds[level], name) for level, name in enumerate(names)]
    above = [*range(1, depth + 1), depth]
    authorities = tuple(certificate(names[n], keys[n], names[up], keys[up]) for n, up in enumerate(above))
    own = key(kind, "leaf")
    leaf = certificate("shop.contoso.com", own, names[0], keys[0])
    other = key("EC", "stranger")
    strangers = (
        certificate("stranger", other, "stranger", other),
        certificate("shop.contoso.com", other, names[0], keys[0]),
        certificate("shop.contoso.com", own, names[0], keys[0], NOW + DAY),
        *(certificate(name, other, name, other) for name in names),
        *(certificate(f"renamed {n}", keys[n], f"renamed {n}", keys[n]) for n in range(depth + 1)),
        *(certificate(names[n], keys[n], names[n + 1], keys[n + 1], NOW + DAY) for n in range(depth)),
    )
    older_root = certificate(names[-1], keys[-1], names[-1], keys[-1], NOW + DAY)
    return Issued(own, leaf, authorities[:-1], authorities[-1], older_root, strangers)
