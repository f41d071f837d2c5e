"""Plain secrets of a vault: values that no certificate stands behind, though they may hold one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from local.azure.vault.authority import KeyType, Leaf
from local.azure.vault.content import certificate_in
from local.azure.vault.policy import PEM, PKCS12


@dataclass(slots=True)
class SecretVersion:
    """One version of a plain secret; its value never changes, its attributes may.

    `not_before` and `not_after` are what somebody wrote beside the value, not what a certificate in it says; Key Vault
    hands out the value outside of them all the same (Azure docs, about-secrets).
    """

    id: str
    value: str = field(repr=False)
    created: datetime
    updated: datetime
    content_type: str | None = None
    enabled: bool = True
    tags: dict[str, str] = field(default_factory=dict)
    not_before: datetime | None = None
    not_after: datetime | None = None

    @property
    def leaf(self) -> Leaf:
        """The certificate in the value; a ValueError where there is none."""
        found = certificate_in(self.value)
        if found is None:
            raise ValueError(f"Version {self.id} of this secret holds no certificate.")
        return found[0]

    @property
    def thumbprint(self) -> str:
        """The SHA-1 of the certificate in the value, in upper-case hex."""
        return self.leaf.thumbprint

    @property
    def host_names(self) -> tuple[str, ...]:
        """The names that the certificate in the value covers."""
        return self.leaf.host_names

    @property
    def has_certificate(self) -> bool:
        """True if the value holds a certificate that can be read without a password."""
        return certificate_in(self.value) is not None

    @property
    def is_pem(self) -> bool:
        """True if the value is a certificate in PEM, whatever its content type says."""
        found = certificate_in(self.value)
        return found is not None and found[1] == PEM

    @property
    def import_problem(self) -> str | None:
        """Why App Service cannot import this version, or None where it can.

        It needs a PFX without a password, in a secret of content type `application/x-pkcs12`, with an RSA key (Azure
        docs, configure-ssl-certificate).
        """
        found = certificate_in(self.value)
        if (self.content_type or "").lower() != PKCS12:
            return f"its secret is not {PKCS12}"
        if found is None or found[1] != PKCS12:
            return "its secret holds no PFX that opens without a password"
        if found[0].private_key is None:
            return "its secret holds no private key"
        return None if found[0].key_type == "RSA" else "elliptic-curve keys cannot be imported from a vault"


@dataclass(slots=True)
class Secret:
    """A plain secret of a vault: a name, and the versions, oldest first."""

    name: str
    versions: list[SecretVersion] = field(default_factory=list)
    deleted_at: datetime | None = None

    @property
    def newest(self) -> SecretVersion:
        """The version that was set last, whether enabled or not."""
        return self.versions[-1]

    def version(self, identifier: str) -> SecretVersion | None:
        """Return the version with that id, or None."""
        return next((version for version in self.versions if version.id == identifier), None)


class SecretDifferences(TypedDict, total=False):
    """In what a certificate in a plain secret, or its version, shall differ from the ordinary.

    `dated` writes the certificate's dates beside the value too.
    """

    not_before: datetime
    not_after: datetime
    created: datetime
    key_type: KeyType
    key_size: int
    self_signed: bool
    usages: Collection[str]
    enabled: bool
    content_type: str
    tags: Mapping[str, str]
    dated: bool
