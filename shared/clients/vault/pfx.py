"""Build a PFX with a password, which an upload to App Service needs, from the secret of a vault certificate.

An error of this module does not contain the secret's value. An error of this module also has no `__cause__`, because a
parser's error may quote the secret's value.
"""

import base64
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import NamedTuple, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES

from shared.clients.vault.chains import chain_to_send, has_issued, is_root, issuers_above, lasting
from shared.clients.vault.client_roots import held_issuers
from shared.clients.vault.pem import Found, blocks_in, certificates_in, der_of, parsed
from shared.clients.vault.pkcs12 import Contents, read, write
from shared.clients.vault.pkcs12_ciphers import MOST_ROUNDS, TooCostlyError
from shared.clients.vault.private_keys import MOST_BITS, TooLargeError, load
from shared.clients.vault.x509_fields import Certificate
from shared.clients.vault.x509_names import issuer_named
from shared.clients.vault.x509_signatures import UNREADABLE, loaded_key
from shared.domain.certificates.pfx import Pfx, PfxEncryption
from shared.domain.certificates.requirements import BARE, PEM, PKCS12
from shared.domain.certificates.version import Bundle, KeyFound
from shared.domain.errors import Rejected
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason

MOST_NAMED = 10
LONGEST_VALUE = 64_000
"""The longest value of a secret that Certroll reads. Key Vault stores 25,000 bytes (Azure docs, "About secrets")."""
MOST_CERTIFICATES = 30
"""How many certificates a value may hold. A chain has few, and 25,000 bytes take about 20 certificates with RSA."""
ROUNDS = 2048
"""How many rounds the key derivation takes, which is OpenSSL's default.

More rounds would slow down an attacker who guesses the password. A random password of 256 bits cannot be guessed.
"""

_SCHEMES: dict[PfxEncryption, tuple[PBES, hashes.HashAlgorithm]] = {
    PfxEncryption.TRIPLE_DES: (PBES.PBESv1SHA1And3KeyTripleDESCBC, hashes.SHA1()),  # noqa: S303 - what App Service takes
    PfxEncryption.AES256: (PBES.PBESv2SHA256AndAES256CBC, hashes.SHA256()),
}
_CERTIFICATES = "its certificates cannot be read"
_NO_PFX = "its value is not a PFX without a password"
_TOO_COSTLY = f"its PFX asks for more than {MOST_ROUNDS:,} rounds of key derivation, or for an unknown derivation"
_KEY = "its private key cannot be read"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Certificates = tuple[Certificate, ...]
Result = TypeVar("Result")


class Value(NamedTuple):
    """The contents of a secret's value."""

    key: object
    """The private key, None if the value has none."""
    certificates: Certificates
    """The certificates, in the order in which the value has them."""
    unreadable: int
    """How many more certificates the value has that Certroll cannot read."""


def build_pfx(value: str, content_type: str, expected: Thumbprint, encryption: PfxEncryption, password: str) -> Pfx:
    """Return key, certificate and chain of a secret's value as a PFX that the password opens.

    The content type says whether the value is PEM or a PFX without password in base64 (Azure docs, "About Azure Key
    Vault certificates"). The PFX for an upload contains the certificate of the private key, and the issuers in the
    secret's value with their cross-signed certificates, each certificate once. The PFX omits the other certificates of
    the secret's value, and the returned object names these. Raise Rejected with a reason, for example if the value is
    unreadable or lacks the expected certificate.
    """
    found = _read(value, content_type.strip().lower())
    key = _usable(found.key)
    leaf = _leaf(key, found.certificates, expected)
    chain = issuers_above(leaf, found.certificates)
    sent = [leaf, *chain_to_send(leaf, chain, found.certificates)]
    blob = _parsed(lambda: _packed(key, sent, encryption, password), _CERTIFICATES)
    return Pfx(blob, password, _bundle(KeyFound.MATCHING, leaf, chain, found.certificates), _left_out(found, sent))


def _packed(key: PrivateKey, certificates: list[Certificate], encryption: PfxEncryption, password: str) -> bytes:
    """Return a PFX with the key and the certificates, of which the first belongs to the key.

    The library `cryptography` writes the PFX, unless the library does not take a malformed certificate.
    """
    with suppress(*UNREADABLE, x509.InvalidVersion):
        leaf, *above = (x509.load_der_x509_certificate(certificate.der) for certificate in certificates)
        scheme = _scheme(encryption, password)
        return pkcs12.serialize_key_and_certificates(None, key, leaf, above, scheme)
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    ders = [certificate.der for certificate in certificates]
    return write(plain, ders, password, ROUNDS, modern=encryption is PfxEncryption.AES256)


