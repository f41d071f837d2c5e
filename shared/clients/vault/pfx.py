"""Build a PFX with a password, which an upload to App Service needs, from the secret of a vault certificate.

An error of this module does not contain the secret's value. An error of this module also has no `__cause__`, because a
parser's error may quote the secret's value.
"""

import base64
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES

from shared.clients.vault.x509_facts import UNREADABLE, name_of, thumbprint_of
from shared.domain.certificates.pfx import Pfx, PfxEncryption
from shared.domain.certificates.requirements import BARE, PEM, PKCS12
from shared.domain.certificates.version import Bundle, KeyFound
from shared.domain.errors import Rejected
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason

MOST_NAMED = 10
ROUNDS = 2048
"""How many rounds the key derivation takes, which is OpenSSL's default.

More rounds would slow down an attacker who guesses the password. A random password of 256 bits cannot be guessed.
"""

_SCHEMES: dict[PfxEncryption, tuple[PBES, hashes.HashAlgorithm]] = {
    PfxEncryption.TRIPLE_DES: (PBES.PBESv1SHA1And3KeyTripleDESCBC, hashes.SHA1()),  # noqa: S303 - what App Service takes
    PfxEncryption.AES256: (PBES.PBESv2SHA256AndAES256CBC, hashes.SHA256()),
}
_PEM_KEY = re.compile(r"-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)
_CERTIFICATES = "its certificates cannot be read"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Certificates = tuple[x509.Certificate, ...]
Result = TypeVar("Result")


def build_pfx(value: str, content_type: str, expected: Thumbprint, encryption: PfxEncryption, password: str) -> Pfx:
    """Return key, certificate and chain of a secret's value as a PFX that the password opens.

    The content type says whether the value is PEM or a PFX without password in base64 (Azure docs, "About Azure Key
    Vault certificates"). The PFX for an upload contains the certificate of the private key, and the issuers in the
    secret's value. The PFX omits the other certificates of the secret's value, and contains each certificate once.
    Raise Rejected with a reason, for example if the value is unreadable or lacks the expected certificate.
    """
    found, certificates = _read(value, content_type.strip().lower())
    key = _usable(found)
    leaf = _leaf(key, certificates, expected)
    chain = _chain(leaf, certificates)
    scheme = _scheme(encryption, password)
    blob = _parsed(lambda: pkcs12.serialize_key_and_certificates(None, key, leaf, chain, scheme), _CERTIFICATES)
    return Pfx(blob, password, _bundle(KeyFound.MATCHING, leaf, chain, certificates))


def read_bundle(value: str, content_type: str, expected: Thumbprint) -> Bundle:
    """Return which private key and which issuers a secret's value contains for the expected certificate.

    Raise Rejected with a reason if the secret's value is unreadable or lacks the expected certificate.
    """
    found, certificates = _read(value, content_type.strip().lower())
    by_thumbprint = {thumbprint(certificate): certificate for certificate in certificates}
    if expected not in by_thumbprint:
        raise _another(by_thumbprint, expected)
    leaf = by_thumbprint[expected]
    return _bundle(_key_found(found, leaf), leaf, _chain(leaf, certificates), certificates)


def _key_found(found: object, leaf: x509.Certificate) -> KeyFound:
    if found is None:
        return KeyFound.NONE
    return KeyFound.MATCHING if _fits(leaf, _usable(found)) else KeyFound.FOREIGN


def _bundle(key: KeyFound, leaf: x509.Certificate, chain: list[x509.Certificate], certificates: Certificates) -> Bundle:
    """Return the facts about the private key and the issuers of a leaf certificate."""
    places = [certificates.index(certificate) for certificate in (leaf, *chain)]
    last = [leaf, *chain][-1]
    missing = None if _issued(last, last) else _parsed(lambda: name_of(last.issuer), _CERTIFICATES)
    issuers = _parsed(lambda: tuple(name_of(issuer.subject) for issuer in chain), _CERTIFICATES)
    return Bundle(key, issuers, missing, ordered=places == sorted(places))


def read_leaf(value: str, content_type: str) -> tuple[x509.Certificate, Bundle]:
    """Return the leaf certificate of a secret's value, and the facts about its private key and issuers.

    If a secret's value has no private key, the leaf is the certificate that issued no other certificate in the value.
    Raise Rejected with a reason, for example if the value is unreadable or no certificate is clearly the leaf.
    """
    found, certificates = _read(value, content_type.strip().lower())
    leaf = _lowest(certificates) if found is None else _newest_fitting(_usable(found), certificates)
    return leaf, _bundle(_key_found(found, leaf), leaf, _chain(leaf, certificates), certificates)


def _newest_fitting(key: PrivateKey, certificates: Certificates) -> x509.Certificate:
    fitting = [certificate for certificate in certificates if _fits(certificate, key)]
    if not fitting:
        raise Rejected("no certificate in its value belongs to its private key", Reason.KEY_MISMATCH)
    return max(fitting, key=_lasting)


def _lowest(certificates: Certificates) -> x509.Certificate:
    lowest = [
        certificate
        for certificate in certificates
        if not any(_issued(other, certificate) for other in certificates if other != certificate)
    ]
    if len(lowest) != 1:
        problem = f"its value holds no private key, and {len(certificates)} certificates of which none is the leaf"
        raise Rejected(problem, Reason.SECRET_UNREADABLE)
    return lowest[0]


def _scheme(encryption: PfxEncryption, password: str) -> KeySerializationEncryption:
    algorithm, digest = _SCHEMES[encryption]
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ROUNDS)
    return builder.key_cert_algorithm(algorithm).hmac_hash(digest).build(password.encode())


