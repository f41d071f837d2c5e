"""Certroll checks whether a certificate meets the requirements of its use."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.certificates.judges import compares, validity_days
from shared.domain.certificates.requirements import PEM, PKCS12, Case, Level, Requirement, Use
from shared.domain.certificates.rules import ANY, RULES, check, refusals, warnings
from shared.domain.certificates.version import (
    Bundle,
    CertificateFacts,
    CertificateVersion,
    InUse,
    IssuerName,
    KeyFound,
    KeyPolicy,
    KeyType,
    Part,
)
from shared.domain.names import HostName
from shared.domain.reason import Reason
from tests.build import DAY, HOST, HOUR, NOW, bundled, facts, issuer_name, version

KEY = KeyPolicy(exportable=True, content_type=PKCS12)
COMPLETE = bundled(KeyFound.MATCHING, ("Issuing CA", "Root CA"), None, ordered=True)
GOOD = Case(version(), Use.UPLOAD, NOW, (InUse(facts(), COMPLETE),), KEY, (HOST,))
SELF_SIGNED = facts(self_signed=True)
ROOT = facts(self_signed=True, is_ca=True)
PASS, WARN, REFUSE, UNSEEN = Level


def case(
    new: CertificateFacts | None = None,
    use: Use | None = Use.UPLOAD,
    *,
    version: CertificateVersion | None = None,
    **given: object,
) -> Case:
    """Return a case that meets all requirements except for these facts, this use and the given fields.

    The argument `bundle` belongs to the new version. The arguments `before` and `bundle_before` belong to the version
    in use. Nothing is in use if `before` is None.
    """
    judged = version or replace(GOOD.version, facts=new or facts(), bundle=given.pop("bundle", COMPLETE))
    before, chain = given.pop("before", facts()), given.pop("bundle_before", COMPLETE)
    old = () if before is None else (InUse(before, chain),)  # type: ignore[arg-type]
    # Each given value has the type of its field in the test case.
    return replace(GOOD, version=judged, use=use, in_use=old, **given)  # type: ignore[arg-type]


def of(requirement: Requirement, judged: Case) -> tuple[Level, str] | None:
    """Return the verdict on a requirement, or None if Certroll does not check the requirement for this use."""
    return next(
        ((verdict.level, verdict.detail) for verdict in check(judged) if verdict.requirement is requirement), None
    )


# ------------------------------------------------------------------------------------------------------- the whole list


def test_good_certificate_passes_everything() -> None:
    """A good certificate passes every requirement of every use."""
    good = {use: ROOT if use is Use.ROOT else facts(serial_octets=9) for use in Use}
    judged = [(use, verdict) for use in Use for verdict in check(case(good[use], use, before=good[use]))]
    assert {use for use, _ in judged} == set(Use)
    assert [(use, verdict) for use, verdict in judged if verdict.level is not PASS] == []


BY_ITSELF = "Enabled NotExpired IssuerKept SerialNumber Signature Started"
VAULT = "ExportableKey ContentType PrivateKey MatchingKey"


@pytest.mark.parametrize(
    ("use", "asked"),
    [
        pytest.param(None, BY_ITSELF, id="by itself"),
        pytest.param(
            Use.IMPORT,
            f"{BY_ITSELF} {VAULT} RsaKey KeySize Chain ChainOrder ValidityLimit",
            id="an import",
        ),
        pytest.param(
            Use.UPLOAD,
            f"{BY_ITSELF} {VAULT} KeySize Chain ChainOrder ValidityLimit",
            id="an upload",
        ),
        pytest.param(
            Use.BINDING,
            f"{BY_ITSELF} KeySize ServerAuth HostNames ValidityLimit",
            id="a binding",
        ),
        pytest.param(
            Use.OUTBOUND,
            f"{BY_ITSELF} KeySize ClientAuth ValidityLimit",
            id="calls of an app",
        ),
        pytest.param(Use.PUBLIC, BY_ITSELF, id="the public part alone"),
        pytest.param(Use.ROOT, f"{BY_ITSELF} Authority SelfSigned", id="a root that apps are to trust"),
    ],
)
def test_use_decides_what_is_asked(use: Use | None, asked: str) -> None:
    """Certroll checks exactly the listed requirements for each use of a certificate with an RSA key."""
    assert [str(verdict.requirement) for verdict in check(case(facts(public_policy=True), use))] == asked.split()


def test_each_requirement_has_one_line() -> None:
    """Each requirement is in Certroll's table once, and requirements for all uses come first."""
    assert [rule.requirement for rule in RULES] == list(Requirement)
    assert [rule.uses == ANY for rule in RULES] == sorted((rule.uses == ANY for rule in RULES), reverse=True)


@pytest.mark.parametrize("use", [Use.IMPORT, Use.UPLOAD])
def test_what_was_not_looked_at_is_never_fine(use: Use) -> None:
    """If Certroll could not read a certificate, only its dates and its enabled state pass, and nothing is refused.

    The verdict on a requirement is `UNSEEN` if Certroll could not read the certificate or its vault object.
    """
    blind = Case(version(facts=None), use, NOW)
    unseen = {verdict.requirement: verdict.detail for verdict in check(blind) if verdict.level is UNSEEN}
    by_dates = {Requirement.ENABLED, Requirement.NOT_EXPIRED, Requirement.STARTED}
    assert {verdict.requirement for verdict in check(blind) if verdict.level is PASS} == by_dates
    assert (unseen[Requirement.SERIAL_NUMBER], unseen[Requirement.CONTENT_TYPE], unseen[Requirement.CHAIN]) == (
        "Certroll did not read the certificate",
        "Certroll did not read the vault object",
        "Certroll read only the certificate, without its key and chain",
    )
    assert (refusals(blind), warnings(blind)) == ((), ())


