"""The plain secrets of a vault: secrets without a Key Vault certificate, whose values may hold a certificate."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

from local.azure.vault.authority import CLIENT_AUTH, SERVER_AUTH, KeyType, Leaf, Request
from local.azure.vault.content import certificate_in
from local.azure.vault.policy import PEM, PKCS12

PFX_SECRET_DAYS = 180


@dataclass(slots=True)
class SecretVersion:
    """One version of a plain secret.

    The value of a secret version never changes; the attributes of the version may change.
    """

    id: str
    value: str = field(repr=False)
    created: datetime
    updated: datetime
    content_type: str | None = None
    enabled: bool = True
    tags: dict[str, str] = field(default_factory=dict)
    not_before: datetime | None = None
    """The start date that a client set on the version, independent of any certificate in the value.

    Key Vault also gives out the value before this date (Azure docs, about-secrets).
    """
    not_after: datetime | None = None
    """The end date that a client set on the version, independent of any certificate in the value.

    Key Vault also gives out the value after this date (Azure docs, about-secrets).
    """

    @property
    def leaf(self) -> Leaf:
        """The certificate in the secret's value.

        Reading the property `leaf` raises ValueError if the secret's value holds no certificate.
        """
        found = certificate_in(self.value)
        if found is None:
            raise ValueError(f"Version {self.id} of this secret holds no certificate.")
        return found[0]

    @property
    def thumbprint(self) -> str:
        """The SHA-1 hash of the certificate in the secret's value, in upper-case hexadecimal."""
        return self.leaf.thumbprint

    @property
    def host_names(self) -> tuple[str, ...]:
        """The host names that the certificate in the secret's value covers."""
        return self.leaf.host_names

    @property
    def has_certificate(self) -> bool:
        """True if the secret's value holds a certificate that can be read without a password."""
        return certificate_in(self.value) is not None

    @property
    def is_pem(self) -> bool:
        """True if the secret's value is a certificate in PEM, independent of the secret's content type."""
        found = certificate_in(self.value)
        return found is not None and found[1] == PEM

    @property
    def import_problem(self) -> str | None:
        """The reason why App Service cannot import the secret's version, or None if the import is possible.

        To import a plain secret, App Service needs a PFX without a password and with an RSA key. For an import, the
        content type of the secret has to be `application/x-pkcs12` (Azure docs, configure-ssl-certificate).
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
    """A plain secret of a vault: its name, and its versions, oldest first."""

    name: str
    versions: list[SecretVersion] = field(default_factory=list)
    deleted_at: datetime | None = None

    @property
    def newest(self) -> SecretVersion:
        """The version of the plain secret that was set last, enabled or not."""
        return self.versions[-1]

    def version(self, identifier: str) -> SecretVersion | None:
        """Return the version of the plain secret with this id, or None."""
        return next((version for version in self.versions if version.id == identifier), None)


class SecretDifferences(TypedDict, total=False):
    """The properties in which a new plain secret with a certificate differs from the defaults."""

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
    """True if the secret version also gets the dates of its certificate."""
    odd: bool
    """True for a certificate that its authority wrote in an odd form (`Request.odd`)."""


def certificate_request(host_names: tuple[str, ...], created: datetime, differences: SecretDifferences) -> Request:
    """Return the request for the certificate in a plain secret, with the given differences from the defaults."""
    not_before = differences.get("not_before", created)
    return Request(
        host_names,
        not_before,
        differences.get("not_after", not_before + timedelta(days=PFX_SECRET_DAYS)),
        differences.get("key_type", "RSA"),
        differences.get("key_size", 2048),
        differences.get("self_signed", False),
        tuple(differences.get("usages", (SERVER_AUTH, CLIENT_AUTH))),
        odd=differences.get("odd", False),
    )
