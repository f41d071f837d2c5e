"""Certroll builds a PFX from a vault secret, and refuses an unusable secret without quoting it."""

import base64
import hashlib
import subprocess
import traceback
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests
from azure.core.exceptions import DecodeError, HttpResponseError
from azure.core.pipeline.transport import HttpRequest, RequestsTransportResponse
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from shared.clients.retrying import Retrying
from shared.clients.vault.certificates import KeyVault, KeyVaults
from shared.clients.vault.pfx import build_pfx, read_bundle, read_leaf
from shared.domain.certificates.pfx import Pfx, PfxEncryption
from shared.domain.certificates.requirements import BARE, PEM, PKCS12
from shared.domain.certificates.version import Bundle, KeyFound
from shared.domain.errors import AzureError, Denied, Rejected, Unavailable
from shared.domain.names import Thumbprint
from shared.domain.reason import Reason
from shared.runtime import Runtime
from tests.build import FOREIGN, NOW, REF, ManualClock, bundled
from tests.chains import OPENSSL, Issued, Key, certificate, issued, key, thumbprint

PLAIN = NoEncryption()
PASSWORD = "Pa-ss_word"  # noqa: S105 - of keys that are made for these tests
CHAIN = issued("EC", 1)
LEAF = thumbprint(CHAIN.leaf)
SHORT, LONG = NOW + timedelta(days=100), NOW + timedelta(days=200)


def pem(*parts: x509.Certificate | Key | ed25519.Ed25519PrivateKey, encryption: object = PLAIN) -> str:
    """Return the given certificates and keys as PEM blocks, in the given order."""

    def block(part: x509.Certificate | Key | ed25519.Ed25519PrivateKey) -> bytes:
        if isinstance(part, x509.Certificate):
            return part.public_bytes(Encoding.PEM)
        return part.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, cast("KeySerializationEncryption", encryption))

    return b"".join(map(block, parts)).decode()


def pfx(chain: Issued, encryption: object = PLAIN) -> str:
    """Return the key, the leaf and the intermediates of a chain as a PFX in base64."""
    above = chain.intermediates
    scheme = cast("KeySerializationEncryption", encryption)
    return base64.b64encode(pkcs12.serialize_key_and_certificates(None, chain.key, chain.leaf, above, scheme)).decode()


def chain_of(
    value: str, expected: Thumbprint, content_type: str = PEM, encryption: PfxEncryption = PfxEncryption.AES256
) -> list[x509.Certificate]:
    """Return the certificates of the PFX that Certroll builds from the secret's value, with the leaf first."""
    built = build_pfx(value, content_type, expected, encryption, PASSWORD)
    held = pkcs12.load_pkcs12(built.blob, built.password.encode())
    assert held.cert is not None
    return [held.cert.certificate, *(extra.certificate for extra in held.additional_certs)]


# ------------------------------------------------------------------------------------------------------------ secrecy


def test_pfx_has_no_text_form() -> None:
    """The text form (`repr`) of a PFX object contains neither its blob nor its password."""
    secret = Pfx(b"blob", "password")
    assert {repr(secret), str(secret), f"{secret}", f"{[secret]}"} == {"Pfx(...)", "[Pfx(...)]"}


def test_failed_comparison_shows_no_contents() -> None:
    """If a test compares two PFX objects, pytest's explanation shows neither blob nor password."""
    first, second = Pfx(b"one-blob", "one-password"), Pfx(b"other-blob", "other-password")
    with pytest.raises(AssertionError) as caught:
        assert first == second
    shown = str(caught.value)
    assert [word for word in ("one-", "other-", "blob=", "password=") if word in shown] == []


# ------------------------------------------------------------------------------------------------------------ reading


def test_content_type_may_be_in_any_case() -> None:
    """Certroll reads the content type of a secret in any letter case and ignores blanks around it."""
    assert chain_of(pem(CHAIN.leaf, CHAIN.key), LEAF, " Application/X-PEM-File ") == [CHAIN.leaf]
    assert chain_of(pfx(CHAIN), LEAF, "APPLICATION/X-PKCS12") == [CHAIN.leaf, *CHAIN.intermediates]