def test_the_first_reason_is_what_people_did_on_purpose() -> None:
    """Certroll reports all violated requirements in the order of Certroll's table, each with its reason."""
    bad = case(version=version(enabled=False, not_after=NOW - DAY, facts=facts(serial_octets=21, key_size=1024)))
    assert [verdict.reason for verdict in refusals(bad)] == [
        Reason.VERSION_DISABLED,
        Reason.EXPIRED,
        Reason.SERIAL_TOO_LONG,
        Reason.KEY_TOO_SMALL,
    ]


# ---------------------------------------------------------------------------------------------- a version by itself

DATES = Requirement.NOT_EXPIRED, Requirement.STARTED


@pytest.mark.parametrize(
    ("judged", "requirement", "level", "detail"),
    [
        pytest.param(version(), Requirement.ENABLED, PASS, "it is enabled", id="enabled"),
        pytest.param(version(enabled=False), Requirement.ENABLED, REFUSE, "it is disabled", id="disabled"),
        pytest.param(
            version(not_after=NOW), Requirement.NOT_EXPIRED, REFUSE, "it expired at 2026-11-21 12:00 UTC", id="over"
        ),
        pytest.param(
            version(not_after=NOW + timedelta(seconds=1)),
            Requirement.NOT_EXPIRED,
            PASS,
            "it is valid until 2026-11-21 12:00 UTC",
            id="over in a second",
        ),
        pytest.param(
            version(not_before=NOW), Requirement.STARTED, PASS, "it is valid from 2026-11-21 12:00 UTC", id="just begun"
        ),
        pytest.param(
            version(not_before=NOW + HOUR),
            Requirement.STARTED,
            REFUSE,
            "it is valid from 2026-11-21 13:00 UTC",
            id="not begun",
        ),
    ],
)
def test_version_is_judged_by_its_own_dates(
    judged: CertificateVersion, requirement: Requirement, level: Level, detail: str
) -> None:
    """Certroll requires for each use of a certificate that the version is enabled and valid now."""
    assert of(requirement, case(version=judged, use=None)) == (level, detail)


@pytest.mark.parametrize(
    ("new", "before", "level", "detail"),
    [
        pytest.param(facts(), facts(), PASS, "it was issued by Contoso Issuing CA", id="issued as before"),
        pytest.param(facts(), SELF_SIGNED, PASS, "it was issued by Contoso Issuing CA", id="no longer self-signed"),
        pytest.param(
            SELF_SIGNED, facts(), REFUSE, "it is self-signed and the version before it was not", id="newly self-signed"
        ),
        pytest.param(
            SELF_SIGNED,
            SELF_SIGNED,
            PASS,
            "it is self-signed, like the version before it, if there is such a version",
            id="self-signed as before",
        ),
        pytest.param(
            SELF_SIGNED,
            None,
            PASS,
            "it is self-signed, like the version before it, if there is such a version",
            id="the first, self-signed",
        ),
    ],
)
def test_issuer_must_not_get_lost(
    new: CertificateFacts, before: CertificateFacts | None, level: Level, detail: str
) -> None:
    """Certroll refuses a self-signed version only after a version that was not self-signed."""
    assert of(Requirement.ISSUER_KEPT, case(new, None, before=before)) == (level, detail)


@pytest.mark.parametrize(
    ("octets", "use", "before", "level", "detail"),
    [
        pytest.param(20, None, 8, PASS, "its serial number has 20 octets", id="20 octets, by itself"),
        pytest.param(
            21, None, 8, REFUSE, "its serial number has 21 octets; at most 20 are allowed", id="21 octets, by itself"
        ),
        pytest.param(
            21, None, 21, REFUSE, "its serial number has 21 octets; at most 20 are allowed", id="21 octets as before"
        ),
        pytest.param(10, Use.UPLOAD, 8, PASS, "its serial number has 10 octets", id="10 octets, uploaded"),
        pytest.param(
            11,
            Use.UPLOAD,
            10,
            WARN,
            "its serial number has 11 octets; App Service documents 10 for uploads",
            id="11 octets, uploaded",
        ),
        pytest.param(
            11,
            Use.UPLOAD,
            None,
            WARN,
            "its serial number has 11 octets; App Service documents 10 for uploads",
            id="11 octets, uploaded for the first time",
        ),
        pytest.param(20, Use.UPLOAD, 11, PASS, "its serial number has 20 octets", id="20 octets, as the one in use"),
        pytest.param(20, Use.IMPORT, 8, PASS, "its serial number has 20 octets", id="20 octets, imported"),
    ],
)
def test_serial_number_has_a_length(
    octets: int, use: Use | None, before: int | None, level: Level, detail: str
) -> None:
    """Certroll refuses a serial number that is longer than X.509 allows.

    Certroll warns about an upload's serial number that is newly longer than App Service documents.
    """
    old = None if before is None else facts(serial_octets=before)
    assert of(Requirement.SERIAL_NUMBER, case(facts(serial_octets=octets), use, before=old)) == (level, detail)


