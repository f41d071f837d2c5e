"""Make certificates to upload, with keys that are made at run time."""

import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, pkcs12
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES
from cryptography.x509.oid import ExtendedKeyUsageOID

from shared.clients.vault.x509_fields import thumbprint_of
from shared.domain.certificates.pfx import Pfx
from shared.domain.names import Thumbprint

LIFETIME = timedelta(days=30)
SHORT = 8
"""The octets of a serial number that every rule accepts."""


class Made(NamedTuple):
    """A self-signed certificate with its PFX."""

    pfx: Pfx
    thumbprint: Thumbprint
    der: bytes


def make(host_name: str, now: datetime, *, aes: bool = False, serial_octets: int = SHORT, root: bool = False) -> Made:
    """Return a new self-signed certificate for the host name, and its PFX with a random password."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host_name)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(int.from_bytes(b"\x7f" + secrets.token_bytes(serial_octets - 1)))
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + LIFETIME)
    builder = builder.add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
    if not root:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host_name)]), critical=False)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(usage, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    password = secrets.token_urlsafe(16)
    algorithm = PBES.PBESv2SHA256AndAES256CBC if aes else PBES.PBESv1SHA1And3KeyTripleDESCBC
    digest = hashes.SHA256() if aes else hashes.SHA1()  # noqa: S303 - what App Service is known to take
    scheme = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2048).key_cert_algorithm(algorithm)
    blob = pkcs12.serialize_key_and_certificates(
        None, key, certificate, None, scheme.hmac_hash(digest).build(password.encode())
    )
    der = certificate.public_bytes(Encoding.DER)
    return Made(Pfx(blob, password), thumbprint_of(der), der)