def test_base64_may_be_wrapped() -> None:
    """Certroll reads a PFX whose base64 text is wrapped into lines."""
    text = pfx(CHAIN)
    wrapped = "\r\n".join(text[n : n + 64] for n in range(0, len(text), 64)) + "\n"
    assert chain_of(wrapped, LEAF, PKCS12) == [CHAIN.leaf, *CHAIN.intermediates]


@pytest.mark.skipif(OPENSSL is None, reason="there is no openssl on this machine")
@pytest.mark.parametrize("scheme", [(), ("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"), ("-nomac",)])
def test_empty_password_is_no_password(tmp_path: Path, scheme: tuple[str, ...]) -> None:
    """Certroll reads a PFX that OpenSSL encrypted with an empty password like a PFX without a password."""
    (tmp_path / "all.pem").write_text(pem(CHAIN.key, CHAIN.leaf, *CHAIN.intermediates))
    command = [str(OPENSSL), "pkcs12", "-export", "-in", str(tmp_path / "all.pem"), "-passout", "pass:", *scheme]
    made = subprocess.run(command, capture_output=True, check=True).stdout  # noqa: S603
    assert chain_of(base64.b64encode(made).decode(), LEAF, PKCS12) == [CHAIN.leaf, *CHAIN.intermediates]


def test_key_of_another_curve_with_its_parameters_is_read() -> None:
    """Certroll reads an elliptic-curve key after the `EC PARAMETERS` block that OpenSSL writes."""
    own = ec.generate_private_key(ec.SECP384R1())
    leaf = certificate("shop.contoso.com", own, "shop.contoso.com", own)
    old = own.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PLAIN).decode()
    parameters = "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n"
    assert chain_of(parameters + old + pem(leaf), thumbprint(leaf)) == [leaf]


@pytest.mark.parametrize("encryption", PfxEncryption)
def test_only_the_password_opens_it(encryption: PfxEncryption) -> None:
    """A PFX that Certroll builds opens with its own password, and with no other of the tried passwords."""
    built = build_pfx(pfx(CHAIN), PKCS12, LEAF, encryption, PASSWORD)
    assert built.password == PASSWORD
    for wrong in (None, b"", b"Pa-ss_worD"):
        with pytest.raises(ValueError, match=r"password|PKCS12"):
            pkcs12.load_pkcs12(built.blob, wrong)


# --------------------------------------------------------------------------------------------------- which certificates


def test_thumbprint_is_what_app_service_shows() -> None:
    """A thumbprint is the SHA-1 digest of the certificate in upper-case hex."""
    der = CHAIN.leaf.public_bytes(Encoding.DER)
    assert thumbprint(CHAIN.leaf) == hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def test_renewal_that_kept_its_key_is_told_from_what_it_renews() -> None:
    """If two certificates in a secret share a key, Certroll selects the expected certificate as the leaf."""
    older = certificate("shop.contoso.com", CHAIN.key, "authority 0", key("RSA", "authority 0"), SHORT)
    for first, second in ((older, CHAIN.leaf), (CHAIN.leaf, older)):
        assert chain_of(pem(CHAIN.key, first, second), LEAF) == [CHAIN.leaf]
        assert chain_of(pem(CHAIN.key, first, second), thumbprint(older)) == [older]


def test_self_signed_certificate_has_no_chain() -> None:
    """The PFX of a self-signed certificate has no chain, even next to an older certificate with the same key."""
    own = key("EC", "self")
    newer, older = (certificate("self", own, "self", own, until) for until in (LONG, SHORT))
    assert chain_of(pem(own, older, newer), thumbprint(newer)) == [newer]
    assert chain_of(pem(own, older, newer), thumbprint(older)) == [older]


