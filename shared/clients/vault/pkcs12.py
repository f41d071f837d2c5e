"""Read and write a PFX part by part (PKCS #12, RFC 7292).

The library `cryptography` refuses a whole PFX for one malformed certificate, and shows only the first of several
private keys. This module returns all keys and all certificates as bytes.
"""

import hmac
import secrets
from collections.abc import Iterator
from typing import NamedTuple

from shared.clients.vault.der import (
    INTEGER,
    NULL,
    OCTET_STRING,
    SEQUENCE,
    SET,
    Element,
    content_of,
    definite,
    dotted,
    encode,
    encode_integer,
    encode_oid,
    first,
    inside,
    only,
)
from shared.clients.vault.pkcs12_ciphers import EMPTY, NONE, Effort, as_utf16, decrypt, encrypt, mac

_DATA, _ENCRYPTED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.6"
_BAGS = "1.2.840.113549.1.12.10.1"
_KEY_BAG, _SHROUDED_KEY_BAG, _CERTIFICATE_BAG, _NESTED = f"{_BAGS}.1", f"{_BAGS}.2", f"{_BAGS}.3", f"{_BAGS}.6"
_UNOPENED = ""
_X509 = "1.2.840.113549.1.9.22.1"
_LOCAL_KEY_ID = "1.2.840.113549.1.9.21"
_EXPLICIT, _IMPLICIT = 0xA0, 0x80
_VERSION = 3
_SALT = 16
_DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_DIGEST_OIDS = {name: oid for oid, name in _DIGESTS.items()}


class Bag(NamedTuple):
    """A key or a certificate in a PFX."""

    content: bytes
    """An unencrypted private key in PKCS #8, or a certificate in DER; empty if the part did not open."""
    key_id: bytes | None
    """An identifier that a key shares with its own certificate, None if the PFX has none."""


class Contents(NamedTuple):
    """The keys and certificates of a PFX."""

    keys: tuple[bytes, ...]
    certificates: tuple[bytes, ...]
    """The certificates, in the order of the PFX, but the certificate of the first key comes first."""
    complete: bool
    """True if each part of the PFX opened. A part may have a cipher that this module does not know, such as RC4."""


def read(packed: bytes) -> Contents:
    """Return the keys and certificates of a PFX without a password.

    Raise ValueError if the PFX needs a password, or if it has a form that this module does not read. Raise
    TooCostlyError if the key derivations of the PFX take too many rounds in all.
    """
    effort = Effort()
    _, safe, *check = _parts(packed)
    authenticated = content_of(_data(safe), OCTET_STRING)
    password = _password(check[0], authenticated, effort) if check else None
    bags = list(_bags(authenticated, password, effort))
    keys = [bag for kind, bag in bags if kind == _KEY_BAG]
    certificates = [bag for kind, bag in bags if kind == _CERTIFICATE_BAG]
    own = {keys[0].key_id} - {None} if keys else set()
    ordered = sorted(certificates, key=lambda bag: bag.key_id not in own)
    complete = all(bag.content for _, bag in bags)
    return Contents(tuple(bag.content for bag in keys), tuple(bag.content for bag in ordered), complete)


def _parts(sequence: bytes) -> tuple[Element, ...]:
    """Return the elements of a sequence of DER or BER.

    This function reads DER as it is, so that an odd element inside spoils no other element.
    """
    try:
        return inside(only(sequence, SEQUENCE), SEQUENCE)
    except ValueError:
        return inside(only(definite(sequence), SEQUENCE), SEQUENCE)


def _octets(content: Element) -> bytes:
    """Return the encrypted content of a ContentInfo, which BER may have in several pieces."""
    if content.tag != _EXPLICIT:
        return content_of(content, _IMPLICIT)
    return b"".join(content_of(piece, OCTET_STRING) for piece in inside(content, _EXPLICIT))


def _data(info: Element) -> Element:
    """Return the content of a ContentInfo with plain data. Raise ValueError for another ContentInfo."""
    kind, wrapped = inside(info, SEQUENCE)
    if dotted(kind) != _DATA:
        raise ValueError("a PFX holds something else than data")
    return only(content_of(wrapped, _EXPLICIT), OCTET_STRING)


def _password(check: Element, content: bytes, effort: Effort) -> bytes:
    """Return the form of the empty password that the checksum of the PFX recognises."""
    expected, salt, *rounds = inside(check, SEQUENCE)
    algorithm, value = inside(expected, SEQUENCE)
    digest = _DIGESTS.get(dotted(first(content_of(algorithm, SEQUENCE))))
    if digest is None:
        raise ValueError("the checksum of a PFX has an unknown hash function")
    number = int.from_bytes(content_of(rounds[0], INTEGER)) if rounds else 1
    for password in (EMPTY, NONE):
        effort.spend(number)
        computed = mac(content, password, content_of(salt, OCTET_STRING), number, digest)
        if hmac.compare_digest(computed, content_of(value, OCTET_STRING)):
            return password
    raise ValueError("the PFX has a password")


