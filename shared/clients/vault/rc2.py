"""Decrypt RC2 in CBC mode (RFC 2268).

OpenSSL encrypted the certificates of a PFX so until version 3, and Windows until 2019. The library `cryptography` opens
such a PFX only as a whole, and then proves at any cost that the factors of its RSA key are primes.
"""

from collections.abc import Iterator

BLOCK = 8
"""The bytes of a block."""
_WORD = 0xFFFF
_SHIFTS = (1, 2, 3, 5)
_EXPANDED = 128
_ROUNDS, _MASHED_BEFORE = 16, frozenset({5, 11})
_PI = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89d c67e37832b76538e624c6488448bfba2"
    "179a59f587b34f1361456d8d09817d32 bd8f40eb86b77b0bf09521225c6b4e82"
    "54d66593ce60b21c7356c014a78cf1dc 1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303 f811c7f690ef3ee706c3d52fc8661ed7"
    "08e8eade8052eef784aa72ac354d6a2a 961ad2715a1549744b9fd05e0418a4ec"
    "c2e0416e0f51cbcc2491af50a1f47039 997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9 d300e6cfe19ea82c6316013f58e289a9"
    "0d38341bab33ffb0bb480c5fb9b1cd2e c5f3db47e5a59c770aa62068fe7fc1ad"
)
"""The random bytes of pi (RFC 2268, 2)."""


def decrypt(key: bytes, initial: bytes, encrypted: bytes) -> bytes:
    """Return the decrypted bytes, with their padding. The whole key counts. Raise ValueError for half a block."""
    if len(encrypted) % BLOCK or len(initial) != BLOCK:
        raise ValueError("a text in RC2 ends within a block")
    words, before, plain = _expanded(key), int.from_bytes(initial), bytearray()
    for start in range(0, len(encrypted), BLOCK):
        block = encrypted[start : start + BLOCK]
        plain += (int.from_bytes(_decrypted(words, block)) ^ before).to_bytes(BLOCK)
        before = int.from_bytes(block)
    return bytes(plain)


def _expanded(key: bytes) -> list[int]:
    """Return the 64 words of the expanded key (RFC 2268, 2)."""
    table = bytearray(key)
    while len(table) < _EXPANDED:
        table.append(_PI[(table[-1] + table[-len(key)]) & 0xFF])
    first = len(table) - len(key)
    table[first] = _PI[table[first]]
    for place in reversed(range(first)):
        table[place] = _PI[table[place + 1] ^ table[place + len(key)]]
    return [int.from_bytes(table[place : place + 2], "little") for place in range(0, len(table), 2)]


def _decrypted(words: list[int], block: bytes) -> bytes:
    part = [int.from_bytes(block[place : place + 2], "little") for place in range(0, BLOCK, 2)]
    following = iter(reversed(words))
    for number in range(_ROUNDS):
        if number in _MASHED_BEFORE:
            for place in reversed(range(4)):
                part[place] = (part[place] - words[part[place - 1] & 63]) & _WORD
        _unmix(part, following)
    return b"".join(word.to_bytes(2, "little") for word in part)


def _unmix(part: list[int], words: Iterator[int]) -> None:
    for place in reversed(range(4)):
        shift, last = _SHIFTS[place], part[place - 1]
        turned = (part[place] >> shift | part[place] << 16 - shift) & _WORD
        part[place] = (turned - next(words) - (last & part[place - 2]) - (~last & part[place - 3])) & _WORD
