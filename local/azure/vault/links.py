"""Decide which certificate issued another one, as the TLS libraries of clients do.

Clients compare names by their meaning (RFC 5280, 7.1): type of string, letter case and blanks do not count. The library
`cryptography` compares names byte for byte in `verify_directly_issued_by`.
"""

from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm)


def issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Return True if the certificate names the issuer, and the issuer's key has signed the certificate."""
    if not _names(certificate, issuer):
        return False
    try:
        _verify(issuer, certificate)
    except (*UNREADABLE, InvalidSignature):
        return False
    return True


def names_itself(certificate: x509.Certificate) -> bool:
    """Return True if the certificate names itself as its issuer."""
    return _names(certificate, certificate)


def _names(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return True if the certificate's issuer has the same name as the other certificate, by meaning."""
    named, own = _words(lambda: certificate.issuer), _words(lambda: issuer.subject)
    return named is not None and named == own


def name_text(read: Callable[[], x509.Name]) -> str:
    """Return a name as text (RFC 4514), empty if the name cannot be read."""
    try:
        return read().rfc4514_string()
    except UNREADABLE:
        return ""


def _words(read: Callable[[], x509.Name]) -> list[tuple[str, list[str]]] | None:
    """Return the attributes of a name with the words of each value, None if the name cannot be read."""
    try:
        name = read()
    except UNREADABLE:
        return None
    return sorted((part.oid.dotted_string, str(part.value).casefold().split()) for part in name)


def _verify(issuer: x509.Certificate, certificate: x509.Certificate) -> None:
    """Raise InvalidSignature unless the issuer's key has signed the certificate, TypeError for another kind of key."""
    key, digest = issuer.public_key(), certificate.signature_hash_algorithm
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    scheme = certificate.signature_algorithm_parameters
    if digest is None or isinstance(scheme, ec.ECDSA) is not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("the signature is of another kind than the key")
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, signed, ec.ECDSA(digest))
    elif isinstance(key, rsa.RSAPublicKey) and scheme is not None and not isinstance(scheme, ec.ECDSA):
        key.verify(signature, signed, scheme, digest)
    else:
        raise TypeError("the local Azure has no keys of this kind")
