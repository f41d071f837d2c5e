"""Test that each parser either reads any input or refuses the input with a named reason."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from shared.clients.vault.events import KINDS, read_vault_events
from shared.clients.vault.pfx import _read, build_pfx, read_bundle, read_leaf
from shared.clients.vault.x509_facts import read_facts
from shared.clients.vault.x509_fields import parse
from shared.domain.certificates.pfx import PfxEncryption
from shared.domain.certificates.requirements import BARE, PEM, PKCS12
from shared.domain.certificates.version import KeyFound
from shared.domain.errors import EventRejected, MessageInvalid, Rejected, TargetInvalid
from shared.domain.messages import EnvironmentMessage
from shared.domain.names import EnvironmentRef, InvalidNameError, RootRef
from shared.domain.reason import Reason
from shared.domain.tag_targets import parse_targets
from shared.domain.tags import PUBLIC_TO
from shared.domain.targets import resolve
from tests.build import ASE, DAY, NOW, VAULT
from tests.chains import issued, thumbprint
from tests.properties.promises import Promise, keep, times

Value = TypeVar("Value")
Error = TypeVar("Error", bound=Exception)

TO = "certroll-public-to"
ENTRIES = st.sampled_from(
    ["shop", "rg/shop", "rg/shop/slot", "Büro", "", " ", "a b", "/", "x/", "x" * 91, "a.", "a/b/c/d"]
)
VALUES = st.lists(ENTRIES, max_size=6).map(",".join) | st.text(max_size=256)
KEYS = st.sampled_from([TO, TO.upper(), f" {TO}", *(f"{TO}-{n}" for n in ("0", "1", "2", "02", "3", "99", "100", "x"))])
TAGS = st.lists(st.tuples(KEYS | st.text(max_size=40), VALUES), max_size=15).map(tuple)


def _outcome(parse: Callable[[], Value], kind: type[Error]) -> tuple[Value | None, Error | None]:
    """Return the parser's result, or the named error that the parser raises; any other error fails the test."""
    try:
        return parse(), None
    except kind as error:
        return None, error


@given(TAGS)
def test_tags_give_targets_or_a_reason(tags: tuple[tuple[str, str], ...]) -> None:
    """Certroll finds each target (a site or webspace) in a tag by its own text, or refuses the tag and names it."""
    targets, refused = _outcome(lambda: parse_targets(tags, PUBLIC_TO), TargetInvalid)
    if refused is not None:
        assert refused.reason is Reason.TARGET_INVALID
        assert TO in str(refused)
    targets = targets or ()
    assert len(set(targets)) == len(targets)
    for target in targets:
        assert resolve(target, {"x": frozenset({str(target)}), "y": frozenset()}) == "x"
        assert parse_targets(((TO, str(target)),), PUBLIC_TO) == (target,)


@given(st.dictionaries(st.text(max_size=8), st.frozensets(st.sampled_from(["shop", "rg/shop", "api"]))))
def test_target_is_found_only_where_one_answers(candidates: dict[str, frozenset[str]]) -> None:
    """Certroll resolves a target (a site or webspace that a tag names) only if one candidate has the name."""
    (target,) = parse_targets(((TO, "shop"),), PUBLIC_TO)
    answering = [candidate for candidate, names in candidates.items() if "shop" in names]
    found, _ = _outcome(lambda: resolve(target, candidates), TargetInvalid)
    assert found == (answering[0] if len(answering) == 1 else None)


# ------------------------------------------------------------------------------------------------------- environments

ROOTS = f"{ASE.resource_id}/publicCertificates/"
HOSTILE = st.text("./%25fFeE#?\\\r\n\x00\u0130ab", max_size=12) | st.sampled_from(
    ["corp-root", "..", "%2e%2e", "a%2fb", "%41"]
)
IDS = st.tuples(st.sampled_from([ROOTS, ROOTS.upper(), ASE.resource_id, f"{ASE.resource_id}/", "/", ""]), HOSTILE)


def names_a_root_or_is_refused(resource_id: str) -> None:
    """A resource id names one root certificate and survives a round trip, or `RootRef` refuses the resource id."""
    found, refused = _outcome(lambda: RootRef.parse(resource_id), InvalidNameError)
    if found is None:
        assert len(str(refused)) < LONGEST_MESSAGE
        return
    assert RootRef.parse(found.resource_id) == found
    assert RootRef.parse(found.resource_id.upper()) == found
    assert found.environment == ASE
    assert found.resource_id.removeprefix(ROOTS).count("/") == 0
    assert not {"?", "#", "\\", "\r", "\n", "\x00"} & set(found.resource_id)
    assert found.name not in {"", ".", ".."}