@pytest.mark.parametrize("own_until", [SHORT, LONG])
def test_longer_valid_of_two_issuers_is_taken(own_until: object) -> None:
    """Certroll builds the chain through the longer-lived of a self-signed root and its cross-signed twin."""
    root, old = key("EC", "root"), key("EC", "old root")
    signed_by_itself = certificate("root", root, "root", root, cast("Any", own_until))
    crossed = certificate("root", root, "old root", old, NOW + timedelta(days=150))
    above = certificate("old root", old, "old root", old)
    leaf = certificate("leaf", CHAIN.key, "root", root)
    expected = [leaf, signed_by_itself] if own_until == LONG else [leaf, crossed, above]
    for parts in ((above, signed_by_itself, crossed, leaf), (leaf, crossed, signed_by_itself, above)):
        assert chain_of(pem(CHAIN.key, *parts), thumbprint(leaf)) == expected


def test_choice_between_equal_issuers_does_not_depend_on_order() -> None:
    """Certroll selects the same issuer among equally long-lived issuers, whatever the order of the certificates."""
    root = key("EC", "root")
    twins = [certificate("root", root, "elsewhere", root) for _ in range(8)]
    leaf = certificate("leaf", CHAIN.key, "root", root)
    chain = chain_of(pem(CHAIN.key, leaf, *twins), thumbprint(leaf))
    assert len(chain) == 2
    assert chain_of(pem(*reversed(twins), leaf, CHAIN.key), thumbprint(leaf)) == chain


def test_authorities_that_vouch_for_each_other_end() -> None:
    """Certroll puts each certificate into the chain only once, even if two certificate authorities sign each other."""
    a, b = key("EC", "a"), key("EC", "b")
    a_by_b, b_by_a = certificate("a", a, "b", b), certificate("b", b, "a", a)
    leaf = certificate("leaf", CHAIN.key, "a", a)
    assert chain_of(pem(CHAIN.key, b_by_a, leaf, a_by_b), thumbprint(leaf)) == [leaf, a_by_b, b_by_a]
    a_by_leaf = certificate("a", a, "leaf", CHAIN.key)
    assert chain_of(pem(CHAIN.key, a_by_leaf, leaf), thumbprint(leaf)) == [leaf, a_by_leaf]


def test_stranger_with_an_unknown_kind_of_key_does_no_harm() -> None:
    """Certroll leaves an unrelated certificate out of the chain, even if the type of its key is unknown."""
    elliptic, unknown = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f")
    der = CHAIN.strangers[0].public_bytes(Encoding.DER).replace(elliptic, unknown)
    odd = x509.load_der_x509_certificate(der)
    with pytest.raises(UnsupportedAlgorithm):
        odd.public_key()
    assert chain_of(pem(odd, CHAIN.key, CHAIN.leaf), LEAF) == [CHAIN.leaf]


# ----------------------------------------------------------------------------------------------------------- refusals


@dataclass(frozen=True)
class Bad:
    """A test case with an unusable secret, and the error text and reason with which Certroll refuses the secret.

    The text form of a PFX test case shows the expected error text, and does not show the value of the secret.
    """

    content_type: str
    value: str
    problem: str
    reason: Reason = Reason.SECRET_UNREADABLE

    def __repr__(self) -> str:
        """Return the error text that the test case expects, as the text form (`repr`) of the test case."""
        return self.problem


