"""Load the private key of a secret's value, and look at the size and kind of the key before any work on it.

The library `cryptography` proves at each load that the two factors of an RSA key are primes. All threads of the process
wait for the proof: 13 seconds for a key of 8,676 bits. This module checks that the numbers of a key fit together, which
costs next to nothing, and leaves out the proof. A factor that is no prime harms only the maker of the key.
"""

from cryptography.hazmat.primitives.serialization import load_der_private_key

from shared.clients.vault.der import INTEGER, OCTET_STRING, SEQUENCE, content_of, dotted, elements, inside, only

MOST_BITS = 8192
"""The largest RSA key that Certroll reads. Key Vault makes keys of at most 4,096 bits (Azure docs, "About keys")."""
LONGEST_KEY = 6_000
"""The longest private key that Certroll reads, in bytes. An RSA key of 8,192 bits in PKCS #8 has 4,700."""
RSA_LABEL, EC_LABEL = "RSA PRIVATE KEY", "EC PRIVATE KEY"
"""The labels in PEM of keys without PKCS #8 around them (RFC 7468, 10; RFC 5915, 4)."""
_RSA = frozenset({"1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10"})
_EC = "1.2.840.10045.2.1"
_OF_RSA = 9
"""The numbers of an RSA key with two factors (RFC 8017, A.1.2)."""


class TooLargeError(Exception):
    """A private key is larger than Certroll reads."""


def load(der: bytes, label: str = "") -> object:
    """Return the private key in DER, or the name of a kind of key that is neither RSA nor EC.

    `label` is the label of the key in PEM. Raise ValueError if the key is unreadable or its numbers do not fit
    together, and TooLargeError if the key is too large.
    """
    if len(der) > LONGEST_KEY:
        raise TooLargeError
    kind, content = ("", der) if label in {RSA_LABEL, EC_LABEL} else _of_pkcs8(der)
    if label == RSA_LABEL or kind in _RSA:
        _check_rsa(content)
    elif label != EC_LABEL and kind != _EC:
        return kind
    return load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)


def _of_pkcs8(der: bytes) -> tuple[str, bytes]:
    """Return the kind of a key in PKCS #8, as an object identifier, and the key itself (RFC 5208, 5)."""
    version, algorithm, key, *_ = inside(only(der, SEQUENCE), SEQUENCE)
    content_of(version, INTEGER)
    return dotted(inside(algorithm, SEQUENCE)[0]), content_of(key, OCTET_STRING)


def _check_rsa(content: bytes) -> None:
    """Raise ValueError unless the numbers of an RSA key fit together (RFC 8017, 3.2)."""
    numbers = [
        int.from_bytes(content_of(part, INTEGER)) for part in elements(content_of(only(content, SEQUENCE), SEQUENCE))
    ]
    if len(numbers) != _OF_RSA:
        raise ValueError("an RSA key has other numbers than those of two factors")
    _, modulus, public, private, first, second, of_first, of_second, coefficient = numbers
    if modulus.bit_length() > MOST_BITS:
        raise TooLargeError
    if min(first, second) <= 1 or first * second != modulus:
        raise ValueError("the factors of an RSA key do not make its modulus")
    fits = public * private % (first - 1) == 1 % (first - 1) and public * private % (second - 1) == 1 % (second - 1)
    derived = private % (first - 1) == of_first and private % (second - 1) == of_second
    if not fits or not derived or coefficient * second % first != 1:
        raise ValueError("the exponents of an RSA key do not fit together")
