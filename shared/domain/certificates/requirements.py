"""What a certificate must be like for what it is to do: one requirement, one small function, one line in RULES.

A verdict *refuses* only what App Service itself would refuse, or what is worse than the version in use; all else that
is wrong is a *warning*. What was not looked at is *unseen*, never passed. What a use does not ask for has no verdict.
The sources are in docs/reference/requirements.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto

from shared.domain.certificates.version import (
    Bundle,
    CertificateFacts,
    CertificateVersion,
    KeyFound,
    KeyPolicy,
    KeyType,
)
from shared.domain.names import HostName, covers
from shared.domain.reason import Reason

PKCS12 = "application/x-pkcs12"
PEM = "application/x-pem-file"
BARE = "certificate"
"""No content type of a vault: that of a secret which is a root by its tags, and may be PEM or base64 of DER."""
SMALLEST_RSA_KEY = 2048
CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
LONGEST_SERIAL = 20
LONG_SERIAL = 10
WEAK_HASHES = frozenset({"md2", "md4", "md5", "sha1"})
VALIDITY_LIMITS = (
    (datetime(2029, 3, 15, tzinfo=UTC), 47),
    (datetime(2027, 3, 15, tzinfo=UTC), 100),
    (datetime(2026, 3, 15, tzinfo=UTC), 200),
    (datetime(2020, 9, 1, tzinfo=UTC), 398),
)
"""Days, by the first day of issue that they hold for (CA/Browser Forum, Baseline Requirements 6.3.2, SC-081v3)."""


class Use(StrEnum):
    """What a certificate is to do."""

    IMPORT = auto()
    UPLOAD = auto()
    BINDING = auto()
    OUTBOUND = auto()
    PUBLIC = auto()
    ROOT = auto()


class Level(StrEnum):
    """How much a requirement is met."""

    PASS = auto()
    WARN = auto()
    REFUSE = auto()
    UNSEEN = auto()


class Requirement(StrEnum):
    """What is required, by name."""

    ENABLED = "Enabled"
    NOT_EXPIRED = "NotExpired"
    ISSUER_KEPT = "IssuerKept"
    SERIAL_NUMBER = "SerialNumber"
    SIGNATURE = "Signature"
    STARTED = "Started"
    EXPORTABLE_KEY = "ExportableKey"
    CONTENT_TYPE = "ContentType"
    PRIVATE_KEY = "PrivateKey"
    MATCHING_KEY = "MatchingKey"
    RSA_KEY = "RsaKey"
    KNOWN_CURVE = "KnownCurve"
    KEY_SIZE = "KeySize"
    SERVER_AUTH = "ServerAuth"
    CLIENT_AUTH = "ClientAuth"
    HOST_NAMES = "HostNames"
    CHAIN = "Chain"
    CHAIN_ORDER = "ChainOrder"
    VALIDITY_LIMIT = "ValidityLimit"
    AUTHORITY = "Authority"
    SELF_SIGNED = "SelfSigned"


@dataclass(frozen=True, slots=True)
class Case:
    """A version, what it is to do, and what is known of both it and the version in use.

    Without a `use` it is judged by itself, whatever it is to do. `in_use` is the version that it is to replace.
    `hosts` are the host names that it is to show. `whole_chain` says that servers take their trust from the chain that
    comes with it, the root included.
    """

    version: CertificateVersion
    use: Use | None
    now: datetime
    in_use: CertificateVersion | None = None
    key: KeyPolicy | None = None
    hosts: tuple[HostName, ...] = ()
    whole_chain: bool = False

    @property
    def before(self) -> CertificateFacts | None:
        """What the version in use says of itself, None where there is none or it was not read."""
        return self.in_use.facts if self.in_use else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far one requirement is met. `reason` is why a step is refused where it is not."""

    requirement: Requirement
    level: Level
    detail: str
    reason: Reason


