"""A certificate as App Service stores it after an import from a vault or after an upload."""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from local.azure.vault.authority import KeyType, Leaf
from local.azure.vault.links import name_text
from local.azure.vault.policy import PKCS12


@dataclass(frozen=True, slots=True)
class ImportedCertificate:
    """A certificate that App Service has imported or received by upload, and that its front ends may serve."""

    thumbprint: str
    host_names: tuple[str, ...]
    subject_name: str
    issuer: str
    not_before: datetime
    not_after: datetime
    public_der: bytes = field(repr=False)
    private_key_pem: bytes = field(repr=False)
    chain_pem: bytes = field(repr=False)
    self_signed: bool
    content_type: str
    key_type: KeyType


def imported(leaf: Leaf, content_type: str = PKCS12) -> ImportedCertificate:
    """Return the certificate as App Service stores it after an import or an upload."""
    return ImportedCertificate(
        thumbprint=leaf.thumbprint,
        host_names=leaf.host_names,
        subject_name=",".join(leaf.host_names),
        issuer=name_text(lambda: x509.Name([leaf.certificate.issuer.rdns[-1]])).removeprefix("CN="),
        not_before=leaf.certificate.not_valid_before_utc,
        not_after=leaf.certificate.not_valid_after_utc,
        public_der=leaf.der,
        private_key_pem=leaf.private_key_pem,
        chain_pem=leaf.chain_pem,
        self_signed=leaf.self_signed,
        content_type=content_type,
        key_type=leaf.key_type,
    )