def _left_out(found: Value, sent: list[Certificate]) -> tuple[str, ...]:
    """Return the certificates of a secret's value that the PFX omits, for operators."""
    others = dict.fromkeys(certificate for certificate in found.certificates if certificate not in sent)
    unreadable = [f"{found.unreadable} that cannot be read"] if found.unreadable else []
    return (*(f"{other.title} ({other.thumbprint})" for other in others), *unreadable)


def read_bundle(value: str, content_type: str, expected: Thumbprint) -> Bundle:
    """Return which private key and which issuers a secret's value contains for the expected certificate.

    Raise Rejected with a reason if the secret's value is unreadable or lacks the expected certificate.
    """
    found = _read(value, content_type.strip().lower())
    by_thumbprint = {certificate.thumbprint: certificate for certificate in found.certificates}
    if expected not in by_thumbprint:
        raise _another(by_thumbprint, expected)
    leaf = by_thumbprint[expected]
    return _bundle(_key_found(found.key, leaf), leaf, issuers_above(leaf, found.certificates), found.certificates)


def _key_found(found: object, leaf: Certificate) -> KeyFound:
    if found is None:
        return KeyFound.NONE
    return KeyFound.MATCHING if _fits(leaf, _usable(found)) else KeyFound.FOREIGN


def _bundle(key: KeyFound, leaf: Certificate, chain: list[Certificate], certificates: Certificates) -> Bundle:
    """Return the facts about the private key and the issuers of a leaf certificate."""
    places = [certificates.index(certificate) for certificate in (leaf, *chain)]
    last = [leaf, *chain][-1]
    return Bundle(
        key,
        tuple(issuer_named(issuer.subject) for issuer in chain),
        None if is_root(last) else issuer_named(last.issuer),
        ordered=places == sorted(places),
        held=frozenset(issuer_named(issuer.subject) for issuer in held_issuers(chain, certificates)),
    )


def read_leaf(value: str, content_type: str) -> tuple[Certificate, Bundle]:
    """Return the leaf certificate of a secret's value, and the facts about its private key and issuers.

    If a secret's value has no private key, the leaf is the certificate that issued no other certificate in the value.
    Raise Rejected with a reason, for example if the value is unreadable or no certificate is clearly the leaf.
    """
    found = _read(value, content_type.strip().lower())
    certificates = found.certificates
    leaf = _lowest(certificates) if found.key is None else _newest_fitting(_usable(found.key), certificates)
    return leaf, _bundle(_key_found(found.key, leaf), leaf, issuers_above(leaf, certificates), certificates)


def _newest_fitting(key: PrivateKey, certificates: Certificates) -> Certificate:
    fitting = [certificate for certificate in certificates if _fits(certificate, key)]
    if not fitting:
        raise Rejected("no certificate in its value belongs to its private key", Reason.KEY_MISMATCH)
    return max(fitting, key=lasting)


def _lowest(certificates: Certificates) -> Certificate:
    lowest = [
        certificate
        for certificate in certificates
        if not any(has_issued(certificate, other) for other in certificates if other != certificate)
    ]
    if len(lowest) != 1:
        problem = f"its value holds no private key, and {len(certificates)} certificates of which none is the leaf"
        raise Rejected(problem, Reason.SECRET_UNREADABLE)
    return lowest[0]


def _scheme(encryption: PfxEncryption, password: str) -> KeySerializationEncryption:
    algorithm, digest = _SCHEMES[encryption]
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ROUNDS)
    return builder.key_cert_algorithm(algorithm).hmac_hash(digest).build(password.encode())


def _read(value: str, content_type: str) -> Value:
    """Return the private key and all certificates in a secret's value.

    An odd certificate of the value does not spoil the other certificates.
    """
    if len(value) > LONGEST_VALUE:
        problem = f"its value has {len(value):,} characters; Certroll reads {LONGEST_VALUE:,} at most"
        raise Rejected(problem, Reason.SECRET_UNREADABLE)
    if content_type == PKCS12:
        return _read_pfx(value)
    if content_type == PEM or (content_type == BARE and "-----BEGIN" in value):
        return _read_pem(value)
    if content_type == BARE:
        return _read_der(value)
    problem = f"its content type is {content_type[:60]!r}, neither {PKCS12} nor {PEM}"
    raise Rejected(problem, Reason.SECRET_UNREADABLE)


