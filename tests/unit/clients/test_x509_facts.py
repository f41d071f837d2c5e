"""Certroll reads the facts of a certificate from DER and refuses malformed certificates."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from shared.clients.vault.x509_facts import read_facts
from shared.clients.vault.x509_fields import LARGEST
from shared.domain.certificates.version import CertificateFacts, KeyType
from tests import odd
from tests.build import DAY, NOW
from tests.chains import Key, key
from tests.odd import PLAIN

EC, RSA = key("EC", "facts"), key("RSA", "facts")
SERVER, CLIENT, ANY = (
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
)
MAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
DV, OWN = "2.23.140.1.2.1", "1.3.6.1.4.1.44947.1.1.1"


def named(text: str) -> x509.Name:
    """Return an X.509 name that consists of a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def der(
    *extensions: x509.ExtensionType,
    subject: x509.Name | None = None,
    issuer: x509.Name | None = None,
    serial: int = 1,
    own: Key | ed25519.Ed25519PrivateKey = EC,
    signer: Key | ed25519.Ed25519PrivateKey = EC,
) -> bytes:
    """Return a certificate in DER with these extensions."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(named("shop.contoso.com") if subject is None else subject)
        .issuer_name(named("Contoso Issuing CA") if issuer is None else issuer)
        .public_key(own.public_key())
        .serial_number(serial)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + timedelta(days=90))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA384()
    return builder.sign(signer, digest).public_bytes(Encoding.DER)


def usages(*allowed: ObjectIdentifier) -> x509.ExtendedKeyUsage:
    """Return an extended key usage extension that allows these usages."""
    return x509.ExtendedKeyUsage(allowed)


def policies(*oids: str) -> x509.CertificatePolicies:
    """Return a certificate policies extension that names these policies."""
    return x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier(oid), None) for oid in oids])


def alternative(*names: str) -> x509.SubjectAlternativeName:
    """Return a subject alternative name extension with these DNS names."""
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


def test_facts_are_those_of_the_certificate() -> None:
    """Certroll reads names, key, usages, signature, serial number and issuer of a certificate."""
    made = der(alternative("Shop.Contoso.com", "*.contoso.com"), usages(SERVER), policies(OWN), serial=2**80, own=RSA)
    assert read_facts(made) == CertificateFacts(
        host_names=frozenset({"shop.contoso.com", "*.contoso.com"}),
        key_type=KeyType.RSA,
        key_size=1024,
        self_signed=False,
        server_auth=True,
        client_auth=False,
        signature_hash="sha384",
        serial_octets=11,
        issuer="Contoso Issuing CA",
        curve=None,
        public_policy=False,
        is_ca=False,
    )


@pytest.mark.parametrize(
    ("extensions", "server", "client"),
    [
        pytest.param((), True, True, id="no extension allows anything"),
        pytest.param((usages(SERVER, CLIENT),), True, True, id="both"),
        pytest.param((usages(SERVER),), True, False, id="servers alone"),
        pytest.param((usages(CLIENT, MAIL),), False, True, id="clients and mail"),
        pytest.param((usages(ANY),), True, True, id="any usage"),
        pytest.param((usages(MAIL),), False, False, id="mail alone"),
    ],
)
def test_usages_are_what_the_extension_allows(
    extensions: tuple[x509.ExtensionType, ...], *, server: bool, client: bool
) -> None:
    """A certificate allows the listed usages, or every usage if it has no extended key usage extension."""
    found = read_facts(der(*extensions))
    assert (found.server_auth, found.client_auth) == (server, client)


@pytest.mark.parametrize(
    ("serial", "octets"),
    [(1, 1), (127, 1), (128, 2), (2**79 - 1, 10), (2**79, 11), (2**159 - 1, 20), (2**158, 20)],
)
def test_serial_number_is_as_long_as_it_is_encoded(serial: int, octets: int) -> None:
    """Certroll counts the length of a serial number in octets of its DER encoding, with the sign."""
    made = der(serial=serial)
    assert read_facts(made).serial_octets == octets
    assert bytes([2, octets]) + serial.to_bytes(octets, "big") in made


@pytest.mark.parametrize(
    ("own", "kind", "size", "curve"),
    [
        pytest.param(RSA, KeyType.RSA, 1024, None, id="RSA"),
        pytest.param(EC, KeyType.EC, 256, "secp256r1", id="P-256"),
        pytest.param(ec.generate_private_key(ec.BrainpoolP256R1()), KeyType.EC, 256, "brainpoolP256r1", id="Brainpool"),
        pytest.param(ed25519.Ed25519PrivateKey.generate(), KeyType.OTHER, 0, None, id="Ed25519"),
    ],
)
def test_key_is_told_with_its_curve(
    own: Key | ed25519.Ed25519PrivateKey, kind: KeyType, size: int, curve: str | None
) -> None:
    """Certroll reads type, size and curve of a certificate's key."""
    found = read_facts(der(own=own))
    assert (found.key_type, found.key_size, found.curve) == (kind, size, curve)