@pytest.mark.parametrize(
    ("new", "before", "level", "detail"),
    [
        pytest.param("sha256", facts(), PASS, "it is signed with sha256", id="as usual"),
        pytest.param("1.3.101.112", facts(), PASS, "it is signed with 1.3.101.112", id="an algorithm without a hash"),
        pytest.param(
            "sha1",
            facts(signature_hash="sha1"),
            WARN,
            "it is signed with sha1, which clients no longer trust",
            id="weak as before",
        ),
        pytest.param(
            "md5",
            facts(signature_hash="sha1"),
            WARN,
            "it is signed with md5, which clients no longer trust",
            id="weaker than weak",
        ),
        pytest.param("sha1", None, WARN, "it is signed with sha1, which clients no longer trust", id="weak, the first"),
        pytest.param(
            "sha1",
            SELF_SIGNED,
            WARN,
            "it is signed with sha1, which clients no longer trust",
            id="after a self-signed one",
        ),
        pytest.param(
            "sha1",
            facts(),
            REFUSE,
            "it is signed with sha1, which clients no longer trust; the version before it was signed with sha256",
            id="newly weak",
        ),
    ],
)
def test_signature_must_not_get_weaker(new: str, before: CertificateFacts | None, level: Level, detail: str) -> None:
    """Certroll warns about an outdated signature hash, and refuses it after a version with a trusted hash."""
    assert of(Requirement.SIGNATURE, case(facts(signature_hash=new), None, before=before)) == (level, detail)


def test_nobody_checks_the_signature_of_a_self_signed_certificate() -> None:
    """Certroll accepts a self-signed certificate with a SHA-1 signature, because TLS clients ignore this signature."""
    old_root = facts(self_signed=True, signature_hash="sha1")
    assert of(Requirement.SIGNATURE, case(old_root, Use.PUBLIC)) == (PASS, "it is signed with sha1")


# ------------------------------------------------------------------------------------------------------- key and format


@pytest.mark.parametrize("use", [Use.IMPORT, Use.UPLOAD])
def test_key_must_leave_the_vault(use: Use) -> None:
    """Certroll refuses to import or upload a certificate whose private key the vault does not export."""
    stays = KeyPolicy(exportable=False, content_type=PKCS12)
    assert of(Requirement.EXPORTABLE_KEY, case(use=use, key=stays)) == (
        REFUSE,
        "its key is not exportable, so App Service cannot get the key: issue a version with an exportable key",
    )


@pytest.mark.parametrize(
    ("use", "content_type", "level", "detail"),
    [
        pytest.param(Use.IMPORT, PKCS12, PASS, f"its content type is {PKCS12}", id="PKCS12, imported"),
        pytest.param(
            Use.IMPORT,
            PEM,
            REFUSE,
            f"its content type is '{PEM}'; App Service imports {PKCS12} only",
            id="PEM, imported",
        ),
        pytest.param(Use.UPLOAD, PEM, PASS, f"its content type is {PEM}", id="PEM, which an upload converts"),
        pytest.param(
            Use.UPLOAD,
            "x" * 99,
            REFUSE,
            f"its content type is '{'x' * 60}'; Certroll uploads {PKCS12} and {PEM} only",
            id="something else",
        ),
    ],
)
def test_format_must_be_readable(use: Use, content_type: str, level: Level, detail: str) -> None:
    """Certroll accepts PKCS12 for an import, and PKCS12 or PEM for an upload."""
    policy = KeyPolicy(exportable=True, content_type=content_type)
    assert of(Requirement.CONTENT_TYPE, case(use=use, key=policy)) == (level, detail)


@pytest.mark.parametrize(
    ("key", "present", "matching"),
    [
        pytest.param(
            KeyFound.NONE,
            (REFUSE, "it comes without a private key: the certificate's policy must allow the key's export"),
            None,
            id="no key",
        ),
        pytest.param(
            KeyFound.FOREIGN,
            (PASS, "it comes with a private key"),
            (REFUSE, "its private key belongs to another certificate"),
            id="another one's key",
        ),
        pytest.param(
            KeyFound.MATCHING,
            (PASS, "it comes with a private key"),
            (PASS, "its private key matches"),
            id="its own key",
        ),
    ],
)
def test_private_key_must_be_its_own(key: KeyFound, present: object, matching: object) -> None:
    """Certroll requires a private key that belongs to the certificate."""
    judged = case(bundle=replace(COMPLETE, key=key))
    assert (of(Requirement.PRIVATE_KEY, judged), of(Requirement.MATCHING_KEY, judged)) == (present, matching)


def elliptic(curve: str | None, kind: KeyType = KeyType.EC) -> CertificateFacts:
    """Return the facts of a certificate whose key is on that curve."""
    return facts(key_type=kind, key_size=256, curve=curve)


@pytest.mark.parametrize(
    ("new", "before", "importable", "uploadable"),
    [
        pytest.param(facts(), None, (PASS, "its key is RSA"), None, id="RSA"),
        pytest.param(
            elliptic("secp256r1"),
            None,
            (REFUSE, "its key is EC; App Service imports RSA keys only from a vault"),
            (PASS, "its key is on the curve secp256r1"),
            id="P-256",
        ),
        pytest.param(
            elliptic("secp256k1"),
            facts(),
            (REFUSE, "its key is EC; App Service imports RSA keys only from a vault"),
            (REFUSE, "its key is secp256k1; TLS servers know secp256r1, secp384r1, secp521r1"),
            id="a curve that TLS does not use",
        ),
        pytest.param(
            elliptic("secp256k1"),
            elliptic("secp256k1"),
            (REFUSE, "its key is EC; App Service imports RSA keys only from a vault"),
            (WARN, "its key is secp256k1; TLS servers know secp256r1, secp384r1, secp521r1"),
            id="such a curve, in use",
        ),
        pytest.param(
            elliptic(None, KeyType.OTHER),
            elliptic(None),
            (REFUSE, "its key is other; App Service imports RSA keys only from a vault"),
            (REFUSE, "its key is other; TLS servers know secp256r1, secp384r1, secp521r1"),
            id="neither RSA nor elliptic",
        ),
    ],
)
def test_kind_of_key_is_judged_by_the_way_in(
    new: CertificateFacts, before: CertificateFacts | None, importable: object, uploadable: object
) -> None:
    """Certroll imports only RSA keys, and uploads RSA keys and keys on the curves that TLS servers support."""
    judged = [case(new, use, before=before) for use in (Use.IMPORT, Use.UPLOAD)]
    assert of(Requirement.RSA_KEY, judged[0]) == importable
    assert of(Requirement.KNOWN_CURVE, judged[1]) == uploadable


