"""No key and no number of certificates in a stranger's secret keeps Certroll busy without a bound."""

import base64
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import RC2
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.clients.answers import _policy
from shared.clients.vault import pfx, private_keys, rc2, x509_signatures
from shared.clients.vault.der import BIT_STRING, OCTET_STRING, SEQUENCE, encode, encode_integer, encode_oid, only
from shared.clients.vault.pem import blocks_in
from shared.clients.vault.pfx import read_leaf
from shared.clients.vault.pkcs12_ciphers import _FOR_IV, _FOR_KEY, EMPTY, Effort, decrypt, derive
from shared.clients.vault.x509_facts import read_facts
from shared.clients.vault.x509_fields import parse
from shared.domain.certificates.requirements import PEM, PKCS12
from shared.domain.certificates.version import KeyFound, Part
from shared.domain.errors import Rejected
from shared.domain.international_names import to_unicode
from shared.domain.reason import Reason
from tests import odd
from tests.chains import issued
from tests.odd import PLAIN
from tests.unit.clients.test_costly_values import key_bag, oid, packed, salted, seq, tlv

CHAIN = issued("RSA", 1)
RSA, DSA, DH = "1.2.840.113549.1.1.1", "1.2.840.10040.4.1", "1.2.840.113549.1.3.1"
KEY = CHAIN.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
CERTIFICATE = CHAIN.leaf.public_bytes(Encoding.PEM).decode()


def numbers(first: int, second: int) -> list[int]:
    """Return the numbers of an RSA key with two Mersenne primes (2 to the power of the argument, less 1)."""
    p, q = 2**first - 1, 2**second - 1
    private = pow(65537, -1, (p - 1) * (q - 1))
    return [0, p * q, 65537, private, p, q, private % (p - 1), private % (q - 1), pow(q, -1, p)]


def pkcs8(key: bytes, kind: str = RSA) -> bytes:
    """Return a private key in PKCS #8."""
    return encode(SEQUENCE, encode_integer(0), encode(SEQUENCE, encode_oid(kind)), encode(OCTET_STRING, key))


def pkcs1(key: list[int]) -> bytes:
    """Return an RSA key by its numbers."""
    return encode(SEQUENCE, *map(encode_integer, key))


def pem(label: str, der: bytes) -> str:
    """Return a block of PEM."""
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


