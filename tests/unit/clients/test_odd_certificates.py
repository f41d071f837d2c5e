"""A defect of a certificate hides from Certroll only what depends on the defect."""

import base64
import subprocess
import textwrap
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from shared.clients.vault.pfx import build_pfx, read_leaf
from shared.clients.vault.x509_facts import read_facts
from shared.clients.vault.x509_fields import parse, thumbprint_of
from shared.domain.certificates.pfx import PfxEncryption
from shared.domain.certificates.requirements import PEM, PKCS12
from shared.domain.certificates.version import KeyFound, KeyType, Part
from shared.domain.errors import Rejected
from shared.domain.reason import Reason
from tests import odd
from tests.build import issuer_name
from tests.chains import OPENSSL, Key, key
from tests.odd import NEEDLESS, PLAIN, Odd, extension, name, oid, seq, tlv, with_extension

PASSWORD = "Pa-ss_word"  # noqa: S105 - of keys that are made for these tests
ISSUER = Odd(PLAIN.signer, PLAIN.signer, subject=PLAIN.issuer, extensions=())
LEAF = PLAIN.der()
UNKNOWN_TO_OPENSSL = {
    name: NEEDLESS[name]
    for name in (
        "no UTF-8 in the subject",
        "half a character in the subject's BMPString",
        "a serial number with a needless zero",
    )
}
"""The certificates that OpenSSL itself cannot read."""
GARBAGE = b"\x30\x03nonsense"
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="there is no openssl on this machine")
ignores_odd_serials = pytest.mark.filterwarnings("ignore:Parsed a")


