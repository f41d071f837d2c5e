"""Certroll finds the issuers of a certificate by key identifier and signature, and names by their meaning."""

from dataclasses import replace

import certifi
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs12

from shared.clients.vault.chains import has_issued, issuers_above
from shared.clients.vault.client_roots import held_issuers
from shared.clients.vault.pem import certificates_in
from shared.clients.vault.pfx import build_pfx, read_leaf
from shared.clients.vault.x509_fields import Certificate, parse
from shared.clients.vault.x509_names import meaning
from shared.clients.vault.x509_signatures import is_signed_by
from shared.domain.certificates.pfx import Pfx, PfxEncryption
from shared.domain.certificates.requirements import PEM
from tests import odd
from tests.build import issuer_name
from tests.chains import Key, key
from tests.odd import PLAIN, Odd, extension, key_id, name, oid, seq, tlv
from tests.unit.clients.test_odd_certificates import PASSWORD, pem, pem_key

ROOT, ISSUING, LEAF = key("EC", "chain root"), key("RSA", "chain issuing"), key("EC", "chain leaf")
AUTHORITY = extension(odd.CONSTRAINTS, seq(tlv(odd.BOOLEAN, b"\xff")), tlv(odd.BOOLEAN, b"\xff"))


def identified(own: Key, signer: Key) -> tuple[bytes, bytes]:
    """Return the extensions that identify the certificate's own key and the issuer's key."""
    authority = seq(tlv(0x80, key_id(signer)))
    return extension(odd.OWN_KEY, tlv(odd.OCTETS, key_id(own))), extension(odd.ISSUERS_KEY, authority)


def made(
    own: Key, subject: bytes, signer: Key, issuer: bytes, *, ca: bool = True, marked: bool = True, dates: str = "27 35"
) -> Certificate:
    """Return a certificate, of an authority if `ca`, and with key identifiers if `marked`."""
    begin, end = (f"{year}0101000000Z".encode() for year in dates.split())
    marks = identified(own, signer) if marked else ()
    held = (*((AUTHORITY,) if ca else PLAIN.extensions), *marks)
    validity = seq(tlv(odd.UTC, begin), tlv(odd.UTC, end))
    return parse(Odd(own, signer, subject, issuer, held, validity=validity).der())


def value(*certificates: Certificate) -> str:
    """Return the leaf's key and the certificates as the value of a secret."""
    return pem_key(LEAF) + pem(*(certificate.der for certificate in certificates))


def opened(built: Pfx) -> list[Certificate]:
    """Return the certificates of a PFX, in their order."""
    bundle = pkcs12.load_pkcs12(built.blob, built.password.encode())
    held = (bundle.cert, *bundle.additional_certs)
    return [parse(entry.certificate.public_bytes(Encoding.DER)) for entry in held if entry is not None]


# ------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("in_leaf", "in_issuer"),
    [
        pytest.param(name("Contoso CA", odd.PRINTABLE), name("Contoso CA", odd.UTF8), id="another type of string"),
        pytest.param(name("Contoso CA", odd.BMP), name("Contoso CA", odd.PRINTABLE), id="two octets a character"),
        pytest.param(name("contoso ca", odd.UTF8), name("Contoso CA", odd.UTF8), id="another letter case"),
        pytest.param(name(" Contoso   CA ", odd.UTF8), name("Contoso CA", odd.UTF8), id="more blanks"),
        pytest.param(name("K\xf6ln CA", odd.T61), name("Ko\u0308ln CA", odd.UTF8), id="another composition"),
        pytest.param(name("Stra\xdfe CA", odd.T61), name("STRASSE CA", odd.PRINTABLE), id="a folded letter"),
    ],
)
@pytest.mark.parametrize("marked", [True, False])
def test_issuer_is_found_by_the_meaning_of_its_name(in_leaf: bytes, in_issuer: bytes, *, marked: bool) -> None:
    """The upload brings the intermediate, however the leaf and the intermediate write the authority's name."""
    leaf = made(LEAF, name("shop"), ISSUING, in_leaf, ca=False, marked=marked)
    issuing = made(ISSUING, in_issuer, ROOT, name("Root"), marked=marked)
    built = build_pfx(value(issuing, leaf), PEM, leaf.thumbprint, PfxEncryption.AES256, PASSWORD)
    assert built.bundle is not None
    assert (len(built.bundle.issuers), str(built.bundle.missing), built.left_out) == (1, "Root", ())


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(name("Contoso CA 2"), id="another text"),
        pytest.param(name("Contoso CA", kind="2.5.4.10"), id="another attribute"),
        pytest.param(seq(), id="no name"),
        pytest.param(seq(tlv(0x31, b"\x01")), id="a malformed name"),
    ],
)
def test_names_with_another_meaning_differ(other: bytes) -> None:
    """Certroll takes two names for the same only if they mean the same."""
    assert meaning(other) != meaning(name("Contoso CA"))
    assert meaning(other) == meaning(other)


