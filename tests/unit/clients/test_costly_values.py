"""No value of a stranger keeps Certroll busy without a bound."""

import base64
import unicodedata
from dataclasses import replace
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.clients.vault import pfx, pkcs12_ciphers, x509_names
from shared.clients.vault.der import SEQUENCE, Element, dotted, elements, only
from shared.clients.vault.pfx import read_leaf
from shared.clients.vault.pkcs12 import write
from shared.clients.vault.x509_facts import read_facts
from shared.domain.certificates.requirements import PKCS12
from shared.domain.certificates.version import KeyFound, Part
from shared.domain.errors import Rejected
from shared.domain.reason import Reason
from tests import odd
from tests.chains import issued
from tests.odd import PLAIN, name, oid, seq, tlv

DATA, BAG = "1.2.840.113549.1.7.1", "1.2.840.113549.1.12.10.1.2"
TRIPLE_DES, RC2 = "1.2.840.113549.1.12.1.3", "1.2.840.113549.1.12.1.6"
PBES2, PBKDF2, SCRYPT, AES = (
    "1.2.840.113549.1.5.13",
    "1.2.840.113549.1.5.12",
    "1.3.6.1.4.1.11591.4.11",
    "2.16.840.1.101.3.4.1.42",
)
MANY = 50_000_000
CHAIN = issued("EC", 1)
PIECE = 100
PIECED = {odd.OCTETS: 0x24, 0x80: 0xA0}
"""The texts of octets that BER may have in pieces, with the tag of the pieces together."""


