"""The reading of a certificate from the value of a secret, which is PEM, or a PFX or DER in base64."""

import base64
import binascii
import functools

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from local.azure.vault.authority import Leaf, PrivateKey
from local.azure.vault.policy import PEM, PKCS12

PEM_MARK = b"-----BEGIN"
DER = "application/pkix-cert"
KEY_MARK = b"PRIVATE KEY-----"


def read(value: str, password: str = "") -> tuple[Leaf, str]:
    """Return the certificate in a secret's value, and its content type; raise ValueError for an unreadable value.

    The secret's value may be plain PEM, or PEM in base64, which the SDKs send for an import. The certificate in a
    secret's value may lack its private key.
    """
    try:
        blob = value.encode() if PEM_MARK.decode() in value else base64.b64decode(value)
        return (_from_pem(blob), PEM) if PEM_MARK in blob else (_from_pfx(blob, password), PKCS12)
    except (ValueError, TypeError, binascii.Error) as wrong:
        raise ValueError("The content is neither a PKCS#12 that opens with this password nor PEM.") from wrong


@functools.lru_cache(maxsize=64)
def certificate_in(value: str) -> tuple[Leaf, str] | None:
    """Return the certificate in a secret's value, or None if the value holds none that opens without a password.

    Besides PEM and PFX, a plain secret may hold a certificate without a key, as DER in base64.
    """
    try:
        return read(value)
    except ValueError:
        return _der_in(value)


def _der_in(value: str) -> tuple[Leaf, str] | None:
    try:
        return Leaf(x509.load_der_x509_certificate(base64.b64decode(value, validate=True)), None), DER
    except ValueError:
        return None


def _from_pem(text: bytes) -> Leaf:
    first, *above = x509.load_pem_x509_certificates(text)
    key = load_pem_private_key(text, None) if KEY_MARK in text else None
    return Leaf(first, _usable(key), tuple(above))


def _from_pfx(blob: bytes, password: str) -> Leaf:
    key, certificate, above = pkcs12.load_key_and_certificates(blob, password.encode() or None)
    found = [certificate, *above] if certificate else above
    if not found:
        raise ValueError("no certificate inside")
    return Leaf(found[0], _usable(key), tuple(found[1:]))


def _usable(key: object) -> PrivateKey | None:
    if key is not None and not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("no private key that Key Vault takes")
    return key