# -------------------------------------------------------------------------------------------------------- signatures


def test_key_identifier_finds_a_renamed_issuer() -> None:
    """Certroll takes a certificate for the issuer if key identifier and signature agree, although the name differs."""
    leaf = made(LEAF, name("shop"), ISSUING, name("Old name"), ca=False)
    issuing = made(ISSUING, name("New name"), ROOT, name("Root"))
    assert issuers_above(leaf, [leaf, issuing]) == [issuing]
    unmarked = made(ISSUING, name("New name"), ROOT, name("Root"), marked=False)
    assert issuers_above(leaf, [leaf, unmarked]) == []


def test_name_of_an_issuer_is_no_proof() -> None:
    """Certroll takes no certificate for the issuer that did not sign, whatever name and key identifier it claims."""
    other = key("RSA", "chain other")
    leaf = made(LEAF, name("shop"), ISSUING, name("Contoso CA"), ca=False)
    marks = (AUTHORITY, extension(odd.OWN_KEY, tlv(odd.OCTETS, key_id(ISSUING))))
    liar = parse(Odd(other, ROOT, name("Contoso CA"), name("Root"), marks).der())
    assert not has_issued(liar, leaf)


def test_issuer_that_a_client_would_take_comes_first() -> None:
    """Of two issuers with one key, Certroll takes the issuer with the name that the leaf gives."""
    leaf = made(LEAF, name("shop"), ISSUING, name("Contoso CA"), ca=False)
    renamed = made(ISSUING, name("Renamed CA"), ROOT, name("Root"), dates="27 49")
    named = made(ISSUING, name("Contoso CA"), ROOT, name("Root"), dates="27 30")
    assert issuers_above(leaf, [renamed, leaf, named])[0] == named


def test_verified_issuer_comes_before_one_that_nobody_can_verify() -> None:
    """A certificate with an unreadable key never takes the place of the issuer whose key has signed the certificate."""
    below = made(LEAF, name("shop"), ISSUING, name("Contoso Issuing CA"), ca=False)
    issuer = made(ISSUING, name("Contoso Issuing CA"), ROOT, name("Contoso Root"))
    unreadable = seq(seq(oid("1.2.840.113549.1.1.1"), tlv(odd.NULL)), tlv(odd.BITS, b"\x00\x30"))
    validity = seq(tlv(odd.UTC, b"270101000000Z"), tlv(odd.UTC, b"450101000000Z"))
    fake = Odd(ISSUING, ROOT, name("Contoso Issuing CA"), name("Contoso Root"), validity=validity)
    marked = replace(fake, extensions=identified(ISSUING, ROOT))
    for stranger in (fake, marked):
        strange = parse(replace(stranger, public_key=unreadable).der())
        assert issuers_above(below, [strange, issuer]) == [issuer]


def test_unknown_signature_leaves_names_and_identifiers() -> None:
    """If Certroll cannot verify a signature, the name decides, unless the key identifiers contradict each other."""
    unknown = Odd(LEAF, ISSUING, name("shop"), name("Contoso CA"), algorithm=seq(oid("1.2.3.4.5")))
    marks = identified(LEAF, ISSUING)
    leaf, marked = parse(unknown.der()), parse(replace(unknown, extensions=marks).der())
    issuing = made(ISSUING, name("Contoso CA"), ROOT, name("Root"))
    namesake = made(LEAF, name("Contoso CA"), ROOT, name("Root"))
    assert is_signed_by(leaf, issuing) is None
    assert [has_issued(issuing, leaf), has_issued(issuing, marked), has_issued(namesake, marked)] == [True, True, False]
    assert not has_issued(made(ISSUING, name("Another CA"), ROOT, name("Root")), leaf)