def names_an_environment_or_is_refused(resource_id: str) -> None:
    """A resource id names one App Service Environment and survives a round trip, or `EnvironmentRef` refuses the id.

    A queue message that names a refused environment is also refused.
    """
    found, refused = _outcome(lambda: EnvironmentRef.parse(resource_id), InvalidNameError)
    body = json.dumps({"v": 1, "environment": resource_id, "waits": 0})
    message, odd = _outcome(lambda: EnvironmentMessage.parse(body), MessageInvalid)
    assert (found is None) == (refused is not None) == (odd is not None)
    if found is not None:
        assert EnvironmentRef.parse(found.resource_id) == found
        assert not set("?#%.\\\r\n\x00") & set(found.name)
        assert message == EnvironmentMessage(found)
        assert EnvironmentMessage.parse(message.body()) == message


@times(1.2)
@given(IDS.map("".join))
def test_id_of_any_text_is_read_or_refused(resource_id: str) -> None:
    """Certroll reads any text as the id of a root certificate or an environment, or refuses the text."""
    keep(resource_id, (names_a_root_or_is_refused, names_an_environment_or_is_refused))


@pytest.mark.parametrize(
    ("promise", "odd"),
    [
        (names_a_root_or_is_refused, RootRef(ASE, "..")),
        (names_an_environment_or_is_refused, replace(ASE, name="a?b")),
    ],
)
def test_each_promise_about_ids_can_fail(
    promise: Promise[str], odd: RootRef | EnvironmentRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The promises about ids fail for a parser that accepts an odd name."""
    text = f"{ROOTS}corp-root"
    promise(text)
    monkeypatch.setattr(type(odd), "parse", lambda _: odd)
    with pytest.raises(AssertionError):
        promise(text)


# ------------------------------------------------------------------------------------------ certificates and secrets

CHAIN = issued("EC", 2)
ABOVE = (*CHAIN.intermediates, CHAIN.root)
LEAF = thumbprint(CHAIN.leaf)
LONGEST_MESSAGE = 300
UNUSABLE = {Reason.SECRET_UNREADABLE, Reason.NO_PRIVATE_KEY, Reason.KEY_MISMATCH, Reason.ANOTHER_CERTIFICATE}
PASSWORD = "Pa-ss_word"  # noqa: S105 - of keys that are made for this test
# The cryptography library only warns about some oddities, such as a serial number that is not positive.
ODD = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
BER = pytest.mark.filterwarnings("ignore:PKCS#12 bundle could not be parsed as DER:UserWarning")


def _rich() -> bytes:
    """Return a certificate with every extension that Certroll reads, and with some other extensions."""
    extensions: tuple[x509.ExtensionType, ...] = (
        x509.SubjectAlternativeName([x509.DNSName("shop.contoso.com"), x509.RFC822Name("a@contoso.com")]),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier("2.23.140.1.2.1"), ["https://contoso.com"])]),
        x509.BasicConstraints(ca=False, path_length=None),
        x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"),
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(CHAIN.leaf.subject)
        .issuer_name(CHAIN.leaf.issuer)
        .public_key(CHAIN.key.public_key())
        .serial_number(2**100)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(CHAIN.key, hashes.SHA256()).public_bytes(Encoding.DER)


CERTIFICATES = (_rich(), *(certificate.public_bytes(Encoding.DER) for certificate in (CHAIN.leaf, CHAIN.root)))
PFX = pkcs12.serialize_key_and_certificates(None, CHAIN.key, CHAIN.leaf, ABOVE, NoEncryption())
KEY = CHAIN.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PEM_PARTS = (KEY, *(certificate.public_bytes(Encoding.PEM) for certificate in (CHAIN.leaf, *ABOVE)))


@st.composite
def broken(draw: st.DrawFn, *seeds: bytes) -> bytes:
    """Return a valid value with up to four random faults: bytes changed, removed, repeated, inserted or cut off."""
    value = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        at, length = draw(st.integers(0, len(value))), draw(st.integers(0, 40))
        some = draw(st.binary(max_size=4))
        changes = (
            value[:at] + some + value[at + len(some) :],
            value[:at] + value[at + length :],
            value[: at + length] + value[at:],
            value[:at] + some + value[at:],
            value[:at],
        )
        value = draw(st.sampled_from(changes))
    return value


@ODD
@given(broken(*CERTIFICATES))
def test_certificate_is_read_or_named_unreadable(der: bytes) -> None:
    """Certroll reads facts from any bytes, or says in one sentence that the bytes are no certificate."""
    found, error = _outcome(lambda: read_facts(der), ValueError)
    _outcome(lambda: (parse(der).begins, parse(der).ends), ValueError)
    if found is not None:
        assert found.serial_octets > 0
        assert all(name == name.lower() for name in found.host_names)
    else:
        assert type(error) is ValueError
        assert "certificate" in str(error)
        assert len(str(error)) < LONGEST_MESSAGE


def _text(octets: bytes) -> str:
    return octets.decode("latin-1")


SECRETS = st.one_of(
    st.tuples(broken(PFX).map(base64.b64encode).map(_text), st.just(PKCS12)),
    st.tuples(broken(base64.b64encode(PFX)).map(_text), st.just(PKCS12)),
    st.tuples(broken(b"".join(PEM_PARTS)).map(_text), st.just(PEM)),
    st.tuples(
        st.lists(broken(*PEM_PARTS), max_size=6).map(b"".join).map(_text),
        st.sampled_from([PEM, PKCS12, BARE, "text/plain", ""]),
    ),
    st.tuples(broken(CERTIFICATES[-1]).map(base64.b64encode).map(_text), st.just(BARE)),
    st.tuples(st.text(max_size=60), st.sampled_from([PEM, PKCS12, BARE])),
)


def _is_named(error: Rejected | None) -> bool:
    """Return True if a parser's error has an expected reason, a short text and no cause that could quote the value."""
    short = error is not None and 0 < len(str(error)) < LONGEST_MESSAGE
    return short and error.reason in UNUSABLE and (error.__cause__, error.__context__) == (None, None)


@ODD
@BER
@given(SECRETS)
def test_secret_is_read_or_named_unusable(secret: tuple[str, str]) -> None:
    """Certroll builds a PFX from any value of a secret, or refuses the value with a reason that does not quote it."""
    value, kind = secret
    built, error = _outcome(lambda: build_pfx(value, kind, LEAF, PfxEncryption.AES256, PASSWORD), Rejected)
    bundle, unread = _outcome(lambda: read_bundle(value, kind, LEAF), Rejected)
    leaf, unfound = _outcome(lambda: read_leaf(value, kind), Rejected)
    assert built is not None or _is_named(error)
    assert bundle is not None or _is_named(unread)
    assert leaf is not None or _is_named(unfound)
    if built is not None:
        assert built.bundle == bundle
        assert leaf is not None
        assert leaf[1].key is KeyFound.MATCHING
        assert bundle is not None
        assert bundle.key is KeyFound.MATCHING
        opened = _loaded(lambda: pkcs12.load_pkcs12(built.blob, PASSWORD.encode()))
        ders = [certificate.der for certificate in _read(value, kind.strip().lower()).certificates]
        odd = any(_loaded(partial(x509.load_der_x509_certificate, der)) is None for der in ders)
        assert odd if opened is None else opened.cert is not None


def _loaded(load: Callable[[], Value]) -> Value | None:
    """Return what the library `cryptography` loads, None if the library refuses a malformed certificate."""
    try:
        return load()
    except (ValueError, x509.InvalidVersion):
        return None


# ------------------------------------------------------------------------------------------------------------ events

WORDS = st.sampled_from(
    ["eventType", "type", " DATA ", "data", "VaultName", "ObjectName ", "subject", "topic", VAULT, "shop", *KINDS]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | WORDS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=5),
    max_leaves=12,
)
EVENT = {"eventType": next(iter(KINDS)), "data": {"VaultName": VAULT, "ObjectName": "shop"}}
EVENTS = st.one_of(
    broken(json.dumps(EVENT).encode()).map(_text),
    JSON.map(json.dumps),
    st.fixed_dictionaries({"eventType": WORDS, "data": JSON}).map(json.dumps),
    st.text(max_size=60),
)


@given(EVENTS)
def test_event_asks_for_one_of_our_certificates_or_is_named(text: str) -> None:
    """Certroll reads any text as events about objects of its own vaults, or rejects them with a reason each."""
    events = read_vault_events(text, frozenset({VAULT}))
    assert events
    for event in events:
        if isinstance(event, EventRejected):
            assert event.reason in {Reason.MALFORMED_EVENT, Reason.UNKNOWN_EVENT, Reason.UNKNOWN_VAULT}
        else:
            assert event.ref.vault == VAULT
