"""Judge a certificate: each function judges one requirement, and RULES in rules.py lists all functions."""

from collections.abc import Iterable
from datetime import timedelta

from shared.domain.certificates.calendar import VALIDITY_LIMITS, in_force
from shared.domain.certificates.requirements import (
    CURVES,
    LONG_SERIAL,
    LONGEST_SERIAL,
    PEM,
    PKCS12,
    SMALLEST_RSA_KEY,
    WEAK_HASHES,
    Case,
    Level,
    Opinion,
    Use,
)
from shared.domain.certificates.version import (
    Bundle,
    CertificateFacts,
    CertificateVersion,
    IssuerName,
    KeyFound,
    KeyPolicy,
    KeyType,
    Part,
)
from shared.domain.names import HostName, covers

UNKNOWN = "and Certroll does not know what the version in use allows"


def compares(facts: CertificateFacts) -> bool:
    """Return True if Certroll may judge the certificate by comparing it with the certificate in use."""
    odd = facts.signature_hash in WEAK_HASHES or not is_common(facts)
    return facts.self_signed or odd or not facts.server_auth or not facts.client_auth


def uncovered(facts: CertificateFacts, hosts: tuple[HostName, ...]) -> tuple[HostName, ...]:
    """Return the sorted host names of `hosts` that the certificate does not cover."""
    return tuple(sorted({host for host in hosts if not covers(facts.host_names, host)}))


# ------------------------------------------------------------------------------------------------ every purpose


def enabled(case: Case) -> Opinion:
    """Refuse a version of a vault certificate that an operator disabled in the vault."""
    return (Level.PASS, "it is enabled") if case.version.enabled else (Level.REFUSE, "it is disabled")


def not_expired(case: Case) -> Opinion:
    """Refuse an expired version of a vault certificate."""
    end = f"{case.version.not_after:%Y-%m-%d %H:%M} UTC"
    expired = case.version.not_after <= case.now
    return (Level.REFUSE, f"it expired at {end}") if expired else (Level.PASS, f"it is valid until {end}")


def started(case: Case) -> Opinion:
    """Refuse a version of a vault certificate that is not valid yet."""
    detail = f"it is valid from {case.version.not_before:%Y-%m-%d %H:%M} UTC"
    return (Level.REFUSE if case.version.not_before > case.now else Level.PASS), detail


def issuer_kept(case: Case, facts: CertificateFacts) -> Opinion:
    """Refuse a self-signed version of a vault certificate, unless each certificate in use is self-signed.

    A vault that suddenly makes self-signed versions has probably lost the certificate's issuer.
    """
    if not facts.self_signed:
        return Level.PASS, f"it was issued by {facts.issuer}"
    if not all(known.self_signed for known in case.known):
        return Level.REFUSE, "it is self-signed and the version before it was not"
    if not all(in_use.self_signed for in_use in case.in_use):
        return Level.REFUSE, "it is self-signed, and nothing shows Certroll that the certificate in use is, too"
    return Level.PASS, "it is self-signed, like the version before it, if there is such a version"


def serial_number(case: Case, facts: CertificateFacts) -> Opinion:
    """Refuse a serial number that X.509 does not allow, and warn of an upload with more than 10 octets.

    Most certificate authorities use serial numbers of more than 10 octets. If the certificate in use already has a
    serial number of more than 10 octets, Certroll does not warn of the new serial number.
    """
    octets = facts.serial_octets
    if octets > LONGEST_SERIAL:
        return Level.REFUSE, f"its serial number has {octets} octets; at most {LONGEST_SERIAL} are allowed"
    new = all(known.serial_octets <= LONG_SERIAL for known in case.known)
    if octets > LONG_SERIAL and case.use is Use.UPLOAD and new:
        return Level.WARN, f"its serial number has {octets} octets; App Service documents {LONG_SERIAL} for uploads"
    return Level.PASS, f"its serial number has {octets} octets"


