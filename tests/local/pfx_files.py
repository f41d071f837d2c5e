"""This module makes PFX files and the requests that upload them."""

import base64
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES

from local.azure.vault.authority import Leaf
from tests.local.arm_client import Json

PASSWORD = "correct horse"  # noqa: S105 - of a file made in the test
AES, TRIPLE_DES = PBES.PBESv2SHA256AndAES256CBC, PBES.PBESv1SHA1And3KeyTripleDESCBC
P256 = ec.SECP256R1()
VERSION_3 = bytes.fromhex("a003020102")
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def encrypted(password: str = PASSWORD, algorithm: PBES = TRIPLE_DES) -> KeySerializationEncryption:
    """Return a PFX encryption with that password, or no encryption if the password is empty."""
    if not password:
        return NoEncryption()
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(1).key_cert_algorithm(algorithm)
    return builder.hmac_hash(hashes.SHA1()).build(password.encode())  # noqa: S303 - what older files have


def pfx(leaf: Leaf, encryption: KeySerializationEncryption | None = None) -> bytes:
    """Return the leaf and its chain as a PFX."""
    return pkcs12.serialize_key_and_certificates(
        None, leaf.private_key, leaf.certificate, list(leaf.chain), encryption or encrypted()
    )


def upload(packed: bytes, password: str | None = PASSWORD) -> dict[str, Json]:
    """Return the request body that uploads a PFX."""
    properties = {"pfxBlob": base64.b64encode(packed).decode(), "password": password}
    return {"location": "West Europe", "properties": properties}


def with_serial_of(octets: int, curve: ec.EllipticCurve = P256) -> Leaf:
    """Return a self-signed certificate whose serial number has that many octets.

    The function encodes the certificate itself, because no library makes a serial number above 20 octets.
    """
    key = ec.generate_private_key(curve)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "long")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
    short = builder.not_valid_after(datetime(2027, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256())
    _, _, rest = short.tbs_certificate_bytes.partition(VERSION_3 + _tlv(0x02, b"\x01"))
    tbs = _tlv(0x30, VERSION_3 + _tlv(0x02, b"\x7f" + bytes(octets - 1)) + rest)
    signature = _tlv(0x03, b"\x00" + key.sign(tbs, ec.ECDSA(hashes.SHA256())))
    return Leaf(x509.load_der_x509_certificate(_tlv(0x30, tbs + ECDSA_SHA256 + signature)), key)


def _tlv(tag: int, content: bytes) -> bytes:
    """Return the content in DER with its tag and length."""
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + length + content
