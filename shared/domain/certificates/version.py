"""One version of a vault object: what its certificate says, and what its key and its secret are like."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto

from shared.domain.names import HostName, Thumbprint


class KeyType(StrEnum):
    """The kind of a certificate's key."""

    RSA = "RSA"
    EC = "EC"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What an X.509 certificate says of itself.

    `key_size` in bits; `curve` is None where the key is not on one. `server_auth` and `client_auth` are what its
    extended key usage allows, which is anything where there is none. `signature_hash` is the hash under the issuer's
    signature, or the number of an algorithm that has none. `serial_octets` is the length of the serial number as it is
    encoded. `public_policy` says that it names a policy that the CA/Browser Forum reserves for public certificates;
    `is_ca` that it may sign others.
    """

    host_names: frozenset[HostName]
    key_type: KeyType
    key_size: int
    self_signed: bool
    server_auth: bool
    client_auth: bool
    signature_hash: str
    serial_octets: int
    issuer: str
    curve: str | None
    public_policy: bool
    is_ca: bool = False


class KeyFound(StrEnum):
    """Which private key lies beside a certificate."""

    NONE = auto()
    FOREIGN = auto()
    MATCHING = auto()


@dataclass(frozen=True, slots=True)
class Bundle:
    """What lies beside a certificate in a PFX or PEM.

    `issuers` are the names of the certificates above it, nearest first. `missing` is the name of the one that issued
    the last of them and is not there, None where that is a root. `ordered` says that they lay in this order.
    """

    key: KeyFound
    issuers: tuple[str, ...]
    missing: str | None
    ordered: bool


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """What decides whether App Service can import a vault certificate, or be given it: its key, and its format."""

    exportable: bool
    content_type: str


@dataclass(frozen=True, slots=True)
class CertificateVersion:
    """One version of a vault certificate.

    `facts` is None where they were not needed and not read, `bundle` where the certificate alone was.
    """

    version: str
    thumbprint: Thumbprint
    not_before: datetime
    not_after: datetime
    enabled: bool
    created: datetime
    facts: CertificateFacts | None = None
    bundle: Bundle | None = None