def _bags(authenticated: bytes, password: bytes | None, effort: Effort) -> Iterator[tuple[str, Bag]]:
    for info in _parts(authenticated):
        kind, wrapped = inside(info, SEQUENCE)
        if dotted(kind) == _ENCRYPTED_DATA:
            _, encrypted = inside(only(content_of(wrapped, _EXPLICIT), SEQUENCE), SEQUENCE)
            _, algorithm, content = inside(encrypted, SEQUENCE)
            contents = _opened(algorithm, _octets(content), password, effort)
        else:
            contents = content_of(_data(info), OCTET_STRING)
        if not contents:
            yield _UNOPENED, Bag(contents, None)
        for bag in _parts(contents) if contents else ():
            yield from _bag(bag, password, effort)


def _bag(bag: Element, password: bytes | None, effort: Effort) -> Iterator[tuple[str, Bag]]:
    """Return a key or a certificate, or nothing for another kind of bag.

    Raise ValueError for a bag of bags, because this module does not read on without a limit.
    """
    kind, wrapped, *attributes = inside(bag, SEQUENCE)
    name, value = dotted(kind), only(content_of(wrapped, _EXPLICIT), SEQUENCE)
    key_id = _key_id(attributes[0]) if attributes else None
    if name == _NESTED:
        raise ValueError("a PFX holds a bag of bags")
    if name == _KEY_BAG:
        yield _KEY_BAG, Bag(value.raw, key_id)
    if name == _SHROUDED_KEY_BAG:
        algorithm, encrypted = inside(value, SEQUENCE)
        yield _KEY_BAG, Bag(_opened(algorithm, content_of(encrypted, OCTET_STRING), password, effort), key_id)
    if name == _CERTIFICATE_BAG:
        form, content = inside(value, SEQUENCE)
        if dotted(form) == _X509:
            certificate = only(content_of(content, _EXPLICIT), OCTET_STRING)
            yield _CERTIFICATE_BAG, Bag(certificate.content, key_id)


def _opened(algorithm: Element, encrypted: bytes, password: bytes | None, effort: Effort) -> bytes:
    """Return the decrypted part of a PFX, empty if it does not open.

    Without a checksum of the PFX, either form of the empty password may be right.
    """
    for form in (EMPTY, NONE) if password is None else (password,):
        try:
            opened = decrypt(algorithm, encrypted, form, effort)
            _parts(opened)
        except ValueError:
            continue
        return opened
    return b""


def _key_id(attributes: Element) -> bytes | None:
    for attribute in inside(attributes, SET):
        kind, values = inside(attribute, SEQUENCE)
        if dotted(kind) == _LOCAL_KEY_ID:
            return only(content_of(values, SET), OCTET_STRING).content
    return None


# ------------------------------------------------------------------------------------------------------------- writing


def write(key: bytes, certificates: list[bytes], password: str, rounds: int, *, modern: bool) -> bytes:
    """Return a PFX with a private key in PKCS #8 and certificates in DER, of which the first belongs to the key.

    The PFX is encrypted with AES-256 if `modern`, and otherwise with triple DES.
    """
    key_id = secrets.token_bytes(_SALT)
    leaf, *above = certificates
    bags = [_certificate_bag(leaf, _marked(key_id)), *(_certificate_bag(certificate) for certificate in above)]
    algorithm, encrypted = encrypt(encode(SEQUENCE, *bags), password, rounds, modern=modern)
    hidden = encode(SEQUENCE, encode_oid(_DATA), algorithm, encode(_IMPLICIT, encrypted))
    certificate_info = _info(_ENCRYPTED_DATA, encode(SEQUENCE, encode_integer(0), hidden))
    algorithm, encrypted = encrypt(key, password, rounds, modern=modern)
    shrouded = encode(SEQUENCE, algorithm, encode(OCTET_STRING, encrypted))
    key_bag = encode(SEQUENCE, encode_oid(_SHROUDED_KEY_BAG), encode(_EXPLICIT, shrouded), _marked(key_id))
    key_info = _info(_DATA, encode(OCTET_STRING, encode(SEQUENCE, key_bag)))
    content = encode(SEQUENCE, certificate_info, key_info)
    check = _check(content, password, rounds, "sha256" if modern else "sha1")
    return encode(SEQUENCE, encode_integer(_VERSION), _info(_DATA, encode(OCTET_STRING, content)), check)


def _info(kind: str, content: bytes) -> bytes:
    return encode(SEQUENCE, encode_oid(kind), encode(_EXPLICIT, content))


def _certificate_bag(der: bytes, attributes: bytes = b"") -> bytes:
    value = encode(SEQUENCE, encode_oid(_X509), encode(_EXPLICIT, encode(OCTET_STRING, der)))
    return encode(SEQUENCE, encode_oid(_CERTIFICATE_BAG), encode(_EXPLICIT, value), attributes)


def _marked(key_id: bytes) -> bytes:
    """Return the attribute that connects a key with its certificate."""
    values = encode(SET, encode(OCTET_STRING, key_id))
    return encode(SET, encode(SEQUENCE, encode_oid(_LOCAL_KEY_ID), values))


def _check(content: bytes, password: str, rounds: int, digest: str) -> bytes:
    """Return the checksum by which a PFX recognises its password."""
    salt = secrets.token_bytes(_SALT)
    value = mac(content, as_utf16(password), salt, rounds, digest)
    algorithm = encode(SEQUENCE, encode_oid(_DIGEST_OIDS[digest]), encode(NULL))
    info = encode(SEQUENCE, algorithm, encode(OCTET_STRING, value))
    return encode(SEQUENCE, info, encode(OCTET_STRING, salt), encode_integer(rounds))