_STRANGER = key("EC", "stranger")
_ED = ed25519.Ed25519PrivateKey.generate()
_MANGLED = pem(CHAIN.leaf, CHAIN.key).replace("MI", "!!")
NO_KEY = "its value holds no private key; the certificate's policy must let the key be exported"
NO_PFX = "its value is not a PFX without a password"
BAD = [
    Bad("", pfx(CHAIN), f"its content type is '', neither {PKCS12} nor {PEM}"),
    Bad("text/plain", pfx(CHAIN), f"its content type is 'text/plain', neither {PKCS12} nor {PEM}"),
    Bad("x" * 500, pfx(CHAIN), f"its content type is '{'x' * 60}', neither {PKCS12} nor {PEM}"),
    Bad(PKCS12, "", NO_PFX),
    Bad(PKCS12, "c2VjcmV0", NO_PFX),
    Bad(PKCS12, pem(CHAIN.leaf, CHAIN.key), "its value is not base64"),
    Bad(PKCS12, "*" + pfx(CHAIN), "its value is not base64"),
    Bad(PKCS12, "gehe\N{LATIN SMALL LETTER I WITH DIAERESIS}m", "its value is not base64"),
    Bad(PKCS12, pfx(CHAIN, BestAvailableEncryption(b"x")), NO_PFX),
    Bad(
        PKCS12,
        base64.b64encode(pkcs12.serialize_key_and_certificates(None, None, CHAIN.leaf, None, PLAIN)).decode(),
        NO_KEY,
        Reason.NO_PRIVATE_KEY,
    ),
    Bad(PEM, "", "its certificates cannot be read"),
    Bad(PEM, pfx(CHAIN), "its certificates cannot be read"),
    Bad(PEM, pem(CHAIN.key), "its certificates cannot be read"),
    Bad(PEM, pem(CHAIN.leaf), NO_KEY, Reason.NO_PRIVATE_KEY),
    Bad(PEM, _MANGLED, "its private key cannot be read"),
    Bad(PEM, pem(CHAIN.leaf, CHAIN.key, encryption=BestAvailableEncryption(b"x")), "its private key cannot be read"),
    Bad(PEM, pem(CHAIN.key, CHAIN.leaf, CHAIN.key), "its value holds 2 private keys; one is expected"),
    Bad(PEM, pem(CHAIN.leaf, _ED), "its private key is neither RSA nor EC"),
    Bad(
        PEM,
        pem(CHAIN.leaf, _STRANGER),
        "no certificate in its value belongs to its private key",
        Reason.KEY_MISMATCH,
    ),
    Bad(
        PEM,
        pem(CHAIN.key, CHAIN.leaf, CHAIN.strangers[2]),
        f"it holds the certificate {', '.join(sorted((LEAF, thumbprint(CHAIN.strangers[2]))))}, not {FOREIGN}",
        Reason.ANOTHER_CERTIFICATE,
    ),
    Bad(PKCS12, pfx(CHAIN), f"it holds the certificate {LEAF}, not {FOREIGN}", Reason.ANOTHER_CERTIFICATE),
]


@pytest.mark.parametrize("bad", BAD, ids=[f"{number} {bad.content_type}" for number, bad in enumerate(BAD)])
def test_unusable_secret_is_refused_without_showing_it(bad: Bad) -> None:
    """Certroll refuses an unusable secret in one sentence, without the exception of the cryptography library."""
    with pytest.raises(Rejected) as caught:
        build_pfx(bad.value, bad.content_type, FOREIGN, PfxEncryption.AES256, PASSWORD)
    assert (str(caught.value), caught.value.reason) == (bad.problem, bad.reason)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(
    ("parts", "key_found"),
    [
        pytest.param((CHAIN.leaf,), KeyFound.NONE, id="no key"),
        pytest.param((CHAIN.leaf, _STRANGER), KeyFound.FOREIGN, id="another one's key"),
        pytest.param((CHAIN.leaf, CHAIN.key), KeyFound.MATCHING, id="its own key"),
    ],
)
def test_key_beside_a_certificate_is_judged(parts: tuple[Any, ...], key_found: KeyFound) -> None:
    """Certroll reports whether the private key in a vault secret belongs to the certificate in that secret."""
    assert read_bundle(pem(*parts), PEM, LEAF) == bundled(key_found, (), "authority 0", ordered=True)


LONG_CHAIN = issued("EC", 2)
PATH = (LONG_CHAIN.leaf, *LONG_CHAIN.intermediates, LONG_CHAIN.root)
NAMES = ("authority 0", "authority 1", "authority 2")


