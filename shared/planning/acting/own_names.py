"""Name and build the certificates that Certroll itself puts into App Service."""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from shared.domain.certificates.lineage import Lineage
from shared.domain.certificates.version import CertificateVersion
from shared.domain.fleet.copies import OWN_PREFIX, WebspaceCertificate
from shared.domain.fleet.sites import ServerFarm
from shared.domain.names import CopyRef, Thumbprint, VaultCertificateRef, Webspace
from shared.domain.tags import LINEAGE


def own_copy(
    lineage: Lineage,
    version: CertificateVersion,
    webspace: Webspace,
    plan: ServerFarm | None,
    taken: Mapping[CopyRef, Webspace],
) -> WebspaceCertificate:
    """Return the certificate that Certroll uploads, named `certroll-{name}-{thumbprint}`."""
    group = plan.resource_group if plan else "unknown"
    ref = CopyRef(webspace.subscription, group, f"{OWN_PREFIX}{lineage.ref.name}-{version.thumbprint}".lower())
    return WebspaceCertificate(
        ref=unique_name(ref, webspace, taken),
        webspace=webspace,
        location=plan.location if plan else "",
        thumbprint=version.thumbprint,
        host_names=version.facts.host_names if version.facts else frozenset(),
        not_after=version.not_after,
        source=None,
        tags=((LINEAGE.name, str(lineage.ref)),),
    )


def unique_name(ref: CopyRef, webspace: Webspace, taken: Mapping[CopyRef, Webspace]) -> CopyRef:
    """Return the certificate's name, with a suffix if a certificate in another webspace already has the same name.

    If certificates in two webspaces of one resource group shared a name, the second certificate would replace the first
    (azure-powershell issue 17347).
    """
    if taken.get(ref, webspace) == webspace:
        return ref
    return replace(ref, name=f"{ref.name}-{sha256(webspace.name.encode()).hexdigest()[:8]}")


def own_name(ref: VaultCertificateRef, thumbprint: Thumbprint | None) -> str:
    """Return the name of a public certificate that Certroll uploads.

    The name includes the vault object, because Azure stores no tags with a public certificate.
    """
    return f"{OWN_PREFIX}{ref.vault}-{ref.name}-{thumbprint}".lower()