def signature(case: Case, facts: CertificateFacts) -> Opinion:
    """Judge the hash algorithm of the issuer's signature on a certificate.

    Clients do not check the signature of a self-signed certificate.
    """
    if facts.self_signed or facts.signature_hash not in WEAK_HASHES:
        return Level.PASS, f"it is signed with {facts.signature_hash}"
    detail = f"it is signed with {facts.signature_hash}, which clients no longer trust"
    better = (known for known in case.known if not known.self_signed and known.signature_hash not in WEAK_HASHES)
    if (before := next(better, None)) is not None:
        return Level.REFUSE, f"{detail}; the version before it was signed with {before.signature_hash}"
    if case.has_unknown:
        return Level.REFUSE, f"{detail}; Certroll does not know how the version in use was signed"
    return Level.WARN, detail


def readable(_: Case, facts: CertificateFacts) -> Opinion | None:
    """Warn of a certificate with malformed parts, whose other parts Certroll judges all the same."""
    if not facts.unread:
        return None
    return Level.WARN, f"{unread_detail(facts.unread)}: have its authority issue it without the defect"


def unread_detail(parts: Iterable[Part]) -> str:
    """Return a sentence that names the parts of a certificate that Certroll could not read."""
    return f"Certroll could not read its {', '.join(sorted(parts))}"


# ------------------------------------------------------------------------------------------------- some purposes


def exportable_key(_: Case, key: KeyPolicy) -> Opinion:
    """Refuse a vault certificate whose private key is not exportable from the vault."""
    if key.exportable is None:
        return Level.UNSEEN, "Certroll may not read whether its key is exportable"
    if key.exportable:
        return Level.PASS, "its key is exportable"
    detail = "its key is not exportable, so App Service cannot get the key: issue a version with an exportable key"
    return Level.REFUSE, detail


def content_type(case: Case, key: KeyPolicy) -> Opinion:
    """Refuse a content type of a vault object that App Service cannot import, or that Certroll cannot upload."""
    if key.content_type is None:
        return Level.UNSEEN, "Certroll may not read its content type"
    accepted = {PKCS12, PEM} if case.use is Use.UPLOAD else {PKCS12}
    if key.content_type in accepted:
        return Level.PASS, f"its content type is {key.content_type}"
    limit = (
        f"Certroll uploads {PKCS12} and {PEM} only" if case.use is Use.UPLOAD else f"App Service imports {PKCS12} only"
    )
    return Level.REFUSE, f"its content type is {key.content_type[:60]!r}; {limit}"


def private_key(_: Case, bundle: Bundle) -> Opinion:
    """Refuse a certificate that comes without a private key."""
    if bundle.key is KeyFound.NONE:
        return Level.REFUSE, "it comes without a private key: the certificate's policy must allow the key's export"
    return Level.PASS, "it comes with a private key"


def matching_key(_: Case, bundle: Bundle) -> Opinion | None:
    """Refuse a private key that belongs to another certificate."""
    if bundle.key is KeyFound.NONE:
        return None
    if bundle.key is KeyFound.FOREIGN:
        return Level.REFUSE, "its private key belongs to another certificate"
    return Level.PASS, "its private key matches"


def rsa_key(_: Case, facts: CertificateFacts) -> Opinion:
    """Refuse the import of a key that is not RSA, because App Service imports only RSA keys from a vault."""
    if facts.key_type is KeyType.RSA:
        return Level.PASS, "its key is RSA"
    return Level.REFUSE, f"its key is {facts.key_type}; App Service imports RSA keys only from a vault"


def known_curve(case: Case, facts: CertificateFacts) -> Opinion | None:
    """Refuse an elliptic curve that few TLS servers know, or only warn if the certificate in use has the same curve."""
    if facts.key_type is KeyType.RSA:
        return None
    curve = facts.curve or str(facts.key_type)
    if is_common(facts):
        return Level.PASS, f"its key is on the curve {curve}"
    detail = f"its key is {curve}; TLS servers know {', '.join(sorted(CURVES))}"
    kinds = {(known.key_type, known.curve) for known in case.known}
    in_use = kinds == {(facts.key_type, facts.curve)} and not case.has_unknown
    return (Level.WARN if in_use else Level.REFUSE), detail