@pytest.mark.parametrize(
    ("parts", "bundle"),
    [
        pytest.param(PATH, bundled(KeyFound.MATCHING, NAMES, None, ordered=True), id="up to the root, in order"),
        pytest.param(PATH[::-1], bundled(KeyFound.MATCHING, NAMES, None, ordered=False), id="backwards"),
        pytest.param(
            (*PATH[:1], *PATH[2:1:-1], PATH[1], PATH[3]),
            bundled(KeyFound.MATCHING, NAMES, None, ordered=False),
            id="two intermediates changed about",
        ),
        pytest.param(
            (PATH[0], LONG_CHAIN.strangers[0], *PATH[1:], PATH[1]),
            bundled(KeyFound.MATCHING, NAMES, None, ordered=True),
            id="a stranger and a double between",
        ),
        pytest.param(
            PATH[:-1], bundled(KeyFound.MATCHING, NAMES[:-1], "authority 2", ordered=True), id="without the root"
        ),
        pytest.param(
            (PATH[0], *PATH[2:]), bundled(KeyFound.MATCHING, (), "authority 0", ordered=True), id="without the nearest"
        ),
    ],
)
def test_chain_beside_a_certificate_is_told(parts: tuple[x509.Certificate, ...], bundle: Bundle) -> None:
    """Certroll reports the chain above a certificate, a missing issuer, and whether the PEM blocks are in order.

    Certroll reports the same chain when it reads a secret and when it builds a PFX from the secret.
    """
    leaf = thumbprint(LONG_CHAIN.leaf)
    value = pem(LONG_CHAIN.key, *parts)
    assert read_bundle(value, PEM, leaf) == bundle
    assert build_pfx(value, PEM, leaf, PfxEncryption.AES256, PASSWORD).bundle == bundle


def test_bundle_without_the_certificate_is_refused() -> None:
    """The error about a secret without the expected certificate names the thumbprint of the secret's certificate."""
    with pytest.raises(Rejected, match=f"it holds the certificate {LEAF}, not {FOREIGN}") as caught:
        read_bundle(pem(CHAIN.leaf), PEM, FOREIGN)
    assert caught.value.reason is Reason.ANOTHER_CERTIFICATE


RENEWED = certificate("shop.contoso.com", CHAIN.key, "authority 0", key("RSA", "authority 0"), LONG)
OLDER = certificate("shop.contoso.com", CHAIN.key, "authority 0", key("RSA", "authority 0"), SHORT)


@pytest.mark.parametrize(
    ("parts", "leaf", "key_found"),
    [
        pytest.param(
            (CHAIN.key, CHAIN.leaf, *CHAIN.intermediates), CHAIN.leaf, KeyFound.MATCHING, id="that of the key"
        ),
        pytest.param((CHAIN.key, RENEWED, OLDER), RENEWED, KeyFound.MATCHING, id="the one that is valid for longer"),
        pytest.param((OLDER, RENEWED, CHAIN.key), RENEWED, KeyFound.MATCHING, id="the same, in another order"),
        pytest.param((*PATH[::-1],), LONG_CHAIN.leaf, KeyFound.NONE, id="without a key, the one that issued none"),
        pytest.param((LONG_CHAIN.root,), LONG_CHAIN.root, KeyFound.NONE, id="a root alone"),
    ],
)
def test_value_tells_which_certificate_it_is_about(
    parts: tuple[Any, ...], leaf: x509.Certificate, key_found: KeyFound
) -> None:
    """If no thumbprint is given, Certroll finds the leaf certificate of a secret by the private key or by the chain.

    The leaf of a chain is the certificate that issued no other certificate of the chain.
    """
    found, bundle = read_leaf(pem(*parts), PEM)
    assert (found.der, bundle.key) == (leaf.public_bytes(Encoding.DER), key_found)