Opinion = tuple[Level, str]
Judge = Callable[[Case], Opinion | None]
FactsJudge = Callable[[Case, CertificateFacts], Opinion | None]
BundleJudge = Callable[[Case, Bundle], Opinion | None]
PolicyJudge = Callable[[Case, KeyPolicy], Opinion | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: what asks for it, how it is judged, and why something is refused where it is not met."""

    requirement: Requirement
    uses: frozenset[Use]
    judge: Judge
    reason: Reason


def check(case: Case) -> tuple[Verdict, ...]:
    """Return a verdict for each requirement of this use, in the order of the table."""
    asked = (rule for rule in RULES if rule.uses >= ({case.use} if case.use else ANY))
    judged = ((rule, rule.judge(case)) for rule in asked)
    return tuple(Verdict(rule.requirement, *opinion, rule.reason) for rule, opinion in judged if opinion is not None)


def refusals(case: Case) -> tuple[Verdict, ...]:
    """Return the requirements of this use for which the version is refused, in the order of the table."""
    return tuple(verdict for verdict in check(case) if verdict.level is Level.REFUSE)


def warnings(case: Case) -> tuple[Verdict, ...]:
    """Return the requirements of this use that a person should look at, in the order of the table."""
    return tuple(verdict for verdict in check(case) if verdict.level is Level.WARN)


def compares(facts: CertificateFacts) -> bool:
    """Say whether a refusal of this certificate may depend on what the version in use is like."""
    odd = facts.signature_hash in WEAK_HASHES or not _is_common(facts)
    return facts.self_signed or odd or not facts.server_auth or not facts.client_auth


def uncovered(facts: CertificateFacts, hosts: tuple[HostName, ...]) -> tuple[HostName, ...]:
    """Return the host names that the certificate is not good for, each once, in order."""
    return tuple(sorted({host for host in hosts if not covers(facts.host_names, host)}))


# ------------------------------------------------------------------------------------------------- what is looked at


def _of_facts(judge: FactsJudge) -> Judge:
    """Return the judge of a case whose certificate may not have been read."""

    def opinion(case: Case) -> Opinion | None:
        facts = case.version.facts
        return (Level.UNSEEN, "the certificate was not read") if facts is None else judge(case, facts)

    return opinion


def _of_bundle(judge: BundleJudge) -> Judge:
    """Return the judge of a case of which only the certificate itself may be known."""

    def opinion(case: Case) -> Opinion | None:
        bundle = case.version.bundle
        unseen = "not looked at: only the certificate itself was read, without key and chain"
        return (Level.UNSEEN, unseen) if bundle is None else judge(case, bundle)

    return opinion


def _of_policy(judge: PolicyJudge) -> Judge:
    """Return the judge of a case whose vault object may not have been looked at."""

    def opinion(case: Case) -> Opinion | None:
        return (Level.UNSEEN, "the vault object was not looked at") if case.key is None else judge(case, case.key)

    return opinion


# -------------------------------------------------------------------------------------------------------- by itself


def _enabled(case: Case) -> Opinion:
    return (Level.PASS, "it is enabled") if case.version.enabled else (Level.REFUSE, "it is disabled")


def _not_expired(case: Case) -> Opinion:
    end = f"{case.version.not_after:%Y-%m-%d %H:%M} UTC"
    expired = case.version.not_after <= case.now
    return (Level.REFUSE, f"it expired at {end}") if expired else (Level.PASS, f"it is valid until {end}")


def _started(case: Case) -> Opinion:
    detail = f"it is valid from {case.version.not_before:%Y-%m-%d %H:%M} UTC"
    return (Level.REFUSE if case.version.not_before > case.now else Level.PASS), detail


def _issuer_kept(case: Case, facts: CertificateFacts) -> Opinion:
    """Refuse a self-signed version after one that was not: a vault that suddenly makes one has lost its issuer."""
    if not facts.self_signed:
        return Level.PASS, f"it was issued by {facts.issuer}"
    if case.before is not None and not case.before.self_signed:
        return Level.REFUSE, "it is self-signed and the version before it was not"
    return Level.PASS, "it is self-signed, and so was the version before it, as far as there is one"


def _serial_number(case: Case, facts: CertificateFacts) -> Opinion:
    """Refuse what X.509 does not allow; warn of what the docs of App Service say of uploads.

    Most certificate authorities use more than 10 octets, so nobody is warned where the version in use does as well.
    """
    octets = facts.serial_octets
    if octets > LONGEST_SERIAL:
        return Level.REFUSE, f"its serial number has {octets} octets; at most {LONGEST_SERIAL} are allowed"
    new = case.before is None or case.before.serial_octets <= LONG_SERIAL
    if octets > LONG_SERIAL and case.use is Use.UPLOAD and new:
        return Level.WARN, f"its serial number has {octets} octets; App Service documents {LONG_SERIAL} for uploads"
    return Level.PASS, f"its serial number has {octets} octets"


def _signature(case: Case, facts: CertificateFacts) -> Opinion:
    """Judge the issuer's signature; nobody relies on that of a self-signed certificate."""
    if facts.self_signed or facts.signature_hash not in WEAK_HASHES:
        return Level.PASS, f"it is signed with {facts.signature_hash}"
    detail = f"it is signed with {facts.signature_hash}, which clients no longer trust"
    if case.before is not None and not case.before.self_signed and case.before.signature_hash not in WEAK_HASHES:
        return Level.REFUSE, f"{detail}; the version before it was signed with {case.before.signature_hash}"
    return Level.WARN, detail


# ------------------------------------------------------------------------------------------------------- by its use


def _exportable_key(_: Case, key: KeyPolicy) -> Opinion:
    if key.exportable:
        return Level.PASS, "its key is exportable"
    detail = "its key is not exportable, so App Service cannot have it: issue a version with an exportable key"
    return Level.REFUSE, detail


def _content_type(case: Case, key: KeyPolicy) -> Opinion:
    taken = {PKCS12, PEM} if case.use is Use.UPLOAD else {PKCS12}
    if key.content_type in taken:
        return Level.PASS, f"its content type is {key.content_type}"
    what = f"uploads are made of {PKCS12} and {PEM}" if case.use is Use.UPLOAD else f"App Service imports {PKCS12} only"
    return Level.REFUSE, f"its content type is {key.content_type[:60]!r}; {what}"


def _private_key(_: Case, bundle: Bundle) -> Opinion:
    if bundle.key is KeyFound.NONE:
        return Level.REFUSE, "there is no private key with it: the certificate's policy must let the key be exported"
    return Level.PASS, "there is a private key with it"


def _matching_key(_: Case, bundle: Bundle) -> Opinion | None:
    if bundle.key is KeyFound.NONE:
        return None
    if bundle.key is KeyFound.FOREIGN:
        return Level.REFUSE, "the private key with it belongs to another certificate"
    return Level.PASS, "the private key with it is its own"


def _rsa_key(_: Case, facts: CertificateFacts) -> Opinion:
    if facts.key_type is KeyType.RSA:
        return Level.PASS, "its key is RSA"
    return Level.REFUSE, f"its key is {facts.key_type}; App Service imports RSA keys only from a vault"


def _known_curve(case: Case, facts: CertificateFacts) -> Opinion | None:
    if facts.key_type is KeyType.RSA:
        return None
    what = facts.curve or str(facts.key_type)
    if _is_common(facts):
        return Level.PASS, f"its key is on the curve {what}"
    detail = f"its key is {what}; TLS servers know {', '.join(sorted(CURVES))}"
    in_use = case.before is not None and (case.before.key_type, case.before.curve) == (facts.key_type, facts.curve)
    return (Level.WARN if in_use else Level.REFUSE), detail


def _is_common(facts: CertificateFacts) -> bool:
    return facts.key_type is KeyType.RSA or facts.curve in CURVES


def _key_size(_: Case, facts: CertificateFacts) -> Opinion | None:
    if facts.key_type is not KeyType.RSA:
        return None
    detail = f"its RSA key has {facts.key_size} bits"
    if facts.key_size < SMALLEST_RSA_KEY:
        return Level.REFUSE, f"{detail}; at least {SMALLEST_RSA_KEY} are needed"
    return Level.PASS, detail


def _server_auth(case: Case, facts: CertificateFacts) -> Opinion:
    """Refuse what App Service's docs require of a binding, unless the version in use lacks it as well."""
    if facts.server_auth:
        return Level.PASS, "it allows server authentication"
    detail = "its extended key usage does not allow server authentication"
    if case.before is None:
        return Level.REFUSE, f"{detail}, and what the version in use allows is not known"
    if case.before.server_auth:
        return Level.REFUSE, f"{detail}, and that of the version in use does: browsers would refuse it"
    return Level.WARN, f"{detail}, nor does that of the version in use"


def _client_auth(case: Case, facts: CertificateFacts) -> Opinion:
    """Refuse only what the version in use was good for: App Service itself asks for nothing here."""
    if facts.client_auth:
        return Level.PASS, "it allows client authentication"
    detail = "its extended key usage does not allow client authentication"
    if case.before is not None and case.before.client_auth:
        return Level.REFUSE, f"{detail}, and that of the version in use does: partners would refuse the app's calls"
    return Level.WARN, detail if case.before is None else f"{detail}, nor does that of the version in use"


def _host_names(case: Case, facts: CertificateFacts) -> Opinion | None:
    if not case.hosts:
        return None
    lost = ", ".join(uncovered(facts, case.hosts))
    if not lost:
        return Level.PASS, f"it covers {', '.join(sorted(set(case.hosts)))}"
    return Level.REFUSE, f"the new version does not cover {lost}: issue one that does, or bind another certificate"


def _chain(case: Case, bundle: Bundle) -> Opinion:
    """Warn where the chain ends before its root: whether that root is missing or an intermediate cannot be told."""
    if bundle.missing is None:
        return Level.PASS, f"its chain is complete: {len(bundle.issuers)} above it, up to the root"
    last = bundle.issuers[-1] if bundle.issuers else "the certificate itself"
    detail = f"its chain ends with {last}, and {bundle.missing}, which issued that, is not there"
    before = case.in_use.bundle if case.in_use else None
    if _lacks_intermediate(bundle, before):
        return Level.REFUSE, f"{detail}; the version in use has its intermediates"
    if case.whole_chain and before is not None and before.missing is None:
        return Level.REFUSE, f"{detail}; the version in use has its root, by which servers of an environment trust it"
    return Level.WARN, f"{detail}: if that is an intermediate and not a root, put it into the vault object"


def _lacks_intermediate(bundle: Bundle, before: Bundle | None) -> bool:
    """Say whether an intermediate is missing that the version in use has. A root need not be sent, and may be missing.

    Of another authority's chain it cannot be told, unless there is nothing at all above the certificate.
    """
    if before is None:
        return False
    intermediates = before.issuers[:-1] if before.missing is None else before.issuers
    top = before.issuers[-1] if before.missing is None and before.issuers else before.missing
    bare = not bundle.issuers and bool(intermediates) and bundle.missing != top
    return bundle.missing in intermediates or bare


def _chain_order(case: Case, bundle: Bundle) -> Opinion:
    if bundle.ordered:
        return Level.PASS, "its chain is in order"
    mended = "; what is uploaded has it in order" if case.use is Use.UPLOAD else ""
    return Level.WARN, f"its chain is not in order, each certificate followed by its issuer{mended}"


def _validity_limit(case: Case, facts: CertificateFacts) -> Opinion | None:
    """Hold public certificates to the limit of their first day.

    Public is what names a policy that the CA/Browser Forum reserves, which every one under its rules must do; others
    are bound by no limit. The day of issue is not in a certificate; it is within 48 hours of `not_before`.
    """
    issued = case.version.not_before
    limit = next((days for since, days in VALIDITY_LIMITS if issued >= since), None)
    if not facts.public_policy or limit is None:
        return None
    days = validity_days(case.version)
    detail = f"it is valid for {days} days, and public certificates issued on {issued:%Y-%m-%d} for {limit} at most"
    return (Level.WARN if days > limit else Level.PASS), detail


def validity_days(version: CertificateVersion) -> int:
    """Return for how many days it is valid; both ends count, and a day that has begun counts whole."""
    span = version.not_after - version.not_before + timedelta(seconds=1)
    return -(-span // timedelta(days=1))


def _authority(_: Case, facts: CertificateFacts) -> Opinion:
    if facts.is_ca:
        return Level.PASS, "it is a certificate authority's"
    return Level.REFUSE, "it is no certificate authority's (basic constraints): nothing that it signed would be trusted"


def _self_signed(_: Case, facts: CertificateFacts) -> Opinion:
    if facts.self_signed:
        return Level.PASS, "it is self-signed, as a root is"
    return Level.REFUSE, f"it was issued by {facts.issuer}: put the root itself into the vault, not an intermediate"


ANY = frozenset(Use)
PRIVATE = frozenset({Use.IMPORT, Use.UPLOAD})
ROOTS = frozenset({Use.ROOT})
WITH_KEY = ANY - {Use.PUBLIC} - ROOTS

RULES: tuple[Rule, ...] = (
    Rule(Requirement.ENABLED, ANY, _enabled, Reason.VERSION_DISABLED),
    Rule(Requirement.NOT_EXPIRED, ANY, _not_expired, Reason.EXPIRED),
    Rule(Requirement.ISSUER_KEPT, ANY, _of_facts(_issuer_kept), Reason.NEWLY_SELF_SIGNED),
    Rule(Requirement.SERIAL_NUMBER, ANY, _of_facts(_serial_number), Reason.SERIAL_TOO_LONG),
    Rule(Requirement.SIGNATURE, ANY, _of_facts(_signature), Reason.WEAKER_SIGNATURE),
    Rule(Requirement.STARTED, ANY, _started, Reason.NOT_YET_VALID),
    Rule(Requirement.EXPORTABLE_KEY, PRIVATE, _of_policy(_exportable_key), Reason.KEY_NOT_EXPORTABLE),
    Rule(Requirement.CONTENT_TYPE, PRIVATE, _of_policy(_content_type), Reason.NOT_PKCS12),
    Rule(Requirement.PRIVATE_KEY, PRIVATE, _of_bundle(_private_key), Reason.NO_PRIVATE_KEY),
    Rule(Requirement.MATCHING_KEY, PRIVATE, _of_bundle(_matching_key), Reason.KEY_MISMATCH),
    Rule(Requirement.RSA_KEY, frozenset({Use.IMPORT}), _of_facts(_rsa_key), Reason.KEY_NOT_IMPORTABLE),
    Rule(Requirement.KNOWN_CURVE, frozenset({Use.UPLOAD}), _of_facts(_known_curve), Reason.UNKNOWN_CURVE),
    Rule(Requirement.KEY_SIZE, WITH_KEY, _of_facts(_key_size), Reason.KEY_TOO_SMALL),
    Rule(Requirement.SERVER_AUTH, frozenset({Use.BINDING}), _of_facts(_server_auth), Reason.SERVER_AUTH_LOST),
    Rule(Requirement.CLIENT_AUTH, frozenset({Use.OUTBOUND}), _of_facts(_client_auth), Reason.CLIENT_AUTH_LOST),
    Rule(Requirement.HOST_NAMES, frozenset({Use.BINDING}), _of_facts(_host_names), Reason.NOT_COVERED),
    Rule(Requirement.CHAIN, PRIVATE, _of_bundle(_chain), Reason.CHAIN_LOST),
    Rule(Requirement.CHAIN_ORDER, PRIVATE, _of_bundle(_chain_order), Reason.REQUIREMENT_WARNING),
    Rule(Requirement.VALIDITY_LIMIT, WITH_KEY, _of_facts(_validity_limit), Reason.REQUIREMENT_WARNING),
    Rule(Requirement.AUTHORITY, ROOTS, _of_facts(_authority), Reason.NOT_AN_AUTHORITY),
    Rule(Requirement.SELF_SIGNED, ROOTS, _of_facts(_self_signed), Reason.NOT_SELF_SIGNED),
)
"""In the order in which they are judged: where several refuse, the first one's reason is given.

What people did on purpose comes first, and by itself what time mends comes last. Those for ANY use are the version half
of the gate.
"""