@cache
def huge() -> bytes:
    """Return an RSA key of 8,676 bits, whose factors take the library 13 seconds to prove."""
    return pkcs1(numbers(4423, 4253))


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Note for each load of a key by the library whether the library leaves out the proof of the factors."""
    seen = list[bool]()
    load = private_keys.load_der_private_key

    def noted(der: bytes, password: None, *, unsafe_skip_rsa_key_validation: bool) -> object:
        seen.append(unsafe_skip_rsa_key_validation)
        return load(der, password, unsafe_skip_rsa_key_validation=unsafe_skip_rsa_key_validation)

    monkeypatch.setattr(private_keys, "load_der_private_key", noted)
    monkeypatch.setattr(pfx.pkcs12, "load_pkcs12", lambda *_: pytest.fail("the library proves the factors"))
    return seen


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param(PEM, lambda: pem("PRIVATE KEY", pkcs8(huge())) + CERTIFICATE, id="PEM"),
        pytest.param(PEM, lambda: pem("RSA PRIVATE KEY", huge()) + CERTIFICATE, id="PEM without PKCS 8"),
        pytest.param(
            PKCS12, lambda: packed(seq(oid("1.2.840.113549.1.12.10.1.1"), tlv(0xA0, pkcs8(huge())))), id="PFX"
        ),
        pytest.param(PEM, lambda: pem("PRIVATE KEY", bytes(20_000)) + CERTIFICATE, id="many bytes"),
    ],
)
def test_huge_key_is_refused_before_any_work(loads: list[bool], content: str, value: Callable[[], str]) -> None:
    """Certroll gives no library a key of more than 8,192 bits, and names the limit."""
    with pytest.raises(Rejected, match="its private key cannot be read: it has more than 8,192 bits") as refused:
        read_leaf(value(), content)
    assert refused.value.reason is Reason.SECRET_UNREADABLE
    assert loads == []


@pytest.mark.parametrize(("label", "key"), [("PRIVATE KEY", pkcs8), ("RSA PRIVATE KEY", lambda key: key)])
def test_factors_of_a_key_are_not_proven(loads: list[bool], label: str, key: Callable[[bytes], bytes]) -> None:
    """Certroll reads a key of 7,470 bits without the proof that its factors are primes, which takes seconds."""
    with pytest.raises(Rejected) as refused:
        read_leaf(pem(label, key(pkcs1(numbers(4253, 3217)))) + CERTIFICATE, PEM)
    assert refused.value.reason is Reason.KEY_MISMATCH
    assert loads == [True]


@pytest.mark.parametrize("place", range(1, 9))
def test_key_whose_numbers_do_not_fit_is_refused(loads: list[bool], place: int) -> None:
    """Certroll reads no RSA key with a wrong modulus, exponent, factor or coefficient."""
    wrong = numbers(607, 521)
    wrong[place] += 2
    with pytest.raises(Rejected, match="its private key cannot be read"):
        read_leaf(pem("PRIVATE KEY", pkcs8(pkcs1(wrong))) + CERTIFICATE, PEM)
    assert loads == []


@pytest.mark.parametrize("key", [[0, 1, 1, 1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 15, 3], []])
def test_degenerate_key_is_refused(loads: list[bool], key: list[int]) -> None:
    """A key whose factors are 0 or 1, and a key without factors, is unreadable."""
    with pytest.raises(Rejected, match="its private key cannot be read"):
        read_leaf(pem("PRIVATE KEY", pkcs8(pkcs1(key))) + CERTIFICATE, PEM)
    assert loads == []


@pytest.mark.parametrize("kind", [DSA, DH, "1.2.3"])
def test_key_of_another_kind_reaches_no_library(loads: list[bool], kind: str) -> None:
    """Certroll looks at the kind of a key first, because the parameters of DSA and DH take seconds to check."""
    with pytest.raises(Rejected, match="its private key is neither RSA nor EC"):
        read_leaf(pem("PRIVATE KEY", pkcs8(b"\x02\x01\x01", kind)) + CERTIFICATE, PEM)
    assert loads == []


def test_honest_keys_are_read(loads: list[bool]) -> None:
    """A key in PKCS #8, in PKCS #1 and in the form of RFC 5915 belongs to its certificate as before."""
    for chain in (CHAIN, issued("EC", 1)):
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            key = chain.key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
            _, bundle = read_leaf(key + chain.leaf.public_bytes(Encoding.PEM).decode(), PEM)
            assert bundle.key is KeyFound.MATCHING
    assert loads == [True] * 4


# ------------------------------------------------------------------------------------------------------------ old PFX


def test_old_cipher_is_decrypted() -> None:
    """Certroll decrypts RC2 with 40 bits as OpenSSL encrypts it, and refuses half a block."""
    encrypted = bytes.fromhex("c0b6710f3036c8b5da2c07cc4b2b46f926b4e44195de57ba9cd762fe9e7a908c")
    plain = rc2.decrypt(bytes(range(1, 6)), bytes(range(8, 0, -1)), encrypted)
    assert plain == b"certroll certroll certroll" + b"\x06" * 6
    with pytest.raises(ValueError, match="within a block"):
        rc2.decrypt(bytes(5), bytes(8), bytes(9))


def test_part_with_the_old_cipher_opens() -> None:
    """Certroll opens a part of a PFX that is encrypted with RC2 and 128 bits."""
    kind = seq(oid("1.2.840.113549.1.12.1.5"), salted(1))
    key, initial = (derive(EMPTY, b"saltsalt", 1, purpose, size) for purpose, size in ((_FOR_KEY, 16), (_FOR_IV, 8)))
    padder, context = PKCS7(64).padder(), Cipher(RC2(key), CBC(initial)).encryptor()
    padded = padder.update(b"\x30\x00") + padder.finalize()
    encrypted = context.update(padded) + context.finalize()
    assert decrypt(only(kind, SEQUENCE), encrypted, EMPTY, Effort()) == b"\x30\x00"