@pytest.mark.parametrize(
    ("parts", "problem", "reason"),
    [
        pytest.param(
            (CHAIN.leaf, _STRANGER),
            "no certificate in its value belongs to its private key",
            Reason.KEY_MISMATCH,
            id="another one's key",
        ),
        pytest.param(
            (CHAIN.leaf, CHAIN.strangers[0]),
            "its value holds no private key, and 2 certificates of which none is the leaf",
            Reason.SECRET_UNREADABLE,
            id="two that have nothing to do with each other",
        ),
    ],
)
def test_value_that_is_about_no_certificate_is_refused(parts: tuple[Any, ...], problem: str, reason: Reason) -> None:
    """Certroll refuses a secret if neither a key nor a chain identifies a single leaf."""
    with pytest.raises(Rejected) as caught:
        read_leaf(pem(*parts), PEM)
    assert (str(caught.value), caught.value.reason) == (problem, reason)


# ------------------------------------------------------------------------------------------- a certificate alone


def der(cert: x509.Certificate) -> str:
    """Return a certificate in base64, in the form of a `.cer` file."""
    return base64.b64encode(cert.public_bytes(Encoding.DER)).decode()


ROOT = CHAIN.root
TOP = bundled(KeyFound.NONE, (), None, ordered=True)


@pytest.mark.parametrize(
    ("value", "bundle"),
    [
        pytest.param(pem(ROOT), TOP, id="PEM"),
        pytest.param(f"subject=CN = root\n{pem(ROOT)}", TOP, id="PEM after some text"),
        pytest.param(der(ROOT), TOP, id="DER in base64"),
        pytest.param(f"\r\n{der(ROOT)[:64]}\r\n {der(ROOT)[64:]}\n", TOP, id="DER in base64, in lines"),
        pytest.param(pem(key("EC", "authority 1"), ROOT), replace(TOP, key=KeyFound.MATCHING), id="with its key"),
    ],
)
def test_certificate_alone_is_read_in_either_form(value: str, bundle: Bundle) -> None:
    """Certroll reads a certificate without a key from PEM and from DER in base64."""
    found, told = read_leaf(value, BARE)
    assert (found.der, told) == (ROOT.public_bytes(Encoding.DER), bundle)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        pytest.param("", "its value is not a certificate in DER", id="nothing"),
        pytest.param("Pa-ss_word!", "its value is not base64", id="a password"),
        pytest.param("gehe\N{LATIN SMALL LETTER I WITH DIAERESIS}m", "its value is not base64", id="beyond ASCII"),
        pytest.param("c2VjcmV0", "its value is not a certificate in DER", id="a password in base64"),
        pytest.param(pfx(CHAIN), "its value is not a certificate in DER", id="a PFX"),
        pytest.param(der(ROOT)[:-8], "its value is not a certificate in DER", id="a part of one"),
        pytest.param(base64.b64encode(b"\x30\x80" * 2000).decode(), "its value is not a certificate in DER", id="deep"),
        pytest.param("-----BEGIN CERTIFICATE-----\nx", "its certificates cannot be read", id="PEM without an end"),
        pytest.param(pem(ROOT).replace("MI", "!!"), "its certificates cannot be read", id="mangled PEM"),
        pytest.param(pem(key("EC", "authority 1")), "its certificates cannot be read", id="a private key alone"),
    ],
)
def test_what_is_no_certificate_alone_is_refused_without_showing_it(value: str, problem: str) -> None:
    """Certroll refuses a secret that holds no certificate, such as a password, and does not quote the secret."""
    with pytest.raises(Rejected) as caught:
        read_leaf(value, BARE)
    assert (str(caught.value), caught.value.reason) == (problem, Reason.SECRET_UNREADABLE)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("content_type", [PEM, PKCS12, "", "text/plain"])
def test_certificate_alone_is_read_only_where_it_is_asked_for(content_type: str) -> None:
    """Certroll refuses a secret with a `.cer` file in base64 where Certroll needs a certificate with its key."""
    with pytest.raises(Rejected) as caught:
        read_leaf(der(ROOT), content_type)
    assert caught.value.reason is Reason.SECRET_UNREADABLE


