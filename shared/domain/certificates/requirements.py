"""The names and limits of all requirements of certificates, and the class `Case`, which Certroll judges.

The judge of each requirement is a function in judges.py, and RULES in rules.py connects the requirement with its judge.
docs/reference/requirements.md names the sources.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto

from shared.domain.certificates.version import (
    Bundle,
    CertificateFacts,
    CertificateVersion,
    InUse,
    KeyPolicy,
)
from shared.domain.names import HostName

PKCS12 = "application/x-pkcs12"
PEM = "application/x-pem-file"
BARE = "certificate"
"""The content type that Certroll gives to a secret whose tags mark a root: PEM, or base64 of DER.

Key Vault has no such content type.
"""
SMALLEST_RSA_KEY = 2048
"""The smallest RSA key that Certroll accepts, in bits."""
CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
"""The elliptic curves that TLS servers commonly know."""
LONGEST_SERIAL = 20
"""The longest serial number that X.509 allows, in octets (RFC 5280, 4.1.2.2)."""
LONG_SERIAL = 10
"""The longest serial number that App Service documents for uploads, in octets."""
WEAK_HASHES = frozenset({"md2", "md4", "md5", "sha1"})
"""The hash algorithms of signatures that clients no longer trust."""


class Use(StrEnum):
    """The purpose for which App Service uses a certificate."""

    IMPORT = auto()
    """App Service imports the certificate from a vault."""
    UPLOAD = auto()
    """Certroll uploads the certificate with its private key."""
    BINDING = auto()
    """A site shows the certificate to its visitors."""
    OUTBOUND = auto()
    """An app loads the certificate, for example to authenticate its own calls."""
    PUBLIC = auto()
    """Certroll uploads the certificate without a private key."""
    ROOT = auto()
    """Apps trust the certificate as a root."""


class Level(StrEnum):
    """The level of Certroll's verdict about one requirement of a certificate."""

    PASS = auto()
    """The certificate meets the requirement."""
    WARN = auto()
    """The certificate misses the requirement, and Certroll reports a finding."""
    REFUSE = auto()
    """App Service would refuse the certificate, or the certificate is worse than the version in use."""
    UNSEEN = auto()
    """Certroll did not read what the requirement is about."""


class Requirement(StrEnum):
    """The name of a requirement."""

    ENABLED = "Enabled"
    NOT_EXPIRED = "NotExpired"
    ISSUER_KEPT = "IssuerKept"
    SERIAL_NUMBER = "SerialNumber"
    SIGNATURE = "Signature"
    READABLE = "Readable"
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
    """A version of a vault certificate, with all facts by which Certroll judges the version."""

    version: CertificateVersion
    use: Use | None
    """The purpose of the version. None selects only the requirements that apply to every purpose."""
    now: datetime
    in_use: tuple[InUse, ...] = ()
    """The certificates that the judged version replaces, empty if it replaces none."""
    key: KeyPolicy | None = None
    """The key and the format of the version, None if Certroll did not read them."""
    hosts: tuple[HostName, ...] = ()
    """The host names whose bindings will show the version."""
    whole_chain: bool = False
    """True if servers trust the version by its uploaded chain, which must then include the root."""
    urgent: bool = False
    """True if the certificate in use ends so soon that a worse chain is better than an expired certificate."""

    @property
    def known(self) -> tuple[CertificateFacts, ...]:
        """The facts of the certificates in use, as far as Certroll knows them."""
        return tuple(in_use.facts for in_use in self.in_use if in_use.facts is not None)

    @property
    def has_unknown(self) -> bool:
        """True if Certroll does not know the contents of a certificate in use."""
        return len(self.known) < len(self.in_use)


Opinion = tuple[Level, str]
"""The result of a judge, with a detail for operators."""
Judge = Callable[[Case], Opinion | None]
"""A function that judges one requirement. It returns None if the requirement does not apply to the case."""
FactsJudge = Callable[[Case, CertificateFacts], Opinion | None]
BundleJudge = Callable[[Case, Bundle], Opinion | None]
PolicyJudge = Callable[[Case, KeyPolicy], Opinion | None]
