"""The certificates in the simulated App Service: with a private key, public, and roots of an environment."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from local.azure.principals import APP_SERVICE
from local.azure.vault.issued import ImportedCertificate
from local.azure.web.resources import CURRENT_USER, StoreLocation, Webspace, covers, web_id


@dataclass(frozen=True, slots=True)
class Source:
    """The vault object from which a certificate was imported."""

    vault_id: str
    secret_name: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate in App Service with its private key, from an import, an upload, or an order."""

    subscription: str
    resource_group: str
    name: str
    location: str
    webspace: Webspace
    content: ImportedCertificate
    source: Source | None = None
    """The vault object of an imported certificate; None for an upload."""
    tags: Mapping[str, str] = field(default_factory=dict)
    status: str = "Initialized"
    site_id: str | None = None
    """The Flex Consumption site or slot that owns the certificate; None if the webspace owns it."""
    loaded: bool = False
    """True if App Service loads this certificate of a Flex Consumption site into the app."""
    by_site_identity: bool = False
    """True if the identity of the Flex Consumption site reads the vault, instead of App Service."""
    managed: str | None = None
    """The host name of a free managed certificate; None for other certificates."""
    hidden: bool = False
    """True if reads show neither the thumbprint nor the dates."""
    created: datetime | None = None
    shows_webspace: bool = True
    """False if Azure answers `"webSpace": null` for the certificate, as users report of plans."""

    @property
    def id(self) -> str:
        """The resource id of the certificate."""
        if self.site_id is not None:
            return f"{self.site_id}/certificates/{self.name}"
        return web_id(self.subscription, self.resource_group, "certificates", self.name)

    @property
    def scope(self) -> tuple[str, ...]:
        """The key of the certificate's owner: a site, or a webspace (App Service's group of plans)."""
        return self.webspace.key if self.site_id is None else (self.site_id.lower(),)

    @property
    def reader(self) -> str:
        """The principal that reads the vault, which is App Service or the site's identity (named by the site's id)."""
        return self.site_id if self.site_id is not None and self.by_site_identity else APP_SERVICE

    @property
    def thumbprint(self) -> str:
        """The SHA-1 hash of the certificate in upper-case hexadecimal."""
        return self.content.thumbprint

    def covers(self, host_name: str) -> bool:
        """Return True if a name or wildcard of the certificate covers the host name."""
        return any(covers(name, host_name) for name in self.content.host_names)


@dataclass(frozen=True, slots=True)
class KeylessCertificate:
    """A certificate without a private key, which belongs to a site, a slot or an App Service Environment."""

    owner_id: str
    """The resource id of the site, slot or environment."""
    name: str
    der: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """The resource id of the certificate."""
        return f"{self.owner_id}/publicCertificates/{self.name}"

    @property
    def thumbprint(self) -> str:
        """The SHA-1 hash of the certificate in upper-case hexadecimal."""
        return thumbprint_of(self.der)


@dataclass(frozen=True, slots=True)
class PublicCertificate(KeylessCertificate):
    """A certificate without a private key, which the code of one site or slot may load."""

    location: StoreLocation = CURRENT_USER


@dataclass(frozen=True, slots=True)
class RootCertificate(KeylessCertificate):
    """A public certificate of an App Service Environment."""

    location: str
    is_root: bool = True
    """True if the environment's apps trust the certificate after their next stop and start."""


def thumbprint_of(der: bytes) -> str:
    """Return the SHA-1 hash of a certificate in upper-case hexadecimal."""
    return hashlib.sha1(der).hexdigest().upper()  # noqa: S324 - Azure's identifier, not a safeguard
