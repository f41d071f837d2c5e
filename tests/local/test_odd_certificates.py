"""The local Azure takes certificates with a defect, and compares names as clients do."""

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from local.azure.vault.authority import Leaf, leads_to_root
from local.azure.vault.extensions import allows, dns_names, is_authority
from local.azure.vault.issued import imported
from local.azure.vault.links import issued, name_text
from tests import odd
from tests.chains import key
from tests.odd import PLAIN, Odd, extension, name, oid, seq, tlv, with_extension

CA = Odd(PLAIN.signer, PLAIN.signer, name("Contoso CA", odd.UTF8), name("Contoso CA", odd.UTF8), ())


def loaded(certificate: Odd) -> x509.Certificate:
    """Return the certificate as the local Azure holds it."""
    return x509.load_der_x509_certificate(certificate.der())


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param(name("Contoso CA", odd.UTF8), id="the same octets"),
        pytest.param(name("Contoso CA", odd.PRINTABLE), id="another type of string"),
        pytest.param(name(" contoso  ca", odd.UTF8), id="other blanks and letter case"),
    ],
)
def test_local_chain_check_compares_names_by_meaning(issuer: bytes) -> None:
    """The local Azure finds the issuer of a certificate, however the certificate writes the issuer's name."""
    assert issued(loaded(CA), loaded(replace(PLAIN, issuer=issuer)))


@pytest.mark.parametrize(
    "certificate",
    [
        pytest.param(replace(PLAIN, issuer=name("Fabrikam CA")), id="another name"),
        pytest.param(replace(PLAIN, issuer=name("K\xf6ln", odd.T61)), id="an unreadable name"),
        pytest.param(replace(PLAIN, issuer=CA.subject, signer=key("EC", "liar")), id="another signer"),
        pytest.param(
            replace(PLAIN, issuer=CA.subject, signer=key("RSA", "liar")), id="a signer with another kind of key"
        ),
        pytest.param(replace(PLAIN, issuer=CA.subject, algorithm=seq(oid("1.2.3.4"))), id="an unknown algorithm"),
    ],
)
def test_local_chain_check_wants_name_and_signature(certificate: Odd) -> None:
    """The local Azure takes no certificate for the issuer that has another name or another key."""
    assert not issued(loaded(CA), loaded(certificate))
    assert not leads_to_root(certificate.der(), b"")


@pytest.mark.parametrize(
    "extensions",
    [
        (extension(odd.CONSTRAINTS, seq(tlv(odd.BOOLEAN, b"\x00"))),),
        (extension(odd.POLICIES, b"\x30\x03no"),),
        (extension(odd.UNKNOWN, b""), extension(odd.UNKNOWN, b"")),
    ],
    ids=["FALSE in full", "policies that are no DER", "an extension twice"],
)
def test_local_azure_reads_next_to_an_odd_extension(extensions: tuple[bytes, ...]) -> None:
    """The local Azure reads the names of a certificate next to a malformed extension, and imports the certificate."""
    made = loaded(replace(PLAIN, extensions=(*extensions, *PLAIN.extensions)))
    assert (dns_names(made), is_authority(made)) == (("shop.contoso.com",), False)
    assert imported(Leaf(made, None)).host_names == ("shop.contoso.com",)


def test_local_azure_reads_usages_and_constraints() -> None:
    """The local Azure reads which usages a certificate allows, and whether the certificate is an authority's."""
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    limited = loaded(with_extension(odd.USAGES, seq(oid(server.dotted_string))))
    assert [allows(limited, server), allows(limited, client)] == [True, False]
    assert allows(loaded(PLAIN), client)
    assert is_authority(loaded(with_extension(odd.CONSTRAINTS, seq(tlv(odd.BOOLEAN, b"\xff")))))
    assert dns_names(loaded(replace(PLAIN, extensions=()))) == ()


def test_unreadable_name_has_no_text() -> None:
    """The local Azure shows no text for a name that it cannot read."""
    made = loaded(replace(PLAIN, issuer=name("K\xf6ln", odd.T61)))
    assert name_text(lambda: made.issuer) == ""
    assert imported(Leaf(made, None)).issuer == ""