def is_common(facts: CertificateFacts) -> bool:
    """Return True if TLS servers commonly know the kind of the certificate's key."""
    return facts.key_type is KeyType.RSA or facts.curve in CURVES


def key_size(_: Case, facts: CertificateFacts) -> Opinion | None:
    """Refuse an RSA key of fewer than 2048 bits."""
    if facts.key_type is not KeyType.RSA:
        return None
    detail = f"its RSA key has {facts.key_size} bits"
    if facts.key_size < SMALLEST_RSA_KEY:
        return Level.REFUSE, f"{detail}; at least {SMALLEST_RSA_KEY} are needed"
    return Level.PASS, detail


def server_auth(case: Case, facts: CertificateFacts) -> Opinion:
    """Refuse a certificate without server authentication, or only warn if the certificate in use lacks it too.

    App Service's docs require server authentication of a certificate in a binding.
    """
    if facts.server_auth:
        return Level.PASS, "it allows server authentication"
    detail = "its extended key usage does not allow server authentication"
    if any(known.server_auth for known in case.known):
        return Level.REFUSE, f"{detail}, but the version in use does: browsers would refuse the new version"
    if case.has_unknown or not case.in_use:
        return Level.REFUSE, f"{detail}, {UNKNOWN}"
    return Level.WARN, f"{detail}, and the version in use does not either"


def client_auth(case: Case, facts: CertificateFacts) -> Opinion:
    """Refuse a certificate that lacks client authentication if the certificate in use has or may have it, else warn.

    App Service itself does not require the key usage client authentication. A disabled certificate that Certroll cannot
    read does not count, because its key may have leaked.
    """
    if facts.client_auth:
        return Level.PASS, "it allows client authentication"
    detail = "its extended key usage does not allow client authentication"
    if any(known.client_auth for known in case.known):
        return Level.REFUSE, f"{detail}, but the version in use does: partners would refuse the app's calls"
    if any(in_use.facts is None and not in_use.disabled for in_use in case.in_use):
        return Level.REFUSE, f"{detail}, {UNKNOWN}: let the app use the new version by hand if its partners take it"
    return Level.WARN, f"{detail}, and the version in use does not either" if case.known else detail


def host_names(case: Case, facts: CertificateFacts) -> Opinion | None:
    """Refuse a certificate that does not cover all host names of the bindings."""
    if not case.hosts:
        return None
    lost = ", ".join(uncovered(facts, case.hosts))
    if not lost:
        return Level.PASS, f"it covers {', '.join(sorted(set(case.hosts)))}"
    unread = f"; {unread_detail([Part.NAMES])}" if Part.NAMES in facts.unread else ""
    remedy = "issue one that does, or bind another certificate"
    return Level.REFUSE, f"the new version does not cover {lost}{unread}: {remedy}"


def chain(case: Case, bundle: Bundle) -> Opinion:
    """Warn if a chain ends before the root, and refuse a chain that is worse than the chain in use.

    If the issuer at the chain's end is missing, Certroll cannot tell whether that issuer is the root or an
    intermediate.
    """
    if bundle.missing is None:
        return Level.PASS, f"its chain is complete: {len(bundle.issuers)} above it, up to the root"
    last = bundle.issuers[-1] if bundle.issuers else "the certificate itself"
    detail = f"its chain ends with {last}, without the issuer {bundle.missing}"
    chains = [in_use.bundle for in_use in case.in_use if in_use.bundle is not None]
    lost = next(filter(None, (_lost(case, bundle.missing, bundle, before) for before in chains)), None)
    if lost is not None and not case.urgent:
        return Level.REFUSE, f"{detail}; {lost}"
    if lost is not None:
        return Level.WARN, f"{detail}; {lost}, and ends too soon for Certroll to wait for a better version"
    if any(bundle.missing in before.held for before in chains):
        return Level.WARN, f"{detail}: clients hold the self-signed root of that issuer's key"
    return Level.WARN, f"{detail}: if that issuer is an intermediate, put its certificate into the vault object"


