"""The objects in a vault: certificates, versions, pending operations; and the reasons why a vault refuses an object."""

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
    """The vault does not give the requested vault object to App Service."""


class VaultDenied(VaultRefusal):
    """The principal that reads the vault for an import has no access to the vault."""


class VaultMissing(VaultRefusal):
    """No key vault has the resource id that an import or an order names."""


class VaultObjectMissing(VaultRefusal):
    """The vault has neither a certificate nor a secret with this name."""


class VaultObjectDisabled(VaultRefusal):
    """The version of the vault object that App Service would import is disabled."""


class VaultObjectUnusable(VaultRefusal):
    """App Service cannot import the version of the vault object, for instance because its key is not RSA."""


@dataclass(slots=True)
class Version:
    """One version of a vault certificate.

    The certificate in a version never changes; the attributes of the version may change.
    """

    id: str
    leaf: Leaf
    policy: Policy
    created: datetime
    updated: datetime
    enabled: bool = True
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def thumbprint(self) -> str:
        """The SHA-1 hash of the version's certificate in upper-case hexadecimal."""
        return self.leaf.thumbprint

    @property
    def not_before(self) -> datetime:
        """The time at which the certificate in this version becomes valid."""
        return self.leaf.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """The time at which the certificate in this version expires."""
        return self.leaf.certificate.not_valid_after_utc

    @property
    def host_names(self) -> tuple[str, ...]:
        """The host names that the certificate in this version covers."""
        return self.leaf.host_names

    @property
    def content_type(self) -> str:
        """The content type of the secret behind this version of the vault certificate."""
        return self.policy.content_type

    @property
    def import_problem(self) -> str | None:
        """The reason why App Service cannot import the certificate version, or None if the import is possible.

        For an import, App Service reads the secret behind the vault certificate. The secret behind an imported vault
        certificate has to be a PFX without a password, of content type `application/x-pkcs12`, with an RSA key (Azure
        docs, configure-ssl-certificate).
        """
        problems = {
            "its private key is not exportable": not self.policy.exportable,
            f"its secret is not {PKCS12}": self.policy.content_type != PKCS12,
            "elliptic-curve keys cannot be imported from a vault": self.leaf.key_type != "RSA",
            "its secret holds no private key": self.leaf.private_key is None,
        }
        return next((problem for problem, applies in problems.items() if applies), None)

    def imported(self) -> ImportedCertificate:
        """Return the certificate of this version in the form that App Service stores after an import."""
        return imported(self.leaf, self.policy.content_type)


@dataclass(slots=True)
class Operation:
    """The creation of a vault certificate's version, which completes at once or when a client merges a certificate."""

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
    """A certificate of a vault: its name, the policy for its next version, and its versions, oldest first."""

    name: str
    policy: Policy
    created: datetime
    versions: list[Version] = field(default_factory=list)
    pending: Operation | None = None
    deleted_at: datetime | None = None

    @property
    def newest(self) -> Version:
        """The version of the vault certificate that was made last, enabled or not."""
        return self.versions[-1]

    def version(self, identifier: str) -> Version | None:
        """Return the version of the vault certificate with this id, or None."""
        return next((version for version in self.versions if version.id == identifier), None)


AnyVersion_co = TypeVar("AnyVersion_co", bound=Version | SecretVersion, covariant=True)


class Versioned(Protocol[AnyVersion_co]):
    """A vault object with versions: a certificate or a plain secret."""

    @property
    def versions(self) -> Sequence[AnyVersion_co]:
        """The versions of the vault object, oldest first."""


class Differences(TypedDict, total=False):
    """The properties of a new version that differ from the defaults of its vault certificate and policy."""

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
    odd: bool
    """True for a certificate that its authority wrote in an odd form (`Request.odd`)."""


class RenewalDifferences(Differences, total=False):
    """The properties, possibly with host names, of a renewed certificate version that differ from the defaults."""

    host_names: Collection[str]


def check_name(name: str) -> None:
    """Raise a ValueError if Key Vault does not allow this name for an object."""
    if not NAME_RULE.fullmatch(name):
        raise ValueError(f"Key Vault takes letters, digits and dashes in the name of an object, not {name!r}.")
