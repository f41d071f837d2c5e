"""One version of a vault object: the facts in its certificate, the private key, and the format of the secret."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto

from shared.domain.names import HostName, Thumbprint


class KeyType(StrEnum):
    """The kind of a certificate's public and private key."""

    RSA = "RSA"
    EC = "EC"
    OTHER = "other"


class Part(StrEnum):
    """A part of a certificate that Certroll reads by itself, because each part may be malformed."""

    NAMES = "subject alternative names"
    USAGES = "extended key usage"
    CONSTRAINTS = "basic constraints"
    POLICIES = "certificate policies"
    KEY = "public key"
    SIGNATURE = "signature algorithm"


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """The contents of an X.509 certificate that matter to Certroll."""

    host_names: frozenset[HostName]
    key_type: KeyType
    key_size: int
    """The size of the key in bits."""
    self_signed: bool
    server_auth: bool
    """True if the extended key usage allows server authentication, or if the certificate has no such extension."""
    client_auth: bool
    """True if the extended key usage allows client authentication, or if the certificate has no such extension."""
    signature_hash: str
    """The hash algorithm of the issuer's signature, or the OID of a signature algorithm without a hash."""
    serial_octets: int
    """The length of the encoded serial number."""
    issuer: str
    curve: str | None
    """The elliptic curve of the key, None for every other kind of key."""
    public_policy: bool
    """True if the certificate names a policy that the CA/Browser Forum reserves for publicly trusted certificates."""
    is_ca: bool = False
    """True if the certificate may sign other certificates."""
    unread: frozenset[Part] = frozenset()
    """The parts of the certificate that Certroll could not read, or could only partly read, because of a defect."""


class KeyFound(StrEnum):
    """The private key that comes with a certificate in a vault's secret."""

    NONE = auto()
    """The certificate comes without a private key."""
    FOREIGN = auto()
    """The private key belongs to another certificate."""
    MATCHING = auto()
    """The private key belongs to the certificate."""


@dataclass(frozen=True, slots=True)
class IssuerName:
    """The name of an issuer. Two names with the same meaning are equal, however they are written (RFC 5280, 7.1)."""

    title: str = field(compare=False)
    """The name for operators, which several issuers may share."""
    meaning: str
    """A text that is equal for names with the same meaning, and different for all others."""

    def __str__(self) -> str:
        return self.title


@dataclass(frozen=True, slots=True)
class Bundle:
    """The facts about private key and chain that come with a certificate in a PFX or PEM."""

    key: KeyFound
    issuers: tuple[IssuerName, ...]
    """The names of the certificates in the chain, from the nearest issuer up."""
    missing: IssuerName | None
    """The name of the issuer at which the chain ends, None if the chain reaches a root."""
    ordered: bool
    """True if the PFX or PEM contains each certificate directly before its issuer."""
    held: frozenset[IssuerName] = frozenset()
    """The names of cross-signed issuers in the chain whose key is that of a self-signed root that clients hold."""


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """The properties of a version that decide whether App Service can import or Certroll can upload the version."""

    exportable: bool | None
    """True if the private key may leave the vault, None if Certroll may not read that."""
    content_type: str | None
    """The format of the secret, None if Certroll may not read it."""


@dataclass(frozen=True, slots=True)
class InUse:
    """A certificate that a new version replaces, as far as Certroll knows it."""

    facts: CertificateFacts | None = None
    """The contents of the certificate, None if Certroll does not know them."""
    bundle: Bundle | None = None
    """The chain of the certificate, None if Certroll does not know it."""
    shown_self_signed: bool = False
    """True if App Service shows the certificate's own name as its issuer."""
    disabled: bool = False
    """True if an operator disabled the certificate in the vault, or if Certroll cannot rule it out."""

    @property
    def self_signed(self) -> bool:
        """True if Certroll knows that no authority issued the certificate."""
        return self.facts.self_signed if self.facts else self.shown_self_signed


@dataclass(frozen=True, slots=True)
class CertificateVersion:
    """One version of a vault certificate."""

    version: str
    thumbprint: Thumbprint
    not_before: datetime
    not_after: datetime
    enabled: bool
    created: datetime
    facts: CertificateFacts | None = None
    """The contents of the certificate, None if Certroll did not need to read them."""
    bundle: Bundle | None = None
    """The key and the chain of the certificate, None if Certroll read only the certificate."""

    @property
    def in_use(self) -> InUse:
        """The version as a certificate that a later version replaces."""
        return InUse(self.facts, self.bundle, disabled=not self.enabled)