@pytest.mark.parametrize("use", [Use.IMPORT, Use.UPLOAD, Use.BINDING, Use.OUTBOUND])
def test_small_rsa_key_is_refused(use: Use) -> None:
    """Certroll refuses an RSA key below 2048 bits, and does not check the size of an elliptic-curve key."""
    assert of(Requirement.KEY_SIZE, case(facts(key_size=2047), use)) == (
        REFUSE,
        "its RSA key has 2047 bits; at least 2048 are needed",
    )
    assert of(Requirement.KEY_SIZE, case(facts(key_size=2048), use)) == (PASS, "its RSA key has 2048 bits")
    assert of(Requirement.KEY_SIZE, case(elliptic("secp256r1"), use)) is None


# ---------------------------------------------------------------------------------------------- the uses of a version

NO_SERVER, NO_CLIENT = facts(server_auth=False), facts(client_auth=False)
SERVER = "its extended key usage does not allow server authentication"
CLIENT = "its extended key usage does not allow client authentication"


@pytest.mark.parametrize(
    ("new", "before", "verdict"),
    [
        pytest.param(NO_CLIENT, None, (PASS, "it allows server authentication"), id="allowed"),
        pytest.param(
            NO_SERVER,
            facts(),
            (REFUSE, f"{SERVER}, but the version in use does: browsers would refuse the new version"),
            id="lost",
        ),
        pytest.param(
            NO_SERVER, NO_SERVER, (WARN, f"{SERVER}, and the version in use does not either"), id="never there"
        ),
        pytest.param(
            NO_SERVER,
            None,
            (REFUSE, f"{SERVER}, and Certroll does not know what the version in use allows"),
            id="the first",
        ),
    ],
)
def test_binding_needs_server_authentication(
    new: CertificateFacts, before: CertificateFacts | None, verdict: tuple[Level, str]
) -> None:
    """Certroll refuses to bind a new version that lost, or may have lost, the key usage for server authentication."""
    assert of(Requirement.SERVER_AUTH, case(new, Use.BINDING, before=before)) == verdict


@pytest.mark.parametrize(
    ("new", "before", "verdict"),
    [
        pytest.param(NO_SERVER, None, (PASS, "it allows client authentication"), id="allowed"),
        pytest.param(
            NO_CLIENT,
            facts(),
            (REFUSE, f"{CLIENT}, but the version in use does: partners would refuse the app's calls"),
            id="lost",
        ),
        pytest.param(
            NO_CLIENT, NO_CLIENT, (WARN, f"{CLIENT}, and the version in use does not either"), id="never there"
        ),
        pytest.param(NO_CLIENT, None, (WARN, CLIENT), id="the first"),
    ],
)
def test_calls_need_client_authentication(
    new: CertificateFacts, before: CertificateFacts | None, verdict: tuple[Level, str]
) -> None:
    """Certroll refuses to give an app a new version that lost the key usage for client authentication."""
    assert of(Requirement.CLIENT_AUTH, case(new, Use.OUTBOUND, before=before)) == verdict


# ------------------------------------------------------------------------------------------ several, or an unknown one

UNKNOWN, LIKELY = InUse(), InUse(shown_self_signed=True)
HAND = "let the app use the new version by hand if its partners take it"


@pytest.mark.parametrize(
    ("requirement", "new", "use", "detail"),
    [
        pytest.param(
            Requirement.ISSUER_KEPT,
            SELF_SIGNED,
            None,
            "it is self-signed, and nothing shows Certroll that the certificate in use is, too",
            id="self-signed",
        ),
        pytest.param(
            Requirement.SIGNATURE,
            facts(signature_hash="sha1"),
            None,
            "it is signed with sha1, which clients no longer trust; Certroll does not know how the version in use was "
            "signed",
            id="weakly signed",
        ),
        pytest.param(
            Requirement.SERVER_AUTH,
            NO_SERVER,
            Use.BINDING,
            f"{SERVER}, and Certroll does not know what the version in use allows",
            id="without server authentication",
        ),
        pytest.param(
            Requirement.CLIENT_AUTH,
            NO_CLIENT,
            Use.OUTBOUND,
            f"{CLIENT}, and Certroll does not know what the version in use allows: {HAND}",
            id="without client authentication",
        ),
    ],
)
def test_what_is_in_use_and_unknown_may_be_better(
    requirement: Requirement, new: CertificateFacts, use: Use | None, detail: str
) -> None:
    """Certroll refuses a poor version in the place of a certificate that Certroll could not read."""
    same = InUse(new)
    for known in ((UNKNOWN,), (same, UNKNOWN), (UNKNOWN, same)):
        assert of(requirement, replace(case(new, use), in_use=known)) == (REFUSE, detail)
    assert of(requirement, replace(case(new, use), in_use=(same,)))[0] is not REFUSE  # type: ignore[index]


def test_a_leaked_certificate_gives_way_to_one_without_client_authentication() -> None:
    """A disabled certificate that Certroll cannot read keeps no app from a version without client authentication."""
    judged = replace(case(NO_CLIENT, Use.OUTBOUND), in_use=(InUse(disabled=True),))
    assert of(Requirement.CLIENT_AUTH, judged) == (WARN, CLIENT)
    judged = replace(case(NO_CLIENT, Use.OUTBOUND), in_use=(InUse(facts(), disabled=True),))
    assert of(Requirement.CLIENT_AUTH, judged)[0] is REFUSE  # type: ignore[index]


