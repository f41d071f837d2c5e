"""The root certificates that clients hold, by their names and keys.

A client that holds a self-signed root needs no cross-signed certificate of the root's key. Certroll reads as such
roots those of Mozilla, which the package `certifi` contains.
"""

from collections.abc import Iterable
from functools import cache

import certifi

from shared.clients.vault.chains import is_root
from shared.clients.vault.pem import certificates_in
from shared.clients.vault.x509_fields import Certificate
from shared.clients.vault.x509_names import Meaning

Roots = frozenset[tuple[Meaning, bytes]]
"""Roots by the meanings of their names, and their public keys (SubjectPublicKeyInfo) in DER."""


@cache
def public_roots() -> Roots:
    """Return the root certificates that clients usually hold. The process reads them once."""
    return frozenset(map(_root, certificates_in(certifi.contents()).readable))


def _root(certificate: Certificate) -> tuple[Meaning, bytes]:
    return certificate.subject_meaning, certificate.public_key


def held_issuers(issuers: Iterable[Certificate], certificates: Iterable[Certificate]) -> list[Certificate]:
    """Return the cross-signed issuers whose name and key are those of a self-signed root that clients hold.

    Clients hold the usual roots, and the self-signed roots among `certificates`: whoever puts a self-signed root into
    a vault gives the same root to clients.
    """
    own = {_root(certificate) for certificate in certificates if is_root(certificate)}
    crossed = (issuer for issuer in issuers if not is_root(issuer))
    return [issuer for issuer in crossed if _root(issuer) in own or _root(issuer) in public_roots()]