def pss(digest: bytes | None) -> bytes:
    """Return the algorithm RSASSA-PSS with SHA-256, or with its defaults, in DER."""
    if digest is None:
        return seq(oid("1.2.840.113549.1.1.10"), seq())
    sha256 = seq(oid("2.16.840.1.101.3.4.2.1"))
    mask = seq(oid("1.2.840.113549.1.1.8"), sha256)
    return seq(
        oid("1.2.840.113549.1.1.10"), seq(tlv(0xA0, sha256), tlv(0xA1, mask), tlv(0xA2, tlv(odd.INTEGER, b"\x20")))
    )


def test_signatures_of_other_algorithms_are_verified() -> None:
    """Certroll verifies signatures of RSASSA-PSS and of Ed25519, and finds a broken signature."""
    assert isinstance(ISSUING, rsa.RSAPrivateKey)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    signed = _signed(pss(b"sha256"), lambda text: ISSUING.sign(text, scheme, hashes.SHA256()))
    issuing = made(ISSUING, name("CA"), ROOT, name("Root"))
    assert is_signed_by(parse(signed), issuing) is True
    assert is_signed_by(parse(signed[:-1] + bytes([signed[-1] ^ 1])), issuing) is False
    edwards = ed25519.Ed25519PrivateKey.generate()
    public = edwards.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signed = _signed(seq(oid("1.3.101.112")), edwards.sign)
    assert is_signed_by(parse(signed), parse(replace(PLAIN, public_key=public).der())) is True
    assert is_signed_by(parse(signed), issuing) is False


def _signed(algorithm: bytes, sign: object) -> bytes:
    """Return a certificate with that algorithm and the signature of the function `sign`."""
    assert callable(sign)
    shell = parse(Odd(LEAF, ROOT, algorithm=algorithm).der())
    return seq(shell.tbs, algorithm, tlv(odd.BITS, b"\x00", sign(shell.tbs)))


# --------------------------------------------------------------------------------------- what the chain does not use


def test_certificate_that_is_no_issuer_is_named() -> None:
    """Certroll names each certificate of the vault's value that the upload lacks, and drops none in silence."""
    leaf = made(LEAF, name("shop"), ISSUING, name("Contoso CA"), ca=False)
    issuing = made(ISSUING, name("Contoso CA"), ROOT, name("Root"))
    stranger = made(key("EC", "stranger"), name("Fabrikam CA"), key("EC", "stranger"), name("Fabrikam CA"))
    built = build_pfx(value(leaf, stranger, issuing, stranger), PEM, leaf.thumbprint, PfxEncryption.AES256, PASSWORD)
    assert built.left_out == (f"Fabrikam CA ({stranger.thumbprint})",)


# ------------------------------------------------------------------------------------------------ Let's Encrypt

X1, YR = key("RSA", "ISRG Root X1"), key("RSA", "ISRG Root YR")
YR1 = name("YR1")
REVOKED = made(YR, name("Root YR"), X1, name("ISRG Root X1"), dates="25 33")
CROSSED = made(YR, name("Root YR"), X1, name("ISRG Root X1"), dates="26 32")
"""In May 2026 Let's Encrypt revoked its first cross-signed certificate of Root YR and issued another one
(community.letsencrypt.org, topic 247612)."""
INTERMEDIATE = made(ISSUING, YR1, YR, name("Root YR"))
SITE = made(LEAF, name("shop"), ISSUING, YR1, ca=False)