def test_a_curve_in_use_is_the_curve_of_all() -> None:
    """Certroll uploads an uncommon curve only where each certificate in use has the same curve."""
    odd = facts(key_type=KeyType.EC, curve="secp256k1")
    levels = [
        of(Requirement.KNOWN_CURVE, replace(case(odd, Use.UPLOAD), in_use=known))[0]  # type: ignore[index]
        for known in ((InUse(odd),), (InUse(odd), InUse(facts())), (InUse(odd), UNKNOWN), (UNKNOWN,), ())
    ]
    assert levels == [WARN, REFUSE, REFUSE, REFUSE, REFUSE]


@pytest.mark.parametrize("worse_than", [0, 1])
def test_the_best_certificate_in_use_decides(worse_than: int) -> None:
    """If a version replaces several certificates, Certroll refuses a version that is worse than one of them."""
    for requirement, new, use in (
        (Requirement.ISSUER_KEPT, SELF_SIGNED, None),
        (Requirement.SIGNATURE, facts(signature_hash="sha1"), None),
        (Requirement.SERVER_AUTH, NO_SERVER, Use.BINDING),
        (Requirement.CLIENT_AUTH, NO_CLIENT, Use.OUTBOUND),
    ):
        known = [InUse(new), InUse(new)]
        known[worse_than] = InUse(facts())
        assert of(requirement, replace(case(new, use), in_use=tuple(known)))[0] is REFUSE  # type: ignore[index]
    lost, whole = bundled(KeyFound.MATCHING, (), "Issuing CA", ordered=True), InUse(facts(), COMPLETE)
    chains = [InUse(facts(), lost), InUse(facts(), lost)]
    chains[worse_than] = whole
    assert of(Requirement.CHAIN, replace(case(bundle=lost), in_use=tuple(chains)))[0] is REFUSE  # type: ignore[index]


def test_the_word_of_app_service_is_enough_for_a_self_signed_certificate() -> None:
    """A self-signed version may replace a certificate whose own name App Service shows as its issuer."""
    assert of(Requirement.ISSUER_KEPT, replace(case(SELF_SIGNED, None), in_use=(LIKELY,)))[0] is PASS  # type: ignore[index]


ISSUE = "issue one that does, or bind another certificate"


@pytest.mark.parametrize(
    ("hosts", "verdict"),
    [
        pytest.param((), None, id="no host name is asked for"),
        pytest.param((HOST,), (PASS, f"it covers {HOST}"), id="covered"),
        pytest.param(
            (HostName("b.contoso.com"), HOST, HostName("a.contoso.com"), HostName("b.contoso.com")),
            (REFUSE, f"the new version does not cover a.contoso.com, b.contoso.com: {ISSUE}"),
            id="two that are not, each named once",
        ),
    ],
)
def test_host_names_must_be_covered(hosts: tuple[HostName, ...], verdict: object) -> None:
    """Certroll requires that a certificate covers each host name, and names the uncovered host names."""
    assert of(Requirement.HOST_NAMES, case(use=Use.BINDING, hosts=hosts)) == verdict


@pytest.mark.parametrize(
    ("new", "authority", "self_signed"),
    [
        pytest.param(
            ROOT,
            (PASS, "it belongs to a certificate authority"),
            (PASS, "it is self-signed, as a root is"),
            id="a root",
        ),
        pytest.param(
            facts(is_ca=True),
            (PASS, "it belongs to a certificate authority"),
            (
                REFUSE,
                "it was issued by Contoso Issuing CA: put the root itself into the vault, not an intermediate",
            ),
            id="an intermediate",
        ),
        pytest.param(
            SELF_SIGNED,
            (
                REFUSE,
                "its basic constraints do not allow it to sign certificates: nobody would trust what it signed",
            ),
            (PASS, "it is self-signed, as a root is"),
            id="a server's own",
        ),
    ],
)
def test_root_is_a_self_signed_authority(
    new: CertificateFacts, authority: tuple[Level, str], self_signed: tuple[Level, str]
) -> None:
    """Certroll uploads a certificate as a root only if it is a self-signed authority."""
    judged = case(new, Use.ROOT, before=new)
    assert (of(Requirement.AUTHORITY, judged), of(Requirement.SELF_SIGNED, judged)) == (authority, self_signed)


def test_root_is_refused_with_reasons_of_its_own() -> None:
    """Certroll gives two reasons against a root that is neither an authority nor self-signed."""
    reasons = [verdict.reason for verdict in refusals(case(facts(), Use.ROOT))]
    assert reasons == [Reason.NOT_AN_AUTHORITY, Reason.NOT_SELF_SIGNED]


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(facts(self_signed=True, is_ca=True, key_size=1024), id="a small key"),
        pytest.param(facts(self_signed=True, is_ca=True, server_auth=False, client_auth=False), id="no usage of TLS"),
        pytest.param(facts(self_signed=True, is_ca=True, signature_hash="sha1"), id="a weak signature of its own"),
        pytest.param(facts(self_signed=True, is_ca=True, key_type=KeyType.OTHER), id="a key that App Service cannot"),
    ],
)
def test_root_needs_no_key_and_no_usage(new: CertificateFacts) -> None:
    """Certroll checks neither key, usage nor signature of a root, because apps only trust it."""
    bare = case(new, Use.ROOT, before=None, bundle=None, key=None)
    assert [verdict for verdict in check(bare) if verdict.level is not PASS] == []


