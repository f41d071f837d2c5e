"""Verify the signature of a certificate, and name the hash algorithm of the signature."""

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from shared.clients.vault.der import SEQUENCE, Element, dotted, inside, only
from shared.clients.vault.x509_fields import Certificate

UNREADABLE = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm)
"""The errors that the library `cryptography` raises for malformed or unknown input."""
LONGEST_KEY = 1_200
"""The longest public key that Certroll loads, in bytes. An RSA key of 8,192 bits has 1,046."""
MOST_EXPONENT_BITS = 64
"""The largest exponent of a public RSA key; OpenSSL has the same limit for keys of more than 3,072 bits."""
REMEMBERED = 256
"""How many checks of a signature the process remembers, because each run repeats the same checks."""
PSS = "1.2.840.113549.1.1.10"
_MASK_ALGORITHM, _HASH_ALGORITHM = 0xA1, 0xA0
_OLD_HASHES = {"1.2.840.113549.1.1.2": "md2", "1.2.840.113549.1.1.3": "md4"}
"""The hash algorithms that the library `cryptography` does not know."""


class Scheme(NamedTuple):
    """How an issuer signs: the kind of the issuer's key, and the hash algorithm."""

    key: type
    digest: hashes.HashAlgorithm


_RSA, _EC, _DSA = rsa.RSAPublicKey, ec.EllipticCurvePublicKey, dsa.DSAPublicKey
_SCHEMES = {
    "1.2.840.113549.1.1.4": Scheme(_RSA, hashes.MD5()),  # noqa: S303 - only to know an old signature
    "1.2.840.113549.1.1.5": Scheme(_RSA, hashes.SHA1()),  # noqa: S303 - the same
    "1.2.840.113549.1.1.14": Scheme(_RSA, hashes.SHA224()),
    "1.2.840.113549.1.1.11": Scheme(_RSA, hashes.SHA256()),
    "1.2.840.113549.1.1.12": Scheme(_RSA, hashes.SHA384()),
    "1.2.840.113549.1.1.13": Scheme(_RSA, hashes.SHA512()),
    "2.16.840.1.101.3.4.3.14": Scheme(_RSA, hashes.SHA3_256()),
    "2.16.840.1.101.3.4.3.15": Scheme(_RSA, hashes.SHA3_384()),
    "2.16.840.1.101.3.4.3.16": Scheme(_RSA, hashes.SHA3_512()),
    "1.2.840.10045.4.1": Scheme(_EC, hashes.SHA1()),  # noqa: S303 - the same
    "1.2.840.10045.4.3.1": Scheme(_EC, hashes.SHA224()),
    "1.2.840.10045.4.3.2": Scheme(_EC, hashes.SHA256()),
    "1.2.840.10045.4.3.3": Scheme(_EC, hashes.SHA384()),
    "1.2.840.10045.4.3.4": Scheme(_EC, hashes.SHA512()),
    "2.16.840.1.101.3.4.3.10": Scheme(_EC, hashes.SHA3_256()),
    "2.16.840.1.101.3.4.3.11": Scheme(_EC, hashes.SHA3_384()),
    "2.16.840.1.101.3.4.3.12": Scheme(_EC, hashes.SHA3_512()),
    "1.2.840.10040.4.3": Scheme(_DSA, hashes.SHA1()),  # noqa: S303 - the same
    "2.16.840.1.101.3.4.3.2": Scheme(_DSA, hashes.SHA256()),
}
"""The signature algorithms with a hash of their own (RFC 3279, 2.2; RFC 5758; RFC 8692; NIST CSOR)."""
_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "1.3.14.3.2.26": hashes.SHA1(),  # noqa: S303 - the same
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
"""The hash algorithms that the parameters of RSASSA-PSS name (RFC 4055, 2.1)."""
_PURE = {"1.3.101.112": ed25519.Ed25519PublicKey, "1.3.101.113": ed448.Ed448PublicKey}
"""The signature algorithms without a separate hash algorithm (RFC 8410)."""


