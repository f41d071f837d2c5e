"""What is in a vault: certificates, their versions and pending operations; and why an object is not handed out."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypedDict, TypeVar

from local.azure.vault.authority import KeyType, Leaf, PrivateKey
from local.azure.vault.issued import ImportedCertificate, imported
from local.azure.vault.policy import PKCS12, Policy
from local.azure.vault.secrets import SecretVersion

NAME_RULE = re.compile(r"[0-9A-Za-z-]{1,127}")


class VaultRefusal(Exception):
    """The vault does not hand out what was asked for."""


class VaultDenied(VaultRefusal):
    """The caller may not read this vault."""


class VaultMissing(VaultRefusal):
    """No vault has that resource id."""


class VaultObjectMissing(VaultRefusal):
    """The vault has neither a certificate nor a secret of that name."""


class VaultObjectDisabled(VaultRefusal):
    """The newest version is disabled."""


class VaultObjectUnusable(VaultRefusal):
    """App Service cannot import the newest version: no certificate, no private key, PEM, or not an RSA key."""


@dataclass(slots=True)
class Version:
    """One version of a vault certificate; its certificate never changes, its attributes may."""

    id: str
    leaf: Leaf
    policy: Policy
    created: datetime
    updated: datetime
    enabled: bool = True
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def thumbprint(self) -> str:
        """The SHA-1 of the certificate in upper-case hex."""
        return self.leaf.thumbprint

    @property
    def not_before(self) -> datetime:
        """When the certificate's validity begins."""
        return self.leaf.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """When the certificate's validity ends."""
        return self.leaf.certificate.not_valid_after_utc

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names that the certificate covers."""
        return self.leaf.host_names

    @property
    def content_type(self) -> str:
        """The content type of the secret behind the version."""
        return self.policy.content_type

    @property
    def import_problem(self) -> str | None:
        """Why App Service cannot import this version, or None where it can.

        It reads the secret behind the certificate, which has to be a PFX without a password, of content type
        `application/x-pkcs12`, with an RSA key (Azure docs, configure-ssl-certificate).
        """
        problems = {
            "its private key is not exportable": not self.policy.exportable,
            f"its secret is not {PKCS12}": self.policy.content_type != PKCS12,
            "elliptic-curve keys cannot be imported from a vault": self.leaf.key_type != "RSA",
            "its secret holds no private key": self.leaf.private_key is None,
        }
        return next((problem for problem, applies in problems.items() if applies), None)

    def imported(self) -> ImportedCertificate:
        """Return what App Service keeps of this version."""
        return imported(self.leaf, self.policy.content_type)


@dataclass(slots=True)
class Operation:
    """A certificate being made: it completes when somebody looks, or by a merge."""

    request_id: str
    policy: Policy
    tags: dict[str, str]
    enabled: bool
    key: PrivateKey | None = None
    csr: bytes = b""
    status: str = "inProgress"
    cancelled: bool = False
    version: str = ""


@dataclass(slots=True)
class VaultCertificate:
    """A certificate of a vault: a name, the policy for its next version, and the versions, oldest first."""

    name: str
    policy: Policy
    created: datetime
    versions: list[Version] = field(default_factory=list)
    pending: Operation | None = None
    deleted_at: datetime | None = None

    @property
    def newest(self) -> Version:
        """The version that was made last, whether enabled or not."""
        return self.versions[-1]

    def version(self, identifier: str) -> Version | None:
        """Return the version with that id, or None."""
        return next((version for version in self.versions if version.id == identifier), None)


AnyVersion_co = TypeVar("AnyVersion_co", bound=Version | SecretVersion, covariant=True)


class Versioned(Protocol[AnyVersion_co]):
    """A certificate or a plain secret: what has versions, oldest first."""

    @property
    def versions(self) -> Sequence[AnyVersion_co]:
        """The versions, oldest first."""


class Differences(TypedDict, total=False):
    """In what a new version shall differ from what name and policy alone would give."""

    not_before: datetime
    not_after: datetime
    created: datetime
    key_type: KeyType
    key_size: int
    self_signed: bool
    enabled: bool
    exportable: bool
    content_type: str
    usages: Collection[str]
    tags: Mapping[str, str]


class RenewalDifferences(Differences, total=False):
    """The same, where the names may differ too."""

    host_names: Collection[str]


def check_name(name: str) -> None:
    """Raise a ValueError if Key Vault takes no object of that name."""
    if not NAME_RULE.fullmatch(name):
        raise ValueError(f"Key Vault takes letters, digits and dashes in the name of an object, not {name!r}.")
