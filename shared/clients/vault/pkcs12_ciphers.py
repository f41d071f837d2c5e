"""Encrypt and decrypt the parts of a PFX by a password (RFC 7292, appendix B, and RFC 8018).

The library `cryptography` opens a PFX only as a whole. The ciphers and hash functions are those of the libraries.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from functools import partial

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

from shared.clients.vault import rc2
from shared.clients.vault.der import (
    INTEGER,
    NULL,
    OCTET_STRING,
    SEQUENCE,
    Element,
    content_of,
    dotted,
    encode,
    encode_integer,
    encode_oid,
    first,
    inside,
)

MOST_ROUNDS = 4_000_000
"""The most rounds of all key derivations of one PFX, which take some seconds. Java's keytool writes 100,000 rounds into
each part at most, and OpenSSL 2,048 (their documentation of `keystore.pkcs12` and of `-iter`)."""
_TRIPLE_DES, _DOUBLE_DES = "1.2.840.113549.1.12.1.3", "1.2.840.113549.1.12.1.4"
_PBES2, _PBKDF2 = "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"
_DES_CBC = "1.2.840.113549.3.7"
_AES_CBC = {"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}
"""The key lengths of AES in CBC mode, in bytes."""
_AES256, _HMAC_SHA256 = "2.16.840.1.101.3.4.1.42", "1.2.840.113549.2.9"
_HMACS: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.113549.2.7": hashes.SHA1(),  # noqa: S303 - what PFX files have
    _HMAC_SHA256: hashes.SHA256(),
    "1.2.840.113549.2.10": hashes.SHA384(),
    "1.2.840.113549.2.11": hashes.SHA512(),
}
_HASH_BLOCKS = {"sha1": 64, "sha256": 64, "sha384": 128, "sha512": 128}
"""The block lengths of the hash functions, in bytes."""
_RC2 = {"1.2.840.113549.1.12.1.5": 16, "1.2.840.113549.1.12.1.6": 5}
_SIZES = {_TRIPLE_DES: 24, _DOUBLE_DES: 16, **_RC2}
"""The key lengths of the ciphers of RFC 7292, appendix C, in bytes, without RC4."""
_DES_BLOCK, _AES_BLOCK, _SALT, _TRIPLE_KEY = 8, 16, 16, 24
_BLOCKS_OF_PBES1, _BLOCKS_OF_PBKDF2 = 3, 2
"""How many blocks of a hash function a key derivation computes at most, each with all rounds: two for the key and one
for the initial vector, or two for the key."""
_FOR_KEY, _FOR_IV, _FOR_MAC = 1, 2, 3
"""The purposes of derived bytes (RFC 7292, B.3)."""

Opening = tuple[Callable[[bytes], bytes], int]
"""A function that decrypts, and the length of a block in bytes."""
EMPTY = b"\x00\x00"
"""The empty password in the form in which a PFX takes passwords: UTF-16 with a final zero (RFC 7292, B.1)."""
NONE = b""
"""No password at all. Some programs encrypt a PFX without a password so."""


class TooCostlyError(Exception):
    """A PFX asks for more rounds of a key derivation than Certroll computes, or hides how many rounds it asks for."""


class Effort:
    """The rounds that all key derivations of one PFX may still take.

    Each part of a PFX names its own number of rounds, and a PFX may have any number of parts.
    """

    def __init__(self) -> None:
        self._left = MOST_ROUNDS

    def spend(self, rounds: int) -> None:
        """Count the rounds. Raise TooCostlyError if the PFX asks for too many rounds in all."""
        if not 0 < rounds <= self._left:
            raise TooCostlyError("a PFX asks for too many rounds of a key derivation")
        self._left -= rounds


def as_utf16(password: str) -> bytes:
    """Return a password in the form in which the key derivation of a PFX takes it (RFC 7292, B.1)."""
    return password.encode("utf-16-be") + EMPTY


def decrypt(algorithm: Element, encrypted: bytes, password: bytes, effort: Effort) -> bytes:
    """Return the decrypted bytes. Raise ValueError for another cipher, or if the password is wrong.

    Raise TooCostlyError if the decryption takes too long, also for a cipher that Certroll does not know.
    """
    effort.spend(_rounds(algorithm))
    kind, parameters = inside(algorithm, SEQUENCE)
    open_, block = (
        _pbes2(parameters, password) if dotted(kind) == _PBES2 else _pbes1(dotted(kind), parameters, password)
    )
    unpadder = PKCS7(block * 8).unpadder()
    return unpadder.update(open_(encrypted)) + unpadder.finalize()


def _rounds(algorithm: Element) -> int:
    """Return how many rounds the key derivation of a cipher takes. Raise TooCostlyError for an unknown derivation."""
    try:
        kind, parameters = inside(algorithm, SEQUENCE)
        if dotted(kind) != _PBES2:
            _, rounds = inside(parameters, SEQUENCE)
            return _BLOCKS_OF_PBES1 * int.from_bytes(content_of(rounds, INTEGER))
        derivation, _ = inside(parameters, SEQUENCE)
        name, options = inside(derivation, SEQUENCE)
        _, rounds, *_ = inside(options, SEQUENCE)
        if dotted(name) == _PBKDF2:
            return _BLOCKS_OF_PBKDF2 * int.from_bytes(content_of(rounds, INTEGER))
    except ValueError as error:
        raise TooCostlyError("a PFX has an unreadable key derivation") from error
    raise TooCostlyError("a PFX has an unknown key derivation")


def encrypt(content: bytes, password: str, rounds: int, *, modern: bool) -> tuple[bytes, bytes]:
    """Return the algorithm in DER and the encrypted bytes: with AES-256 if `modern`, and otherwise with triple DES."""
    salt = secrets.token_bytes(_SALT)
    cipher: type[AES | TripleDES]
    if modern:
        initial = secrets.token_bytes(_AES_BLOCK)
        key = PBKDF2HMAC(hashes.SHA256(), _AES_CBC[_AES256], salt, rounds).derive(password.encode())
        algorithm, cipher = _pbes2_name(salt, rounds, initial), AES
    else:
        taken = as_utf16(password)
        key = derive(taken, salt, rounds, _FOR_KEY, _TRIPLE_KEY)
        initial = derive(taken, salt, rounds, _FOR_IV, _DES_BLOCK)
        parameters = encode(SEQUENCE, encode(OCTET_STRING, salt), encode_integer(rounds))
        algorithm, cipher = encode(SEQUENCE, encode_oid(_TRIPLE_DES), parameters), TripleDES
    padder = PKCS7(len(initial) * 8).padder()
    padded = padder.update(content) + padder.finalize()
    return algorithm, _whole(_cipher(cipher, key, initial).encryptor(), padded)


def mac(content: bytes, password: bytes, salt: bytes, rounds: int, digest: str) -> bytes:
    """Return the checksum by which a PFX recognises its password (RFC 7292, appendix B.4)."""
    key = derive(password, salt, rounds, _FOR_MAC, hashlib.new(digest).digest_size, digest)
    return hmac.digest(key, content, digest)


def derive(password: bytes, salt: bytes, rounds: int, purpose: int, size: int, digest: str = "sha1") -> bytes:
    """Return `size` bytes derived from the password for the purpose (RFC 7292, B.2)."""
    block, hashed = _HASH_BLOCKS[digest], partial(getattr(hashlib, digest), usedforsecurity=False)
    mixed = bytearray(_filled(salt, block) + _filled(password, block))
    derived = b""
    while len(derived) < size:
        part = bytes([purpose]) * block + bytes(mixed)
        for _ in range(rounds):
            part = hashed(part).digest()
        derived += part
        addend = int.from_bytes(_filled(part, block)[:block]) + 1
        for start in range(0, len(mixed), block):
            total = int.from_bytes(mixed[start : start + block]) + addend
            mixed[start : start + block] = (total % (1 << 8 * block)).to_bytes(block)
    return derived[:size]


def _filled(text: bytes, block: int) -> bytes:
    """Return the text repeated to a multiple of the block length, cut at the end; an empty text stays empty."""
    size = -(-len(text) // block) * block
    return (text * (size // len(text) + 1))[:size] if text else b""


def _pbes1(kind: str, parameters: Element, password: bytes) -> Opening:
    salt, rounds = inside(parameters, SEQUENCE)
    if kind not in _SIZES:
        raise ValueError("a PFX has an unknown cipher")
    given = content_of(salt, OCTET_STRING), int.from_bytes(content_of(rounds, INTEGER))
    key = derive(password, *given, _FOR_KEY, _SIZES[kind])
    initial = derive(password, *given, _FOR_IV, _DES_BLOCK)
    if kind in _RC2:
        return partial(rc2.decrypt, key, initial), rc2.BLOCK
    return _opening(TripleDES, key + key[: _TRIPLE_KEY - len(key)], initial)


def _pbes2(parameters: Element, password: bytes) -> Opening:
    derivation, scheme = inside(parameters, SEQUENCE)
    name, initial = inside(scheme, SEQUENCE)
    cipher = dotted(name)
    if cipher != _DES_CBC and cipher not in _AES_CBC:
        raise ValueError("a PFX has an unknown cipher")
    derived = _pbkdf2(derivation, _AES_CBC.get(cipher, _TRIPLE_KEY), password)
    return _opening(TripleDES if cipher == _DES_CBC else AES, derived, content_of(initial, OCTET_STRING))


def _opening(kind: type[AES | TripleDES], key: bytes, initial: bytes) -> Opening:
    return lambda encrypted: _whole(_cipher(kind, key, initial).decryptor(), encrypted), len(initial)


def _pbkdf2(derivation: Element, size: int, password: bytes) -> bytes:
    kind, parameters = inside(derivation, SEQUENCE)
    salt, rounds, *options = inside(parameters, SEQUENCE)
    named = [dotted(first(content_of(option, SEQUENCE))) for option in options if option.tag == SEQUENCE]
    number = int.from_bytes(content_of(rounds, INTEGER))
    if dotted(kind) != _PBKDF2 or not set(named) <= set(_HMACS):
        raise ValueError("a PFX has an unusual key derivation")
    digest = _HMACS[named[0]] if named else hashes.SHA1()  # noqa: S303 - the default of RFC 8018, A.2
    text = password.decode("utf-16-be").removesuffix("\0").encode()
    return PBKDF2HMAC(digest, size, content_of(salt, OCTET_STRING), number).derive(text)


def _pbes2_name(salt: bytes, rounds: int, initial: bytes) -> bytes:
    """Return the algorithm of `encrypt` with AES-256 in DER, with its parameters."""
    prf = encode(SEQUENCE, encode_oid(_HMAC_SHA256), encode(NULL))
    parameters = encode(SEQUENCE, encode(OCTET_STRING, salt), encode_integer(rounds), prf)
    derivation = encode(SEQUENCE, encode_oid(_PBKDF2), parameters)
    scheme = encode(SEQUENCE, encode_oid(_AES256), encode(OCTET_STRING, initial))
    return encode(SEQUENCE, encode_oid(_PBES2), encode(SEQUENCE, derivation, scheme))


def _cipher(kind: Callable[[bytes], AES | TripleDES], key: bytes, initial: bytes) -> Cipher[CBC]:
    return Cipher(kind(key), CBC(initial))


def _whole(context: CipherContext, content: bytes) -> bytes:
    return context.update(content) + context.finalize()
