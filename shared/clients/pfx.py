"""From the secret behind a vault certificate to a PFX with a password, as an upload to App Service needs it.

Nothing here quotes what it reads: an error says what is wrong and carries no other error, because those of parsers may
show the contents.
"""

import base64
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    KeySerializationEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES

from shared.domain.errors import Rejected
from shared.domain.names import Thumbprint
from shared.domain.secret import Pfx, PfxEncryption

PKCS12 = "application/x-pkcs12"
PEM = "application/x-pem-file"
ROUNDS = 2048
"""OpenSSL's own number. More would slow down guessing, of which a random password of 256 bits leaves no hope."""

_SCHEMES: dict[PfxEncryption, tuple[PBES, hashes.HashAlgorithm]] = {
    PfxEncryption.TRIPLE_DES: (PBES.PBESv1SHA1And3KeyTripleDESCBC, hashes.SHA1()),  # noqa: S303 - what App Service takes
    PfxEncryption.AES256: (PBES.PBESv2SHA256AndAES256CBC, hashes.SHA256()),
}
_PEM_KEY = re.compile(r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Certificates = tuple[x509.Certificate, ...]
Result = TypeVar("Result")


def build_pfx(value: str, content_type: str, expected: Thumbprint, encryption: PfxEncryption, password: str) -> Pfx:
    """Return key, certificate and chain of a secret's value as a PFX that the password opens.

    The value is a PFX without password in base64, or PEM, as the content type says (platform facts: Key Vault's secret
    payload). The certificate is the one of the private key; the chain goes from its issuer up as far as the value
    holds it, without doubles and strangers. Raises Rejected where the value cannot be read, or holds another
    certificate than the expected one.
    """
    found, certificates = _read(value, content_type.strip().lower())
    key = _usable(found)
    leaf = _leaf(key, certificates, expected)
    chain = _chain(leaf, certificates)
    blob = pkcs12.serialize_key_and_certificates(None, key, leaf, chain, _scheme(encryption, password))
    return Pfx(blob, password)


def read_leaf(value: str, content_type: str) -> tuple[x509.Certificate, bool]:
    """Return the certificate that a secret's value is about, and whether its private key is there too.

    Without a key it is the one that issued none of the others. Raises Rejected.
    """
    found, certificates = _read(value, content_type.strip().lower())
    if found is not None:
        key = _usable(found)
        fitting = [one for one in certificates if _fits(one, key)]
        if not fitting:
            raise Rejected("no certificate in its value belongs to its private key")
        return max(fitting, key=lambda one: (one.not_valid_after_utc, thumbprint(one))), True
    lowest = [one for one in certificates if not any(_issued(other, one) for other in certificates if other != one)]
    if len(lowest) != 1:
        raise Rejected(
            f"its value holds no private key, and {len(certificates)} certificates of which none is the leaf"
        )
    return lowest[0], False


def _scheme(encryption: PfxEncryption, password: str) -> KeySerializationEncryption:
    algorithm, digest = _SCHEMES[encryption]
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ROUNDS)
    return builder.key_cert_algorithm(algorithm).hmac_hash(digest).build(password.encode())


def _read(value: str, content_type: str) -> tuple[object, Certificates]:
    """Return the private key and all certificates, in any order."""
    if content_type == PKCS12:
        return _read_pfx(value)
    if content_type == PEM:
        return _read_pem(value)
    raise Rejected(f"its content type is {content_type[:60]!r}, neither {PKCS12} nor {PEM}")


def _read_pfx(value: str) -> tuple[object, Certificates]:
    packed = _parsed(lambda: base64.b64decode("".join(value.split()), validate=True), "its value is not base64")
    bundle = _parsed(lambda: pkcs12.load_pkcs12(packed, None), "its value is not a PFX without a password")
    held = (bundle.cert, *bundle.additional_certs)
    return bundle.key, tuple(one.certificate for one in held if one is not None)


def _read_pem(value: str) -> tuple[object, Certificates]:
    keys = [match.group() for match in _PEM_KEY.finditer(value)]
    if len(keys) > 1:
        raise Rejected(f"its value holds {len(keys)} private keys; one is expected")
    key = (
        _parsed(lambda: load_pem_private_key(keys[0].encode(), None), "its private key cannot be read")
        if keys
        else None
    )
    certificates = _parsed(lambda: x509.load_pem_x509_certificates(value.encode()), "its certificates cannot be read")
    return key, tuple(certificates)


def _parsed(parse: Callable[[], Result], problem: str) -> Result:
    """Return what the parser returns. Raises Rejected outside of any handler, so that nothing is chained to it."""
    with suppress(*_UNREADABLE):
        return parse()
    raise Rejected(problem)


def _usable(key: object) -> PrivateKey:
    if key is None:
        raise Rejected("its value holds no private key; the certificate's policy must let the key be exported")
    if not isinstance(key, PrivateKey):
        raise Rejected("its private key is neither RSA nor EC")
    return key


def _leaf(key: PrivateKey, certificates: Certificates, expected: Thumbprint) -> x509.Certificate:
    """Return the expected certificate. A renewal may keep its key, so that more than one can fit it."""
    fitting = {thumbprint(certificate): certificate for certificate in certificates if _fits(certificate, key)}
    if not fitting:
        raise Rejected("no certificate in its value belongs to its private key")
    if expected not in fitting:
        raise Rejected(f"it holds the certificate {', '.join(sorted(fitting))}, not {expected}")
    return fitting[expected]


def thumbprint(certificate: x509.Certificate) -> Thumbprint:
    """Return the SHA-1 of a certificate, the form that App Service uses."""
    return Thumbprint(certificate.fingerprint(hashes.SHA1()).hex().upper())  # noqa: S303 - a name, not a safeguard


def _fits(certificate: x509.Certificate, key: PrivateKey) -> bool:
    with suppress(*_UNREADABLE):
        return certificate.public_key() == key.public_key()
    return False


def _chain(leaf: x509.Certificate, certificates: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Return the issuers above the leaf, nearest first, up to a self-signed one or as far as they are known.

    Where two could be the issuer, as with a cross-signed root, it is the one that is valid for longer.
    """
    chain = [leaf]
    left = set(certificates) - {leaf}
    while issuers := [issuer for issuer in left if _issued(chain[-1], issuer)]:
        if _issued(chain[-1], chain[-1]):
            break
        chain.append(max(issuers, key=lambda issuer: (issuer.not_valid_after_utc, thumbprint(issuer))))
        left.remove(chain[-1])
    return chain[1:]


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Say whether the certificate names the issuer, and the issuer's key has signed it."""
    with suppress(*_UNREADABLE, InvalidSignature):
        certificate.verify_directly_issued_by(issuer)
        return True
    return False