def signature_hash(certificate: Certificate) -> str:
    """Return the hash algorithm of the issuer's signature, or the signature's OID if there is no separate hash.

    Raise ValueError if the algorithm of the signature is unreadable.
    """
    kind, parameters = _algorithm(certificate.algorithm)
    if kind == PSS:
        return _pss_digest(parameters, _HASH_ALGORITHM).name
    scheme = _SCHEMES.get(kind)
    return scheme.digest.name if scheme else _OLD_HASHES.get(kind, kind)


@lru_cache(maxsize=REMEMBERED)
def is_signed_by(certificate: Certificate, issuer: Certificate) -> bool | None:
    """Return True if the issuer's key has signed the certificate, or None if Certroll cannot verify the signature.

    Certroll cannot verify a signature with an unknown algorithm, or by an unreadable key.
    """
    with suppress(*UNREADABLE):
        verify = _verifier(certificate, loaded_key(issuer))
        if verify is None:
            return None
        try:
            verify()
        except InvalidSignature:
            return False
        return True
    return None


def loaded_key(certificate: Certificate) -> object:
    """Return the public key of a certificate.

    Raise an error of UNREADABLE for an unreadable key, and for a key that makes the check of a signature slow.
    """
    if len(certificate.public_key) > LONGEST_KEY:
        raise ValueError(f"a public key of {len(certificate.public_key)} bytes, more than {LONGEST_KEY}")
    key = load_der_public_key(certificate.public_key)
    if isinstance(key, _RSA) and key.public_numbers().e.bit_length() > MOST_EXPONENT_BITS:
        raise ValueError("an RSA key has a huge exponent")
    return key


def _verifier(certificate: Certificate, key: object) -> Callable[[], None] | None:
    """Return a function that raises InvalidSignature unless the key has signed the certificate.

    Return None for an unknown algorithm.
    """
    kind, parameters = _algorithm(certificate.algorithm)
    signature, signed = certificate.signature, certificate.tbs
    if kind == PSS and isinstance(key, _RSA):
        mask, digest = _pss_digest(parameters, _MASK_ALGORITHM), _pss_digest(parameters, _HASH_ALGORITHM)
        scheme = padding.PSS(padding.MGF1(mask), padding.PSS.AUTO)
        return lambda: key.verify(signature, signed, scheme, digest)
    if kind in _PURE:
        return _pure(certificate, key, _PURE[kind])
    if kind not in _SCHEMES:
        return None if kind != PSS else _never
    expected, known = _SCHEMES[kind]
    if not isinstance(key, expected):
        return _never
    if isinstance(key, _RSA):
        return lambda: key.verify(signature, signed, padding.PKCS1v15(), known)
    if isinstance(key, _EC):
        return lambda: key.verify(signature, signed, ec.ECDSA(known))
    return lambda: key.verify(signature, signed, known) if isinstance(key, _DSA) else _never()


def _pure(certificate: Certificate, key: object, expected: type) -> Callable[[], None]:
    if not isinstance(key, expected) or not isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return _never
    return lambda: key.verify(certificate.signature, certificate.tbs)


def _never() -> None:
    raise InvalidSignature("the key is of another kind than the signature")


def _algorithm(algorithm: Element) -> tuple[str, Element | None]:
    """Return the object identifier of a signature algorithm, with its parameters."""
    kind, *parameters = inside(algorithm, SEQUENCE)
    return dotted(kind), parameters[0] if parameters else None


def _pss_digest(parameters: Element | None, part: int) -> hashes.HashAlgorithm:
    """Return a hash algorithm of RSASSA-PSS: that of the message, or that of the mask. The default is SHA-1.

    Raise ValueError for an unknown hash algorithm.
    """
    given = inside(parameters, SEQUENCE) if parameters is not None else ()
    named = next((element for element in given if element.tag == part), None)
    if named is None:
        return hashes.SHA1()  # noqa: S303 - the default of RFC 4055, 3.1
    kind, inner = _algorithm(only(named.content, SEQUENCE))
    if part == _MASK_ALGORITHM and inner is not None:
        kind, _ = _algorithm(inner)
    if kind not in _DIGESTS:
        raise ValueError("a signature has an unknown hash algorithm")
    return _DIGESTS[kind]