# -------------------------------------------------------------------------------------------------------- the adapter


def vault(answer: object) -> KeyVault:
    """Return Certroll's Key Vault client, whose vault returns that secret or raises that exception."""

    def get_secret(name: str, version: str) -> object:
        assert (name, version) == (REF.name, "v1")
        if isinstance(answer, Exception):
            raise answer
        return answer

    clients = SimpleNamespace(secrets=lambda _: SimpleNamespace(get_secret=get_secret))
    return KeyVault(cast("KeyVaults", clients), Retrying(ManualClock()), PfxEncryption.AES256)


def secret(value: str | None, content_type: str | None) -> object:
    """Return a secret in the form of the Key Vault SDK."""
    return SimpleNamespace(value=value, properties=SimpleNamespace(content_type=content_type))


def answered(kind: type[HttpResponseError], status: int, body: bytes) -> HttpResponseError:
    """Return the Key Vault SDK's error for an HTTP answer with that body."""
    wire = requests.Response()
    wire.status_code, wire._content = status, body
    return kind("JSON is invalid", response=RequestsTransportResponse(HttpRequest("GET", "https://x"), wire))


def test_every_pfx_has_a_password_of_its_own() -> None:
    """Each PFX gets its own password of 256 random bits, even if Certroll builds two from the same version."""
    source = vault(secret(pfx(CHAIN), PKCS12))
    passwords = {source.pfx(REF, "v1", LEAF).password for _ in range(3)}
    lengths = {len(base64.urlsafe_b64decode(password + "=")) for password in passwords}
    assert (len(passwords), lengths) == (3, {32})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param((None, PKCS12), NO_PFX, id="no value"),
        pytest.param(("x", None), f"its content type is '', neither {PKCS12} nor {PEM}", id="no content type"),
        pytest.param((pfx(CHAIN), PKCS12), f"it holds the certificate {LEAF}, not {FOREIGN}", id="another certificate"),
    ],
)
def test_refused_secret_is_named(given: tuple[str | None, str | None], problem: str) -> None:
    """The error about an unusable vault secret names the vault certificate and its version."""
    with pytest.raises(Rejected) as caught:
        vault(secret(*given)).pfx(REF, "v1", FOREIGN)
    assert str(caught.value) == f"the secret of vault certificate kv-shop/shop, version v1: {problem}"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        pytest.param(answered(DecodeError, 200, b'{"value": "geheim'), Unavailable, id="a torn answer"),
        pytest.param(answered(HttpResponseError, 403, b"geheim"), Denied, id="a refusal that quotes it"),
        pytest.param(ValueError("Invalid datetime string: geheim"), Rejected, id="an answer of another shape"),
    ],
)
def test_failed_reading_shows_nothing_of_the_answer(failure: Exception, kind: type[AzureError]) -> None:
    """If Key Vault's answer is unreadable, the traceback that the host logs contains no text of the answer."""
    with pytest.raises(kind) as caught:
        vault(failure).pfx(REF, "v1", LEAF)
    assert str(caught.value).startswith("the secret of vault certificate kv-shop/shop, version v1: ")
    assert "geheim" in "".join(traceback.format_exception(failure))
    assert "geheim" not in "".join(traceback.format_exception(caught.value))


def test_operators_choose_the_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting `CERTROLL_PFX_ENCRYPTION` selects the encryption of the PFX files that Certroll uploads."""
    for name, value in (
        ("CERTROLL_VAULTS", "kv-shop"),
        ("CERTROLL_PFX_ENCRYPTION", "aes256"),
        ("AzureWebJobsStorage__accountName", "certroll"),
    ):
        monkeypatch.setenv(name, value)
    with Runtime().run() as run:
        assert cast("KeyVault", run.ports.vault)._encryption is PfxEncryption.AES256
