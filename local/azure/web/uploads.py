"""The checks of App Service on uploads: the requirements of a PFX and of a public certificate.

The text of a refused upload's response quotes no bytes of the upload. The text of the response also omits the parser's
error, because the parser's error might quote the upload.
"""

import base64
import binascii
from collections.abc import Iterator
from contextlib import suppress

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from local.azure.scripting.knobs import Knobs
from local.azure.vault.authority import Leaf
from local.azure.vault.issued import ImportedCertificate, imported
from local.azure.web import refusals

NOT_LOADED = "At least one certificate is not valid (Certificate failed validation because it could not be loaded.)"
"""The text that users report for an unreadable PFX, for instance with a wrong password."""
NO_PASSWORD = "The certificate file has to be protected by a password."  # noqa: S105 - a sentence, not a password
NO_KEY = "The certificate file holds no certificate with its private key."
NO_PUBLIC_CERTIFICATE = "The file is no public certificate in DER or PEM."
HOLDS_A_KEY = "The file holds a private key; a public certificate comes without one."
CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
MINIMUM_RSA_BITS = 2048
AES_CBC = b"\x60\x86\x48\x01\x65\x03\x04\x01"
"""The first bytes of the object identifiers of AES-CBC in DER; a PFX names its encryption in clear text."""
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)


def read_pfx(blob: str, password: str, knobs: Knobs) -> ImportedCertificate:
    """Return the certificate, key and chain of a PFX; raise Refused if App Service would refuse the PFX.

    - App Service refuses a PFX that the given password does not open.
    - App Service refuses a PFX without a password.
    - App Service refuses a PFX without a certificate and its private key.
    - App Service refuses a PFX with an RSA key below 2,048 bits or with an unsupported elliptic curve.
    - App Service refuses a PFX that AES encrypts, if the simulation's knob `aes_pfx_refused` is on.
    - App Service refuses a certificate whose serial number has more octets than the simulation's knob `serial_octets`
      allows.

    App Service does not check dates, names, usages or the chain (Azure docs, configure-ssl-certificate, requirements of
    private certificates).
    """
    packed = _decoded(blob)
    if _opened(packed, None) is not None:
        raise refusals.bad(NO_PASSWORD)
    bundle = None if knobs.aes_pfx_refused and AES_CBC in packed else _opened(packed, password.encode())
    if bundle is None:
        raise refusals.bad(NOT_LOADED)
    leaf = _leaf(bundle)
    for problem in _problems(leaf, knobs):
        raise refusals.bad(problem)
    return imported(leaf)


def read_public(blob: str) -> bytes:
    """Return the DER of a public certificate in DER or PEM.

    Raise Refused if the upload is anything except one public certificate.
    """
    data = _decoded(blob)
    if b"PRIVATE KEY-----" in data or _opened(data, None) is not None:
        raise refusals.bad(HOLDS_A_KEY)
    with suppress(*UNREADABLE):
        return x509.load_der_x509_certificate(data).public_bytes(Encoding.DER)
    with suppress(*UNREADABLE):
        (only,) = x509.load_pem_x509_certificates(data)
        return only.public_bytes(Encoding.DER)
    raise refusals.bad(NO_PUBLIC_CERTIFICATE)


def _decoded(blob: str) -> bytes:
    with suppress(binascii.Error, ValueError):
        return base64.b64decode(blob, validate=True)
    raise refusals.invalid("Blob", "Base64 is required.")


def _opened(packed: bytes, password: bytes | None) -> pkcs12.PKCS12KeyAndCertificates | None:
    with suppress(*UNREADABLE):
        return pkcs12.load_pkcs12(packed, password)
    return None


def _leaf(bundle: pkcs12.PKCS12KeyAndCertificates) -> Leaf:
    key, certificate = bundle.key, bundle.cert
    if certificate is None or not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise refusals.bad(NO_KEY)
    return Leaf(certificate.certificate, key, tuple(above.certificate for above in bundle.additional_certs))


def _problems(leaf: Leaf, knobs: Knobs) -> Iterator[str]:
    key = leaf.private_key
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MINIMUM_RSA_BITS:
        yield f"The private key has {key.key_size} bits; at least {MINIMUM_RSA_BITS} are required."
    if isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(key.curve, CURVES):
        yield f"The curve {key.curve.name} of the private key is not supported."
    octets = leaf.certificate.serial_number.bit_length() // 8 + 1
    if octets > knobs.serial_octets:
        yield f"The serial number of the certificate has {octets} octets; at most {knobs.serial_octets} are supported."