def _lost(case: Case, missing: IssuerName, bundle: Bundle, before: Bundle) -> str | None:
    """Return what the chain in use has and the new chain lacks, or None if the new chain is as good."""
    if _lacks_intermediate(missing, bundle, before):
        return "the version in use has its intermediates"
    if case.whole_chain and before.missing is None:
        return "the version in use has its root, by which servers of an environment trust it"
    return None


def _lacks_intermediate(missing: IssuerName, bundle: Bundle, before: Bundle) -> bool:
    """Return True if the chain lacks an intermediate certificate that the chain in use has.

    A TLS server need not send the root certificate. A server also need not send a cross-signed certificate of a root
    that clients hold. If another authority issued the new version, Certroll cannot tell which intermediates belong to
    the new chain. If another authority issued the new version, only a chain without any issuer counts as one that
    lacks an intermediate.
    """
    issuers = before.issuers[:-1] if before.missing is None else before.issuers
    intermediates = [issuer for issuer in issuers if issuer not in before.held]
    top = before.issuers[-1] if before.missing is None and before.issuers else before.missing
    roots = before.held if top is None else {top, *before.held}
    bare = not bundle.issuers and bool(intermediates) and missing not in roots
    return missing in intermediates or bare


def chain_order(case: Case, bundle: Bundle) -> Opinion:
    """Warn of a chain whose certificates are not in order from leaf to root."""
    if bundle.ordered:
        return Level.PASS, "its chain is in order"
    remedy = "; Certroll uploads the chain in order" if case.use is Use.UPLOAD else ""
    return Level.WARN, f"its chain is not in order, each certificate followed by its issuer{remedy}"


def validity_limit(case: Case, facts: CertificateFacts) -> Opinion | None:
    """Warn of a public authority's certificate that is valid for longer than the limit on its first day.

    The limits of validity concern only certificates of public authorities. The certificate of a public authority names
    a policy that the CA/Browser Forum reserves. A certificate does not contain its day of issue, so Certroll takes the
    day of `not_before`.
    """
    issued = case.version.not_before
    limit = in_force(VALIDITY_LIMITS, issued)
    if not facts.public_policy or limit is None:
        return None
    days = validity_days(case.version)
    detail = f"it is valid for {days} days, and public certificates issued on {issued:%Y-%m-%d} for {limit} at most"
    return (Level.WARN if days > limit else Level.PASS), detail


def validity_days(version: CertificateVersion) -> int:
    """Return the days of validity of a version of a vault certificate.

    The first and the last second of the validity count, and a part of a day counts as a day.
    """
    span = version.not_after - version.not_before + timedelta(seconds=1)
    return -(-span // timedelta(days=1))


def authority(_: Case, facts: CertificateFacts) -> Opinion:
    """Refuse a root certificate that may not sign other certificates."""
    if facts.is_ca:
        return Level.PASS, "it belongs to a certificate authority"
    if Part.CONSTRAINTS in facts.unread:
        return Level.REFUSE, f"{unread_detail([Part.CONSTRAINTS])}, so it may not be a certificate authority's"
    detail = "its basic constraints do not allow it to sign certificates: nobody would trust what it signed"
    return Level.REFUSE, detail


def self_signed(_: Case, facts: CertificateFacts) -> Opinion:
    """Refuse a root certificate that another authority issued."""
    if facts.self_signed:
        return Level.PASS, "it is self-signed, as a root is"
    return Level.REFUSE, f"it was issued by {facts.issuer}: put the root itself into the vault, not an intermediate"