def number(value: int) -> bytes:
    """Return an integer in DER."""
    return tlv(odd.INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def salted(rounds: int) -> bytes:
    """Return the parameters of a key derivation."""
    return seq(tlv(odd.OCTETS, b"saltsalt"), number(rounds))


def pbes2(derivation: str, parameters: bytes) -> bytes:
    """Return the cipher AES-256 with this key derivation."""
    return seq(oid(PBES2), seq(seq(oid(derivation), parameters), seq(oid(AES), tlv(odd.OCTETS, bytes(16)))))


def key_bag(cipher: bytes) -> bytes:
    """Return an encrypted private key, which no password decrypts."""
    return seq(oid(BAG), tlv(0xA0, seq(cipher, tlv(odd.OCTETS, bytes(16)))))


def packed(*bags: bytes, check: bytes = b"") -> str:
    """Return a PFX with these bags in base64."""

    def data(content: bytes) -> bytes:
        return seq(oid(DATA), tlv(0xA0, tlv(odd.OCTETS, content)))

    return base64.b64encode(seq(number(3), data(seq(data(seq(*bags)))), check)).decode()


def checksum(rounds: int) -> bytes:
    """Return a checksum by which no password is right."""
    digest = seq(seq(oid("1.3.14.3.2.26"), tlv(odd.NULL)), tlv(odd.OCTETS, bytes(20)))
    return seq(digest, tlv(odd.OCTETS, b"saltsalt"), number(rounds))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(packed(check=checksum(MANY)), id="checksum"),
        pytest.param(packed(check=checksum(0)), id="no rounds"),
        pytest.param(packed(key_bag(seq(oid(TRIPLE_DES), salted(MANY)))), id="key"),
        pytest.param(packed(key_bag(seq(oid(RC2), salted(MANY)))), id="a cipher that only the library knows"),
        pytest.param(packed(key_bag(pbes2(PBKDF2, salted(MANY)))), id="key with a modern cipher"),
        pytest.param(packed(key_bag(pbes2(SCRYPT, salted(1)))), id="a derivation that Certroll does not know"),
        pytest.param(packed(key_bag(seq(oid(RC2)))), id="no rounds named"),
        pytest.param(packed(*[key_bag(seq(oid(TRIPLE_DES), salted(1_000)))] * 9), id="many keys with few rounds each"),
    ],
)
def test_pfx_that_asks_for_too_much_work_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Certroll refuses a PFX whose parts ask in all for more rounds than it computes, and no library computes them."""
    monkeypatch.setattr(pkcs12_ciphers, "MOST_ROUNDS", 20_000)
    monkeypatch.setattr(pfx.pkcs12, "load_pkcs12", lambda *_: pytest.fail("the library computes any number of rounds"))
    with pytest.raises(Rejected, match="rounds of key derivation") as caught:
        read_leaf(value, PKCS12)
    assert caught.value.reason is Reason.SECRET_UNREADABLE


def streamed(element: Element) -> bytes:
    """Return an element in BER, as a program writes it that does not know a length beforehand."""
    if element.tag & 0x20:
        return bytes([element.tag, 0x80]) + b"".join(map(streamed, elements(element.content))) + bytes(2)
    if element.tag in PIECED:
        pieces = [tlv(odd.OCTETS, element.content[at : at + PIECE]) for at in range(0, len(element.content), PIECE)]
        return bytes([PIECED[element.tag], 0x80]) + b"".join(pieces) + bytes(2)
    return element.raw


@pytest.mark.parametrize("modern", [False, True])
def test_pfx_with_indefinite_lengths_is_read(monkeypatch: pytest.MonkeyPatch, *, modern: bool) -> None:
    """Certroll reads a PFX in BER, which some programs write, without a library that computes any number of rounds."""
    monkeypatch.setattr(pfx.pkcs12, "load_pkcs12", lambda *_: pytest.fail("the library computes any number of rounds"))
    key = CHAIN.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    ders = [certificate.public_bytes(Encoding.DER) for certificate in (CHAIN.leaf, *CHAIN.intermediates)]
    made = only(write(key, ders, "", 2, modern=modern), SEQUENCE)
    version, safe, check = elements(made.content)
    kind, wrapped = elements(safe.content)
    inner = only(only(wrapped.content, odd.OCTETS).content, SEQUENCE)
    unchecked = seq(version.raw, seq(kind.raw, tlv(0xA0, tlv(odd.OCTETS, streamed(inner)))))
    for value in (streamed(made), streamed(only(unchecked, SEQUENCE))):
        leaf, bundle = read_leaf(base64.b64encode(value).decode(), PKCS12)
        assert (leaf.der, bundle.key, len(bundle.issuers)) == (ders[0], KeyFound.MATCHING, len(ders) - 1)
    assert check.tag == SEQUENCE


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"\x30\x80" * 20_000, id="nested without an end"),
        pytest.param(b"\x30\x80" * 20 + bytes(2) * 19, id="an end is missing"),
        pytest.param(b"\x30\x80\x02\x01\x03" + bytes(2) + b"\x02\x01\x03", id="something follows"),
        pytest.param(b"\x30\x80\x02\x80\x03" + bytes(2), id="a number without a length"),
        pytest.param(b"\x30\x80\x02", id="cut"),
    ],
)
def test_broken_ber_is_refused(value: bytes) -> None:
    """Certroll refuses a PFX in BER that is cut, has no end, or is nested without a limit."""
    with pytest.raises(Rejected, match="not a PFX without a password"):
        read_leaf(base64.b64encode(value).decode(), PKCS12)


def test_form_whose_rounds_nobody_counted_reaches_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll gives the library no PFX that it cannot read itself, because such a PFX may ask for any work."""
    monkeypatch.setattr(pfx.pkcs12, "load_pkcs12", lambda *_: pytest.fail("the library computes any number of rounds"))
    unknown = seq(seq(seq(oid("1.2.3")), tlv(odd.OCTETS, bytes(20))), tlv(odd.OCTETS, b"salt"), number(MANY))
    with pytest.raises(Rejected, match="not a PFX without a password"):
        read_leaf(packed(check=unknown), PKCS12)


def test_huge_object_identifier_is_not_computed() -> None:
    """Certroll computes no object identifier whose numbers have thousands of bits, and the extension may be any."""
    huge = tlv(odd.OID, b"\xff" * 1000 + b"\x01")
    with pytest.raises(ValueError, match="too long"):
        dotted(only(huge, odd.OID))
    certificate = replace(PLAIN, extensions=(*PLAIN.extensions, seq(huge, tlv(odd.OCTETS, seq()))))
    assert Part.USAGES in read_facts(certificate.der()).unread


def test_accents_of_a_huge_name_are_not_composed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certroll compares a huge name byte for byte, because the accents of such a name take seconds to compose."""
    composed = list[int]()

    def normalize(form: str, text: str) -> str:
        composed.append(len(text))
        return unicodedata.normalize(form, text)

    monkeypatch.setattr(x509_names, "unicodedata", SimpleNamespace(normalize=normalize))
    huge = replace(PLAIN, subject=name("a" + "\u0300\u0316" * 10_000))
    facts = read_facts(huge.der())
    assert facts.host_names == read_facts(PLAIN.der()).host_names
    assert max(composed) <= x509_names.LONGEST_COMPARED
    assert x509_names.meaning(huge.subject) == x509_names.meaning(huge.subject)
