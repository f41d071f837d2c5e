"""Define the port to Key Vault: certificates, secrets that hold certificates, and their versions."""

from datetime import datetime
from typing import Protocol

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.pfx import Pfx
from shared.domain.certificates.version import CertificateFacts
from shared.domain.fleet.fleet import Listing
from shared.domain.names import Thumbprint, VaultCertificateRef, VaultName


class Vault(Protocol):
    """The port to Key Vault. If a call to Azure fails, each method of the port raises a subclass of AzureError."""

    def lineage(self, ref: VaultCertificateRef, now: datetime) -> Lineage:
        """Read a vault certificate with all its versions, judged at the time `now`."""

    def names(self, vault: VaultName) -> Listing[VaultCertificateRef]:
        """List the certificates of a vault."""

    def secret_names(self, vault: VaultName, since: datetime | None = None) -> Listing[VaultCertificateRef]:
        """List the secrets of a vault that may hold a certificate according to their content type or tags.

        With `since`, omit the secrets whose newest version was added before that time.
        """

    def holding(self, vault: VaultName, thumbprints: frozenset[Thumbprint]) -> Listing[VaultCertificateRef]:
        """List the certificates of a vault whose newest version has one of the thumbprints."""

    def public_part(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> bytes:
        """Return the certificate of one version in DER, without its key."""

    def facts(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> CertificateFacts:
        """Return the contents of the certificate of one version, disabled or not.

        Raises Rejected if the certificate is unreadable.
        """

    def pfx(self, ref: VaultCertificateRef, version: str, thumbprint: Thumbprint) -> Pfx:
        """Return one version with its private key and chain, under a random password that Certroll never stores."""