def _read_pfx(value: str) -> Value:
    """Return the contents of a PFX without a password, in base64.

    No library opens the PFX, because libraries compute any number of rounds, and stop all threads of the process
    meanwhile.
    """
    packed = _parsed(lambda: base64.b64decode("".join(value.split()), validate=True), "its value is not base64")
    contents = _parsed(lambda: _contents(packed), _NO_PFX)
    if contents is None:
        raise Rejected(_TOO_COSTLY, Reason.SECRET_UNREADABLE)
    _check_single_key(len(contents.keys))
    if not contents.complete:
        raise Rejected(_NO_PFX, Reason.SECRET_UNREADABLE)
    return _with_certificates(_key(*contents.keys), parsed(contents.certificates))


def _contents(packed: bytes) -> Contents | None:
    """Return the contents of a PFX, or None if its key derivations take too many rounds."""
    with suppress(TooCostlyError):
        return read(packed)
    return None


def _read_der(value: str) -> Value:
    """Return the certificate of a value that is a `.cer` file in base64, which has no private key."""
    der = _parsed(lambda: base64.b64decode("".join(value.split()), validate=True), "its value is not base64")
    found = parsed((der,))
    if not found.readable:
        raise Rejected("its value is not a certificate in DER", Reason.SECRET_UNREADABLE)
    return Value(None, *found)


def _read_pem(value: str) -> Value:
    keys = [block for block in blocks_in(value) if block.label.endswith("PRIVATE KEY")]
    _check_single_key(len(keys))
    ders = [_parsed(lambda: der_of(keys[0]), _KEY)] if keys else []
    return _with_certificates(_key(*ders, label=keys[0].label if keys else ""), certificates_in(value))


def _key(der: bytes | None = None, *, label: str = "") -> object:
    """Return the private key of a secret's value, or None for a value without one. Raise Rejected for a bad key."""
    if der is None:
        return None
    with suppress(TooLargeError):
        return _parsed(lambda: load(der, label), _KEY)
    raise Rejected(f"{_KEY}: it has more than {MOST_BITS:,} bits", Reason.SECRET_UNREADABLE)


def _with_certificates(key: object, found: Found) -> Value:
    """Return the contents of a secret's value.

    Raise Rejected if Certroll can read none of its certificates, or if the value has too many. The search for issuers
    compares each certificate with each other one, and checks signatures.
    """
    if (held := len(found.readable) + found.unreadable) > MOST_CERTIFICATES:
        problem = f"its value holds {held:,} certificates; Certroll reads {MOST_CERTIFICATES} at most"
        raise Rejected(problem, Reason.SECRET_UNREADABLE)
    if not found.readable:
        raise Rejected(_CERTIFICATES, Reason.SECRET_UNREADABLE)
    return Value(key, *found)


def _check_single_key(keys: int) -> None:
    """Raise Rejected if a secret's value holds several private keys, of which programs take different ones."""
    if keys > 1:
        raise Rejected(f"its value holds {keys} private keys; one is expected", Reason.SECRET_UNREADABLE)


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


def _leaf(key: PrivateKey, certificates: Certificates, expected: Thumbprint) -> Certificate:
    """Return the expected certificate, which must belong to the private key.

    A renewal may keep the private key, so several certificates of a secret can belong to the key.
    """
    fitting = {certificate.thumbprint: certificate for certificate in certificates if _fits(certificate, key)}
    if not fitting:
        raise Rejected("no certificate in its value belongs to its private key", Reason.KEY_MISMATCH)
    if expected not in fitting:
        raise _another(fitting, expected)
    return fitting[expected]


def _another(found: Iterable[Thumbprint], expected: Thumbprint) -> Rejected:
    held = ", ".join(sorted(found)[:MOST_NAMED]) or "none at all"
    return Rejected(f"it holds the certificate {held}, not {expected}", Reason.ANOTHER_CERTIFICATE)


def _fits(certificate: Certificate, key: PrivateKey) -> bool:
    """Return True if the certificate's public key belongs to the private key."""
    with suppress(*UNREADABLE):
        return loaded_key(certificate) == key.public_key()
    return False