# --------------------------------------------------------------------------------------------------------- the chain

CUT = bundled(KeyFound.MATCHING, ("Issuing CA",), "Root CA", ordered=True)
BARE = bundled(KeyFound.MATCHING, (), "Issuing CA", ordered=True)
CUT_SHORT = "its chain ends with Issuing CA, without the issuer Root CA"
HAS = "the version in use has its intermediates"
LOST = f"its chain ends with the certificate itself, without the issuer Issuing CA; {HAS}"
LONG = bundled(KeyFound.MATCHING, ("Issuing CA", "Policy CA", "Root CA"), None, ordered=True)
SHORT = bundled(KeyFound.MATCHING, ("Issuing CA",), "Policy CA", ordered=True)
SHORT_OF = "its chain ends with Issuing CA, without the issuer Policy CA"
HINT = "if that issuer is an intermediate, put its certificate into the vault object"


@pytest.mark.parametrize(
    ("bundle", "before", "verdict"),
    [
        pytest.param(COMPLETE, CUT, (PASS, "its chain is complete: 2 above it, up to the root"), id="complete"),
        pytest.param(
            CUT,
            CUT,
            (WARN, f"{CUT_SHORT}: {HINT}"),
            id="without the last one, as before",
        ),
        pytest.param(
            BARE,
            None,
            (
                WARN,
                f"its chain ends with the certificate itself, without the issuer Issuing CA: {HINT}",
            ),
            id="nothing above it, and what is in use is not known",
        ),
        pytest.param(
            CUT,
            COMPLETE,
            (WARN, f"{CUT_SHORT}: {HINT}"),
            id="without its root alone, which need not be sent",
        ),
        pytest.param(BARE, COMPLETE, (REFUSE, LOST), id="without the intermediate that the version in use has"),
        pytest.param(BARE, CUT, (REFUSE, LOST), id="without any, where the version in use had all but the root"),
        pytest.param(SHORT, LONG, (REFUSE, f"{SHORT_OF}; {HAS}"), id="without the second of two intermediates"),
        pytest.param(
            replace(BARE, missing=issuer_name("Root CA")),
            replace(COMPLETE, issuers=("Root CA",)),
            (WARN, f"its chain ends with the certificate itself, without the issuer Root CA: {HINT}"),
            id="issued by the root itself, as before",
        ),
        pytest.param(
            replace(BARE, missing=issuer_name("Root CA")),
            COMPLETE,
            (WARN, f"its chain ends with the certificate itself, without the issuer Root CA: {HINT}"),
            id="issued by the root itself, where an intermediate was between",
        ),
        pytest.param(
            replace(BARE, missing=issuer_name("Root CA")),
            replace(COMPLETE, issuers=()),
            (WARN, f"its chain ends with the certificate itself, without the issuer Root CA: {HINT}"),
            id="issued by a root, where it was its own root",
        ),
        pytest.param(
            replace(BARE, missing=issuer_name("Root CA")),
            CUT,
            (WARN, f"its chain ends with the certificate itself, without the issuer Root CA: {HINT}"),
            id="issued by the root itself, where an intermediate was between, and the root was not there",
        ),
        pytest.param(
            replace(BARE, missing=issuer_name("Other CA")),
            COMPLETE,
            (REFUSE, LOST.replace("Issuing CA", "Other CA")),
            id="of another authority, with nothing above it where the version in use has all",
        ),
        pytest.param(
            replace(CUT, issuers=("Other CA",), missing=issuer_name("Other Root")),
            COMPLETE,
            (WARN, f"its chain ends with Other CA, without the issuer Other Root: {HINT}"),
            id="of another authority, of which nothing can be compared",
        ),
    ],
)
def test_chain_must_not_get_shorter(bundle: Bundle, before: Bundle | None, verdict: tuple[Level, str]) -> None:
    """Certroll warns about an incomplete chain, and refuses a chain that lost an intermediate."""
    assert of(Requirement.CHAIN, case(bundle=bundle, bundle_before=before)) == verdict


CROSSED = bundled(KeyFound.MATCHING, ("Issuing CA", "New Root"), "Old Root", ordered=True, held={"New Root"})
UNHELD = replace(CROSSED, held=frozenset())
SHORTENED = bundled(KeyFound.MATCHING, ("Issuing CA",), "New Root", ordered=True)
HELD = "clients hold the self-signed root of that issuer's key"
SHORTENED_OF = "its chain ends with Issuing CA, without the issuer New Root"


@pytest.mark.parametrize(
    ("bundle", "before", "verdict"),
    [
        pytest.param(
            SHORTENED,
            CROSSED,
            (WARN, f"{SHORTENED_OF}: clients hold the self-signed root of that issuer's key"),
            id="without the cross-signed root that clients hold",
        ),
        pytest.param(
            replace(SHORTENED, missing=issuer_name("new  ROOT")),
            CROSSED,
            (
                WARN,
                f"{SHORTENED_OF.replace('New Root', 'new  ROOT')}: {HELD}",
            ),
            id="whose name the issuer writes in another way",
        ),
        pytest.param(SHORTENED, UNHELD, (REFUSE, f"{SHORTENED_OF}; {HAS}"), id="of which clients hold no root"),
        pytest.param(
            replace(SHORTENED, missing=issuer_name("NEW ROOT")),
            UNHELD,
            (REFUSE, f"{SHORTENED_OF.replace('New Root', 'NEW ROOT')}; {HAS}"),
            id="which another letter case does not hide",
        ),
        pytest.param(BARE, CROSSED, (REFUSE, LOST), id="without the intermediate below the root that clients hold"),
        pytest.param(
            replace(BARE, missing=issuer_name("New Root")),
            CROSSED,
            (
                WARN,
                f"its chain ends with the certificate itself, without the issuer New Root: {HELD}",
            ),
            id="issued by the root itself",
        ),
        pytest.param(
            replace(BARE, missing=issuer_name("Other CA")),
            CROSSED,
            (REFUSE, LOST.replace("Issuing CA", "Other CA")),
            id="of another authority, with nothing above it",
        ),
    ],
)
def test_cross_signed_root_that_clients_hold_is_no_loss(
    bundle: Bundle, before: Bundle, verdict: tuple[Level, str]
) -> None:
    """Certroll warns of a chain without a cross-signed root that clients hold, and refuses any other lost issuer."""
    assert of(Requirement.CHAIN, case(bundle=bundle, bundle_before=before)) == verdict