def test_signature_without_a_hash_is_named_by_its_number() -> None:
    """Certroll names an Ed25519 signature by its object identifier, because it has no separate hash."""
    assert read_facts(der(signer=ed25519.Ed25519PrivateKey.generate())).signature_hash == "1.3.101.112"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        pytest.param("04", "md5", id="MD5"),
        pytest.param("05", "sha1", id="SHA-1"),
        pytest.param("02", "md2", id="MD2"),
        pytest.param("03", "md4", id="MD4"),
        pytest.param("7f", "1.2.840.113549.1.1.127", id="one that nobody knows"),
    ],
)
def test_old_hashes_are_known_by_name(number: str, told: str) -> None:
    """Certroll names outdated signature hashes such as MD5, although the cryptography library cannot sign with them."""
    rsa_with = "06092a864886f70d0101"
    made = der(signer=RSA)
    assert made.count(bytes.fromhex(f"{rsa_with}0c")) == 2
    aged = made.replace(bytes.fromhex(f"{rsa_with}0c"), bytes.fromhex(f"{rsa_with}{number}"))
    assert read_facts(aged).signature_hash == told


@pytest.mark.parametrize(
    ("named_policies", "public"),
    [
        pytest.param(("2.23.140.1.1",), True, id="extended validation"),
        pytest.param((OWN, DV), True, id="domain validation, next to the authority's own"),
        pytest.param(("2.23.140.1.2.2",), True, id="organization validation"),
        pytest.param(("2.23.140.1.2.3",), True, id="individual validation"),
        pytest.param((OWN,), False, id="an authority's own alone"),
        pytest.param(("2.23.140.1.5.1.1",), False, id="a mailbox's"),
    ],
)
def test_public_is_what_says_so(named_policies: tuple[str, ...], *, public: bool) -> None:
    """Certroll treats a certificate as one of a public authority if it names a TLS policy of the CA/Browser Forum."""
    assert read_facts(der(policies(*named_policies))).public_policy is public


@pytest.mark.parametrize(
    ("extensions", "is_ca"),
    [
        pytest.param((), False, id="no constraints"),
        pytest.param((x509.BasicConstraints(ca=False, path_length=None),), False, id="constraints that say no"),
        pytest.param((x509.BasicConstraints(ca=True, path_length=None),), True, id="an authority"),
        pytest.param((x509.BasicConstraints(ca=True, path_length=0),), True, id="an authority of leaves alone"),
    ],
)
def test_authority_is_what_its_constraints_say(extensions: tuple[x509.ExtensionType, ...], *, is_ca: bool) -> None:
    """Certroll treats a certificate as an authority's only if its basic constraints say so, whoever the issuer is."""
    own = named("Contoso Root")
    assert read_facts(der(*extensions)).is_ca is is_ca
    assert read_facts(der(*extensions, subject=own, issuer=own)).is_ca is is_ca