@pytest.mark.parametrize("own", [REVOKED, CROSSED])
def test_cross_signed_certificate_of_the_vault_goes_up(own: Certificate) -> None:
    """The upload has every link of the vault's chain, with the cross-signed root of that same vault value.

    Let's Encrypt's chain of 2026 goes from the leaf over YR1 and the cross-signed Root YR to ISRG Root X1. Some tools
    kept only the first of the two intermediates (debops #2707).
    """
    built = build_pfx(value(SITE, INTERMEDIATE, own), PEM, SITE.thumbprint, PfxEncryption.AES256, PASSWORD)
    assert built.bundle is not None
    assert (tuple(map(str, built.bundle.issuers)), str(built.bundle.missing)) == (("YR1", "Root YR"), "ISRG Root X1")
    assert (built.bundle.ordered, built.left_out) == (True, ())
    assert issuers_above(SITE, [INTERMEDIATE, own]) == [INTERMEDIATE, own]


def test_replaced_cross_signed_certificate_is_left_out_and_named() -> None:
    """Of two cross-signed certificates of one name and key, the later one goes up, and Certroll names the other."""
    for held in ((REVOKED, CROSSED), (CROSSED, REVOKED)):
        built = build_pfx(value(SITE, INTERMEDIATE, *held), PEM, SITE.thumbprint, PfxEncryption.AES256, PASSWORD)
        assert issuers_above(SITE, [INTERMEDIATE, *held]) == [INTERMEDIATE, CROSSED]
        assert built.left_out == (f"Root YR ({REVOKED.thumbprint})",)


def test_cross_signed_certificate_goes_up_next_to_the_self_signed_root() -> None:
    """The upload keeps the link to an older root, although the vault's value also has the newer root itself.

    Clients that do not hold the newer root yet find the older root only by the cross-signed certificate. The root
    itself comes last, so that a client that reads the chain in order meets the cross-signed certificate first.
    """
    site = made(LEAF, name("shop"), ISSUING, YR1, ca=False, dates="26 30")
    own = made(YR, name("Root YR"), YR, name("Root YR"), dates="25 45")
    above = made(X1, name("ISRG Root X1"), X1, name("ISRG Root X1"), dates="15 44")
    short = made(YR, name("Root YR"), key("RSA", "old"), name("Old root"), dates="25 29")
    for held in ((INTERMEDIATE, own, REVOKED, CROSSED), (own, CROSSED, INTERMEDIATE, above, REVOKED), (CROSSED, own)):
        built = build_pfx(value(site, *held, short), PEM, site.thumbprint, PfxEncryption.AES256, PASSWORD)
        crossed = [link for link in (CROSSED, above) if link in held]
        went_up = [found.thumbprint for found in opened(built)]
        expected = [site, INTERMEDIATE, *crossed, own] if INTERMEDIATE in held else [site]
        assert went_up == [link.thumbprint for link in expected]
        assert set(built.left_out) == {f"{c.title} ({c.thumbprint})" for c in (*held, short) if c not in expected}


# ------------------------------------------------------------------------------------------- roots that clients hold


def test_cross_signed_certificate_of_a_public_root_is_known() -> None:
    """Certroll knows that clients hold the root whose name and key a cross-signed certificate has."""
    public = next(root for root in certificates_in(certifi.contents()).readable if root.title == "ISRG Root X1")
    crossed = Odd(LEAF, ROOT, public.subject, name("Old root"), (AUTHORITY,), public_key=public.public_key)
    own, renamed = parse(crossed.der()), parse(replace(crossed, subject=name("Another name")).der())
    other = parse(replace(crossed, public_key=b"").der())
    assert held_issuers([own, renamed, other], []) == [own]


def test_self_signed_root_in_the_vault_is_known_to_clients() -> None:
    """Certroll takes a cross-signed certificate for needless if the vault's value has the self-signed root, too."""
    alone = read_leaf(value(SITE, INTERMEDIATE, CROSSED), PEM)[1]
    own_root = made(YR, name("Root YR"), YR, name("Root YR"), dates="25 30")
    together = read_leaf(value(SITE, INTERMEDIATE, CROSSED, own_root), PEM)[1]
    assert (alone.held, together.held) == (frozenset(), {issuer_name("Root YR")})
    assert alone.issuers == together.issuers
    assert tuple(map(str, alone.issuers)) == ("YR1", "Root YR")