def test_issuer_of_another_organization_is_another_issuer() -> None:
    """Two issuers with one common name and different organizations are two issuers, because the whole name counts."""
    mine, other = IssuerName("New Root", "New Root of Contoso"), IssuerName("New Root", "New Root of Fabrikam")
    end = issuer_name("Old Root")
    before = Bundle(KeyFound.MATCHING, (mine,), end, ordered=True)
    lost = Bundle(KeyFound.MATCHING, (issuer_name("Other CA"),), mine, ordered=True)
    assert of(Requirement.CHAIN, case(bundle=lost, bundle_before=before))[0] is REFUSE
    assert of(Requirement.CHAIN, case(bundle=replace(lost, missing=other), bundle_before=before))[0] is WARN
    held = replace(before, held=frozenset({mine}))
    bare = Bundle(KeyFound.MATCHING, (), other, ordered=True)
    assert "clients hold" in of(Requirement.CHAIN, case(bundle=replace(lost), bundle_before=held))[1]
    assert "clients hold" not in of(Requirement.CHAIN, case(bundle=bare, bundle_before=held))[1]


@pytest.mark.parametrize(
    ("bundle", "before", "whole"),
    [(BARE, COMPLETE, False), (SHORT, LONG, False), (CUT, COMPLETE, True), (SHORTENED, UNHELD, False)],
)
def test_lost_chain_is_better_than_none(bundle: Bundle, before: Bundle, whole: bool) -> None:  # noqa: FBT001
    """Certroll only warns of a worse chain if the certificate in use ends so soon that a refusal costs more."""
    judged = case(bundle=bundle, bundle_before=before, whole_chain=whole)
    calm, hurried = of(Requirement.CHAIN, judged), of(Requirement.CHAIN, replace(judged, urgent=True))
    assert (calm[0], hurried[0]) == (REFUSE, WARN)
    assert hurried[1] == f"{calm[1]}, and ends too soon for Certroll to wait for a better version"


# ------------------------------------------------------------------------------------------------- unread parts


@pytest.mark.parametrize(
    ("part", "use", "requirement"),
    [
        (Part.SIGNATURE, Use.UPLOAD, Requirement.SIGNATURE),
        (Part.KEY, Use.UPLOAD, Requirement.KEY_SIZE),
        (Part.USAGES, Use.BINDING, Requirement.SERVER_AUTH),
        (Part.USAGES, Use.OUTBOUND, Requirement.CLIENT_AUTH),
        (Part.POLICIES, Use.BINDING, Requirement.VALIDITY_LIMIT),
    ],
)
def test_unread_part_is_unseen_for_its_own_decision(part: Part, use: Use, requirement: Requirement) -> None:
    """A part that Certroll could not read makes one requirement unseen, and Certroll warns and names the part."""
    judged = check(case(facts(unread=frozenset({part})), use))
    unread = f"Certroll could not read its {part}"
    unseen = [(verdict.requirement, verdict.detail) for verdict in judged if verdict.level is UNSEEN]
    assert unseen == [(requirement, unread)]
    told = [verdict.detail for verdict in judged if verdict.requirement is Requirement.READABLE]
    assert told == [f"{unread}: have its authority issue it without the defect"]
    assert [verdict for verdict in judged if verdict.level is REFUSE] == []


REMEDY = "issue one that does, or bind another certificate"
UNREAD_NAMES = "Certroll could not read its subject alternative names"


def test_binding_needs_a_name_that_was_read() -> None:
    """Certroll binds no host name that it could not read in the certificate, and names the unread part."""
    unread = frozenset({Part.NAMES})
    judged = case(facts(host_names=frozenset({HostName("a.contoso.com")}), unread=unread), Use.BINDING)
    seen = {
        host: of(Requirement.HOST_NAMES, replace(judged, hosts=(HostName(host),)))
        for host in ("a.contoso.com", "b.contoso.com")
    }
    assert seen["a.contoso.com"] == (PASS, "it covers a.contoso.com")
    assert seen["b.contoso.com"] == (
        REFUSE,
        f"the new version does not cover b.contoso.com; {UNREAD_NAMES}: {REMEDY}",
    )


def test_root_needs_constraints_that_were_read() -> None:
    """Certroll makes no app trust a root whose basic constraints it could not read, and names the unread part."""
    judged = case(facts(self_signed=True, unread=frozenset({Part.CONSTRAINTS})), Use.ROOT)
    assert of(Requirement.AUTHORITY, judged) == (
        REFUSE,
        "Certroll could not read its basic constraints, so it may not be a certificate authority's",
    )


WORSE = f"{CUT_SHORT}; the version in use has its root, by which servers of an environment trust it"


