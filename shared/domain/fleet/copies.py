"""The certificates in App Service: those of a webspace or a site, and the roots of an environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.names import CopyRef, HostName, RootRef, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.tags import Tags

OWN_PREFIX = "certroll-"
"""The names of all certificates that Certroll uploads begin with it."""


@dataclass(frozen=True, slots=True)
class WebspaceCertificate:
    """A certificate in App Service, stored in a webspace (shared by a group of plans) or at one site."""

    ref: CopyRef
    webspace: Webspace
    location: str
    thumbprint: Thumbprint | None
    """The thumbprint, None for a free managed certificate, whose thumbprint Azure hides."""
    host_names: frozenset[HostName]
    not_after: datetime | None
    source: VaultCertificateRef | None
    """The vault object from which App Service imported the certificate, None for every other certificate."""
    key_vault_id: str | None = None
    """The vault of the source as Azure wrote it. A PUT must return it unchanged."""
    key_vault_secret: str | None = None
    """The secret of the source as Azure wrote it. A PUT must return it unchanged."""
    tags: Tags = ()
    written_tags: str = field(default="", compare=False, repr=False)
    """The tags as JSON, as Azure wrote them. A PUT must return them unchanged, null as null. Empty for a new import."""
    switches: str = "{}"
    """Further properties as JSON, which a PUT must return unchanged."""
    loaded: bool = False
    """True if the code of a Flex Consumption app gets the certificate."""
    created: datetime | None = None
    """The time of the upload, None if Azure does not tell it or Certroll did not read it."""
    not_before: datetime | None = None
    """The first moment of the certificate's validity, None if Azure does not show it."""
    issuer: str = ""
    """The common name of the certificate's issuer (recorded traffic), empty if Azure does not show it."""
    in_environment: bool = False
    """True if Azure names an App Service Environment as the place of the certificate."""
    self_signed: bool = False
    """True if App Service shows the certificate's own name as its issuer."""
    projected: bool = field(default=False, compare=False)
    """True if Azure does not have the certificate yet, because it is the result of a planned step."""
    shown: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)
    """What compliance rules judge, under Azure's names (`SHOWN_OF_CERTIFICATE` in shared/clients/arm/wire.py)."""

    @property
    def site(self) -> SiteRef | None:
        """The site or slot that owns the certificate, None if the sites of a webspace share the certificate."""
        return self.ref.owner

    @property
    def is_upload(self) -> bool:
        """True if an operator or Certroll uploaded the certificate with its private key.

        A certificate in App Service without an uploaded private key is imported from a vault, is managed by Azure, or
        has no private key.
        """
        return self.source is None and self.thumbprint is not None and not self.ref.public

    @property
    def uploaded(self) -> bool:
        """True if somebody other than Certroll uploaded the certificate with its private key."""
        return self.is_upload and not self.ref.name.startswith(OWN_PREFIX)


@dataclass(frozen=True, slots=True)
class RootCertificate:
    """A public certificate of an App Service Environment, usually a root."""

    ref: RootRef
    location: str
    thumbprint: Thumbprint | None
    """The thumbprint, None if Certroll cannot find it.

    Certroll reads it from Azure's answer, from the certificate, or from a resource name that Certroll gave.
    """
    is_root: bool = True
    """True if the apps of the environment trust the certificate as a root after their next start."""