def test_unknown_cipher_reaches_no_library(loads: list[bool]) -> None:
    """A part with RC4 makes the PFX unreadable, because a library would prove the factors of whatever key it hides."""
    with pytest.raises(Rejected, match="not a PFX without a password"):
        read_leaf(packed(key_bag(seq(oid("1.2.840.113549.1.12.1.1"), salted(1)))), PKCS12)
    assert loads == []


# ------------------------------------------------------------------------------------------- many blocks and signatures


def cpu(work: Callable[[], object]) -> float:
    """Return the least processor time of three tries, in seconds."""
    times = list[float]()
    for _ in range(3):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return min(times)


@pytest.mark.parametrize("piece", ["-----BEGIN CERTIFICATE-----\n", "-----BEGIN A PRIVATE KEY-----\n", CERTIFICATE])
def test_blocks_are_found_in_one_pass(piece: str) -> None:
    """Four times as many PEM blocks, also ones that never end, take about four times as long."""
    few, many = (piece * count for count in (5_000, 20_000))
    assert cpu(lambda: list(blocks_in(many))) < 10 * cpu(lambda: list(blocks_in(few)))


def test_message_of_a_refusal_is_searched_to_a_limit() -> None:
    """Sixteen times as long a message of Azure takes about as long to search for a policy's name."""
    few, many = ('"policyAssignment":{' + '"name":"a"' * count for count in (1_000, 16_000))
    assert cpu(lambda: _policy({}, many)) < 10 * cpu(lambda: _policy({}, few))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param(CERTIFICATE * 31, "its value holds 31 certificates; Certroll reads 30 at most", id="certificates"),
        pytest.param(pem("CERTIFICATE", b"x") * 400, "its value holds 400 certificates", id="odd ones"),
        pytest.param("x" * 64_001, "its value has 64,001 characters; Certroll reads 64,000 at most", id="characters"),
    ],
)
def test_huge_value_is_refused_with_the_limit(monkeypatch: pytest.MonkeyPatch, value: str, problem: str) -> None:
    """Certroll compares no certificates of a value that is too large or that holds too many, and names the limit."""
    monkeypatch.setattr(pfx, "has_issued", lambda *_: pytest.fail("two certificates were compared"))
    with pytest.raises(Rejected, match=problem) as refused:
        read_leaf(value, PEM)
    assert refused.value.reason is Reason.SECRET_UNREADABLE


def test_signatures_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll checks at most one signature for each pair of certificates, however often it looks at a value."""
    checks = list[object]()
    verifier = x509_signatures._verifier
    monkeypatch.setattr(x509_signatures, "_verifier", lambda *pair: checks.append(pair) or verifier(*pair))
    x509_signatures.is_signed_by.cache_clear()
    same = [
        replace(PLAIN, serial=tlv(odd.INTEGER, bytes([number])), issuer=PLAIN.subject).der() for number in range(1, 11)
    ]
    value = pem("PRIVATE KEY", KEY) + "".join(pem("CERTIFICATE", der) for der in same)
    for _ in range(3):
        with pytest.raises(Rejected):
            read_leaf(value, PEM)
        with pytest.raises(Rejected):
            read_leaf(value.partition("-----END PRIVATE KEY-----\n")[2], PEM)
    assert len(same) <= len(checks) <= len(same) ** 2


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(encode(SEQUENCE, encode_integer(2**16383 + 1), encode_integer(65537)), id="modulus"),
        pytest.param(encode(SEQUENCE, encode_integer(2**3071 + 1), encode_integer(2**3070 + 1)), id="exponent"),
    ],
)
def test_slow_public_key_checks_no_signature(key: bytes) -> None:
    """A public key that makes the check of a signature slow counts as unreadable, and checks nothing."""
    info = seq(seq(oid(RSA), tlv(odd.NULL)), tlv(BIT_STRING, b"\0" + key))
    certificate = replace(PLAIN, public_key=info).der()
    assert Part.KEY in read_facts(certificate).unread
    assert x509_signatures.is_signed_by(parse(PLAIN.der()), parse(certificate)) is None


def test_huge_host_name_is_shown_as_it_is() -> None:
    """Certroll decodes no international name of thousands of labels, which no client can ask for."""
    name = "xn--mnchen-3ya." * 200
    assert to_unicode(name) == name
    assert to_unicode("xn--mnchen-3ya.de") == "münchen.de"
