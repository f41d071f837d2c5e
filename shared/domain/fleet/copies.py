"""Certificates as App Service holds them: copies of a webspace or a site, and roots of an environment."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.names import CopyRef, HostName, RootRef, SiteRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.tags import Tags

OWN_PREFIX = "certroll-"


@dataclass(frozen=True, slots=True)
class WebspaceCertificate:
    """A copy of a certificate in a webspace.

    `thumbprint` is None for free managed certificates, which hide it. `source` is the vault object that an imported
    copy comes from; `key_vault_id` and `key_vault_secret` are that source as Azure wrote it, for the way back.
    `switches` are further properties that a PUT has to give back as they are, as JSON; `loaded` is the one of them by
    which the code of a Flex Consumption app gets the certificate. `created` is when it was uploaded, None where Azure
    does not say it, and where nobody needed to know.
    """

    ref: CopyRef
    webspace: Webspace
    location: str
    thumbprint: Thumbprint | None
    host_names: frozenset[HostName]
    not_after: datetime | None
    source: VaultCertificateRef | None
    key_vault_id: str | None = None
    key_vault_secret: str | None = None
    tags: Tags = ()
    switches: str = "{}"
    loaded: bool = False
    created: datetime | None = None

    @property
    def site(self) -> SiteRef | None:
        """The one site or slot that has it to itself, None where the webspace shares it."""
        return self.ref.owner

    @property
    def is_upload(self) -> bool:
        """Whether it was uploaded with its key, by people or by us: it comes from no vault, nor is it Azure's own."""
        return self.source is None and self.thumbprint is not None and not self.ref.public

    @property
    def uploaded(self) -> bool:
        """Whether people uploaded it."""
        return self.is_upload and not self.ref.name.startswith(OWN_PREFIX)


@dataclass(frozen=True, slots=True)
class RootCertificate:
    """A public certificate of an App Service Environment, which its apps trust from a start on where it `is_root`.

    `thumbprint` is None where Azure shows neither it nor the certificate, and the name is none of ours.
    """

    ref: RootRef
    location: str
    thumbprint: Thumbprint | None
    is_root: bool = True