def _read(value: str, content_type: str) -> tuple[object, Certificates]:
    """Return the private key and all certificates in a secret's value, in the order in which the value has them."""
    if content_type == PKCS12:
        return _read_pfx(value)
    if content_type == PEM or (content_type == BARE and "-----BEGIN" in value):
        return _read_pem(value)
    if content_type == BARE:
        return _read_der(value)
    problem = f"its content type is {content_type[:60]!r}, neither {PKCS12} nor {PEM}"
    raise Rejected(problem, Reason.SECRET_UNREADABLE)


def _read_pfx(value: str) -> tuple[object, Certificates]:
    packed = _parsed(lambda: base64.b64decode("".join(value.split()), validate=True), "its value is not base64")
    bundle = _parsed(lambda: pkcs12.load_pkcs12(packed, None), "its value is not a PFX without a password")
    held = (bundle.cert, *bundle.additional_certs)
    return bundle.key, tuple(entry.certificate for entry in held if entry is not None)


def _read_der(value: str) -> tuple[None, Certificates]:
    """Return the certificate of a value that is a `.cer` file in base64, which has no private key."""
    der = _parsed(lambda: base64.b64decode("".join(value.split()), validate=True), "its value is not base64")
    return None, (_parsed(lambda: x509.load_der_x509_certificate(der), "its value is not a certificate in DER"),)


def _read_pem(value: str) -> tuple[object, Certificates]:
    keys = [match.group() for match in _PEM_KEY.finditer(value)]
    if len(keys) > 1:
        raise Rejected(f"its value holds {len(keys)} private keys; one is expected", Reason.SECRET_UNREADABLE)
    key = (
        _parsed(lambda: load_pem_private_key(keys[0].encode(), None), "its private key cannot be read")
        if keys
        else None
    )
    certificates = _parsed(lambda: x509.load_pem_x509_certificates(value.encode()), _CERTIFICATES)
    return key, tuple(certificates)


def _parsed(parse: Callable[[], Result], problem: str) -> Result:
    """Call the function `parse`, which decodes or encodes keys and certificates, and return its value.

    If `parse` fails, raise Rejected outside of the error handler, so that Rejected does not carry the parser's error.
    """
    with suppress(*UNREADABLE):
        return parse()
    raise Rejected(problem, Reason.SECRET_UNREADABLE)


def _usable(key: object) -> PrivateKey:
    if key is None:
        problem = "its value holds no private key; the certificate's policy must let the key be exported"
        raise Rejected(problem, Reason.NO_PRIVATE_KEY)
    if not isinstance(key, PrivateKey):
        raise Rejected("its private key is neither RSA nor EC", Reason.SECRET_UNREADABLE)
    return key


def _leaf(key: PrivateKey, certificates: Certificates, expected: Thumbprint) -> x509.Certificate:
    """Return the expected certificate, which must belong to the private key.

    A renewal may keep the private key, so several certificates of a secret can belong to the key.
    """
    fitting = {thumbprint(certificate): certificate for certificate in certificates if _fits(certificate, key)}
    if not fitting:
        raise Rejected("no certificate in its value belongs to its private key", Reason.KEY_MISMATCH)
    if expected not in fitting:
        raise _another(fitting, expected)
    return fitting[expected]


def _another(found: Iterable[Thumbprint], expected: Thumbprint) -> Rejected:
    held = ", ".join(sorted(found)[:MOST_NAMED]) or "none at all"
    return Rejected(f"it holds the certificate {held}, not {expected}", Reason.ANOTHER_CERTIFICATE)


def thumbprint(certificate: x509.Certificate) -> Thumbprint:
    """Return the thumbprint of a parsed certificate."""
    return thumbprint_of(certificate.public_bytes(Encoding.DER))


def _fits(certificate: x509.Certificate, key: PrivateKey) -> bool:
    with suppress(*UNREADABLE):
        return certificate.public_key() == key.public_key()
    return False


def _chain(leaf: x509.Certificate, certificates: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Return the issuers above the leaf, the nearest first, up to a self-signed certificate.

    The returned chain ends before the root if the secret's value lacks the next issuer. If two certificates could be
    the issuer, as with a cross-signed root, the chain contains the certificate that expires later.
    """
    chain = [leaf]
    left = set(certificates) - {leaf}
    while issuers := [issuer for issuer in left if _issued(chain[-1], issuer)]:
        if _issued(chain[-1], chain[-1]):
            break
        chain.append(max(issuers, key=_lasting))
        left.remove(chain[-1])
    return chain[1:]


def _lasting(certificate: x509.Certificate) -> tuple[datetime, Thumbprint]:
    return _parsed(lambda: certificate.not_valid_after_utc, _CERTIFICATES), thumbprint(certificate)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return True if the certificate names the issuer, and the issuer's key has signed the certificate."""
    with suppress(*UNREADABLE, InvalidSignature):
        certificate.verify_directly_issued_by(issuer)
        return True
    return False
