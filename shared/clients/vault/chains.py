"""Find the issuers of a certificate among the certificates that come with it.

An authority may write its own name in several ways: as PrintableString and as UTF8String, or in another letter case.
Certroll therefore compares names by their meaning (RFC 5280, 7.1), and the issuer's signature decides.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import pairwise

from shared.clients.vault.x509_fields import Certificate
from shared.clients.vault.x509_signatures import is_signed_by
from shared.domain.names import Thumbprint

_UNKNOWN = datetime.min.replace(tzinfo=UTC)


def issuers_above(leaf: Certificate, certificates: Iterable[Certificate]) -> list[Certificate]:
    """Return the issuers above the leaf, the nearest first, up to a self-signed certificate.

    The returned chain ends before the root if the certificates lack the next issuer. If two certificates could be the
    issuer, as with a cross-signed root, the chain contains the certificate that expires later. An authority that issues
    a cross-signed certificate again replaces the earlier one, so the chain omits a certificate that another replaces.
    """
    chain = [leaf]
    left = set(certificates) - {leaf}
    while issuers := [issuer for issuer in left if has_issued(issuer, chain[-1])]:
        if has_issued(chain[-1], chain[-1]):
            break
        chain.append(_best(chain[-1], issuers))
        left.remove(chain[-1])
    return chain[1:]


def chain_to_send(
    leaf: Certificate, chain: list[Certificate], certificates: Iterable[Certificate]
) -> list[Certificate]:
    """Return the issuers of the chain with the cross-signed twins of its authorities, and a self-signed root last.

    Clients that do not hold a new root yet find an older root only by a cross-signed certificate. A cross-signed
    certificate that ends before the leaf is omitted, because old clients refuse a chain with an expired certificate
    (the end of AddTrust External CA Root in May 2020, and of DST Root CA X3 in September 2021).
    """
    held, around = tuple(certificates), list[Certificate]()
    for below, link in pairwise([leaf, *chain]):
        twins = [twin for twin in held if _is_another_way(twin, below, link) and lasting(twin)[0] >= lasting(leaf)[0]]
        while twins:
            best = _best(below, twins)
            around += [best, *issuers_above(best, held)]
            twins = [twin for twin in twins if twin.issuer_meaning != best.issuer_meaning]
    top = [link for link in chain[-1:] if is_root(link)]
    return list(dict.fromkeys(link for link in (*chain, *around) if link not in {leaf, *top})) + top


def _is_another_way(twin: Certificate, below: Certificate, link: Certificate) -> bool:
    """Return True if the certificate has the key of a chain's link, and leads from below the link to another root."""
    if twin.public_key != link.public_key or twin.issuer_meaning == link.issuer_meaning:
        return False
    return has_issued(twin, below) and not is_root(twin)


def has_issued(issuer: Certificate, certificate: Certificate) -> bool:
    """Return True if the issuer's key has signed the certificate, and the certificate names the issuer.

    The certificate names its issuer by name or by key identifier. If Certroll cannot verify the signature, both must
    agree, as far as both certificates have a key identifier.
    """
    named, identified = _is_named(issuer, certificate), _is_identified(issuer, certificate)
    if not named and not identified:
        return False
    signed = is_signed_by(certificate, issuer)
    return signed if signed is not None else named and identified is not False


def is_root(certificate: Certificate) -> bool:
    """Return True if the certificate is self-signed."""
    return has_issued(certificate, certificate)


def lasting(certificate: Certificate) -> tuple[datetime, Thumbprint]:
    """Return a value by which the certificate that expires last comes last."""
    return _date(lambda: certificate.ends), certificate.thumbprint


def _is_named(issuer: Certificate, certificate: Certificate) -> bool:
    return certificate.issuer_meaning == issuer.subject_meaning


def _is_identified(issuer: Certificate, certificate: Certificate) -> bool | None:
    """Return True if the key identifiers agree, or None if one of them is missing."""
    wanted, own = certificate.authority_key_identifier, issuer.key_identifier
    return None if wanted is None or own is None else wanted == own


def _best(certificate: Certificate, issuers: list[Certificate]) -> Certificate:
    """Return the issuer that clients accept most likely: clients compare names first, and key identifiers second.

    An issuer whose key has signed the certificate comes before an issuer for which Certroll cannot verify that.
    """

    def rank(issuer: Certificate) -> tuple[bool, bool, bool, bool, datetime, Thumbprint]:
        verified = is_signed_by(certificate, issuer) is True
        agrees = _is_identified(issuer, certificate) is not False
        replaced = any(_replaces(other, issuer) for other in issuers)
        return verified, _is_named(issuer, certificate), agrees, not replaced, *lasting(issuer)

    return max(issuers, key=rank)


def _replaces(later: Certificate, earlier: Certificate) -> bool:
    """Return True if the same authority issued the certificate `later` for the same key and name at a later time."""
    if later.public_key != earlier.public_key or later.issuer_meaning != earlier.issuer_meaning:
        return False
    return _date(lambda: later.begins) > _date(lambda: earlier.begins)


def _date(read: Callable[[], datetime]) -> datetime:
    """Return a date of a certificate, or the earliest of all dates if it is unreadable."""
    try:
        return read()
    except ValueError:
        return _UNKNOWN