@pytest.mark.parametrize(
    ("bundle", "before", "verdict"),
    [
        pytest.param(
            COMPLETE, CUT, (PASS, "its chain is complete: 2 above it, up to the root"), id="the root is there"
        ),
        pytest.param(CUT, COMPLETE, (REFUSE, WORSE), id="without the root that the version in use has"),
        pytest.param(CUT, CUT, (WARN, f"{CUT_SHORT}: {HINT}"), id="without its root, as before"),
        pytest.param(CUT, None, (WARN, f"{CUT_SHORT}: {HINT}"), id="without its root, and nothing to compare it with"),
        pytest.param(BARE, COMPLETE, (REFUSE, LOST), id="without an intermediate, which is worse still"),
    ],
)
def test_root_must_not_get_lost_where_servers_trust_by_it(
    bundle: Bundle, before: Bundle | None, verdict: tuple[Level, str]
) -> None:
    """Certroll refuses a chain that lost its root if servers take their trust from the chain."""
    assert of(Requirement.CHAIN, case(bundle=bundle, bundle_before=before, whole_chain=True)) == verdict


@pytest.mark.parametrize(
    ("use", "detail"),
    [
        pytest.param(
            Use.UPLOAD,
            "its chain is not in order, each certificate followed by its issuer; Certroll uploads the chain in order",
            id="an upload mends it",
        ),
        pytest.param(
            Use.IMPORT, "its chain is not in order, each certificate followed by its issuer", id="an import does not"
        ),
    ],
)
def test_chain_out_of_order_is_warned_of(use: Use, detail: str) -> None:
    """Certroll warns about a chain whose certificates are in the wrong order, and does not refuse the chain."""
    assert of(Requirement.CHAIN_ORDER, case(use=use, bundle=replace(COMPLETE, ordered=False))) == (WARN, detail)


# ------------------------------------------------------------------------------------------------------- validity


def lasting(days: int, since: datetime, more: timedelta = timedelta(0)) -> CertificateVersion:
    """Return a version that is valid for the given number of days, counted with both ends, plus `more`."""
    end = since + timedelta(days=days) - timedelta(seconds=1) + more
    return version(not_before=since, not_after=end, facts=facts(public_policy=True))


@pytest.mark.parametrize(
    ("last_day", "before", "after"),
    [
        pytest.param(datetime(2026, 3, 15, tzinfo=UTC), 398, 200, id="200 days from March 2026"),
        pytest.param(datetime(2027, 3, 15, tzinfo=UTC), 200, 100, id="100 days from March 2027"),
        pytest.param(datetime(2029, 3, 15, tzinfo=UTC), 100, 47, id="47 days from March 2029"),
    ],
)
def test_limit_is_that_of_the_day_of_issue(last_day: datetime, before: int, after: int) -> None:
    """A publicly trusted certificate may be valid for as long as the CA/Browser Forum allowed on its day of issue."""
    for since, limit in ((last_day - timedelta(seconds=1), before), (last_day, after)):
        for more, level, days in ((0, PASS, limit), (1, WARN, limit + 1)):
            judged = lasting(limit, since, timedelta(seconds=more))
            detail = (
                f"it is valid for {days} days, and public certificates issued on {since:%Y-%m-%d} for {limit} at most"
            )
            assert of(Requirement.VALIDITY_LIMIT, case(version=judged, use=Use.BINDING)) == (level, detail)


@pytest.mark.parametrize(
    "judged",
    [
        pytest.param(version(not_after=NOW + 3650 * DAY), id="one that does not say that it is public"),
        pytest.param(version(facts=facts(), not_after=NOW + 3650 * DAY), id="a private one of ten years"),
        pytest.param(lasting(825, datetime(2020, 8, 31, tzinfo=UTC)), id="one from before these limits"),
    ],
)
def test_private_certificates_may_last(judged: CertificateVersion) -> None:
    """Certroll checks no limit of validity for a certificate without a policy of the CA/Browser Forum."""
    assert of(Requirement.VALIDITY_LIMIT, case(version=judged)) is None


def test_first_limit_begins_with_its_day() -> None:
    """Certroll knows a limit of validity for certificates issued since 1 September 2020."""
    first = datetime(2020, 9, 1, tzinfo=UTC)
    judged = [case(version=lasting(398, since)) for since in (first - timedelta(seconds=1), first)]
    assert [of(Requirement.VALIDITY_LIMIT, each) is None for each in judged] == [True, False]


def test_a_day_that_has_begun_counts_whole() -> None:
    """A day that has begun counts as a whole day of validity."""
    assert [
        validity_days(version(not_before=NOW, not_after=NOW + end))
        for end in (timedelta(0), DAY - timedelta(seconds=1), DAY)
    ] == [1, 1, 2]


@pytest.mark.parametrize(
    ("new", "needed"),
    [
        pytest.param(facts(), False, id="good for everything"),
        pytest.param(SELF_SIGNED, True, id="self-signed"),
        pytest.param(NO_SERVER, True, id="without server authentication"),
        pytest.param(NO_CLIENT, True, id="without client authentication"),
        pytest.param(facts(signature_hash="sha1"), True, id="weakly signed"),
        pytest.param(elliptic("secp256r1"), False, id="on a common curve"),
        pytest.param(elliptic("secp256k1"), True, id="on a curve that TLS does not use"),
    ],
)
def test_version_in_use_is_needed_only_for_comparison(new: CertificateFacts, *, needed: bool) -> None:
    """Certroll reads the facts of the version in use only if these facts may change the verdict."""
    assert compares(new) is needed
    whatever = (None, NO_SERVER, NO_CLIENT, SELF_SIGNED, elliptic("secp256k1"), facts(signature_hash="md5"))
    for use in Use:
        found = {refusals(case(new, use, before=before)) for before in whatever}
        assert needed or len(found) == 1