@pytest.mark.parametrize(
    ("issuer", "told"),
    [
        pytest.param(named("Contoso CA"), "Contoso CA", id="its common name"),
        pytest.param(
            x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Contoso")]),
            "O=Contoso",
            id="all of it without one",
        ),
        pytest.param(x509.Name([]), "", id="nothing"),
        pytest.param(
            named("a\nb\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}c"), "a?b?[31m?c", id="nothing that a log would obey"
        ),
    ],
)
def test_issuer_is_told_for_people(issuer: x509.Name, told: str) -> None:
    """Certroll shows a certificate's issuer by its common name and replaces control characters."""
    assert read_facts(der(issuer=issuer)).issuer == told


@pytest.mark.parametrize("text", [" shop.contoso.com", "shop.contoso.com ", "shop.contoso.com.", "shop.contoso.com\n"])
def test_name_that_no_client_accepts_covers_nothing(text: str) -> None:
    """An alternative name with a blank or a final dot, which no client accepts, covers no host."""
    found = read_facts(replace(PLAIN, extensions=(odd.dns(text, "API.contoso.com"),)).der())
    assert (found.host_names, found.unread) == ({"api.contoso.com"}, frozenset())


def test_common_name_counts_only_without_alternative_names() -> None:
    """Certroll reads the common name as a host name only if the certificate has no subject alternative names."""
    assert read_facts(der()).host_names == {"shop.contoso.com"}
    assert read_facts(der(alternative("a.contoso.com"))).host_names == {"a.contoso.com"}
    assert read_facts(der(subject=named("Contoso Client 7"))).host_names == frozenset()
    assert read_facts(der(x509.SubjectAlternativeName([x509.RFC822Name("a@b.c")]))).host_names == frozenset()


# ---------------------------------------------------------------------------------------------------------- hostile

FIRST = "1.2.3.4.5.6.7.1"


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x30\x82\xff\xff", id="a length that is not there"),
        pytest.param(b"\x30\x80" * 2000, id="a sequence in a sequence in a sequence"),
        pytest.param(der()[:-1], id="one octet short"),
        pytest.param(der() + b"\x00", id="one octet too many"),
        pytest.param(b"\x30\x84\x7f\xff\xff\xff" + bytes(LARGEST), id="more than anyone would issue"),
    ],
)
def test_hostile_certificate_is_a_named_error(hostile: bytes) -> None:
    """Certroll refuses a malformed certificate with a `ValueError` whose message is short."""
    with pytest.raises(ValueError, match="certificate") as caught:
        read_facts(hostile)
    assert type(caught.value) is ValueError
    assert len(str(caught.value)) < 300


def test_size_is_looked_at_before_anything_is_parsed() -> None:
    """Certroll refuses a certificate of more than 128 KB before it parses any of it."""
    with pytest.raises(ValueError, match=f"a certificate of {128 * 1024 + 1} bytes, more than {128 * 1024}"):
        read_facts(bytes(128 * 1024 + 1))
    with pytest.raises(ValueError, match="the certificate cannot be read: "):
        read_facts(bytes(128 * 1024))


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(der(x509.UnrecognizedExtension(ObjectIdentifier(FIRST), b"")), id="an unknown extension"),
        pytest.param(der(alternative(*(f"h{n}.contoso.com" for n in range(1000)))), id="a thousand names"),
        pytest.param(der(alternative("-.contoso.com", "a b", "x" * 5000, "")), id="names that are none"),
        pytest.param(der(subject=named("ü" * 30)), id="a name beyond ASCII"),
    ],
)
def test_odd_certificate_is_read_all_the_same(odd: bytes) -> None:
    """Certroll reads a certificate whose fields are unusual but well-formed."""
    assert read_facts(odd).issuer == "Contoso Issuing CA"