def pem_key(own: Key) -> str:
    """Return a private key as PEM."""
    return own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pem(*ders: bytes) -> str:
    """Return certificates as PEM, which no library reads before."""
    blocks = ("\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64)) for der in ders)
    return "".join(f"-----BEGIN CERTIFICATE-----\n{block}\n-----END CERTIFICATE-----\n" for block in blocks)


def pfx(directory: Path, text: str, *options: str, password: str = "") -> str:
    """Return keys and certificates in PEM as a PFX, by default without a password, which OpenSSL writes."""
    (directory / "all.pem").write_text(text)
    command = [
        str(OPENSSL),
        "pkcs12",
        "-export",
        "-in",
        str(directory / "all.pem"),
        "-passout",
        f"pass:{password}",
        *options,
    ]
    made = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603 - a fixed command
    return base64.b64encode(made).decode()


def opened(blob: bytes) -> str:
    """Return what OpenSSL reads from a PFX, with all its certificates in PEM."""
    ran = subprocess.run(  # noqa: S603 - a fixed command
        [str(OPENSSL), "pkcs12", "-legacy", "-nokeys", "-passin", "env:PFX_PASSWORD"],
        input=blob,
        capture_output=True,
        env={"PFX_PASSWORD": PASSWORD},
        check=True,
    )
    return ran.stdout.decode()


# ------------------------------------------------------------------------------------------ each part by itself


@pytest.mark.parametrize("certificate", NEEDLESS.values(), ids=NEEDLESS)
def test_defect_that_no_decision_needs_hides_nothing(certificate: Odd) -> None:
    """Certroll reads names, key, usages, issuer and dates of a certificate with a defect in another part."""
    found, plain = read_facts(certificate.der()), read_facts(PLAIN.der())
    octets = len(certificate.serial) - 2
    assert found == replace(plain, serial_octets=octets, public_policy=found.public_policy)
    assert found.host_names == {"shop.contoso.com"}
    dates = parse(certificate.der())
    assert (dates.begins.date(), dates.ends) == (
        datetime(2027, 1, 1, tzinfo=UTC).date(),
        datetime(2028, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("kind", ["explicitText that is no UTF-8", "explicitText beyond ASCII"])
def test_policy_is_read_next_to_an_odd_text(kind: str) -> None:
    """Certroll reads which policies a certificate names, although the text of a policy is malformed."""
    assert read_facts(NEEDLESS[kind].der()).public_policy


@pytest.mark.parametrize(
    ("kind", "value", "part"),
    [
        pytest.param(odd.NAMES, GARBAGE, Part.NAMES, id="alternative names"),
        pytest.param(odd.USAGES, GARBAGE, Part.USAGES, id="usages"),
        pytest.param(odd.POLICIES, GARBAGE, Part.POLICIES, id="policies"),
        pytest.param(odd.CONSTRAINTS, GARBAGE, Part.CONSTRAINTS, id="constraints"),
        pytest.param(odd.POLICIES, seq(seq()), Part.POLICIES, id="a policy without an identifier"),
        pytest.param(odd.USAGES, seq(tlv(odd.OID, b"\x80")), Part.USAGES, id="a usage that is cut"),
    ],
)
def test_unreadable_part_is_named(kind: str, value: bytes, part: Part) -> None:
    """If a part of a certificate is no DER, Certroll reads the other parts and names the unread part."""
    own = PLAIN.extensions if part is not Part.NAMES else ()
    found = read_facts(replace(PLAIN, extensions=(*own, extension(kind, value))).der())
    assert found.unread == {part}
    assert (found.key_type, found.issuer) == (KeyType.RSA, "Contoso Issuing CA")
    assert found.host_names == (set() if part is Part.NAMES else {"shop.contoso.com"})


@pytest.mark.parametrize("kind", [odd.NAMES, odd.USAGES, odd.POLICIES, odd.CONSTRAINTS])
def test_part_that_stands_twice_is_unread(kind: str) -> None:
    """If a certificate has an extension twice, Certroll takes neither of the two for true."""
    twice = 2 * (extension(kind, seq()),)
    own = () if kind == odd.NAMES else PLAIN.extensions
    assert len(read_facts(replace(PLAIN, extensions=(*own, *twice)).der()).unread) == 1


def test_extension_without_a_readable_kind_may_be_any() -> None:
    """If Certroll cannot tell which extension is malformed, it takes no extension for missing."""
    found = read_facts(replace(PLAIN, extensions=(seq(tlv(odd.OID), tlv(odd.OCTETS, seq())),)).der())
    assert found.unread == {Part.NAMES, Part.USAGES, Part.POLICIES, Part.CONSTRAINTS}
    assert found.host_names == frozenset()


def test_cut_list_of_extensions_hides_the_extensions_alone() -> None:
    """If the list of extensions is cut, Certroll still reads key, issuer and dates of the certificate."""
    found = read_facts(replace(PLAIN, extensions=(b"\x30\x7f",)).der())
    assert found.unread == {Part.NAMES, Part.USAGES, Part.POLICIES, Part.CONSTRAINTS}
    assert (found.key_type, found.issuer) == (KeyType.RSA, "Contoso Issuing CA")


@pytest.mark.parametrize(
    ("value", "is_ca"),
    [
        pytest.param(seq(tlv(odd.BOOLEAN, b"\x00")), False, id="FALSE written out"),
        pytest.param(seq(tlv(odd.BOOLEAN, b"\x01")), True, id="TRUE as 1"),
        pytest.param(seq(tlv(odd.INTEGER, b"\x00")), False, id="a path length alone"),
        pytest.param(seq(), False, id="nothing"),
    ],
)
def test_authority_is_read_from_odd_constraints(value: bytes, *, is_ca: bool) -> None:
    """Certroll reads from odd basic constraints whether the certificate is an authority's, as OpenSSL does."""
    found = read_facts(with_extension(odd.CONSTRAINTS, value).der())
    assert (found.is_ca, found.unread) == (is_ca, frozenset())


def test_name_beyond_ascii_covers_nothing() -> None:
    """A DNS name beyond ASCII, which no client matches, covers no host, and the names next to it cover theirs."""
    found = read_facts(replace(PLAIN, extensions=(odd.dns("b\xfccher.contoso.com", "shop.contoso.com"),)).der())
    assert (found.host_names, found.unread) == ({"shop.contoso.com"}, {Part.NAMES})


def test_empty_alternative_names_cover_nothing() -> None:
    """The common name of a certificate with empty alternative names covers no host."""
    found = read_facts(replace(PLAIN, extensions=(extension(odd.NAMES, seq()),)).der())
    assert (found.host_names, found.unread) == (frozenset(), frozenset())


def test_unknown_key_and_signature_are_named_by_number() -> None:
    """Certroll names an unknown curve and an unknown signature algorithm by their numbers."""
    curve = seq(seq(oid("1.2.840.10045.2.1"), oid("1.2.3.4.5")), tlv(odd.BITS, b"\x00\x04" + bytes(64)))
    found = read_facts(replace(PLAIN, public_key=curve, algorithm=seq(oid("1.2.3.4.6"), tlv(odd.NULL))).der())
    assert (found.key_type, found.curve, found.signature_hash) == (KeyType.EC, "1.2.3.4.5", "1.2.3.4.6")
    unknown = seq(seq(oid("1.2.3.4.5")), tlv(odd.BITS, b"\x00abc"))
    assert read_facts(replace(PLAIN, public_key=unknown).der()).key_type is KeyType.OTHER
    bytes_of = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes
    edwards = bytes_of(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert read_facts(replace(PLAIN, public_key=edwards).der()).key_type is KeyType.OTHER


def test_malformed_key_keeps_its_kind() -> None:
    """Certroll knows that a malformed key is an RSA key, and names the key among the unread parts."""
    cut = seq(seq(oid("1.2.840.113549.1.1.1"), tlv(odd.NULL)), tlv(odd.BITS, b"\x00\x30\x03"))
    found = read_facts(replace(PLAIN, public_key=cut).der())
    assert (found.key_type, found.unread) == (KeyType.RSA, {Part.KEY})


@pytest.mark.parametrize(
    ("issuer", "told"),
    [
        pytest.param(name("K\xf6ln CA", odd.T61), "K\xf6ln CA", id="Latin-1 in a T61String"),
        pytest.param(name("K\xf6ln CA", odd.BMP), "K\xf6ln CA", id="a BMPString"),
        pytest.param(name(b"\x01", odd.INTEGER), "?", id="a number"),
        pytest.param(seq(tlv(0x31, b"\x01")), "an unreadable name", id="no name"),
    ],
)
def test_odd_issuer_is_told_as_well_as_possible(issuer: bytes, told: str) -> None:
    """Certroll shows an odd name to operators as far as the name is readable."""
    assert read_facts(replace(PLAIN, issuer=issuer).der()).issuer == told


# ---------------------------------------------------------------------------------------------------- secrets


@ignores_odd_serials
@pytest.mark.parametrize("encryption", PfxEncryption)
@pytest.mark.parametrize("certificate", NEEDLESS.values(), ids=NEEDLESS)
@needs_openssl
def test_odd_leaf_is_uploaded(certificate: Odd, encryption: PfxEncryption) -> None:
    """Certroll uploads a certificate with a defect that no decision needs, with its key and its issuer."""
    leaf, issuer = certificate.der(), replace(ISSUER, subject=certificate.issuer, issuer=certificate.issuer).der()
    value = pem_key(certificate.own) + pem(leaf, issuer)
    built = build_pfx(value, PEM, thumbprint_of(leaf), encryption, PASSWORD)
    assert built.bundle is not None
    assert (built.bundle.key, built.bundle.issuers, built.left_out) == (
        KeyFound.MATCHING,
        (issuer_name("Contoso Issuing CA"),),
        (),
    )
    if certificate in UNKNOWN_TO_OPENSSL.values():
        return
    shown = opened(built.blob)
    assert [block in shown for block in (pem(leaf).splitlines()[1], pem(issuer).splitlines()[1])] == [True, True]


@pytest.mark.parametrize("certificate", NEEDLESS.values(), ids=NEEDLESS)
@needs_openssl
def test_odd_chain_member_spoils_no_pfx(tmp_path: Path, certificate: Odd) -> None:
    """An odd certificate next to the leaf of a PFX hides neither the leaf nor its key."""
    authority = replace(certificate, own=PLAIN.signer, subject=PLAIN.issuer, issuer=name("Root"), signer=key("EC", "r"))
    leaf, above = LEAF, authority.der()
    value = pfx(tmp_path, pem_key(PLAIN.own) + pem(leaf, above))
    found, bundle = read_leaf(value, PKCS12)
    assert (found.der, bundle.key) == (leaf, KeyFound.MATCHING)
    if certificate not in UNKNOWN_TO_OPENSSL.values():
        assert bundle.issuers == (issuer_name("Contoso Issuing CA"),)


@needs_openssl
@pytest.mark.parametrize(
    "options",
    [
        ("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"),
        ("-keypbe", "PBE-SHA1-2DES", "-certpbe", "PBE-SHA1-2DES"),
        ("-keypbe", "aes-128-cbc", "-certpbe", "des-ede3-cbc", "-macalg", "sha512"),
        ("-keypbe", "NONE", "-certpbe", "NONE", "-macalg", "sha384"),
        ("-nomac",),
    ],
    ids=["3DES", "2DES", "AES-128", "no cipher", "no checksum"],
)
def test_pfx_with_an_odd_certificate_may_have_any_usual_cipher(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Certroll reads a PFX with an odd certificate, whatever usual cipher and checksum the PFX has."""
    leaf = NEEDLESS["critical FALSE written out"].der()
    value = pfx(tmp_path, pem_key(PLAIN.own) + pem(leaf, ISSUER.der()), *options)
    found, bundle = read_leaf(value, PKCS12)
    assert (found.der, bundle.key, bundle.issuers) == (leaf, KeyFound.MATCHING, (issuer_name("Contoso Issuing CA"),))


@needs_openssl
@pytest.mark.parametrize("options", [(), ("-keypbe", "NONE", "-certpbe", "NONE"), ("-nomac",)])
def test_pfx_with_a_password_is_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Certroll refuses a PFX with a password, also if the password protects only the checksum."""
    value = pfx(
        tmp_path, pem_key(PLAIN.own) + pem(NEEDLESS["critical FALSE written out"].der()), *options, password=PASSWORD
    )
    with pytest.raises(Rejected, match="its value is not a PFX without a password"):
        read_leaf(value, PKCS12)


def test_unreadable_block_is_reported() -> None:
    """A PEM block that is no certificate spoils no other block, and Certroll reports what the upload lacks."""
    value = pem_key(PLAIN.own) + pem(b"\x30\x03abc", LEAF)
    built = build_pfx(value, PEM, thumbprint_of(LEAF), PfxEncryption.AES256, PASSWORD)
    assert built.left_out == ("1 that cannot be read",)


@pytest.mark.parametrize(
    "validity",
    [
        pytest.param(seq(tlv(odd.UTC, b"soon"), tlv(odd.UTC, b"later")), id="words"),
        pytest.param(seq(tlv(odd.UTC, b"271301000000Z"), tlv(odd.UTC, b"280230000000Z")), id="days that do not exist"),
        pytest.param(
            seq(tlv(odd.GENERAL, b"00010101000000+0100"), tlv(odd.GENERAL, b"99991231235959-0100")), id="years"
        ),
        pytest.param(seq(tlv(odd.INTEGER, b"\x01"), tlv(odd.INTEGER, b"\x01")), id="numbers"),
        pytest.param(seq(), id="nothing"),
    ],
)
def test_unreadable_dates_spoil_nothing_else(validity: bytes) -> None:
    """If the dates of a certificate are unreadable, the reading of the dates fails, and of nothing else."""
    made = replace(PLAIN, validity=validity).der()
    assert read_facts(made) == read_facts(PLAIN.der())
    for date in ("begins", "ends"):
        with pytest.raises(ValueError, match=r"\w"):
            getattr(parse(made), date)


# ------------------------------------------------------------------------------------------------- two keys

TWO_KEYS = pem_key(PLAIN.own) + pem_key(key("RSA", "another")) + pem(LEAF)


@needs_openssl
@pytest.mark.parametrize("options", [(), ("-legacy",), ("-keypbe", "NONE", "-certpbe", "NONE"), ("-nomac",)])
def test_two_keys_get_the_same_verdict_in_either_form(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Certroll refuses a PFX with two private keys with the same words as a PEM with two private keys."""
    packed = two_keys(pfx(tmp_path, pem_key(PLAIN.own) + pem(LEAF), *options), tmp_path, options)
    for value, kind in ((TWO_KEYS, PEM), (packed, PKCS12)):
        with pytest.raises(Rejected, match="its value holds 2 private keys; one is expected") as caught:
            build_pfx(value, kind, thumbprint_of(LEAF), PfxEncryption.AES256, PASSWORD)
        assert caught.value.reason is Reason.SECRET_UNREADABLE
        with pytest.raises(Rejected, match="2 private keys"):
            read_leaf(value, kind)


def two_keys(value: str, directory: Path, options: tuple[str, ...]) -> str:
    """Return a PFX with the contents of the PFX `value` and of another PFX with another key, and no checksum."""
    other = key("RSA", "another")
    own = replace(PLAIN, own=other).der()
    contents = [
        _contents(base64.b64decode(text)) for text in (value, pfx(directory, pem_key(other) + pem(own), *options))
    ]
    inner = tlv(0xA0, tlv(odd.OCTETS, seq(*contents)))
    return base64.b64encode(seq(tlv(odd.INTEGER, b"\x03"), seq(oid("1.2.840.113549.1.7.1"), inner))).decode()


def _contents(packed: bytes) -> bytes:
    """Return the parts of a PFX, one after another."""
    return packed[slice(*_inside(packed, 0, 1, 1, 0, 0))]


def _inside(data: bytes, *path: int) -> tuple[int, int]:
    """Return where the content of an element begins and ends; the path says which element to take at each level."""
    start, end = 0, len(data)
    for place in path:
        for _ in range(place):
            start = _span(data, start)[1]
        start, end = _span(data, start)
    return start, end


def _span(data: bytes, start: int) -> tuple[int, int]:
    length, content = data[start + 1], start + 2
    if length & 0x80:
        octets = length & 0x7F
        length, content = int.from_bytes(data[content : content + octets]), content + octets
    return content, content + length
